{{ config(materialized='ephemeral') }}

with islands as (

    select * from {{ ref('int_stream_islands') }}
    where is_client_session

),

seen as (

    select
        stream_id,
        min(visitor_id) as visitor_id,
        min(stream_number) as stream_number,
        min(previous_stream_id) as previous_stream_id,
        arg_min(event_date, (event_date, island_of_day)) as event_date,
        arg_min(app_id, (event_date, island_of_day)) as app_id,
        arg_min(platform, (event_date, island_of_day)) as platform,
        arg_min(coalesce(tracker, ''), (event_date, island_of_day)) as tracker
    from islands
    group by stream_id

),

named as (

    select
        seen.*,
        case when known.stream_id is null then seen.previous_stream_id end as unseen_stream_id
    from seen
    left join seen as known on seen.previous_stream_id = known.stream_id

),

-- Clocks that jump and tabs that race give a number to two sessions.
numbered as (

    select
        visitor_id,
        stream_number,
        count(distinct unseen_stream_id) as unseen_count,
        min(event_date) as event_date,
        arg_min(app_id, (event_date, stream_id)) as app_id,
        arg_min(platform, (event_date, stream_id)) as platform,
        arg_min(tracker, (event_date, stream_id)) as tracker
    from named
    group by visitor_id, stream_number

),

-- What lies before the first that was seen is known by name alone: the client may be older than the lake.
counted as (

    select
        *,
        coalesce(
            stream_number - lag(stream_number) over (partition by visitor_id order by stream_number) - 1, 0
        ) as skipped_count
    from numbered

),

final as (

    select
        event_date,
        app_id,
        platform,
        tracker,
        sum(greatest(unseen_count, case when skipped_count <= 10000 then skipped_count else 0 end)) as lost_count
    from counted
    group by all

)

select * from final
