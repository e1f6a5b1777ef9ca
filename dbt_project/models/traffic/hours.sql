with sessions as (

    select
        {{ reporting_date('started_at') }} as date,
        {{ reporting_hour('started_at') }} as hour,
        app_id,
        platform,
        count(*) as sessions
    from {{ ref('sessions') }}
    where is_counted
    group by all

),

access_policy as (

    select * from {{ ref('int_access_policy') }}

),

page_views as (

    select
        {{ reporting_date('viewed.viewed_from') }} as date,
        {{ reporting_hour('viewed.viewed_from') }} as hour,
        viewed.app_id,
        viewed.platform,
        sum(viewed.page_views) as page_views
    from {{ ref('int_page_views_counted') }} as viewed
    cross join access_policy
    where {{ counts('viewed') }}
    group by all

),

unioned as (

    select * from sessions
    union all by name
    select * from page_views

),

totals as (

    select
        date,
        hour,
        app_id,
        platform,
        cast(isodow(date) as integer) as day_of_week,
        cast(coalesce(sum(sessions), 0) as bigint) as sessions,
        cast(coalesce(sum(page_views), 0) as bigint) as page_views
    from unioned
    group by all

),

{{ with_completeness('totals') }}
