with orders as (

    select * from {{ ref('int_orders_chosen') }}

),

final as (

    select
        order_id,
        person_id,
        visitor_id,
        session_id,
        event_id,
        app_id,
        platform,
        ordered_at,
        revenue,
        currency,
        quantity,
        reporting_revenue,
        is_bot,
        is_excluded,
        not is_bot
        and not is_excluded as is_counted
    from orders

)

select * from final
