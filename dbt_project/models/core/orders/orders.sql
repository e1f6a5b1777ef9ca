with orders as (

    select * from {{ ref('int_orders_chosen') }}

),

refunds as (

    select
        order_id,
        cast(sum(revenue) as decimal(18, 4)) as refunded
    from {{ ref('int_refund_events') }}
    where order_id is not null
    group by order_id

),

final as (

    select
        orders.order_id,
        orders.person_id,
        orders.visitor_id,
        orders.session_id,
        orders.event_id,
        orders.app_id,
        orders.platform,
        orders.ordered_at,
        orders.revenue,
        orders.currency,
        orders.quantity,
        orders.reporting_revenue,
        orders.is_bot,
        orders.is_excluded,
        cast(coalesce(refunds.refunded, 0) as decimal(18, 4)) as refunded,
        cast(orders.revenue - coalesce(refunds.refunded, 0) as decimal(18, 4)) as net_revenue,
        orders.revenue is not null
        and orders.reporting_revenue is null as is_unrated,
        not orders.is_bot
        and not orders.is_excluded as is_counted,
        case
            when orders.person_id is not null
                then row_number() over (
                    partition by orders.person_id
                    order by orders.ordered_at, orders.order_id
                )
        end as order_number
    from orders
    left join refunds on orders.order_id = refunds.order_id

)

select * from final
