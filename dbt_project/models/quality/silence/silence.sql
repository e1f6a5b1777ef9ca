with heard as (

    select * from {{ ref('int_speakers_expected') }}

),

thresholds as (

    select * from {{ ref('stg_lake__thresholds') }}
    where check_name = 'silence'

),

-- The same hour of the last four weeks; where there are not two of them yet, of the last seven days.
compared as (

    select
        *,
        avg(visit_count) over four_weeks as weekly_mean,
        count(*) over four_weeks as week_count,
        avg(visit_count) over seven_days as daily_mean,
        count(*) over seven_days as day_count,
        coalesce(sum(message_count) over (
            partition by series, era
            order by hour
            rows between 672 preceding and 1 preceding
        ), 0) as month_count
    from heard
    window
        four_weeks as (
            partition by series, era, epoch_us(hour) // 3600000000 % 168
            order by hour
            rows between 4 preceding and 1 preceding
        ),
        seven_days as (
            partition by series, era, epoch_us(hour) // 3600000000 % 24
            order by hour
            rows between 7 preceding and 1 preceding
        )

),

baselined as (

    select
        *,
        case
            when week_count >= 2 then weekly_mean
            when day_count >= 2 then daily_mean
        end as expected_count,
        case
            when week_count >= 2 then 'hour of week'
            when day_count >= 2 then 'hour of day'
        end as baseline
    from compared

),

-- Within a silence the visits missed add up from hour to hour.
streaked as (

    select
        *,
        count(*) filter (where message_count > 0) over (
            partition by series, era
            order by hour
            rows between unbounded preceding and current row
        ) as streak
    from baselined

),

missed as (

    select
        *,
        case
            when message_count > 0 then 0
            else
                coalesce(sum(case when message_count = 0 then expected_count end) over (
                    partition by series, era, streak
                    order by hour
                    rows between unbounded preceding and current row
                ), 0)
        end as missed_count
    from streaked

),

judged as (

    select
        missed.*,
        case
            -- Nothing is expected of what has been silent for four weeks, and so nothing is known of it.
            when missed.expected_count is null or missed.month_count = 0 or thresholds.error is null then 'unknown'
            when missed.missed_count >= thresholds.error then 'error'
            when missed.missed_count >= thresholds.warn then 'warn'
            else 'ok'
        end as status
    from missed
    left join thresholds
        on {{ threshold_applies('missed.app_id', 'missed.platform', utc_date('missed.hour')) }}
    {{ narrowest_threshold(['missed.series', 'missed.hour']) }}

),

final (
    hour, app_id, platform, host, messages, expected, missed, baseline, status, first_heard_at, is_new
) as (

    select
        hour,
        app_id,
        platform,
        collector_host,
        message_count,
        expected_count,
        missed_count,
        baseline,
        status,
        first_heard_at,
        hour < first_heard_at + interval 7 days
    from judged

)

select * from final
