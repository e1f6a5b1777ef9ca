-- Page views seen from the server with who read them, in the shape of a tracker's.
--
-- Takes: viewed (see page_views.sql), agents (user_agent, is_touch), pseudonyms (ip, user_agent, pseudonym).
-- Gives: decoded, a view (the columns that messages.sql gives, as far as they are written).

create or replace temp view decoded as
select
    viewed.file_id,
    viewed.source_file,
    viewed.line_number,
    cast(0 as integer) as position,
    cast(null as varchar) as request_id,
    viewed.received_us,
    cast(null as bigint) as sent_us,
    viewed.ip,
    viewed.address_from_client,
    cast(null as varchar) as blocked,
    cast(null as varchar) as collector_host,
    viewed.user_agent,
    cast(null as integer) as version,
    viewed.event_id,
    'page_view' as schema,
    viewed.app_id,
    case when agents.is_touch then 'mobile_web' else 'desktop_web' end as platform,
    cast(null as varchar) as tracker,
    cast(null as varchar) as stream_id,
    cast(null as bigint) as message_index,
    cast(null as bigint) as created_us,
    pseudonyms.pseudonym as visitor_id,
    cast(null as varchar) as user_id,
    cast(null as boolean) as is_logged_in,
    viewed.event_id as page_id,
    cast(null as varchar) as page_type,
    viewed.url,
    viewed.referrer,
    cast(null as varchar) as referring_page_id,
    cast(null as varchar) as referring_click_id,
    cast(null as varchar) as navigation,
    cast(null as varchar) as country,
    cast(null as varchar) as locale,
    cast(null as varchar) as data,
    viewed.received_us as event_us,
    cast(md5_number_lower(viewed.event_id) >> 1 as bigint) as content_key,
    true as is_access,
    viewed.is_agent_unknown,
    cast(null as varchar) as sent_platform,
    cast(null as bigint) as document_key,
    cast(null as bigint) as stream_number,
    cast(null as varchar) as previous_stream_id,
    cast(null as varchar) as reason,
    cast(null as varchar) as detail
from viewed
left join agents on viewed.user_agent is not distinct from agents.user_agent
left join pseudonyms
    on viewed.ip = pseudonyms.ip and viewed.user_agent is not distinct from pseudonyms.user_agent;
