{{ config(materialized='ephemeral') }}

with runs as (

    select
        *,
        coalesce(tracker, '') as sender
    from {{ ref('int_stream_runs') }}

),

islands as (

    select
        *,
        coalesce(tracker, '') as sender
    from {{ ref('int_stream_islands') }}

),

lake_now as (

    select * from {{ ref('int_lake_now') }}

),

-- A day may have nothing but second copies: then nothing was expected of it.
measured as (

    select
        runs.event_date,
        runs.app_id,
        runs.platform,
        runs.sender,
        count(distinct runs.stream_id) as streams,
        sum(runs.received_count) as received,
        sum(coalesce(runs.first_index - runs.index_before - 1, 0)) as missing,
        sum(coalesce(runs.first_index - runs.index_before - 1, 0)) filter (
            where runs.started_at + interval '{{ var("max_lateness_days") }} days' > lake_now.latest_received_at
        ) as missing_open,
        sum(power(coalesce(runs.first_index - runs.index_before - 1, 0), 2)) as squared_gaps,
        count(*) filter (where runs.is_restart) as restarts,
        count(*) filter (where runs.index_before is null) as headless,
        -- What clients make up must not be more than a count can hold.
        sum(least(runs.unknown_head, 1000000000000)) filter (where runs.unknown_head is not null) as heads_unknown,
        -sum(runs.received_count) filter (where runs.is_client_session) as contended,
        0 as rejected,
        0 as duplicates,
        0 as ended,
        0 as ended_short,
        0 as lost_sessions
    from runs
    cross join lake_now
    group by all
    union all by name
    select
        event_date,
        app_id,
        platform,
        sender,
        sum(last_index - first_index + 1) as contended
    from islands
    where is_client_session
    group by all
    union all by name
    select
        event_date,
        app_id,
        platform,
        coalesce(tracker, '') as sender,
        count(*) as rejected
    from {{ ref('int_stream_rejections') }}
    group by all
    union all by name
    select
        event_date,
        app_id,
        platform,
        coalesce(tracker, '') as sender,
        sum(resent_streamed_count) as duplicates
    from {{ ref('stg_lake__event_counts') }}
    where resent_streamed_count > 0
    group by all
    union all by name
    select
        event_date,
        app_id,
        platform,
        tracker as sender,
        ended_count as ended,
        ended_short_count as ended_short
    from {{ ref('int_streams_ended') }}
    union all by name
    select
        event_date,
        app_id,
        platform,
        tracker as sender,
        lost_count as lost_sessions
    from {{ ref('int_client_sessions_lost') }}

),

final as (

    select
        event_date,
        app_id,
        platform,
        sender as tracker,
        cast(coalesce(sum(streams), 0) as bigint) as stream_count,
        cast(coalesce(sum(received), 0) as bigint) as received_count,
        cast(coalesce(sum(missing), 0) as bigint) as missing_count,
        cast(coalesce(sum(missing_open), 0) as bigint) as open_count,
        cast(coalesce(sum(squared_gaps), 0) as double) as squared_gaps,
        cast(coalesce(sum(restarts), 0) as bigint) as restart_count,
        cast(coalesce(sum(heads_unknown), 0) as bigint) as unknown_head_count,
        cast(coalesce(sum(contended), 0) as bigint) as contended_count,
        cast(coalesce(sum(rejected), 0) as bigint) as rejected_count,
        cast(coalesce(sum(duplicates), 0) as bigint) as duplicate_count,
        cast(coalesce(sum(headless), 0) as bigint) as headless_count,
        cast(coalesce(sum(ended), 0) as bigint) as ended_count,
        cast(coalesce(sum(ended_short), 0) as bigint) as ended_short_count,
        cast(coalesce(sum(lost_sessions), 0) as bigint) as lost_session_count
    from measured
    group by event_date, app_id, platform, sender

)

select * from final
