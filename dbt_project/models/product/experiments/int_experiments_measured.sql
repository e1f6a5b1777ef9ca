with entered as (

    select * from {{ ref('int_experiments_entered') }}

),

orders as (

    select
        person_id,
        ordered_at,
        reporting_revenue
    from {{ ref('orders') }}
    where
        not is_bot
        and not is_excluded

),

sessions as (

    select
        person_id,
        started_at,
        ended_at
    from {{ ref('sessions') }}
    where is_counted

),

orders_by_person as (

    select
        entered.experiment,
        entered.person_id,
        count(*) filter (where orders.ordered_at >= entered.first_exposed_at) as order_count,
        sum(orders.reporting_revenue) filter (where orders.ordered_at >= entered.first_exposed_at) as revenue,
        count(*) filter (where orders.ordered_at >= entered.first_exposed_at and orders.reporting_revenue is null)
            as unrated_count,
        count(*) filter (where orders.ordered_at < entered.first_exposed_at) as order_count_before,
        sum(orders.reporting_revenue) filter (where orders.ordered_at < entered.first_exposed_at) as revenue_before,
        count(*) filter (where orders.ordered_at < entered.first_exposed_at and orders.reporting_revenue is null)
            as unrated_count_before
    from entered
    inner join orders
        on
            entered.person_id = orders.person_id
            and entered.first_exposed_at - interval '{{ var("experiment_lookback_days") }} days' <= orders.ordered_at
    group by entered.experiment, entered.person_id

),

-- The session of the exposure counts after it.
sessions_by_person as (

    select
        entered.experiment,
        entered.person_id,
        count(*) filter (where sessions.ended_at >= entered.first_exposed_at) as session_count,
        count(*) filter (where sessions.ended_at < entered.first_exposed_at) as session_count_before
    from entered
    inner join sessions
        on
            entered.person_id = sessions.person_id
            and entered.first_exposed_at - interval '{{ var("experiment_lookback_days") }} days' <= sessions.started_at
    group by entered.experiment, entered.person_id

),

-- What an arm earned is not a number while one of its orders has no rate.
persons as (

    select
        entered.experiment,
        entered.variant,
        cast(coalesce(orders_by_person.order_count, 0) as double) as order_count,
        cast(coalesce(orders_by_person.order_count_before, 0) as double) as order_count_before,
        cast(coalesce(sessions_by_person.session_count, 0) as double) as session_count,
        cast(coalesce(sessions_by_person.session_count_before, 0) as double) as session_count_before,
        case
            when orders_by_person.unrated_count > 0 then cast('nan' as double)
            else cast(coalesce(orders_by_person.revenue, 0) as double)
        end as revenue,
        case
            when orders_by_person.unrated_count_before > 0 then cast('nan' as double)
            else cast(coalesce(orders_by_person.revenue_before, 0) as double)
        end as revenue_before
    from entered
    left join orders_by_person
        on
            entered.experiment = orders_by_person.experiment
            and entered.person_id = orders_by_person.person_id
    left join sessions_by_person
        on
            entered.experiment = sessions_by_person.experiment
            and entered.person_id = sessions_by_person.person_id

),

-- What each metric adds up and divides by, and the same figure before the exposure; per visitor: divided by one.
measured as (

    select
        experiment,
        variant,
        'conversion_rate' as metric,
        cast(order_count > 0 as double) as numerator,
        cast(1 as double) as denominator,
        cast(order_count_before > 0 as double) as numerator_before
    from persons
    union all
    select
        experiment,
        variant,
        'orders_per_visitor' as metric,
        order_count as numerator,
        cast(1 as double) as denominator,
        order_count_before as numerator_before
    from persons
    union all
    select
        experiment,
        variant,
        'revenue_per_visitor' as metric,
        revenue as numerator,
        cast(1 as double) as denominator,
        revenue_before as numerator_before
    from persons
    union all
    select
        experiment,
        variant,
        'sessions_per_visitor' as metric,
        session_count as numerator,
        cast(1 as double) as denominator,
        session_count_before as numerator_before
    from persons
    union all
    select
        experiment,
        variant,
        'average_order_value' as metric,
        revenue as numerator,
        order_count as denominator,
        cast(null as double) as numerator_before
    from persons
    union all
    select
        experiment,
        variant,
        'orders_per_session' as metric,
        order_count as numerator,
        session_count as denominator,
        cast(null as double) as numerator_before
    from persons

),

-- Persons of the same figures are one row: exact whatever the order, and short.
grouped as (

    select
        experiment,
        variant,
        metric,
        numerator,
        denominator,
        numerator_before,
        count(*) as persons
    from measured
    group by all

)

select * from grouped
