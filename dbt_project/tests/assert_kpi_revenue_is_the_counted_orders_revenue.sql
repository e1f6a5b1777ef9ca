-- Revenue must not depend on where one looks: days add up to the orders that count.
-- A row is a pair of totals that differ.
with kpi_daily as (

    select
        coalesce(sum(orders), 0) as order_count,
        coalesce(sum(revenue), 0) as revenue
    from {{ ref('kpi_daily') }}

),

orders as (

    select
        count(*) as order_count,
        coalesce(sum(reporting_revenue), 0) as revenue
    from {{ ref('orders') }}
    where
        not is_bot
        and not is_excluded

),

broken as (

    select
        kpi_daily.order_count as kpi_order_count,
        orders.order_count,
        kpi_daily.revenue as kpi_revenue,
        orders.revenue
    from kpi_daily
    cross join orders
    where
        kpi_daily.order_count is distinct from orders.order_count
        or kpi_daily.revenue is distinct from orders.revenue

)

select * from broken
