with sessions as (

    select
        person_id,
        {{ week_of(reporting_date('started_at')) }} as week_date
    from {{ ref('sessions') }}
    where is_counted

),

orders as (

    select
        person_id,
        reporting_revenue,
        is_unrated,
        {{ week_of(reporting_date('ordered_at')) }} as week_date
    from {{ ref('orders') }}
    where
        not is_bot
        and not is_excluded

),

weeks as (

    select
        date as week_date,
        is_complete
    from {{ ref('kpi_weekly') }}

),

cohorts as (

    select
        person_id,
        min(week_date) as cohort_week
    from sessions
    group by person_id

),

cohort_sizes as (

    select
        cohort_week,
        count(*) as persons
    from cohorts
    group by cohort_week

),

active as (

    select
        cohorts.cohort_week,
        sessions.week_date,
        count(distinct sessions.person_id) as retained_persons
    from sessions
    inner join cohorts on sessions.person_id = cohorts.person_id
    group by cohorts.cohort_week, sessions.week_date

),

bought as (

    select
        cohorts.cohort_week,
        orders.week_date,
        count(*) as orders,
        count(*) filter (where orders.is_unrated) as unrated_orders,
        {{ known_sum('orders.reporting_revenue', 'orders.is_unrated') }} as revenue
    from orders
    inner join cohorts on orders.person_id = cohorts.person_id
    group by cohorts.cohort_week, orders.week_date

),

dense as (

    select
        cohort_sizes.cohort_week,
        cohort_sizes.persons,
        weeks.week_date,
        weeks.is_complete
    from cohort_sizes
    inner join weeks on cohort_sizes.cohort_week <= weeks.week_date

),

final as (

    select
        dense.cohort_week,
        dense.week_date,
        date_diff('day', dense.cohort_week, dense.week_date) // 7 as weeks_since,
        dense.is_complete,
        dense.persons,
        coalesce(active.retained_persons, 0) as retained_persons,
        {{ rate('coalesce(active.retained_persons, 0)', 'dense.persons') }} as retention_rate,
        coalesce(bought.orders, 0) as orders,
        cast(case when bought.cohort_week is null then 0 else bought.revenue end as decimal(38, 4)) as revenue,
        case
            when sum(bought.unrated_orders) over so_far = sum(bought.orders) over so_far then null
            else cast(sum(coalesce(bought.revenue, 0)) over so_far as decimal(38, 4))
        end as revenue_to_date
    from dense
    left join active
        on
            dense.cohort_week = active.cohort_week
            and dense.week_date = active.week_date
    left join bought
        on
            dense.cohort_week = bought.cohort_week
            and dense.week_date = bought.week_date
    window so_far as (partition by dense.cohort_week order by dense.week_date)

)

select * from final
