{{ config(meta={'sealed_by': 'seen_date'}) }}

with pages as (

    select * from {{ ref('int_pages_witnessed') }}
    where not is_bot

),

lost_hits as (

    select * from {{ ref('int_lost_hits_placed') }}

),

lost_visits as (

    select * from {{ ref('int_lost_visits') }}

),

sessions as (

    select
        session_id,
        channel,
        source,
        medium,
        campaign,
        landing_host,
        landing_path
    from {{ ref('int_sessions_aggregated') }}

),

-- By session first: a page of it has no other origin.
seen as (

    select
        app_id,
        platform,
        session_id,
        {{ utc_date('seen_at') }} as seen_date,
        count(*) filter (where is_seen_by_pixel) as matched,
        count(*) as event_page_views,
        0 as only_pixel
    from pages
    where is_seen_by_event
    group by all

),

lost_of_sessions as (

    select
        lost_hits.app_id,
        lost_hits.platform,
        lost_hits.session_id,
        {{ utc_date('lost_hits.hit_at') }} as seen_date,
        0 as matched,
        0 as event_page_views,
        count(*) as only_pixel
    from lost_hits
    anti join lost_visits
        on
            lost_hits.page_id = lost_visits.page_id
            and lost_hits.hit_at = lost_visits.hit_at
    group by all

),

of_sessions as (

    select * from seen
    union all
    select * from lost_of_sessions

),

sourced as (

    select
        of_sessions.seen_date,
        of_sessions.app_id,
        of_sessions.platform,
        coalesce(sessions.channel, '(unknown)') as channel,
        sessions.source,
        sessions.medium,
        sessions.campaign,
        sessions.session_id is not null as is_origin_known,
        sessions.landing_host,
        sessions.landing_path,
        of_sessions.matched,
        of_sessions.event_page_views,
        of_sessions.only_pixel,
        0 as lost_visits
    from of_sessions
    left join sessions on of_sessions.session_id = sessions.session_id
    union all
    select
        {{ utc_date('lost_visits.hit_at') }} as seen_date,
        lost_hits.app_id,
        lost_hits.platform,
        lost_visits.channel,
        lost_visits.source,
        lost_visits.medium,
        lost_visits.campaign,
        lost_visits.channel <> '(unknown)' as is_origin_known,
        lost_visits.landing_host,
        lost_visits.landing_path,
        0 as matched,
        0 as event_page_views,
        1 as only_pixel,
        cast(lost_visits.is_landing as integer) as lost_visits
    from lost_visits
    inner join lost_hits
        on
            lost_visits.page_id = lost_hits.page_id
            and lost_visits.hit_at = lost_hits.hit_at

),

final as (

    select
        seen_date,
        app_id,
        platform,
        channel,
        source,
        medium,
        campaign,
        is_origin_known,
        landing_host,
        landing_path,
        cast(sum(matched + only_pixel) as bigint) as pixel_hits,
        cast(sum(event_page_views) as bigint) as event_page_views,
        cast(sum(matched) as bigint) as matched,
        cast(sum(lost_visits) as bigint) as lost_visits
    from sourced
    group by all

)

select * from final
