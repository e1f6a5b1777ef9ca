with orders as (

    select
        order_id,
        person_id,
        ordered_at,
        reporting_revenue as revenue
    from {{ ref('orders') }}
    where
        not is_bot
        and not is_excluded

),

touchpoints as (

    select
        session_id,
        person_id,
        touched_at,
        channel,
        source,
        medium,
        campaign
    from {{ ref('touchpoints') }}

),

touched as (

    select
        orders.order_id,
        orders.person_id,
        orders.ordered_at,
        orders.revenue,
        touchpoints.session_id,
        touchpoints.touched_at,
        touchpoints.channel,
        touchpoints.source,
        touchpoints.medium,
        touchpoints.campaign
    from orders
    left join touchpoints
        on
            orders.person_id = touchpoints.person_id
            and orders.ordered_at >= touchpoints.touched_at
            and touchpoints.touched_at
            > orders.ordered_at - interval '{{ var("attribution_window_days") }} days'

),

numbered as (

    select
        *,
        row_number() over (partition by order_id order by touched_at, session_id) as touch_number,
        count(session_id) over (partition by order_id) as touch_count
    from touched

)

select * from numbered
