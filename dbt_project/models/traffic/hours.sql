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

page_views as (

    select
        {{ reporting_date('viewed_at') }} as date,
        {{ reporting_hour('viewed_at') }} as hour,
        app_id,
        platform,
        count(*) as page_views
    from {{ ref('page_views') }}
    where is_counted
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
