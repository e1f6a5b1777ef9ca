{{ config(materialized='in_place_view') }}

{#- Heard on fewer days nobody knows how often a source speaks; silent for longer it has been given up. -#}
{%- set least_days, most_days = 3, 90 -%}
{#- So many of its hours must be missing: the longest of a few pauses says little of the next. -#}
{%- set least_missed = 20 -%}

with messages_hourly as (

    select * from {{ ref('int_messages_hourly') }}
    where
        {{ is_no_probe('app_id') }}
        and not coalesce(is_stray, false)

),

pixel_hits as (

    select hit_at from {{ ref('stg_lake__pixel_hits') }}

),

spend as (

    select spend_date from {{ ref('stg_lake__spend') }}

),

thresholds as (

    select * from {{ ref('stg_lake__thresholds') }}
    where check_name = 'freshness'

),

lake_now as (

    select greatest(
        (select latest.latest_received_at from {{ ref('int_lake_now') }} as latest),
        (select max(pixel_hits.hit_at) from pixel_hits)
    ) as now_at

),

-- When each source was heard, by hours; a day of spend is known when it has ended.
heard as (

    select
        concat_ws(' ', coalesce(app_id, '?'), platform) as scope,
        app_id,
        platform,
        hour as heard_at,
        max(latest_event_at) as newest_at
    from messages_hourly
    group by all
    union all
    select
        'pixel' as scope,
        cast(null as varchar) as app_id,
        cast(null as varchar) as platform,
        date_trunc('hour', hit_at) as heard_at,
        max(hit_at) as newest_at
    from pixel_hits
    group by all
    union all
    select
        'spend' as scope,
        cast(null as varchar) as app_id,
        cast(null as varchar) as platform,
        cast(spend_date + interval 1 day as timestamp) at time zone 'UTC' as heard_at,
        cast(spend_date + interval 1 day as timestamp) at time zone 'UTC' as newest_at
    from spend
    group by all

),

paused as (

    select
        *,
        {{ seconds_between('lag(heard_at) over (partition by scope order by heard_at)', 'heard_at') }} / 3600
            as pause_hours
    from heard

),

measured as (

    select
        paused.scope,
        paused.app_id,
        paused.platform,
        lake_now.now_at,
        max(paused.newest_at) as newest_at,
        count(distinct {{ utc_date('paused.heard_at') }}) as day_count,
        max(paused.pause_hours) as longest_pause_hours,
        -- As often as it was heard, less one standard error.
        (count(*) - sqrt(count(*))) / nullif(sum(paused.pause_hours), 0) as heard_per_hour
    from paused
    cross join lake_now
    group by all

),

-- Who comes on Tuesdays is not late on Thursday: a source must be older than it ever was, too.
expected as (

    select
        measured.*,
        greatest({{ seconds_between('measured.newest_at', 'measured.now_at') }} / 3600, 0) as age_hours,
        {{ seconds_between('measured.newest_at', 'measured.now_at') }} / 3600 * measured.heard_per_hour as missed_hours,
        greatest(thresholds.warn, 2 * measured.longest_pause_hours) as warn,
        greatest(thresholds.error, 3 * measured.longest_pause_hours) as error
    from measured
    left join thresholds
        on {{ threshold_applies('measured.app_id', 'measured.platform', utc_date('measured.now_at')) }}
    {{ narrowest_threshold(['measured.scope']) }}

),

-- Campaigns end, and their spend with them: that fails no run.
judged as (

    select
        *,
        case
            when day_count < {{ least_days }} or error is null or age_hours > 24 * {{ most_days }} then 'unknown'
            when age_hours >= error and missed_hours >= {{ least_missed }} and scope <> 'spend' then 'error'
            when age_hours >= warn then 'warn'
            else 'ok'
        end as status
    from expected

),

final as (

    select
        'freshness' as check_name,
        scope,
        app_id,
        platform,
        age_hours as check_value,
        warn,
        error,
        status,
        case status when 'error' then error else warn end as threshold,
        case
            when status in ('warn', 'error')
                then
                    'Nothing since ' || strftime(timezone('UTC', newest_at), '%Y-%m-%d %H:%M')
                    || ' UTC, which is ' || round(age_hours / 24, 1) || ' days; its longest pause before was '
                    || round(longest_pause_hours / 24, 1) || ': is a log missing from the inbox?'
        end as hint
    from judged

)

select * from final
