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

access_policy as (

    select * from {{ ref('int_access_policy') }}

),

-- A page view is seen with what its session was begun with.
page_views_counted as (

    select
        {{ reporting_date('viewed.viewed_from') }} as date,
        viewed.app_id,
        viewed.platform,
        coalesce(sessions.device_class, '(unknown)') as device_class,
        sessions.browser,
        sessions.os,
        sum(viewed.page_views) as page_views
    from {{ ref('int_page_views_counted') }} as viewed
    cross join access_policy
    left join sessions on viewed.session_id = sessions.session_id
    where {{ counts('viewed') }}
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
