with page_views as (

    select
        event_id,
        session_id,
        app_id,
        platform,
        viewed_at,
        is_access,
        is_bot,
        is_excluded
    from {{ ref('int_page_views_numbered') }}
    where not is_repeat

),

witnessed as (

    select * from {{ ref('int_pages_witnessed') }}
    where not is_bot

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

-- A page that its event and its hit place differently is where its hit is, here as in the loss figures: else it would
-- count among the web's pages and among those without a second witness, or among neither.
placed_page_views as (

    select
        page_views.session_id,
        page_views.app_id,
        page_views.platform,
        page_views.viewed_at,
        witnessed.event_id is null as is_without_witness
    from page_views
    cross join access_policy
    left join witnessed on page_views.event_id = witnessed.event_id and page_views.viewed_at = witnessed.viewed_at
    where {{ counts('page_views') }}

),

counted_page_views as (

    select
        placed_page_views.app_id,
        placed_page_views.platform,
        {{ reporting_date('placed_page_views.viewed_at') }} as reporting_date,
        coalesce(sessions.country, '(unknown)') as country,
        coalesce(sessions.channel, '(unknown)') as channel,
        count(*) as page_views,
        count(*) filter (where placed_page_views.is_without_witness) as page_views_without_witness
    from placed_page_views
    left join sessions on placed_page_views.session_id = sessions.session_id
    group by all

),

lost_hits as (

    select
        page_id,
        hit_at,
        session_id
    from {{ ref('int_lost_hits_placed') }}

),

counted_witnesses as (

    select
        witnessed.app_id,
        witnessed.platform,
        {{ reporting_date('witnessed.seen_at') }} as reporting_date,
        coalesce(sessions.country, '(unknown)') as country,
        coalesce(sessions.channel, '(unknown)') as channel,
        count(*) filter (where witnessed.is_seen_by_pixel) as pixel_hits,
        count(*) filter (where witnessed.is_seen_by_event) as event_page_views,
        count(*) filter (where witnessed.is_seen_by_pixel and witnessed.is_seen_by_event) as matched
    from witnessed
    left join lost_hits
        on
            not witnessed.is_seen_by_event
            and witnessed.page_id = lost_hits.page_id
            and witnessed.hit_at = lost_hits.hit_at
    left join sessions on coalesce(witnessed.session_id, lost_hits.session_id) = sessions.session_id
    group by all

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
    from counted_witnesses

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
