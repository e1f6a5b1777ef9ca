with sessions as (

    select * from {{ ref('sessions') }}
    where is_counted

),

landings as (

    select
        session_id,
        referrer_host
    from {{ ref('int_sessions_aggregated') }}

),

totals as (

    select
        {{ reporting_date('sessions.started_at') }} as date,
        sessions.app_id,
        sessions.platform,
        landings.referrer_host,
        sessions.source,
        sessions.medium,
        count(*) as sessions,
        count(distinct sessions.visitor_id) as visitors
    from sessions
    left join landings on sessions.session_id = landings.session_id
    group by all

),

{{ with_completeness('totals') }}
