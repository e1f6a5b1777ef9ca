with sessions as (

    select * from {{ ref('sessions') }}

),

flagged as (

    select
        sessions.session_id,
        sessions.visitor_id,
        sessions.person_id,
        sessions.app_id,
        sessions.platform,
        sessions.started_at,
        sessions.ended_at,
        sessions.session_date,
        sessions.duration_seconds,
        sessions.page_view_count,
        sessions.order_count,
        sessions.revenue,
        sessions.is_bounce,
        sessions.visit_number,
        sessions.is_new_visitor,
        sessions.landing_url,
        sessions.landing_referrer,
        sessions.source,
        sessions.medium,
        sessions.campaign,
        sessions.term,
        sessions.content,
        sessions.gclid,
        sessions.msclkid,
        sessions.fbclid,
        sessions.channel,
        sessions.country,
        sessions.device,
        sessions.is_access,
        sessions.is_bot,
        sessions.bot_reason,
        sessions.is_excluded,
        sessions.is_counted
    from sessions

)

select * from flagged
