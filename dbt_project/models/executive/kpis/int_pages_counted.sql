with page_views as (

    select * from {{ ref('int_page_views_counted') }}

),

sessions as (

    select
        session_id,
        country,
        channel
    from {{ ref('int_sessions_aggregated') }}

),

access_policy as (

    select * from {{ ref('int_access_policy') }}

),

counted_page_views as (

    select
        page_views.app_id,
        page_views.platform,
        {{ reporting_date('page_views.viewed_from') }} as reporting_date,
        coalesce(sessions.country, '(unknown)') as country,
        coalesce(sessions.channel, '(unknown)') as channel,
        sum(page_views.page_views) as page_views,
        sum(page_views.page_views_without_witness) as page_views_without_witness
    from page_views
    cross join access_policy
    left join sessions on page_views.session_id = sessions.session_id
    where {{ counts('page_views') }}
    group by all

),

witnesses as (

    select * from {{ ref('int_witnesses_counted') }}

),

unioned as (

    select
        reporting_date,
        app_id,
        platform,
        country,
        channel,
        page_views,
        page_views_without_witness,
        0 as pixel_hits,
        0 as event_page_views,
        0 as matched
    from counted_page_views
    union all
    select
        reporting_date,
        app_id,
        platform,
        country,
        channel,
        0 as page_views,
        0 as page_views_without_witness,
        pixel_hits,
        event_page_views,
        matched
    from witnesses

),

counted as (

    select
        reporting_date,
        app_id,
        country,
        channel,
        cast(sum(page_views) as bigint) as page_views,
        cast(sum(page_views_without_witness) as bigint) as page_views_without_witness,
        cast(sum(pixel_hits) as bigint) as pixel_hits,
        cast(sum(event_page_views) as bigint) as event_page_views,
        cast(sum(matched) as bigint) as matched,
        coalesce(platform, '(unknown)') as platform
    from unioned
    group by all

)

select * from counted
