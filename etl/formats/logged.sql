-- Lines of web servers' logs, whatever their format: when, who, what, and why a line cannot be read.
--
-- Takes: read_lines (a table: the columns of texts and those of every kind, see quoted.sql), clients (layout, client,
-- forwarded, ip, address_from_client); macros unescaped, percented.
-- Variables: first_log_us, last_log_us.
-- Gives: logged, a table: file_id, source_file, line_number, text, received_us, ip, address_from_client, user_agent,
-- referrer, method, target, status, is_comment, knows_agent, reason, detail, payload.

create or replace temp table logged as
with judged as (
    select
        read_lines.*,
        clients.ip,
        clients.address_from_client,
        case
            when read_lines.line_sha256 is not null
                then 'the line has ' || read_lines.line_bytes || ' bytes; SHA-256 ' || read_lines.line_sha256
            when read_lines.is_comment then null
            when read_lines.text is null then 'not UTF-8'
            when not read_lines.is_format then 'not in ' || read_lines.format_name || ' format'
            when
                not coalesce(
                    read_lines.received_us between getvariable('first_log_us') and getvariable('last_log_us'), false
                )
                then 'no time: ' || left(coalesce(read_lines.time_text, ''), 100)
            when clients.ip is null then 'no client address: ' || left(coalesce(read_lines.client, ''), 100)
        end as detail
    from read_lines
    left join clients
        on
            read_lines.client is not distinct from clients.client
            and read_lines.forwarded is not distinct from clients.forwarded
            and read_lines.layout = clients.layout
)

select
    file_id,
    source_file,
    line_number,
    case when detail is null then text end as text,
    case when detail is null then received_us end as received_us,
    ip,
    address_from_client,
    unescaped(agent) as user_agent,
    unescaped(percented(referrer)) as referrer,
    nullif(method, '') as method,
    nullif(percented(target), '') as target,
    try_cast(status as integer) as status,
    is_comment,
    knows_agent,
    case when line_sha256 is not null then 'too_large' when detail is not null then 'bad_line' end as reason,
    detail,
    case when detail is not null then coalesce(try(decode(line)), cast(line as varchar)) end as payload
from judged;
