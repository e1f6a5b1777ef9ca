{{ config(materialized='ephemeral') }}

with page_views as (

    select * from {{ ref('int_page_views_judged') }}

),

-- Below ten page views a session's path says nothing, and most sessions are shorter.
long_sessions as (

    select session_id
    from page_views
    group by session_id
    having count(*) >= 10

),

paths as (

    select
        page_views.session_id,
        page_views.event_at,
        split_part(split_part(page_views.url, '#', 1), '?', 1) as page,
        case
            when page_views.referrer_domain = page_views.url_domain
                then split_part(split_part(page_views.referrer, '#', 1), '?', 1)
        end as referring_page,
        epoch_us(page_views.event_at)
        - epoch_us(lag(page_views.event_at) over (
            partition by page_views.session_id
            order by page_views.event_at
        )) as interval_us
    from page_views
    inner join long_sessions on page_views.session_id = long_sessions.session_id

),

pages as (

    select
        session_id,
        page,
        min(event_at) as first_viewed_at
    from paths
    group by all

),

paths_measured as (

    select
        paths.session_id,
        cast(count(distinct paths.page) as double) / count(*) as distinct_share,
        count(paths.interval_us) as interval_count,
        stddev_pop(paths.interval_us) / nullif(avg(paths.interval_us), 0) as interval_variation,
        count(*) filter (where {{ is_impossible_step() }}) as impossible_steps,
        cast(count(*) filter (where {{ is_impossible_step() }}) as double) / count(*) as impossible_share
    from paths
    left join pages
        on
            paths.session_id = pages.session_id
            and paths.referring_page = pages.page
    group by paths.session_id

)

select * from paths_measured
