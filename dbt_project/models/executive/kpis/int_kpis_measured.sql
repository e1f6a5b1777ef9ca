{{ config(materialized='in_place_view') }}

with counted as (

    select * from {{ ref('int_kpis_counted') }}

),

estimated as (

    select
        *,
        case when pixel_hits > 0 then seen_count + unseen_count end as web_estimated,
        case when pixel_hits > 0 then {{ chapman_low('seen_count', 'unseen_count', 'unseen_variance') }} end as web_low,
        case when pixel_hits > 0 then {{ chapman_high('seen_count', 'unseen_count', 'unseen_variance') }} end
            as web_high
    from counted

),

-- How far chance alone moves a count: its variance over its square. Visitors, orders and sessions with an order come as
-- they come (Poisson); a visitor who comes back does so again with the same chance; pages and money come in lumps, a
-- session or an order at a time, which are what their squares say. Fewer than ten orders do not say how lumpy money is.
scattered as (

    select
        *,
        {{ rate('1', 'visitors') }} as visitors_variance,
        {{ rate('(2 * sessions / nullif(visitors, 0) - 1)', 'sessions') }} as sessions_variance,
        greatest(squared_session_pages / nullif(power(page_views, 2), 0), {{ rate('1', 'page_views') }})
            as pages_variance,
        {{ rate('1', 'orders') }} as orders_variance,
        case when orders >= 10 then squared_revenue / nullif(power(cast(revenue as double), 2), 0) end
            as revenue_variance
    from estimated

),

measured as (

    select
        grain,
        dimension,
        dimension_value,
        period_date,
        day_count,
        is_complete,
        is_sealed,
        pixel_hits > 0 and unwitnessed_cells = 0 as is_witnessed,
        unrated_orders = 0 as is_revenue_complete,
        visitors,
        new_visitors,
        sessions,
        {{ rate('bounces', 'sessions') }} as bounce_rate,
        page_views,
        {{ rate('page_views', 'sessions') }} as pages_per_session,
        session_microseconds / 1e6 / nullif(sessions, 0) as average_session_seconds,
        orders,
        revenue,
        {{ rate('sessions_with_order', 'sessions') }} as conversion_rate,
        {{ rate('revenue', 'orders') }} as average_order_value,
        {{ rate('revenue', 'visitors') }} as revenue_per_visitor,
        sessions_with_order,
        bounces,
        pixel_hits,
        matched,
        {{ rate('matched', 'pixel_hits') }} as completeness,
        web_estimated + page_views_without_witness as page_views_estimated,
        web_low + page_views_without_witness as page_views_low,
        web_high + page_views_without_witness as page_views_high,
        {{ dependent_high('web_high') }} + page_views_without_witness as page_views_dependent_high,
        visitors_variance,
        sessions_variance,
        orders_variance,
        revenue_variance,
        pages_variance + sessions_variance - {{ rate('1', 'sessions') }} as page_views_variance,
        pages_variance + unseen_variance / nullif(power(web_estimated + page_views_without_witness, 2), 0)
            as page_views_estimated_variance,
        {{ rate('1', 'sessions_with_order') }} - {{ rate('1', 'sessions') }} as conversion_rate_variance,
        -- A mean of few is scattered like Student's t, whose variance is greater.
        case
            when revenue_variance > orders_variance
                then (revenue_variance - orders_variance) * {{ rate('orders', '(orders - 3)') }}
            when revenue_variance is not null then 0
        end as average_order_value_variance
    from scattered

)

select * from measured
