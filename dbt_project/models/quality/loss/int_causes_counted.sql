{{ config(materialized='ephemeral') }}

with messages_hourly as (

    select * from {{ ref('int_messages_hourly') }}
    where not is_access

),

event_counts as (

    select * from {{ ref('stg_lake__event_counts') }}

),

message_gaps as (

    select * from {{ ref('message_gaps') }}

),

refusals as (

    select * from {{ ref('int_refusals_deduplicated') }}
    where
        not is_access
        and received_at is not null

),

loss_daily as (

    select * from {{ ref('loss_daily') }}

),

sessions as (

    select * from {{ ref('sessions') }}
    where
        is_bot
        and not is_access

),

accepted_by_day as (

    select
        event_date as cause_date,
        app_id,
        platform,
        sum(message_count) as accepted,
        sum(page_view_count) as page_views
    from messages_hourly
    group by all

),

lost_by_day as (

    select
        date as cause_date,
        app_id,
        platform,
        sum(lost) as lost
    from message_gaps
    group by all

),

duplicates_by_day as (

    select
        event_date as cause_date,
        app_id,
        platform,
        sum(resent_count) as duplicates
    from event_counts
    where app_id not like 'access:%'
    group by all

),

refused_by_day as (

    select
        received_date as cause_date,
        app_id,
        platform,
        count(*) filter (where reason <> 'too_late') as rejected,
        count(*) filter (where reason = 'too_late') as late,
        count(*) filter (where schema_name = 'page_view') as refused_page_views
    from refusals
    group by all

),

bots_by_day as (

    select
        session_date as cause_date,
        app_id,
        platform,
        sum(event_count) as bot
    from sessions
    group by all

),

keys as (

    select
        cause_date,
        app_id,
        platform
    from accepted_by_day
    union
    select
        cause_date,
        app_id,
        platform
    from refused_by_day
    union
    select
        cause_date,
        app_id,
        platform
    from duplicates_by_day
    union
    select
        date as cause_date,
        app_id,
        platform
    from loss_daily

),

joined as (

    select
        keys.cause_date,
        keys.app_id,
        keys.platform,
        coalesce(accepted_by_day.accepted, 0) as accepted,
        coalesce(accepted_by_day.page_views, 0) as page_views,
        coalesce(lost_by_day.lost, 0) as lost,
        coalesce(duplicates_by_day.duplicates, 0) as duplicates,
        coalesce(refused_by_day.rejected, 0) as rejected,
        coalesce(refused_by_day.late, 0) as late,
        coalesce(refused_by_day.refused_page_views, 0) as refused_page_views,
        coalesce(bots_by_day.bot, 0) as bot,
        coalesce(loss_daily.only_pixel, 0) as only_pixel
    from keys
    left join accepted_by_day
        on
            keys.cause_date = accepted_by_day.cause_date
            and keys.app_id is not distinct from accepted_by_day.app_id
            and keys.platform is not distinct from accepted_by_day.platform
    left join lost_by_day
        on
            keys.cause_date = lost_by_day.cause_date
            and keys.app_id is not distinct from lost_by_day.app_id
            and keys.platform is not distinct from lost_by_day.platform
    left join duplicates_by_day
        on
            keys.cause_date = duplicates_by_day.cause_date
            and keys.app_id is not distinct from duplicates_by_day.app_id
            and keys.platform is not distinct from duplicates_by_day.platform
    left join refused_by_day
        on
            keys.cause_date = refused_by_day.cause_date
            and keys.app_id is not distinct from refused_by_day.app_id
            and keys.platform is not distinct from refused_by_day.platform
    left join bots_by_day
        on
            keys.cause_date = bots_by_day.cause_date
            and keys.app_id is not distinct from bots_by_day.app_id
            and keys.platform is not distinct from bots_by_day.platform
    left join loss_daily
        on
            keys.cause_date = loss_daily.date
            and keys.app_id is not distinct from loss_daily.app_id
            and keys.platform is not distinct from loss_daily.platform

)

select * from joined
