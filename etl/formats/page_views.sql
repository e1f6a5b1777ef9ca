-- Page views seen from the server: successful reads of pages.
--
-- Takes: logged, log_files (file_id, app_id, no_pages); macros is_page_read (of a method, a target and a status),
-- is_no_page (of the number of a rule and a path).
-- Gives: viewed, a table: file_id, source_file, line_number, received_us, ip, address_from_client, user_agent, app_id,
-- url, referrer, is_agent_unknown, event_id.

create or replace temp table viewed as
select
    logged.file_id,
    logged.source_file,
    logged.line_number,
    logged.received_us,
    logged.ip,
    logged.address_from_client,
    logged.user_agent,
    log_files.app_id,
    logged.target as url,
    logged.referrer,
    not coalesce(logged.knows_agent, false) as is_agent_unknown,
    md5(log_files.app_id || chr(10) || logged.text) as event_id
from logged
inner join log_files on logged.file_id = log_files.file_id
where
    logged.reason is null
    and is_page_read(logged.method, logged.target, logged.status)
    and not coalesce(is_no_page(log_files.no_pages, logged.target), false);
