{{ config(materialized='in_place_view') }}

with calendar as (

    select
        {{ kpi_periods() }}
    from {{ ref('int_reporting_calendar') }}

),

lake_now as (

    select * from {{ ref('int_lake_now') }}

),

periods as (

    select
        'day' as grain,
        day_date as period_date,
        day_date
    from calendar
    union all
    select
        'week' as grain,
        week_date as period_date,
        day_date
    from calendar
    union all
    select
        'month' as grain,
        month_date as period_date,
        day_date
    from calendar

),

periods_counted as (

    select
        grain,
        period_date,
        cast(case grain
            when 'day' then period_date + interval 1 day
            when 'week' then period_date + interval 7 day
            else period_date + interval 1 month
        end as date) as next_date,
        count(*) as day_count
    from periods
    group by grain, period_date

),

-- The data covers the hour in which the first message was received, that of the last one, and all between.
final as (

    select
        periods_counted.grain,
        periods_counted.period_date,
        periods_counted.day_count,
        coalesce(
            {{ reporting_midnight('periods_counted.period_date') }} >= date_trunc('hour', lake_now.first_received_at)
            and {{ reporting_midnight('periods_counted.next_date') }}
            <= date_trunc('hour', lake_now.latest_received_at) + interval 1 hour,
            false
        ) as is_complete,
        {{ is_sealed_until('periods_counted.next_date') }} as is_sealed
    from periods_counted
    cross join lake_now

)

select * from final
