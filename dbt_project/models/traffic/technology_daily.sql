with sessions as (

    select
        *,
        {{ device_class() }} as device_class
    from {{ ref('sessions') }}

),

sessions_counted as (

    select
        {{ reporting_date('started_at') }} as date,
        app_id,
        platform,
        device_class,
        browser,
        os,
        count(*) as sessions,
        count(distinct visitor_id) as visitors
    from sessions
    where is_counted
    group by all

),

-- A page view is seen with what its session was begun with.
page_views_counted as (

    select
        {{ reporting_date('page_views.viewed_at') }} as date,
        page_views.app_id,
        page_views.platform,
        coalesce(sessions.device_class, '(unknown)') as device_class,
        sessions.browser,
        sessions.os,
        count(*) as page_views
    from {{ ref('page_views') }} as page_views
    left join sessions on page_views.session_id = sessions.session_id
    where page_views.is_counted
    group by all

),

unioned as (

    select * from sessions_counted
    union all by name
    select * from page_views_counted

),

totals as (

    select
        date,
        app_id,
        platform,
        device_class,
        browser,
        os,
        cast(coalesce(sum(sessions), 0) as bigint) as sessions,
        cast(coalesce(sum(visitors), 0) as bigint) as visitors,
        cast(coalesce(sum(page_views), 0) as bigint) as page_views
    from unioned
    group by all

),

{{ with_completeness('totals') }}
