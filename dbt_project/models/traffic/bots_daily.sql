with sessions as (

    select * from {{ ref('sessions') }}

),

access_policy as (

    select * from {{ ref('int_access_policy') }}

),

totals as (

    select
        {{ reporting_date('sessions.started_at') }} as date,
        sessions.app_id,
        sessions.platform,
        sessions.is_excluded,
        sessions.bot_reason,
        sessions.browser,
        count(*) as sessions,
        count(distinct sessions.visitor_id) as visitors,
        cast(sum(sessions.page_view_count) as bigint) as page_views
    from sessions
    cross join access_policy
    where
        (sessions.is_bot or sessions.is_excluded)
        and (access_policy.is_access_counted or not sessions.is_access)
    group by all

),

{{ with_completeness('totals') }}
