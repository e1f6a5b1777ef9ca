-- Lines of web servers' logs that are looked at further: those that are asked for, and those with which something may
-- be wrong. Of whatever else is well formed (pictures, redirects) nothing is kept: it counts for nothing.
--
-- Takes: read_lines (a view: the columns of texts and those of every kind, see quoted.sql); macro is_wanted (of a
-- method, a target and a status).
-- Variables: plain_address (how heads begin that hold an address beyond doubt), first_log_us, last_log_us.
-- Gives: kept_lines, a table of read_lines' columns.

create or replace temp table kept_lines as
select
    file_id,
    source_file,
    line_number,
    line_bytes,
    line_sha256,
    text,
    payload,
    format_name,
    layout,
    is_format,
    is_comment,
    knows_agent,
    client,
    forwarded,
    received_us,
    time_text,
    method,
    target,
    status,
    referrer,
    agent
from read_lines
where
    is_comment is not true
    and (
        coalesce(is_wanted(method, target, status), false)
        or not coalesce(
            is_format
            and received_us between getvariable('first_log_us') and getvariable('last_log_us')
            and regexp_matches(client, getvariable('plain_address')),
            false
        )
    );
