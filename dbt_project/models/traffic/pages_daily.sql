{{ config(meta={'sealed_by': 'date'}) }}

with page_views as (

    select * from {{ ref('page_views') }}
    where is_counted

),

bounced as (

    select session_id
    from {{ ref('sessions') }}
    where is_bounce

),

hits as (

    select
        page_id,
        event_id,
        viewed_at,
        hit_at,
        app_id,
        platform,
        is_seen_by_event,
        {{ reporting_date('seen_at') }} as date
    from {{ ref('int_pages_witnessed') }}
    where
        is_seen_by_pixel
        and not is_bot

),

-- What the pixel alone saw is the page that its own request names.
lost_hits as (

    select * from {{ ref('int_lost_hits_placed') }}

),

views_counted as (

    select
        {{ reporting_date('page_views.viewed_at') }} as date,
        page_views.app_id,
        page_views.platform,
        page_views.url_host,
        page_views.url_path,
        page_views.page_type,
        count(*) as views,
        count(distinct page_views.visitor_id) as visitors,
        count(*) filter (where page_views.page_number = 1) as entries,
        count(*) filter (where page_views.is_exit) as exits,
        count(*) filter (where page_views.page_number = 1 and bounced.session_id is not null) as bounces,
        -- Whole microseconds add up to the same in any order.
        sum(cast(round(page_views.seconds_on_page * 1000000) as bigint)) as microseconds_on_page
    from page_views
    left join bounced on page_views.session_id = bounced.session_id
    group by all

),

hits_counted as (

    select
        hits.date,
        hits.app_id,
        hits.platform,
        page_views.page_type,
        case when hits.is_seen_by_event then page_views.url_host else lost_hits.url_host end as url_host,
        case when hits.is_seen_by_event then page_views.url_path else lost_hits.url_path end as url_path,
        count(*) as pixel_hits,
        count(*) filter (where hits.is_seen_by_event) as matched
    from hits
    left join page_views on hits.event_id = page_views.event_id and hits.viewed_at = page_views.viewed_at
    left join lost_hits
        on
            not hits.is_seen_by_event
            and hits.page_id = lost_hits.page_id
            and hits.hit_at = lost_hits.hit_at
    group by all

),

unioned as (

    select * from views_counted
    union all by name
    select * from hits_counted

),

totals as (

    select
        date,
        app_id,
        platform,
        url_host,
        page_type,
        cast(coalesce(sum(views), 0) as bigint) as views,
        cast(coalesce(sum(visitors), 0) as bigint) as visitors,
        cast(coalesce(sum(entries), 0) as bigint) as entries,
        cast(coalesce(sum(exits), 0) as bigint) as exits,
        cast(coalesce(sum(bounces), 0) as bigint) as bounces,
        cast(coalesce(sum(pixel_hits), 0) as bigint) as pixel_hits,
        cast(coalesce(sum(matched), 0) as bigint) as matched,
        sum(microseconds_on_page) / 1000000.0 as seconds_on_page,
        coalesce(url_path, '(unknown)') as url_path
    from unioned
    group by all

),

{{ with_completeness('totals') }}
