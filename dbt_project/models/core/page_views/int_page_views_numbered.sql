{{ config(materialized='in_place_days', meta={'built_by': 'session_date'}) }}

with events as (

    select *
    from {{ ref('stg_lake__events') }}
    where
        schema_name = 'page_view'
        and {{ built_sessions() }}

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
    from events
    where
        session_id is not null
        and not is_repeat
    group by all

),

numbered as (

    select
        *,
        count(*) filter (where not is_repeat) over (
            session_order rows between unbounded preceding and current row
        ) as counted_so_far,
        lead(case when not is_repeat then event_at end ignore nulls) over session_order as next_viewed_at,
        min(case when is_session_event then session_event_number end) over (
            session_order rows between unbounded preceding and unbounded following
        ) as landing_event_number
    from events
    window
        session_order as (
            partition by session_id
            order by event_at, stream_id nulls last, message_index nulls last, event_id
        )

),

joined as (

    select
        numbered.event_id,
        numbered.page_id,
        numbered.session_id,
        numbered.session_date,
        numbered.visitor_id,
        numbered.user_id,
        numbered.app_id,
        numbered.platform,
        numbered.event_at as viewed_at,
        numbered.page_type,
        numbered.url,
        numbered.url_host,
        numbered.url_path,
        numbered.url_domain,
        numbered.referrer,
        numbered.referrer_host,
        numbered.referrer_domain,
        numbered.utm_source,
        numbered.utm_medium,
        numbered.utm_campaign,
        numbered.utm_term,
        numbered.utm_content,
        numbered.click_ids,
        numbered.referring_page_id,
        numbered.referring_click_id,
        referring_pages.url as referring_url,
        clicks.click_target as referring_click_target,
        clicks.click_id is not null as is_referring_click_found,
        numbered.navigation,
        numbered.is_repeat,
        case
            when numbered.session_id is not null and not numbered.is_repeat
                then numbered.counted_so_far
        end as page_number,
        case
            when numbered.session_id is not null and not numbered.is_repeat
                then {{ seconds_between('numbered.event_at', 'numbered.next_viewed_at') }}
        end as seconds_on_page,
        case when not numbered.is_repeat then pings.engaged_seconds end as engaged_seconds,
        numbered.country,
        numbered.locale,
        numbered.tracker,
        numbered.browser,
        numbered.is_access,
        coalesce(
            numbered.session_id is not null
            and numbered.session_event_number = numbered.landing_event_number,
            false
        ) as is_landing,
        numbered.session_id is not null
        and not numbered.is_repeat
        and numbered.next_viewed_at is null as is_exit,
        coalesce(flagged_sessions.is_bot, numbered.is_bot, false) as is_bot,
        coalesce(flagged_sessions.is_excluded, numbered.is_excluded, false) as is_excluded
    from numbered
    left join flagged_sessions on numbered.session_id = flagged_sessions.session_id
    left join pages as referring_pages
        on
            numbered.session_id = referring_pages.session_id
            and numbered.referring_page_id = referring_pages.page_id
    left join pings
        on
            numbered.session_id = pings.session_id
            and numbered.page_id = pings.page_id
            and numbered.app_id = pings.app_id
    left join clicks
        on
            numbered.session_id = clicks.session_id
            and numbered.referring_click_id = clicks.click_id

)

select * from joined
