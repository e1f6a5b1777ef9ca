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
sure as (

    select
        *,
        coalesce({{ wilson_limit('part', 'whole', '-') }} > lost_share, false) as is_sure
    from hours

),

-- Beside them those of too few pages to be sure of that lost as they did.
judged as (

    select
        *,
        is_sure or part > whole * (
            lost_share + sum(part) filter (where is_sure) over hours_of_day
            / sum(whole) filter (where is_sure) over hours_of_day
        ) / 2 as is_bad
    from sure
    window hours_of_day as (partition by check_name, check_date, app_id, platform)

),

placed as (

    select
        *,
        row_number() over (
            partition by check_name, check_date, app_id, platform
            order by hour_of_day
        ) - row_number() over (
            partition by check_name, check_date, app_id, platform, is_bad
            order by hour_of_day
        ) as stretch
    from judged

),

stretches as (

    select
        check_name,
        check_date,
        app_id,
        platform,
        any_value(lost_count) as lost_count,
        min(hour_of_day) as first_hour,
        max(hour_of_day) as last_hour,
        is_bad and bool_or(is_sure) as is_named,
        sum(part) as part,
        sum(whole) as whole
    from placed
    group by check_name, check_date, app_id, platform, is_bad, stretch

),

summed as (

    select
        check_name,
        check_date,
        app_id,
        platform,
        any_value(lost_count) as lost_count,
        count(*) filter (where is_named) as stretch_count,
        min(first_hour) filter (where is_named) as first_hour,
        max(last_hour) filter (where is_named) as last_hour,
        sum(part) filter (where is_named) as part,
        sum(whole) filter (where is_named) as whole,
        cast(sum(part) filter (where not is_named) as double) / sum(whole) filter (where not is_named) as others_share
    from stretches
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
        stretch_count = 1
        and part - whole * others_share >= 0.7 * lost_count

)

select * from final
