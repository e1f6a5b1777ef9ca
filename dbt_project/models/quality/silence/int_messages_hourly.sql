{{ config(materialized='in_place_days', meta={'built_by': 'event_date', 'sealed_by': 'event_date'}) }}

with stray_days as (

    select distinct
        received_date,
        inbox_folder = 'access' as is_access
    from {{ ref('stg_lake__strays') }}
    where inbox_folder in ('access', 'events')

),

events as (

    select
        events.*,
        stray_days.received_date is not null as is_stray,
        events.visitor_id is null and events.platform not in ('backend', 'api', 'email') as is_anonymous
    from {{ ref('stg_lake__events') }} as events
    left join stray_days
        on events.is_access = stray_days.is_access and {{ utc_date('events.received_at') }} = stray_days.received_date
    where {{ built_days('event_date') }}

),

counted as (

    select
        event_date,
        session_date,
        app_id,
        platform,
        collector_host,
        is_access,
        is_stray,
        make_timestamptz(epoch_us(event_at) // 3600000000 * 3600000000) as hour,
        count(*) as message_count,
        count(*) filter (where session_id is not null) as session_message_count,
        -- Messages come in clumps, a visit at a time; what has no sessions speaks a message at a time, and a stream
        -- or page at a time where it is nobody's.
        count(*) filter (where session_event_number = 1 or (not is_session_event and not is_anonymous))
        + count(distinct coalesce(stream_id, page_id, event_id)) filter (where is_anonymous) as visit_count,
        count(*) filter (where schema_name = 'page_view') as page_view_count,
        count(*) filter (where stream_id is null or message_index is null) as streamless_count,
        count(*) filter (where received_at > event_at + interval 1 day) as late_count,
        -- Anybody may say so: what one page can have given up is bounded by the queue that its browser keeps.
        coalesce(cast(sum(case
            when schema_name = 'custom.tracker_health'
                then
                    least(greatest(coalesce(try_cast(data_json ->> '$.dropped' as bigint), 0), 0), 1000)
                    + least(greatest(coalesce(try_cast(data_json ->> '$.purged' as bigint), 0), 0), 1000)
        end) as bigint), 0) as given_up_count,
        -- Exports of other trackers without a receipt have no request: they say nothing of now.
        min(received_at) filter (where request_id is not null or is_access) as earliest_received_at,
        max(received_at) filter (where request_id is not null or is_access) as latest_received_at,
        min(event_at) as earliest_event_at,
        max(event_at) as latest_event_at
    from events
    group by all

)

select * from counted
