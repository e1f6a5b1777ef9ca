{{ config(materialized='ephemeral') }}

with spoken as (

    select * from {{ ref('int_speakers_hourly') }}

),

watched as (

    select * from {{ ref('int_speakers_watched') }}

),

lake_now as (

    select * from {{ ref('int_lake_now') }}

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

)

select * from heard
