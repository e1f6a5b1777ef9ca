{{ config(materialized='ephemeral') }}

with messages_hourly as (

    select
        app_id,
        platform,
        collector_host,
        hour,
        cast(sum(message_count) as bigint) as message_count,
        cast(sum(visit_count) as bigint) as visit_count
    from {{ ref('int_messages_hourly') }}
    where {{ is_no_probe('app_id') }} and not coalesce(is_stray, false)
    group by all

),

lake_now as (

    select * from {{ ref('int_lake_now') }}

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
        watched.app_id,
        watched.platform,
        watched.collector_host,
        coalesce(heard_hours.message_count, 0) as message_count,
        coalesce(heard_hours.visit_count, 0) as visit_count
    from expected_hours
    inner join watched on expected_hours.series = watched.series
    left join heard_hours
        on
            expected_hours.series = heard_hours.series
            and expected_hours.hour = heard_hours.hour

)

select * from heard
