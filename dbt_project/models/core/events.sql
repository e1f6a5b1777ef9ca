{{ config(materialized='in_place_view') }}

with events as (

    select * from {{ ref('stg_lake__events') }}

),

final as (

    select
        event_id,
        request_id,
        schema_name as schema,
        message_version as version,
        app_id,
        platform,
        tracker,
        stream_id,
        message_index,
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
        is_bot,
        bot_reason,
        is_excluded,
        cast(data_json as json) as data,
        page_type,
        is_access,
        collector_host,
        source_file,
        line_number,
        event_date
    from events

)

select * from final
