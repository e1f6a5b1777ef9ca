-- Page views seen from the server: successful reads of pages, in the shape of a tracker's.
--
-- Takes: logged, log_files (file_id, app_id, no_pages), agents (user_agent, is_touch), pseudonyms (ip, user_agent,
-- pseudonym); macro is_no_page (of the number of a rule and a path).
-- $asset_extensions are those of files that are no pages.
-- Gives: decoded (the columns that messages.sql gives, as far as they are written).

create or replace temp table decoded as
with reads as (
    select
        logged.*,
        log_files.app_id,
        log_files.no_pages
    from logged
    inner join log_files on logged.file_id = log_files.file_id
    where
        logged.reason is null
        and logged.method in ('GET', 'HEAD')
        and logged.status in (200, 304)
)

select
    reads.file_id,
    reads.source_file,
    reads.line_number,
    cast(0 as integer) as position,
    cast(null as varchar) as request_id,
    reads.received_us,
    cast(null as bigint) as sent_us,
    reads.ip,
    reads.address_from_client,
    cast(null as varchar) as blocked,
    cast(null as varchar) as collector_host,
    reads.user_agent,
    cast(null as integer) as version,
    md5(reads.app_id || chr(10) || reads.text) as event_id,
    'page_view' as schema,
    reads.app_id,
    case when agents.is_touch then 'mobile_web' else 'desktop_web' end as platform,
    cast(null as varchar) as tracker,
    cast(null as varchar) as stream_id,
    cast(null as bigint) as message_index,
    cast(null as bigint) as created_us,
    pseudonyms.pseudonym as visitor_id,
    cast(null as varchar) as user_id,
    cast(null as boolean) as is_logged_in,
    md5(reads.app_id || chr(10) || reads.text) as page_id,
    cast(null as varchar) as page_type,
    reads.target as url,
    reads.referrer,
    cast(null as varchar) as referring_page_id,
    cast(null as varchar) as referring_click_id,
    cast(null as varchar) as navigation,
    cast(null as varchar) as country,
    cast(null as varchar) as locale,
    cast(null as varchar) as data,
    reads.received_us as event_us,
    cast(md5_number_lower(md5(reads.app_id || chr(10) || reads.text)) >> 1 as bigint) as content_key,
    true as is_access,
    not coalesce(reads.knows_agent, false) as is_agent_unknown,
    cast(null as varchar) as sent_platform,
    cast(null as bigint) as document_key,
    cast(null as bigint) as stream_number,
    cast(null as varchar) as previous_stream_id,
    cast(null as varchar) as reason,
    cast(null as varchar) as detail
from reads
left join agents on reads.user_agent is not distinct from agents.user_agent
left join pseudonyms
    on reads.ip = pseudonyms.ip and reads.user_agent is not distinct from pseudonyms.user_agent
where
    not coalesce(
        list_contains(
            $asset_extensions, lower(regexp_extract(reads.target, '^[^?#]*\.([A-Za-z0-9]+)(?:[?#].*)?$', 1))
        ),
        false
    )
    and not coalesce(is_no_page(reads.no_pages, reads.target), false);
