with periods_counted as (

    select * from {{ ref('int_reporting_periods') }}

),

pages_estimated as (

    select * from {{ ref('int_pages_estimated') }}

),

sessions as (

    select
        *,
        date as reporting_date
    from {{ ref('facts') }}
    where fact = 'session'

),

orders as (

    select
        *,
        date as reporting_date
    from {{ ref('facts') }}
    where fact = 'order'

),

dated_sessions as (

    select
        *,
        {{ kpi_periods() }}
    from sessions

),

dated_orders as (

    select
        *,
        {{ kpi_periods() }}
    from orders

),

sessions_counted as (

    select
        {{ kpi_keys() }},
        count(distinct visitor_id) as visitors,
        count(*) filter (where is_new_visitor) as new_visitors,
        count(*) as sessions,
        count(*) filter (where is_bounce) as bounces,
        count(*) filter (where has_order) as sessions_with_order,
        fsum(power(page_view_count, 2)) as squared_session_pages,
        cast(sum(session_microseconds) as hugeint) as session_microseconds
    from dated_sessions
    group by {{ kpi_grouping_sets() }}

),

orders_counted as (

    select
        {{ kpi_keys() }},
        count(*) as orders,
        count(*) filter (where is_unrated) as unrated_orders,
        fsum(power(cast(revenue as double), 2)) as squared_revenue,
        {{ known_sum('revenue', 'is_unrated') }} as revenue
    from dated_orders
    group by {{ kpi_grouping_sets() }}

),

facts_counted as (

    select * from sessions_counted
    union all by name
    select * from pages_estimated
    union all by name
    select * from orders_counted

),

-- A row of each kind of fact has no figures of the others.
totals as (

    select
        grain,
        dimension,
        dimension_value,
        period_date,
        {% for name in kpi_counts() %}
            cast(coalesce(sum({{ name }}), 0) as bigint) as {{ name }},
        {% endfor %}
        {% for name in kpi_sums() %}
            coalesce(sum({{ name }}), 0) as {{ name }},
        {% endfor %}
        cast(sum(revenue) as decimal(38, 4)) as revenue,
        cast(coalesce(sum(session_microseconds), 0) as hugeint) as session_microseconds
    from facts_counted
    group by all

),

seen as (

    select distinct
        dimension,
        dimension_value
    from totals
    where dimension in ('platform', 'channel')

),

-- Platforms and channels have a row every day, and channels every week, so that silence is nought and not absence.
-- Countries are as many as clients care to send: they have one where something happened.
spine as (

    select
        grain,
        'all' as dimension,
        'all' as dimension_value,
        period_date
    from periods_counted
    union all
    select
        periods_counted.grain,
        seen.dimension,
        seen.dimension_value,
        periods_counted.period_date
    from periods_counted
    cross join seen
    where
        periods_counted.grain = 'day'
        or (periods_counted.grain = 'week' and seen.dimension = 'channel')
    union all
    select
        grain,
        dimension,
        dimension_value,
        period_date
    from totals
    where dimension = 'country'

),

joined as (

    select
        spine.grain,
        spine.dimension,
        spine.dimension_value,
        spine.period_date,
        periods_counted.day_count,
        periods_counted.is_complete,
        periods_counted.is_sealed,
        {% for name in kpi_counts() + kpi_sums() + ['session_microseconds'] %}
            coalesce(totals.{{ name }}, 0) as {{ name }},
        {% endfor %}
        case when coalesce(totals.orders, 0) = 0 then 0 else totals.revenue end as revenue
    from spine
    left join periods_counted
        on
            spine.grain = periods_counted.grain
            and spine.period_date = periods_counted.period_date
    left join totals
        on
            spine.grain = totals.grain
            and spine.dimension = totals.dimension
            and spine.dimension_value = totals.dimension_value
            and spine.period_date = totals.period_date

)

select * from joined
