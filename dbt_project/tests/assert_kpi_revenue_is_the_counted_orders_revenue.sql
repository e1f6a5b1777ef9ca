-- Revenue must not depend on where one looks: every KPI table adds up to the orders that count.
-- A row is a table whose totals differ.
{%- set tables = [
    'kpi_daily', 'kpi_weekly', 'kpi_monthly', 'kpi_daily_by_platform', 'kpi_daily_by_country', 'kpi_daily_by_channel',
    'kpi_weekly_by_channel'
] %}

with orders as (

    select
        count(*) as order_count,
        coalesce(sum(reporting_revenue), 0) as revenue
    from {{ ref('orders') }}
    where
        not is_bot
        and not is_excluded

),

kpis as (

    {% for table in tables %}
        select
            '{{ table }}' as table_name,
            coalesce(sum(orders), 0) as order_count,
            coalesce(sum(revenue), 0) as revenue
        from {{ ref(table) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

broken as (

    select
        kpis.table_name,
        kpis.order_count as kpi_order_count,
        orders.order_count,
        kpis.revenue as kpi_revenue,
        orders.revenue
    from kpis
    cross join orders
    where
        kpis.order_count is distinct from orders.order_count
        or kpis.revenue is distinct from orders.revenue

)

select * from broken
