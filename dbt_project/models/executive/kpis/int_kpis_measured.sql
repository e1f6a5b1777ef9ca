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

measured as (

    select
        grain,
        dimension,
        dimension_value,
        period_date,
        day_count,
        is_complete,
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
        {{ dependent_high('web_high') }} + page_views_without_witness as page_views_dependent_high
    from estimated

)

select * from measured
