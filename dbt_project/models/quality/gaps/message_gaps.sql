with runs as (

    select * from {{ ref('int_stream_runs') }}

),

rejections as (

    select * from {{ ref('int_stream_rejections') }}

),

ends_by_day as (

    select * from {{ ref('int_streams_ended') }}

),

duplicate_counts as (

    select * from {{ ref('stg_lake__event_counts') }}
    where resent_streamed_count > 0

),

lake_now as (

    select * from {{ ref('int_lake_now') }}

),

thresholds as (

    select * from {{ ref('stg_lake__thresholds') }}
    where check_name = 'message_gaps'

),

received_by_day as (

    select
        runs.event_date,
        runs.app_id,
        runs.platform,
        coalesce(runs.tracker, '') as tracker,
        count(distinct runs.stream_id) as stream_count,
        sum(runs.received_count) as received_count,
        sum(coalesce(runs.first_index - runs.index_before - 1, 0)) as missing_count,
        sum(coalesce(runs.first_index - runs.index_before - 1, 0)) filter (
            where runs.started_at + interval '{{ var("max_lateness_days") }} days' > lake_now.latest_received_at
        ) as open_count,
        count(*) filter (where runs.is_restart) as restart_count
    from runs
    cross join lake_now
    group by all

),

rejected_by_day as (

    select
        event_date,
        app_id,
        platform,
        coalesce(tracker, '') as tracker,
        count(*) as rejected_count
    from rejections
    group by all

),

duplicates_by_day as (

    select
        event_date,
        app_id,
        platform,
        coalesce(tracker, '') as tracker,
        sum(resent_streamed_count) as duplicate_count
    from duplicate_counts
    group by all

),

-- A day may have nothing but second copies: then nothing was expected of it.
keys as (

    select
        event_date,
        app_id,
        platform,
        tracker
    from received_by_day
    union
    select
        event_date,
        app_id,
        platform,
        tracker
    from duplicates_by_day

),

joined as (

    select
        keys.event_date,
        keys.app_id,
        keys.platform,
        keys.tracker,
        cast(coalesce(received_by_day.received_count, 0) as bigint) as received_count,
        cast(coalesce(received_by_day.missing_count, 0) as bigint) as missing_count,
        cast(coalesce(received_by_day.open_count, 0) as bigint) as open_count,
        cast(coalesce(duplicates_by_day.duplicate_count, 0) as bigint) as duplicate_count,
        coalesce(received_by_day.stream_count, 0) as stream_count,
        coalesce(received_by_day.restart_count, 0) as restart_count,
        coalesce(rejected_by_day.rejected_count, 0) as rejected_count,
        coalesce(ends_by_day.ended_count, 0) as ended_count
    from keys
    left join received_by_day
        on
            keys.event_date = received_by_day.event_date
            and keys.app_id = received_by_day.app_id
            and keys.platform = received_by_day.platform
            and keys.tracker = received_by_day.tracker
    left join rejected_by_day
        on
            keys.event_date = rejected_by_day.event_date
            and keys.app_id = rejected_by_day.app_id
            and keys.platform = rejected_by_day.platform
            and keys.tracker = rejected_by_day.tracker
    left join duplicates_by_day
        on
            keys.event_date = duplicates_by_day.event_date
            and keys.app_id = duplicates_by_day.app_id
            and keys.platform = duplicates_by_day.platform
            and keys.tracker = duplicates_by_day.tracker
    left join ends_by_day
        on
            keys.event_date = ends_by_day.event_date
            and keys.app_id = ends_by_day.app_id
            and keys.platform = ends_by_day.platform
            and keys.tracker = ends_by_day.tracker

),

counted as (

    select
        *,
        received_count + missing_count as expected_count,
        missing_count - rejected_count as lost_count,
        -- What is refused is known already: only the lost may yet arrive.
        least(open_count, missing_count - rejected_count) as open_lost_count,
        {{ rate('(missing_count - rejected_count)', '(received_count + missing_count)') }} as loss_rate
    from joined

),

judged as (

    select
        counted.*,
        {{ threshold_status('counted.lost_count', 'counted.expected_count') }} as status
    from counted
    left join thresholds
        on {{ threshold_applies('counted.app_id', 'counted.platform', 'counted.event_date') }}
    {{ narrowest_threshold(['counted.event_date', 'counted.app_id', 'counted.platform', 'counted.tracker']) }}

),

final as (

    select
        event_date as date,
        app_id,
        platform,
        stream_count as streams,
        expected_count as expected,
        received_count as received,
        rejected_count as rejected,
        lost_count as lost,
        duplicate_count as duplicates,
        restart_count as restarts,
        loss_rate,
        status,
        open_lost_count as lost_open,
        ended_count as streams_ended,
        nullif(tracker, '') as tracker,
        lost_count - open_lost_count as lost_for_good,
        ended_count * loss_rate / nullif(1 - loss_rate, 0) as tail_estimated,
        (ended_count * loss_rate + 1.6449 * sqrt(ended_count * loss_rate)) / nullif(1 - loss_rate, 0) as tail_high
    from judged

)

select * from final
