{{ config(materialized='in_place_days', meta={'built_by': 'session_date', 'sealed_by': 'session_date'}) }}

with sessions as (

    select *
    from {{ ref('int_sessions_totalled') }}
    where {{ built_days('session_date') }}

),

first_events as (

    select
        session_id,
        app_id,
        platform,
        browser,
        os,
        device,
        country,
        ip,
        address_from_client,
        is_access
    from {{ ref('stg_lake__events') }}
    where
        session_event_number = 1
        and session_id is not null
        and {{ built_sessions() }}

),

landings as (

    select *
    from {{ ref('int_landings_sourced') }}
    where {{ built_days('session_date') }}

),

channels as (

    select * from {{ ref('int_channels_grouped') }}

),

landed as (

    select
        landings.session_id,
        landings.url,
        landings.url_host,
        landings.url_path,
        landings.referrer,
        landings.referrer_host,
        landings.source,
        landings.medium,
        landings.campaign,
        landings.utm_term,
        landings.utm_content,
        landings.click_ids,
        channels.channel
    from landings
    left join channels
        on
            landings.source is not distinct from channels.source
            and landings.medium is not distinct from channels.medium
            and landings.campaign is not distinct from channels.campaign

),

joined as (

    select
        sessions.session_id,
        sessions.visitor_id,
        sessions.user_id,
        first_events.app_id,
        first_events.platform,
        sessions.started_at,
        sessions.ended_at,
        sessions.session_date,
        {{ seconds_between('sessions.started_at', 'sessions.ended_at') }} as duration_seconds,
        sessions.page_view_count,
        sessions.event_count,
        sessions.page_view_count = 1 as is_bounce,
        sessions.is_excluded,
        landed.url as landing_url,
        landed.url_host as landing_host,
        landed.url_path as landing_path,
        landed.referrer as landing_referrer,
        landed.referrer_host,
        case when landed.session_id is null then '(direct)' else landed.source end as source,
        case when landed.session_id is null then '(none)' else landed.medium end as medium,
        landed.campaign,
        landed.utm_term as term,
        landed.utm_content as content,
        landed.click_ids,
        coalesce(landed.channel, 'Direct') as channel,
        first_events.browser,
        first_events.os,
        first_events.device,
        first_events.country,
        first_events.ip,
        coalesce(first_events.address_from_client, false) as address_from_client,
        coalesce(first_events.is_access, false) as is_access,
        sessions.is_bot,
        sessions.bot_reason
    from sessions
    left join first_events on sessions.session_id = first_events.session_id
    left join landed on sessions.session_id = landed.session_id

)

select * from joined
