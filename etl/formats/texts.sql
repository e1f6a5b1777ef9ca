-- Lines of web servers' logs as text, with how their file is read.
--
-- Takes: macros of macros.sql, lines (file_id, source_file, line_number, line, line_bytes, line_sha256), log_files
-- (file_id, format_name, kind, layout, has_agent, forwarded_place).
-- Gives: texts (the columns of both; text is null of what is no UTF-8 or too long).

create or replace temp view texts as
select
    lines.file_id,
    lines.source_file,
    lines.line_number,
    lines.line,
    lines.line_bytes,
    lines.line_sha256,
    case when lines.line_sha256 is null then rtrim(line_text(lines.line), chr(13)) end as text,
    log_files.format_name,
    log_files.kind,
    log_files.layout,
    log_files.has_agent,
    log_files.forwarded_place
from lines
inner join log_files on lines.file_id = log_files.file_id;
