{{ config(meta={'sealed_by': 'reporting_date'}) }}

-- A page that its event and its hit place differently is where its hit is, here as in the loss figures: else it would
-- count among the web's pages and among those without a second witness, or among neither.
with witnessed as (

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

lost_hits as (

    select
        page_id,
        hit_at,
        session_id
    from {{ ref('int_lost_hits_placed') }}

),

counted as (

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

)

select * from counted
