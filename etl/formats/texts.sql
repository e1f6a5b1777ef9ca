-- Lines of web servers' logs as text, with how their file is read.
--
-- Takes: macros of macros.sql, lines (file_id, source_file, line_number, line, line_bytes, line_sha256), log_files
-- (file_id, format_name, kind, layout, has_agent, forwarded_place).
-- Gives: texts (the columns of both but line; text is null of what is no UTF-8 or too long; payload is what came, where
-- that is not the text).

create or replace temp view texts as
with decoded_lines as (
    select
        *,
        case when line_sha256 is null then try(decode(line)) end as whole
    from lines
),

unmarked_lines as (
    select
        *,
        unmarked(whole) as unmarked_text
    from decoded_lines
)

select
    unmarked_lines.file_id,
    unmarked_lines.source_file,
    unmarked_lines.line_number,
    unmarked_lines.line_bytes,
    unmarked_lines.line_sha256,
    without_returns(unmarked_lines.unmarked_text) as text,
    case
        when unmarked_lines.whole is null
            then coalesce(try(decode(unmarked_lines.line)), cast(unmarked_lines.line as varchar))
        when strlen(without_returns(unmarked_lines.unmarked_text)) < strlen(unmarked_lines.whole)
            then unmarked_lines.whole
    end as payload,
    log_files.format_name,
    log_files.kind,
    log_files.layout,
    log_files.has_agent,
    log_files.forwarded_place
from unmarked_lines
inner join log_files on unmarked_lines.file_id = log_files.file_id;
