with sessions as (

    select * from {{ ref('sessions') }}

),

access_policy as (

    select * from {{ ref('int_access_policy') }}

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
        not sessions.is_bot
        and not sessions.is_excluded
        and (not sessions.is_access or access_policy.is_access_counted) as is_counted
    from sessions
    cross join access_policy

)

select * from flagged
