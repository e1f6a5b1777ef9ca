{{ config(materialized='ephemeral') }}

with messages_hourly as (

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
        sum(late_count) as late_count,
        sum(given_up_count) as given_up_count
    from messages_hourly
    where not is_access
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

shares as (

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
        'given_up' as check_name,
        check_date,
        app_id,
        platform,
        given_up_count as part,
        message_count + given_up_count as whole
    from tracked_by_day
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

)

select * from shares
