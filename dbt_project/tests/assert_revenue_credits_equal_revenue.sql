-- Cents that are lost or made when revenue is shared out make the channels' total differ from the invoices.
-- A row is a conversion and model whose revenue credits do not sum to its revenue (an order's as core has it).
with attribution as (

    select * from {{ ref('attribution') }}

),

conversions as (

    select
        conversions.conversion,
        conversions.conversion_id,
        case when conversions.conversion = 'order' then orders.reporting_revenue else conversions.revenue end as revenue
    from {{ ref('conversions') }} as conversions
    left join {{ ref('orders') }} as orders on conversions.order_id = orders.order_id

),

summed as (

    select
        conversion,
        conversion_id,
        model,
        sum(revenue_credit) as revenue_credit
    from attribution
    group by conversion, conversion_id, model

),

broken as (

    select
        summed.conversion,
        summed.conversion_id,
        summed.model,
        summed.revenue_credit,
        conversions.revenue
    from summed
    left join conversions
        on
            summed.conversion = conversions.conversion
            and summed.conversion_id = conversions.conversion_id
    where summed.revenue_credit is distinct from conversions.revenue

)

select * from broken
