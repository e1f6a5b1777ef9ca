with stray_days as (

    select distinct received_date
    from {{ ref('stg_lake__strays') }}
    where inbox_folder = 'events'

),

-- What was received on a stray day is excluded, and witnesses nothing: one clock would move every table of days.
page_views as (

    select
        page_id,
        session_id,
        app_id,
        platform,
        viewed_at,
        country,
        tracker,
        browser,
        is_bot
    from {{ ref('int_page_views_numbered') }}
    where
        not is_repeat
        and not is_access
        and not (
            coalesce(is_excluded, false)
            and {{ utc_date('viewed_at') }} in (select stray_days.received_date from stray_days)
        )

),

hits as (

    select * from {{ ref('int_page_hits_deduplicated') }}

),

bot_sessions as (

    select distinct
        visitor_id,
        session_date
    from {{ ref('int_sessions_aggregated') }}
    where is_bot

),

shared_pages as (

    select page_id
    from page_views
    group by page_id
    having count(*) > 1

),

-- One event a page, as one hit a page: several visitors may send the same page id.
distinct_page_views as (

    select page_views.*
    from page_views
    anti join shared_pages on page_views.page_id = shared_pages.page_id
    union all
    select
        page_views.page_id,
        min(page_views.session_id) as session_id,
        min(page_views.app_id) as app_id,
        min(page_views.platform) as platform,
        min(page_views.viewed_at) as viewed_at,
        min(page_views.country) as country,
        min(page_views.tracker) as tracker,
        min(page_views.browser) as browser,
        bool_and(page_views.is_bot) as is_bot
    from page_views
    semi join shared_pages on page_views.page_id = shared_pages.page_id
    group by page_views.page_id

),

paired as (

    select
        page_views.session_id,
        hits.visitor_id as hit_visitor_id,
        hits.ua_bot_reason,
        page_views.country,
        page_views.tracker,
        page_views.is_bot as is_event_of_bot,
        coalesce(hits.page_id, page_views.page_id) as page_id,
        case when hits.page_id is null then page_views.browser else hits.browser end as browser,
        coalesce(hits.hit_at, page_views.viewed_at) as seen_at,
        case when hits.page_id is null then page_views.app_id else hits.app_id end as app_id,
        case when hits.page_id is null then page_views.platform else hits.platform end as platform,
        coalesce(hits.platform <> page_views.platform, false) as is_platform_disputed,
        hits.page_id is not null as is_seen_by_pixel,
        page_views.page_id is not null as is_seen_by_event
    from distinct_page_views as page_views
    full join hits on page_views.page_id = hits.page_id

),

web as (

    select *
    from paired
    where platform in ('desktop_web', 'mobile_web')

),

judged as (

    select
        web.page_id,
        web.session_id,
        web.hit_visitor_id,
        web.seen_at,
        web.app_id,
        web.platform,
        web.browser,
        web.country,
        web.tracker,
        web.is_platform_disputed,
        web.is_seen_by_pixel,
        web.is_seen_by_event,
        case
            when web.is_seen_by_event then web.is_event_of_bot
            else web.ua_bot_reason is not null or bot_sessions.visitor_id is not null
        end as is_bot
    from web
    left join bot_sessions
        on
            web.hit_visitor_id = bot_sessions.visitor_id
            and {{ utc_date('web.seen_at') }} = bot_sessions.session_date

)

select * from judged
