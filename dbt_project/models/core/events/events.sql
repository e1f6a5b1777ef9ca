{{ config(materialized='in_place_view') }}

-- Published as it stands, over the same relation of the lake: it may ask nothing else.
with events as (

    select * from {{ source('lake', 'events') }}

),

final as (

    select
        event_id,
        request_id,
        schema,
        version,
        app_id,
        platform,
        tracker,
        stream_id,
        message_index,
        stream_number,
        previous_stream_id,
        created_at,
        sent_at,
        received_at,
        event_at,
        visitor_id,
        user_id,
        is_logged_in,
        session_id,
        page_id,
        url,
        url_host,
        url_path,
        referrer,
        user_agent,
        browser,
        browser_version,
        os,
        os_version,
        device,
        country,
        locale,
        ip,
        address_from_client,
        is_bot,
        bot_reason,
        is_excluded,
        cast(data as json) as data,
        {{ utc_date('event_at') }} as event_date,
        session_date,
        session_event_number,
        is_session_event,
        page_type,
        url_domain,
        referrer_host,
        referrer_domain,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_term,
        utm_content,
        click_ids,
        referring_page_id,
        referring_click_id,
        navigation,
        is_repeat,
        collector_host,
        is_access,
        source_file,
        line_number,
        position,
        file_id
    from events

)

select * from final
