{{ config(materialized='ephemeral') }}

with calendar as (

    select
        {{ kpi_periods() }}
    from {{ ref('int_reporting_calendar') }}

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
        count(*) as day_count,
        case grain
            when 'week' then count(*) = 7
            when 'month' then count(*) = day(last_day(period_date))
            else true
        end as is_complete
    from periods
    group by grain, period_date

)

select * from periods_counted
