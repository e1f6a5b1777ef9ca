{{ config(materialized='in_place_view') }}

with counted as (

    select * from {{ ref('int_kpis_counted') }}

),

estimated as (

    select
        *,
        {{ chapman_estimate('pixel_hits', 'event_page_views', 'matched') }} as web_estimated,
        {{ chapman_margin('pixel_hits', 'event_page_views', 'matched') }} as web_margin
    from counted

),

measured as (

    select
        grain,
        dimension,
        dimension_value,
        period_date,
        day_count,
        is_complete,
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
        web_estimated - web_margin + page_views_without_witness as page_views_low,
        web_estimated + web_margin + page_views_without_witness as page_views_high
    from estimated

)

select * from measured
