with stray_days as (

    select distinct received_date
    from {{ ref('stg_lake__strays') }}
    where inbox_folder = 'events'

),

-- What was received on a stray day is excluded, and witnesses nothing: one clock would move every table of days.
page_views as (

    select
        event_id,
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

shared_pages as (

    select page_id
    from page_views
    group by page_id
    having count(*) > 1

),

-- Of several views of one page (of several visitors, or months apart) a hit witnesses the nearest.
nearest_views as (

    select
        hits.page_id,
        hits.hit_at,
        arg_min(
            page_views.event_id,
            (abs(epoch_us(page_views.viewed_at) - epoch_us(hits.hit_at)), page_views.viewed_at, page_views.event_id)
        ) as event_id,
        arg_min(
            page_views.viewed_at,
            (abs(epoch_us(page_views.viewed_at) - epoch_us(hits.hit_at)), page_views.viewed_at, page_views.event_id)
        ) as viewed_at
    from page_views
    semi join shared_pages on page_views.page_id = shared_pages.page_id
    inner join hits
        on
            page_views.page_id = hits.page_id
            and {{ lies_near('page_views.viewed_at', 'hits.hit_at') }}
    group by hits.page_id, hits.hit_at

),

-- A view that another one keeps from the hit has no page to be found by.
findable_views as (

    select
        page_views.*,
        page_views.page_id as findable_page_id
    from page_views
    anti join shared_pages on page_views.page_id = shared_pages.page_id
    union all
    select
        page_views.*,
        nearest_views.page_id as findable_page_id
    from page_views
    semi join shared_pages on page_views.page_id = shared_pages.page_id
    -- An id may come again after the lateness limit, and is another view then.
    left join nearest_views
        on page_views.event_id = nearest_views.event_id and page_views.viewed_at = nearest_views.viewed_at

),

paired as (

    select
        page_views.event_id,
        page_views.viewed_at,
        page_views.session_id,
        hits.visitor_id as hit_visitor_id,
        hits.hit_at,
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
    from findable_views as page_views
    full join hits
        on
            page_views.findable_page_id = hits.page_id
            and {{ lies_near('page_views.viewed_at', 'hits.hit_at') }}

),

web as (

    select *
    from paired
    where platform in ('desktop_web', 'mobile_web')

),

-- All UTC days that a bot's session touches.
bot_days as (

    select distinct
        visitor_id,
        cast(unnest(generate_series(
            {{ utc_date('started_at') }}, {{ utc_date('ended_at') }}, interval 1 day
        )) as date) as bot_date
    from {{ ref('int_sessions_aggregated') }}
    where is_bot

),

judged as (

    select
        web.page_id,
        web.event_id,
        web.viewed_at,
        web.session_id,
        web.hit_visitor_id,
        web.hit_at,
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
            else web.ua_bot_reason is not null or bot_days.visitor_id is not null
        end as is_bot
    from web
    left join bot_days
        on
            web.hit_visitor_id = bot_days.visitor_id
            and {{ utc_date('web.seen_at') }} = bot_days.bot_date

)

select * from judged
