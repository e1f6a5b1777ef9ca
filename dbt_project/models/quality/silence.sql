with messages_hourly as (

    select
        app_id,
        platform,
        hour,
        cast(sum(message_count) as bigint) as message_count,
        cast(sum(visit_count) as bigint) as visit_count
    from {{ ref('int_messages_hourly') }}
    group by all

),

lake_now as (

    select * from {{ ref('int_lake_now') }}

),

thresholds as (

    select * from {{ ref('stg_lake__thresholds') }}
    where check_name = 'silence'

),

-- Names come from clients: only the 200 that say most are watched, so that made-up ones cannot flood the roster.
watched as (

    select
        app_id,
        platform
    from messages_hourly
    group by app_id, platform
    qualify row_number() over (order by -sum(message_count), app_id, platform) <= 200

),

-- Who comes back after four weeks of silence is new: nothing was expected of it any more.
returned as (

    select
        messages_hourly.app_id,
        messages_hourly.platform,
        messages_hourly.hour,
        coalesce(
            messages_hourly.hour - lag(messages_hourly.hour) over series > interval 28 days, true
        ) as is_first
    from messages_hourly
    semi join watched
        on
            messages_hourly.app_id is not distinct from watched.app_id
            and messages_hourly.platform is not distinct from watched.platform
    window series as (partition by messages_hourly.app_id, messages_hourly.platform order by messages_hourly.hour)

),

numbered as (

    select
        *,
        count(*) filter (where is_first) over (
            partition by app_id, platform
            order by hour
            rows between unbounded preceding and current row
        ) as era
    from returned

),

roster as (

    select
        app_id,
        platform,
        era,
        min(hour) as first_heard_at,
        max(hour) as last_heard_at
    from numbered
    group by app_id, platform, era

),

-- Every whole hour from the first message to four weeks after the last; the hour that is running may yet speak.
expected_hours as (

    select
        roster.app_id,
        roster.platform,
        roster.era,
        roster.first_heard_at,
        unnest(generate_series(
            roster.first_heard_at,
            least(
                make_timestamptz(epoch_us(lake_now.latest_received_at) // 3600000000 * 3600000000) - interval 1 hour,
                roster.last_heard_at + interval 28 days
            ),
            interval 1 hour
        )) as hour
    from roster
    cross join lake_now

),

heard as (

    select
        expected_hours.app_id,
        expected_hours.platform,
        expected_hours.era,
        expected_hours.first_heard_at,
        expected_hours.hour,
        coalesce(messages_hourly.message_count, 0) as message_count,
        coalesce(messages_hourly.visit_count, 0) as visit_count
    from expected_hours
    left join messages_hourly
        on
            expected_hours.app_id is not distinct from messages_hourly.app_id
            and expected_hours.platform is not distinct from messages_hourly.platform
            and expected_hours.hour = messages_hourly.hour

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
            partition by app_id, platform, era
            order by hour
            rows between 672 preceding and 1 preceding
        ), 0) as month_count
    from heard
    window
        four_weeks as (
            partition by app_id, platform, era, epoch_us(hour) // 3600000000 % 168
            order by hour
            rows between 4 preceding and 1 preceding
        ),
        seven_days as (
            partition by app_id, platform, era, epoch_us(hour) // 3600000000 % 24
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
            partition by app_id, platform, era
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
                    partition by app_id, platform, era, streak
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
    {{ narrowest_threshold(['missed.hour', 'missed.app_id', 'missed.platform']) }}

),

final as (

    select
        hour,
        app_id,
        platform,
        message_count as messages,
        expected_count as expected,
        missed_count as missed,
        baseline,
        status,
        first_heard_at,
        hour < first_heard_at + interval 7 days as is_new
    from judged

)

select * from final
