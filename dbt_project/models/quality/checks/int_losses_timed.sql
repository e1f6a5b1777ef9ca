{{ config(materialized='ephemeral') }}

with losses as (

    select * from {{ ref('int_losses_wide') }}
    where check_name in ('event_loss', 'pixel_loss')

),

hours as (

    select
        losses.*,
        extract(hour from timezone('UTC', loss_hourly.hour)) as hour_of_day,
        case losses.check_name when 'event_loss' then loss_hourly.only_pixel else loss_hourly.only_event end as part,
        case losses.check_name when 'event_loss' then loss_hourly.pixel_hits else loss_hourly.event_page_views end
            as whole
    from losses
    inner join {{ ref('loss_hourly') }} as loss_hourly
        on
            losses.app_id = loss_hourly.app_id
            and losses.platform = loss_hourly.platform
            and losses.check_date = {{ utc_date('loss_hourly.hour') }}

),

-- Hours that lost more than their day, and not by chance.
judged as (

    select
        *,
        coalesce({{ wilson_limit('part', 'whole', '-') }} > lost_share, false) as is_bad
    from hours

),

summed as (

    select
        check_name,
        check_date,
        app_id,
        platform,
        any_value(lost_count) as lost_count,
        min(hour_of_day) filter (where is_bad) as first_hour,
        max(hour_of_day) filter (where is_bad) as last_hour,
        count(*) filter (where is_bad) as hour_count,
        sum(part) filter (where is_bad) as part,
        sum(whole) filter (where is_bad) as whole,
        cast(sum(part) filter (where not is_bad) as double) / sum(whole) filter (where not is_bad) as others_share
    from judged
    group by check_name, check_date, app_id, platform

),

-- One stretch of hours, to which most of the loss belongs.
final as (

    select
        check_name,
        check_date,
        app_id,
        platform,
        first_hour,
        last_hour + 1 as after_last_hour
    from summed
    where
        hour_count = last_hour - first_hour + 1
        and part - whole * others_share >= 0.7 * lost_count

)

select * from final
