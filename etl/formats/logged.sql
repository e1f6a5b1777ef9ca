-- Lines of web servers' logs, whatever their format: when, who, what, and why a line cannot be read.
--
-- Takes: kept_lines, clients (layout, client, forwarded, ip, address_from_client), seals (see decode.py of the stage
-- parse); macros unescaped, percented.
-- Variables: first_log_us, last_log_us.
-- Gives: logged, a view: file_id, source_file, line_number, text, received_us, ip, address_from_client, user_agent,
-- referrer, method, target, status, knows_agent, reason, detail, payload.

create or replace temp view logged as
with judged as (
    select
        kept_lines.*,
        clients.ip,
        clients.address_from_client,
        case
            when kept_lines.line_sha256 is not null
                then 'the line has ' || kept_lines.line_bytes || ' bytes; SHA-256 ' || kept_lines.line_sha256
            when kept_lines.text is null then 'not UTF-8'
            when not kept_lines.is_format then 'not in ' || kept_lines.format_name || ' format'
            when
                not coalesce(
                    kept_lines.received_us between getvariable('first_log_us') and getvariable('last_log_us'), false
                )
                then 'no time: ' || left(coalesce(kept_lines.time_text, ''), 100)
            when clients.ip is null then 'no client address: ' || left(coalesce(kept_lines.client, ''), 100)
        end as wrong,
        case
            when kept_lines.received_us < seals.before_us
                then 'it happened before ' || seals.sealed_before || ', and days before that are sealed'
        end as too_late
    from kept_lines
    left join seals
        on
            kept_lines.file_id = seals.file_id
            and kept_lines.line_number > seals.after_line
            and kept_lines.line_number <= seals.until_line
    left join clients
        on
            kept_lines.client is not distinct from clients.client
            and kept_lines.forwarded is not distinct from clients.forwarded
            and kept_lines.layout = clients.layout
),

detailed as (
    select
        *,
        coalesce(wrong, too_late) as detail
    from judged
)

select
    file_id,
    source_file,
    line_number,
    case when detail is null then text end as text,
    case when wrong is null then received_us end as received_us,
    ip,
    address_from_client,
    unescaped(agent) as user_agent,
    unescaped(percented(referrer)) as referrer,
    nullif(method, '') as method,
    nullif(percented(target), '') as target,
    try_cast(status as integer) as status,
    knows_agent,
    case
        when line_sha256 is not null then 'too_large'
        when wrong is not null then 'bad_line'
        when too_late is not null then 'sealed'
    end as reason,
    detail,
    case when detail is not null then coalesce(payload, text) end as payload
from detailed;
