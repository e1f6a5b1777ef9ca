{{ config(materialized='in_place_view') }}

with loss_daily as (

    select * from {{ ref('loss_daily') }}

),

message_gaps as (

    select * from {{ ref('message_gaps') }}

),

access_loss as (

    select * from {{ ref('access_loss_daily') }}

),

messages_hourly as (

    select * from {{ ref('int_messages_hourly') }}

),

event_counts as (

    select * from {{ ref('stg_lake__event_counts') }}

),

refusals as (

    select * from {{ ref('int_refusals_deduplicated') }}

),

tracked_by_day as (

    select
        event_date as check_date,
        app_id,
        platform,
        sum(message_count) as message_count,
        sum(late_count) as late_count
    from messages_hourly
    where not is_access
    group by all

),

gaps_by_day as (

    select
        date as check_date,
        app_id,
        platform,
        sum(lost) as lost,
        sum(expected) as expected
    from message_gaps
    group by all

),

duplicates_by_day as (

    select
        event_date as check_date,
        app_id,
        platform,
        sum(resent_count) as duplicate_count,
        sum(accepted_count + resent_count) as message_count
    from event_counts
    group by all

),

-- What was refused may not even say whose it was: it is measured against all that came on its day.
refused_by_day as (

    select
        received_date as check_date,
        count(*) as refused_count,
        count(*) filter (where reason in ('unknown_schema', 'unknown_version')) as unknown_count,
        count(*) filter (where reason in ('missing_key', 'malformed_key')) as malformed_count,
        count(*) filter (where reason = 'too_late') as too_late_count
    from refusals
    group by received_date

),

came_by_day as (

    select
        check_date,
        sum(message_count) as message_count
    from duplicates_by_day
    group by check_date

),

days as (

    select
        coalesce(came_by_day.check_date, refused_by_day.check_date) as check_date,
        -- Lines without a readable time belong to no day: they are measured against all that ever came.
        case
            when coalesce(came_by_day.check_date, refused_by_day.check_date) is null
                then (select coalesce(sum(every_day.message_count), 0) from came_by_day as every_day)
            else coalesce(came_by_day.message_count, 0)
        end + coalesce(refused_by_day.refused_count, 0) as message_count,
        coalesce(refused_by_day.refused_count, 0) as refused_count,
        coalesce(refused_by_day.unknown_count, 0) as unknown_count,
        coalesce(refused_by_day.malformed_count, 0) as malformed_count,
        coalesce(refused_by_day.too_late_count, 0) as too_late_count
    from came_by_day
    full join refused_by_day on came_by_day.check_date = refused_by_day.check_date

),

unioned as (

    select
        'event_loss' as check_name,
        date as check_date,
        app_id,
        platform,
        only_pixel as part,
        pixel_hits as whole
    from loss_daily
    union all
    select
        'pixel_loss' as check_name,
        date as check_date,
        app_id,
        platform,
        only_event as part,
        case when pixel_hits > 0 then event_page_views end as whole
    from loss_daily
    union all
    select
        'access_loss' as check_name,
        date as check_date,
        app_id,
        cast(null as varchar) as platform,
        sum(unreported) as part,
        sum(page_requests) as whole
    from access_loss
    group by date, app_id
    union all
    select
        'message_gaps' as check_name,
        tracked_by_day.check_date,
        tracked_by_day.app_id,
        tracked_by_day.platform,
        coalesce(gaps_by_day.lost, 0) as part,
        gaps_by_day.expected as whole
    from tracked_by_day
    left join gaps_by_day
        on
            tracked_by_day.check_date = gaps_by_day.check_date
            and tracked_by_day.app_id = gaps_by_day.app_id
            and tracked_by_day.platform = gaps_by_day.platform
    union all
    select
        'duplicate_share' as check_name,
        check_date,
        app_id,
        platform,
        duplicate_count as part,
        message_count as whole
    from duplicates_by_day
    union all
    select
        'late_share' as check_name,
        check_date,
        app_id,
        platform,
        late_count as part,
        message_count as whole
    from tracked_by_day
    union all
    select
        'late_share' as check_name,
        check_date,
        cast(null as varchar) as app_id,
        cast(null as varchar) as platform,
        too_late_count as part,
        message_count as whole
    from days
    union all
    select
        'quarantine_share' as check_name,
        check_date,
        cast(null as varchar) as app_id,
        cast(null as varchar) as platform,
        refused_count as part,
        message_count as whole
    from days
    union all
    select
        'unknown_schema' as check_name,
        check_date,
        cast(null as varchar) as app_id,
        cast(null as varchar) as platform,
        unknown_count as part,
        message_count as whole
    from days
    union all
    select
        'malformed_keys' as check_name,
        check_date,
        cast(null as varchar) as app_id,
        cast(null as varchar) as platform,
        malformed_count as part,
        message_count as whole
    from days

),

final as (

    select
        check_name,
        check_date,
        app_id,
        platform,
        cast(part as bigint) as part,
        cast(whole as bigint) as whole
    from unioned

)

select * from final
