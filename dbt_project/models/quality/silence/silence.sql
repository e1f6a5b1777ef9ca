with messages_hourly as (

    select
        app_id,
        platform,
        collector_host,
        hour,
        cast(sum(message_count) as bigint) as message_count,
        cast(sum(visit_count) as bigint) as visit_count
    from {{ ref('int_messages_hourly') }}
    where {{ is_no_probe('app_id') }}
    group by all

),

lake_now as (

    select * from {{ ref('int_lake_now') }}

),

thresholds as (

    select * from {{ ref('stg_lake__thresholds') }}
    where check_name = 'silence'

),

-- One host alone is silent when its app and platform are.
served_by_several as (

    select
        app_id,
        platform
    from messages_hourly
    group by app_id, platform
    having count(distinct collector_host) > 1

),

spoken as (

    select
        app_id,
        platform,
        cast(null as varchar) as collector_host,
        hour,
        cast(sum(message_count) as bigint) as message_count,
        cast(sum(visit_count) as bigint) as visit_count
    from messages_hourly
    group by all
    union all
    select
        messages_hourly.app_id,
        messages_hourly.platform,
        messages_hourly.collector_host,
        messages_hourly.hour,
        messages_hourly.message_count,
        messages_hourly.visit_count
    from messages_hourly
    semi join served_by_several
        on
            messages_hourly.app_id is not distinct from served_by_several.app_id
            and messages_hourly.platform is not distinct from served_by_several.platform
    where messages_hourly.collector_host is not null

),

-- Names come from clients: only the 200 that say most are watched, so that made-up ones cannot flood the roster.
-- A host that stays silent for a week has been retired; an app and platform is waited for four.
watched as (

    select
        app_id,
        platform,
        collector_host,
        row_number() over (order by app_id, platform, collector_host) as series,
        case when collector_host is null then interval 28 days else interval 7 days end as patience
    from spoken
    group by app_id, platform, collector_host
    qualify
        row_number() over (
            partition by collector_host is null
            order by -sum(message_count), app_id, platform, collector_host
        ) <= 200

),

heard_hours as (

    select
        watched.series,
        watched.patience,
        spoken.hour,
        spoken.message_count,
        spoken.visit_count
    from spoken
    inner join watched
        on
            spoken.app_id is not distinct from watched.app_id
            and spoken.platform is not distinct from watched.platform
            and spoken.collector_host is not distinct from watched.collector_host

),

-- Who comes back after so long a silence is new: nothing was expected of it any more.
returned as (

    select
        series,
        patience,
        hour,
        coalesce(
            hour - lag(hour) over (
                partition by series
                order by hour
            ) > patience, true
        ) as is_first
    from heard_hours

),

numbered as (

    select
        *,
        count(*) filter (where is_first) over (
            partition by series
            order by hour
            rows between unbounded preceding and current row
        ) as era
    from returned

),

roster as (

    select
        series,
        era,
        patience,
        min(hour) as first_heard_at,
        max(hour) as last_heard_at
    from numbered
    group by series, era, patience

),

-- Every whole hour from the first message to the end of patience; the hour that is running may yet speak.
expected_hours as (

    select
        roster.series,
        roster.era,
        roster.first_heard_at,
        unnest(generate_series(
            roster.first_heard_at,
            least(
                make_timestamptz(epoch_us(lake_now.latest_received_at) // 3600000000 * 3600000000) - interval 1 hour,
                roster.last_heard_at + roster.patience
            ),
            interval 1 hour
        )) as hour
    from roster
    cross join lake_now

),

heard as (

    select
        expected_hours.series,
        expected_hours.era,
        expected_hours.first_heard_at,
        expected_hours.hour,
        coalesce(heard_hours.message_count, 0) as message_count,
        coalesce(heard_hours.visit_count, 0) as visit_count
    from expected_hours
    left join heard_hours
        on
            expected_hours.series = heard_hours.series
            and expected_hours.hour = heard_hours.hour

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

named as (

    select
        missed.*,
        watched.app_id,
        watched.platform,
        watched.collector_host
    from missed
    inner join watched on missed.series = watched.series

),

judged as (

    select
        named.*,
        case
            -- Nothing is expected of what has been silent for four weeks, and so nothing is known of it.
            when named.expected_count is null or named.month_count = 0 or thresholds.error is null then 'unknown'
            when named.missed_count >= thresholds.error then 'error'
            when named.missed_count >= thresholds.warn then 'warn'
            else 'ok'
        end as status
    from named
    left join thresholds
        on {{ threshold_applies('named.app_id', 'named.platform', utc_date('named.hour')) }}
    {{ narrowest_threshold(['named.series', 'named.hour']) }}

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
