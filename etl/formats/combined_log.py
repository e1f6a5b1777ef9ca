"""Combined-format lines: web servers' page views, and the pixel's hits."""

import duckdb

from etl.enrich.urls import query_value
from etl.formats.collector import FIRST_LOG_US, LAST_LOG_US
from etl.formats.rules import sql_list

COMBINED = (
    r'^(\S+) \S+ .*? \[([^\]]*)\] "((?:[^"\\]|\\.)*)" ([0-9]{3}) (?:[0-9]+|-)'
    r' "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"(?: .*)?\r?$'
)
HEAD = r"^(\S+) \S+ .*? \[([^\]]*)\] $"
STATUS = r"^ ([0-9]{3}) (?:[0-9]+|-) $"
"""What precedes and follows the request in a line that is cut at its quotes."""
REQUEST = r"^([A-Z]+) (\S+)(?: HTTP/[0-9.]+)?$"


def decode_lines(con: duckdb.DuckDBPyConnection) -> None:
    """Make `logged` (one row a combined line) of `lines`.

    Columns: file_id, source_file, line_number, text, received_us, ip, user_agent, referrer, method,
    target, status, reason, detail, payload. A `-` is null.
    """
    con.execute(
        f"""
        create or replace temp table logged as
        with texts as (
            select
                * exclude (line),
                case when line_sha256 is null then try(decode(line)) end as text,
                line
            from lines
        ),
        -- Nearly every line has its six quotes and no escape: cut at them it reads four times as fast
        -- as by the whole expression, and gives the same.
        cut as (
            select *, case when not contains(text, '\\') then string_split(text, '"') end as pieces from texts
        ),
        headed as (
            select
                *,
                coalesce(len(pieces) = 7, false) as is_plain,
                case when is_plain then regexp_extract(pieces[1], '{HEAD}', ['ip', 'time']) end as head,
                case when is_plain and pieces[5] = ' ' and (pieces[7] in ('', chr(13)) or starts_with(pieces[7], ' '))
                    then regexp_extract(pieces[3], '{STATUS}', 1) end as status
            from cut
        ),
        matched as (
            select
                * exclude (pieces, head, status),
                case
                    when not is_plain then regexp_extract(
                        text, '{COMBINED}', ['ip', 'time', 'request', 'status', 'referrer', 'agent']
                    )
                    when head.ip <> '' and status <> '' then struct_pack(
                        ip := head.ip, time := head.time, request := pieces[2], status := status,
                        referrer := pieces[4], agent := pieces[6]
                    )
                end as found
            from headed
        ),
        timed as (
            select
                *,
                coalesce(found.ip, '') <> '' as is_combined,
                try(epoch_us(try_strptime(found.time, '%d/%b/%Y:%H:%M:%S %z'))) as received_us,
                regexp_extract(found.request, '{REQUEST}', ['method', 'target']) as request
            from matched
        ),
        judged as (
            select
                *,
                case
                    when line_sha256 is not null then 'the line has ' || line_bytes || ' bytes; SHA-256 ' || line_sha256
                    when text is null then 'not UTF-8'
                    when not is_combined then 'not in combined format'
                    when not coalesce(received_us between {FIRST_LOG_US} and {LAST_LOG_US}, false)
                        then 'no time: ' || left(found.time, 100)
                end as detail
            from timed
        )
        select
            file_id, source_file, line_number,
            case when detail is null then rtrim(text, chr(13)) end as text,
            case when detail is null then received_us end as received_us,
            nullif(found.ip, '-') as ip,
            {unescaped("found.agent")} as user_agent,
            {unescaped("found.referrer")} as referrer,
            nullif(request.method, '') as method,
            nullif(request.target, '') as target,
            cast(nullif(found.status, '') as integer) as status,
            case when line_sha256 is not null then 'too_large' when detail is not null then 'bad_line' end as reason,
            detail,
            case when detail is not null then coalesce(try(decode(line)), cast(line as varchar)) end as payload
        from judged
        """
    )


def unescaped(column: str) -> str:
    r"""Undo a server's escape of quotes (`\"`, `\x22`) in SQL; `-` and nothing are null."""
    text = f"replace(replace({column}, '\\\"', '\"'), '\\x22', '\"')"
    return f"nullif(nullif({text}, '-'), '')"


def select_page_views(con: duckdb.DuckDBPyConnection, asset_extensions: tuple[str, ...]) -> None:
    """Make `decoded` of `logged`: successful reads of pages, as page views of tracker shape.

    Needs `log_files` (file_id, app_id) and `agents` (user_agent, is_touch).
    """
    con.execute(
        f"""
        create or replace temp table decoded as
        select
            logged.file_id, logged.source_file, line_number, cast(0 as integer) as position,
            cast(null as varchar) as request_id, received_us, cast(null as bigint) as sent_us, ip,
            cast(null as varchar) as collector_host,
            logged.user_agent, cast(null as integer) as version,
            md5(log_files.app_id || chr(10) || text) as event_id,
            'page_view' as schema,
            log_files.app_id as app_id,
            case when agents.is_touch then 'mobile_web' else 'desktop_web' end as platform,
            cast(null as varchar) as tracker, cast(null as varchar) as stream_id,
            cast(null as bigint) as message_index, cast(null as bigint) as created_us,
            md5(coalesce(ip, '') || chr(10) || coalesce(logged.user_agent, '')) as visitor_id,
            cast(null as varchar) as user_id, cast(null as boolean) as is_logged_in,
            event_id as page_id, cast(null as varchar) as page_type,
            target as url, referrer,
            cast(null as varchar) as referring_page_id, cast(null as varchar) as referring_click_id,
            cast(null as varchar) as navigation, cast(null as varchar) as country, cast(null as varchar) as locale,
            cast(null as varchar) as data,
            received_us as event_us, cast(md5_number_lower(event_id) >> 1 as bigint) as content_key, true as is_access,
            cast(null as varchar) as sent_platform,
            cast(null as varchar) as reason, cast(null as varchar) as detail
        from logged
        inner join log_files on logged.file_id = log_files.file_id
        left join agents on logged.user_agent is not distinct from agents.user_agent
        where
            reason is null
            and method in ('GET', 'HEAD') and status in (200, 304)
            and not coalesce(
                lower(regexp_extract(target, '^[^?#]*\\.([A-Za-z0-9]+)(?:[?#].*)?$', 1))
                    in ({sql_list(asset_extensions) or "''"}), false)
        """
    )


def select_pixel_hits(con: duckdb.DuckDBPyConnection) -> None:
    """Make `hits` of `logged`: well-formed `GET /px.gif?e=…`, with decoded parameters.

    Needs `agents` (user_agent, browser, ua_bot_reason).
    """

    con.execute(
        f"""
        create or replace temp table hits as
        with requested as (
            select *, regexp_extract(target, '^/px\\.gif\\?([^#]*)', 1) as query
            from logged
            where reason is null and method = 'GET' and starts_with(target, '/px.gif?')
        )
        select
            make_timestamptz(received_us) as hit_at,
            {query_value("e")} as page_id, {query_value("a")} as app_id,
            {query_value("p")} as platform, {query_value("v")} as visitor_id,
            ip, requested.user_agent, agents.browser, agents.ua_bot_reason,
            source_file, line_number, file_id,
            cast(make_timestamp(received_us) as date) as hit_date
        from requested
        left join agents on requested.user_agent is not distinct from agents.user_agent
        where {query_value("e")} is not null
        """
    )
