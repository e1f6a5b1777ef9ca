with orders as (

    select * from {{ ref('orders') }}
    where
        not is_bot
        and not is_excluded

),

declared as (

    select * from {{ ref('int_conversions_declared') }}

),

unioned as (

    select
        'order' as conversion,
        order_id as conversion_id,
        order_id,
        person_id,
        visitor_id,
        session_id,
        ordered_at as converted_at,
        revenue as value,
        currency,
        reporting_revenue as revenue,
        is_unrated
    from orders
    union all
    select
        conversion,
        event_id as conversion_id,
        cast(null as varchar) as order_id,
        person_id,
        visitor_id,
        session_id,
        converted_at,
        value,
        currency,
        reporting_value as revenue,
        value is not null
        and reporting_value is null as is_unrated
    from declared

)

select * from unioned
