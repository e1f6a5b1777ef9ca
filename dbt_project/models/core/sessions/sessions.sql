with sessions as (

    select * from {{ ref('int_sessions_aggregated') }}

),

persons as (

    select * from {{ ref('int_persons_stitched') }}

),

orders as (

    select * from {{ ref('orders') }}

),

access_policy as (

    select * from {{ ref('int_access_policy') }}

),

orders_by_session as (

    select
        session_id,
        count(*) as order_count,
        {{ known_sum('reporting_revenue', 'is_unrated') }} as revenue
    from orders
    where session_id is not null
    group by session_id

),

first_orders as (

    select
        person_id,
        min(ordered_at) as first_ordered_at
    from orders
    group by person_id

),

final as (

    select
        sessions.session_id,
        sessions.visitor_id,
        sessions.user_id,
        persons.person_id,
        sessions.app_id,
        sessions.platform,
        sessions.started_at,
        sessions.ended_at,
        sessions.session_date,
        sessions.duration_seconds,
        sessions.page_view_count,
        sessions.event_count,
        cast(case when orders_by_session.session_id is null then 0 else orders_by_session.revenue end as decimal(38, 4))
            as revenue,
        sessions.is_bounce,
        sessions.is_excluded,
        persons.visit_number,
        sessions.landing_url,
        sessions.landing_host,
        sessions.landing_path,
        sessions.landing_referrer,
        sessions.source,
        sessions.medium,
        sessions.campaign,
        sessions.term,
        sessions.content,
        sessions.click_ids,
        sessions.channel,
        sessions.browser,
        sessions.os,
        sessions.device,
        sessions.country,
        sessions.is_access,
        sessions.is_bot,
        sessions.bot_reason,
        coalesce(orders_by_session.order_count, 0) as order_count,
        persons.visit_number = 1 as is_new_visitor,
        {{ counts('sessions') }} as is_counted,
        case
            when first_orders.first_ordered_at < sessions.started_at then 'customer'
            when persons.visit_number = 1 then 'new'
            else 'returning'
        end as visitor_kind
    from sessions
    cross join access_policy
    left join persons on sessions.session_id = persons.session_id
    left join orders_by_session on sessions.session_id = orders_by_session.session_id
    left join first_orders on persons.person_id = first_orders.person_id

)

select * from final
