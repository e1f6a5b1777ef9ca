{{ config(materialized='ephemeral') }}

with losses as (

    select * from {{ ref('int_losses_wide') }}

),

-- What is known of who lost what.
counted as (

    {% for check, part, whole in [
        ('event_loss', 'only_pixel', 'pixel_hits'), ('pixel_loss', 'only_event', 'event_page_views')
    ] %}
        select
            '{{ check }}' as check_name,
            date as check_date,
            app_id,
            platform,
            dimension,
            dimension_value,
            {{ part }} as part,
            {{ whole }} as whole
        from {{ ref('loss_by_dimension') }}
        where dimension_value not in ('(unknown)', '(other)')
        union all
    {% endfor %}
    select
        'message_gaps' as check_name,
        date as check_date,
        app_id,
        platform,
        'tracker' as dimension,
        tracker as dimension_value,
        lost as part,
        expected as whole
    from {{ ref('message_gaps') }}
    where tracker is not null

),

totalled as (

    select
        *,
        sum(part) over values_of_day - part as others_part,
        sum(whole) over values_of_day - whole as others_whole
    from counted
    window values_of_day as (partition by check_name, check_date, app_id, platform, dimension)

),

-- How much of the loss would not be if a value lost as the others do.
final as (

    select
        losses.check_name,
        losses.check_date,
        losses.app_id,
        losses.platform,
        totalled.dimension,
        totalled.dimension_value,
        totalled.whole,
        {{ rate('totalled.part', 'totalled.whole') }} as lost_share,
        {{ rate('totalled.others_part', 'totalled.others_whole') }} as others_share,
        (totalled.part - totalled.whole * {{ rate('totalled.others_part', 'totalled.others_whole') }})
        / losses.lost_count as explained
    from losses
    inner join totalled
        on
            losses.check_name = totalled.check_name
            and losses.check_date = totalled.check_date
            and losses.app_id = totalled.app_id
            and losses.platform = totalled.platform
    where totalled.others_whole > 0

)

select * from final
