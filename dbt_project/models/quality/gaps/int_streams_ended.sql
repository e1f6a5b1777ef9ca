{{ config(materialized='ephemeral') }}

with runs as (

    select * from {{ ref('int_stream_runs') }}

),

stream_ends as (

    select
        stream_id,
        sum(received_count) as received_count,
        arg_max(event_date, (started_at, run_number, run_layer, first_index)) as event_date,
        arg_max(app_id, (started_at, run_number, run_layer, first_index)) as app_id,
        arg_max(platform, (started_at, run_number, run_layer, first_index)) as platform,
        arg_max(coalesce(tracker, ''), (started_at, run_number, run_layer, first_index)) as tracker
    from runs
    group by stream_id

),

ends_by_day as (

    select
        event_date,
        app_id,
        platform,
        tracker,
        count(*) as ended_count,
        count(*) filter (where received_count <= 2) as ended_short_count
    from stream_ends
    group by all

)

select * from ends_by_day
