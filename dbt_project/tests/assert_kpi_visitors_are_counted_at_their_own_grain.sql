-- Somebody who comes on two days is one visitor of the week: distinct counts are never sums.
-- A row is a period whose visitors are more than its sessions or its days' visitors together, or fewer than one day's.
with daily as (

    select
        {{ week_of('date') }} as week_date,
        {{ month_of('date') }} as month_date,
        visitors
    from {{ ref('kpi_daily') }}

),

summed as (

    select
        'week' as grain,
        week_date as period_date,
        sum(visitors) as summed_visitors,
        max(visitors) as most_visitors
    from daily
    group by week_date
    union all
    select
        'month' as grain,
        month_date as period_date,
        sum(visitors) as summed_visitors,
        max(visitors) as most_visitors
    from daily
    group by month_date

),

periods as (

    select
        'week' as grain,
        date,
        visitors,
        sessions
    from {{ ref('kpi_weekly') }}
    union all
    select
        'month' as grain,
        date,
        visitors,
        sessions
    from {{ ref('kpi_monthly') }}

),

broken as (

    select
        periods.grain,
        periods.date,
        periods.visitors,
        summed.summed_visitors,
        summed.most_visitors
    from periods
    left join summed
        on
            periods.grain = summed.grain
            and periods.date = summed.period_date
    where
        summed.period_date is null
        or periods.visitors not between summed.most_visitors and least(summed.summed_visitors, periods.sessions)

)

select * from broken
