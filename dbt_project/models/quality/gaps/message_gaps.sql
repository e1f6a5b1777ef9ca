with counts as (

    select * from {{ ref('int_streams_counted') }}

),

thresholds as (

    select * from {{ ref('stg_lake__thresholds') }}
    where check_name = 'message_gaps'

),

counted as (

    select
        *,
        received_count + missing_count as expected_count,
        missing_count - rejected_count as lost_count,
        -- What is refused is known already: only the lost may yet arrive.
        least(open_count, missing_count - rejected_count) as open_lost_count,
        {{ mean_gap('squared_gaps', 'missing_count') }} as mean_gap,
        {{ rate('(missing_count - rejected_count)', '(received_count + missing_count)') }} as loss_rate
    from counts

),

judged as (

    select
        counted.*,
        {{ threshold_status('counted.lost_count', 'counted.expected_count', clump='counted.mean_gap') }} as status
    from counted
    left join thresholds
        on {{ threshold_applies('counted.app_id', 'counted.platform', 'counted.event_date') }}
    {{ narrowest_threshold(['counted.event_date', 'counted.app_id', 'counted.platform', 'counted.tracker']) }}

),

-- As many are lost behind a message that has none after it as before one that has one before it, if streams end as they
-- may. How many that is is only known so well: Wilson's limits.
limited as (

    select
        *,
        {{ rate('lost_count', '(received_count - headless_count)') }} as lost_per_follower,
        {{ wilson_limit('lost_count', '(lost_count + received_count - headless_count)', '-') }} as loss_low,
        {{ wilson_limit('lost_count', '(lost_count + received_count - headless_count)', '+') }} as loss_high
    from judged

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
        contended_count as contended,
        restart_count as restarts,
        unknown_head_count as heads_unknown,
        lost_session_count as lost_sessions,
        loss_rate,
        squared_gaps,
        status,
        open_lost_count as lost_open,
        ended_count as streams_ended,
        ended_short_count as streams_ended_short,
        nullif(tracker, '') as tracker,
        lost_count - open_lost_count as lost_for_good,
        ended_count * lost_per_follower as tail_estimated,
        {{ tail_limit('(ended_count - ended_short_count)', 'loss_low', '-') }} as tail_low,
        {{ tail_limit('ended_count', 'loss_high', '+') }} as tail_high,
        {{ is_sealed('event_date') }} as is_sealed
    from limited

)

select * from final
