{{ config(materialized='in_place_days', meta={'built_by': 'session_date'}) }}

with events as (

    select *
    from {{ ref('stg_lake__events') }}
    where
        schema_name = 'page_view'
        and {{ built_sessions() }}
        and {{ has_events('session_date') }}

),

flagged_sessions as (

    select
        session_id,
        is_bot,
        is_excluded
    from {{ ref('int_sessions_totalled') }}
    where
        (is_bot or is_excluded)
        and {{ built_days('session_date') }}

),

clicks as (

    select
        session_id,
        data_json ->> '$.click_id' as click_id,
        arg_min(data_json ->> '$.target', (event_at, event_id)) as click_target
    from {{ ref('stg_lake__events') }}
    where
        schema_name = 'click'
        and session_id is not null
        and {{ built_sessions() }}
    group by all

),

pings as (

    select
        session_id,
        page_id,
        app_id,
        {{ engaged_seconds('app_id', 'event_at') }} as engaged_seconds
    from {{ ref('stg_lake__events') }}
    where
        schema_name = 'custom.page_ping'
        and session_id is not null
        and page_id is not null
        and {{ built_sessions() }}
    group by session_id, page_id, app_id

),

pages as (

    select
        session_id,
        page_id,
        arg_min(url, (event_at, event_id)) as url
    from {{ ref('stg_lake__events') }}
    where
        schema_name = 'page_view'
        and session_id is not null
        and not is_repeat
        and {{ built_sessions() }}
    group by all

),

-- On narrow rows, joined back: a window over the wide ones sorts and spills what it does not look at.
ordered as (

    select
        event_id,
        session_id,
        session_event_number,
        is_session_event,
        event_at,
        stream_id,
        message_index,
        is_repeat
    from {{ ref('stg_lake__events') }}
    where
        schema_name = 'page_view'
        and session_id is not null
        and {{ built_sessions() }}

),

numbered as (

    select
        event_id,
        session_id,
        count(*) filter (where not is_repeat) over (
            session_order rows between unbounded preceding and current row
        ) as page_number,
        lead(case when not is_repeat then event_at end ignore nulls) over session_order as next_viewed_at,
        coalesce(
            session_event_number = min(case when is_session_event then session_event_number end) over (
                session_order rows between unbounded preceding and unbounded following
            ),
            false
        ) as is_landing
    from ordered
    window
        session_order as (
            partition by session_id
            order by event_at, stream_id nulls last, message_index nulls last, event_id
        )

),

joined as (

    select
        events.event_id,
        events.page_id,
        events.session_id,
        events.session_date,
        events.visitor_id,
        events.user_id,
        events.app_id,
        events.platform,
        events.event_at as viewed_at,
        events.page_type,
        events.url,
        events.url_host,
        events.url_path,
        events.url_domain,
        events.referrer,
        events.referrer_host,
        events.referrer_domain,
        events.utm_source,
        events.utm_medium,
        events.utm_campaign,
        events.utm_term,
        events.utm_content,
        events.click_ids,
        events.referring_page_id,
        events.referring_click_id,
        referring_pages.url as referring_url,
        clicks.click_target as referring_click_target,
        clicks.click_id is not null as is_referring_click_found,
        events.navigation,
        events.is_repeat,
        case when not events.is_repeat then numbered.page_number end as page_number,
        case
            when not events.is_repeat then {{ seconds_between('events.event_at', 'numbered.next_viewed_at') }}
        end as seconds_on_page,
        case when not events.is_repeat then pings.engaged_seconds end as engaged_seconds,
        events.country,
        events.locale,
        events.tracker,
        events.browser,
        events.is_access,
        coalesce(numbered.is_landing, false) as is_landing,
        events.session_id is not null
        and not events.is_repeat
        and numbered.next_viewed_at is null as is_exit,
        coalesce(flagged_sessions.is_bot, events.is_bot, false) as is_bot,
        coalesce(flagged_sessions.is_excluded, events.is_excluded, false) as is_excluded
    from events
    left join numbered
        on
            events.session_id = numbered.session_id
            and events.event_id = numbered.event_id
    left join flagged_sessions on events.session_id = flagged_sessions.session_id
    left join pages as referring_pages
        on
            events.session_id = referring_pages.session_id
            and events.referring_page_id = referring_pages.page_id
    left join pings
        on
            events.session_id = pings.session_id
            and events.page_id = pings.page_id
            and events.app_id = pings.app_id
    left join clicks
        on
            events.session_id = clicks.session_id
            and events.referring_click_id = clicks.click_id

)

select * from joined
