-- Orders in, orders out: each model shares out the same orders and the same revenue.
-- A row is a model whose conversions or revenue are not those of the orders that count.
with models as (

    {{ attribution_models() }}

),

orders as (

    select
        count(*) as conversions,
        coalesce(sum(reporting_revenue), 0) as revenue
    from {{ ref('orders') }}
    where
        not is_bot
        and not is_excluded

),

performance as (

    select
        model,
        sum(conversions) as conversions,
        sum(revenue) as revenue
    from {{ ref('channel_performance') }}
    group by model

),

broken as (

    select
        models.model,
        orders.conversions as expected_conversions,
        performance.conversions,
        orders.revenue as expected_revenue,
        performance.revenue
    from models
    cross join orders
    left join performance on models.model = performance.model
    where
        round(coalesce(performance.conversions, 0) - orders.conversions, 6) <> 0
        or coalesce(performance.revenue, 0) is distinct from orders.revenue

)

select * from broken
