with lost as (

    select
        page_id,
        hit_at,
        hit_visitor_id,
        app_id,
        platform
    from {{ ref('int_pages_witnessed') }}
    where
        not is_seen_by_event
        and not is_bot

),

sessions as (

    select
        session_id,
        visitor_id,
        started_at,
        ended_at
    from {{ ref('int_sessions_aggregated') }}

),

-- Of hits of one page at one moment the least URL speaks.
pages as (

    select
        hits.page_id,
        hits.hit_at,
        arg_min(struct_pack(
            url_host := hits.url_host,
            url_path := hits.url_path,
            utm_source := hits.utm_source,
            utm_medium := hits.utm_medium,
            utm_campaign := hits.utm_campaign,
            click_ids := hits.click_ids
        ), hits.page_url) as said
    from {{ ref('stg_lake__pixel_hits') }} as hits
    inner join lost on hits.page_id = lost.page_id and hits.hit_at = lost.hit_at
    group by hits.page_id, hits.hit_at

),

-- A hit whose event was lost belongs to the session that its visitor had open then, as an event would have.
opened as (

    select
        lost.page_id,
        lost.hit_at,
        arg_max(sessions.session_id, sessions.started_at) as session_id
    from lost
    inner join sessions
        on
            lost.hit_visitor_id = sessions.visitor_id
            and sessions.started_at <= lost.hit_at + interval '{{ var("session_gap_minutes") }} minutes'
            and lost.hit_at <= sessions.ended_at + interval '{{ var("session_gap_minutes") }} minutes'
    group by lost.page_id, lost.hit_at

),

hits as (

    select
        lost.page_id,
        lost.hit_at,
        lost.app_id,
        lost.platform,
        opened.session_id,
        pages.said.url_host,
        pages.said.url_path,
        pages.said.utm_source,
        pages.said.utm_medium,
        pages.said.utm_campaign,
        pages.said.click_ids,
        coalesce(lost.hit_visitor_id, lost.page_id) as visitor_id,
        row_number() over (order by lost.page_id, lost.hit_at) as hit_number
    from lost
    left join pages on lost.page_id = pages.page_id and lost.hit_at = pages.hit_at
    left join opened on lost.page_id = opened.page_id and lost.hit_at = opened.hit_at

),

{{ click_sources('hits', 'hit_number') }}

-- What a page's own URL says; its referrer, which might say more, only the tracker sends.
final as (

    select
        hits.page_id,
        hits.hit_at,
        hits.visitor_id,
        hits.app_id,
        hits.platform,
        hits.session_id,
        hits.url_host,
        hits.url_path,
        hits.utm_campaign as campaign,
        coalesce(hits.utm_source, clicks.source) as source,
        coalesce(hits.utm_medium, clicks.medium) as medium,
        coalesce(hits.utm_source, hits.utm_medium, hits.utm_campaign, clicks.source) is not null as is_tagged
    from hits
    left join clicks on hits.hit_number = clicks.hit_number

)

select * from final
