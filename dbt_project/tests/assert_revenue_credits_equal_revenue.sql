-- Cents that are lost or made when revenue is shared out make the channels' total differ from the invoices.
-- A row is an order and model whose revenue credits do not sum to the order's revenue.
with attribution as (

    select * from {{ ref('attribution') }}

),

orders as (

    select * from {{ ref('orders') }}

),

summed as (

    select
        order_id,
        model,
        sum(revenue_credit) as revenue_credit
    from attribution
    group by order_id, model

),

broken as (

    select
        summed.order_id,
        summed.model,
        summed.revenue_credit,
        orders.reporting_revenue
    from summed
    left join orders on summed.order_id = orders.order_id
    where summed.revenue_credit is distinct from orders.reporting_revenue

)

select * from broken
