with source as (

    select * from {{ source('lake', 'events') }}

),

renamed as (

    select
        event_id,
        request_id,
        schema as schema_name,
        version as message_version,
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
        session_date,
        session_event_number,
        is_session_event,
        page_id,
        page_type,
        url,
        url_host,
        url_path,
        url_domain,
        referrer,
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
        user_agent,
        browser,
        browser_version,
        os,
        os_version,
        device,
        country,
        locale,
        ip,
        collector_host,
        is_bot,
        bot_reason,
        is_excluded,
        data as data_json,
        is_access,
        source_file,
        line_number,
        position as batch_position,
        event_date
    from source

)

select * from renamed
