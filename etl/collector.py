"""Collector lines → messages: decode, validate and correct the clock, by columns and in SQL.

The common path never leaves DuckDB's vectors. A message that looks wrong in any way is marked
suspect by cheap tests; only suspects are looked at key by key for the reason and its wording.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import orjson

NEWEST_VERSION = 3
SNOWPLOW_POST = "/com.snowplowanalytics.snowplow/tp2"
SNOWPLOW_GET = "/i"
PLATFORMS = ("desktop_web", "mobile_web", "ios", "android", "email", "api", "backend")
SESSIONLESS_PLATFORMS = ("backend", "api", "email")
CORE_SCHEMAS = (
    "page_view", "impression", "click", "experiment_exposure", "order", "feature_use", "email_open",
)  # fmt: skip

ENVELOPE = dict.fromkeys(
    ("request_id", "received_at", "remote_addr", "method", "path", "query", "user_agent", "body"),
    "VARCHAR",
)
BATCH = {"sent_at": "VARCHAR", "messages": ["JSON"]}
MESSAGE = {
    "version": "JSON", "id": "VARCHAR", "schema": "VARCHAR", "app_id": "VARCHAR", "platform": "VARCHAR",
    "tracker": "VARCHAR", "stream_id": "VARCHAR", "index": "JSON", "created_at": "VARCHAR",
    "visitor_id": "VARCHAR", "user_id": "VARCHAR", "logged_in": "BOOLEAN", "country": "VARCHAR",
    "locale": "VARCHAR", "data": "JSON",
    "page": {
        "id": "VARCHAR", "type": "VARCHAR", "url": "VARCHAR", "referrer": "VARCHAR",
        "referring_page_id": "VARCHAR", "referring_click_id": "VARCHAR", "navigation": "VARCHAR",
    },
}  # fmt: skip

TEXT_KEYS = ("id", "schema", "app_id", "platform", "stream_id", "visitor_id")
REQUIRED_KEYS = (
    "id",
    "schema",
    "app_id",
    "platform",
    "stream_id",
    "index",
    "created_at",
    "visitor_id",
)
REQUIRED_PAGE_KEYS = ("page.id", "page.url")

NOT_TEXT = r"-?[0-9][0-9.eE+\-]*|true|false|[\[{].*"
"""What a JSON value that is not a string looks like once DuckDB has cast it to text. Some strings
look like it too; they are only looked at more closely."""

LONE_SURROGATE = r"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
"""Half of a character, as browsers send when they cut a text inside an emoji: it is left out, so that
the batch can be read. The first group is what only looks like one, and stays."""

MACROS = """
create or replace macro in_range(us) as
    case when us between -62135596800000000 and 253402300799999999 then us end;
create or replace macro iso_us(text) as
    in_range(case when text[1] between '0' and '9' and length(text) > 10
        then try(epoch_us(try_cast(text as timestamptz))) end);
create or replace macro epoch_text_us(text) as
    try(cast(cast(try_cast(text as decimal(18, 6)) as decimal(28, 6)) * 1000000 as bigint));
"""


@dataclass(frozen=True)
class Limits:
    """What `bloodhound.toml` says of sizes and lateness."""

    max_message_bytes: int
    max_lateness_days: int


def sql_list(values: tuple[str, ...]) -> str:
    """Write constants of this project as an SQL list."""
    return ", ".join(f"'{value}'" for value in values)


def shape(columns: Mapping[str, object]) -> str:
    """Write a `from_json` structure."""
    return orjson.dumps(columns).decode()


def decode_requests(con: duckdb.DuckDBPyConnection) -> None:
    """Make the view `requests` (one row a collector line) of `raw`.

    Columns: file_id, source_file, line_number, request_id, received_us, ip, user_agent, sent_us,
    messages (list of JSON text; null when the request is no batch), line_reason, line_detail, payload.
    A view, so that lines are decoded by all threads, row group by row group.
    """
    con.execute(MACROS)
    con.execute(
        f"""
        create or replace temp view requests as
        with texts as (
            select
                * exclude (line),
                case when line_sha256 is null then try(decode(line)) end as text,
                line
            from raw
        ),
        envelopes as (
            select *, try(from_json(text, '{shape(ENVELOPE)}')) as envelope from texts
        ),
        routed as (
            select
                *,
                epoch_text_us(envelope.received_at) as stated_us,
                coalesce(envelope.method = 'POST' and envelope.path = '/t', false) as is_batch,
                coalesce(
                    (envelope.method = 'POST' and envelope.path = '{SNOWPLOW_POST}')
                    or (envelope.method = 'GET' and envelope.path = '{SNOWPLOW_GET}'), false
                ) as is_snowplow
            from envelopes
        ),
        judged as (
            select
                *,
                case when stated_us between 0 and 253402300799999999 then stated_us end as received_us,
                case
                    when line_sha256 is not null then 'the line has ' || line_bytes || ' bytes; SHA-256 ' || line_sha256
                    when text is null then 'not UTF-8'
                    when envelope is null then 'not a JSON object'
                    when coalesce(envelope.request_id, '') = '' then 'request_id is missing'
                    when coalesce(envelope.received_at, '') = '' then 'received_at is missing'
                    when received_us is null then 'received_at is no time: ' || left(envelope.received_at, 100)
                    when coalesce(envelope.path, '') = '' then 'path is missing'
                end as wrong_line,
                case when is_batch and wrong_line is null
                    then coalesce(
                        try(from_json(envelope.body, '{shape(BATCH)}')),
                        try(from_json(
                            regexp_replace(envelope.body, '{LONE_SURROGATE}', '\\1', 'g'), '{shape(BATCH)}'
                        ))
                    ) end as batch
            from routed
        )
        select
            file_id, source_file, line_number,
            envelope.request_id as request_id,
            received_us,
            nullif(envelope.remote_addr, '') as ip,
            nullif(nullif(envelope.user_agent, ''), '-') as user_agent,
            iso_us(batch.sent_at) as sent_us,
            batch.messages as messages,
            case
                when line_sha256 is not null then 'too_large'
                when wrong_line is not null then 'bad_line'
                when is_batch and batch.messages is null then 'bad_body'
                when is_snowplow then 'unknown_version'
            end as line_reason,
            case
                when wrong_line is not null then wrong_line
                when is_batch and envelope.body is null then 'the body is missing'
                when is_batch and batch is null then 'the body is not JSON'
                when is_batch and batch.messages is null then 'the body has no list of messages'
                when is_snowplow then 'the Snowplow tracker protocol is not read yet'
            end as line_detail,
            case
                when line_sha256 is not null then coalesce(try(decode(line)), cast(line as varchar))
                when wrong_line is not null then coalesce(text, cast(line as varchar))
                when is_batch and batch.messages is null then envelope.body
                when is_snowplow then coalesce(nullif(envelope.body, ''), envelope.query)
            end as payload
        from judged
        """
    )


def decode_messages(con: duckdb.DuckDBPyConnection, limits: Limits) -> None:
    """Make `decoded` (one row a message, valid or not, and one a line or body that is none) of `requests`.

    `reason`, `detail` and `payload` are null for valid messages; a bad line has no position.
    `message` is the JSON of suspects only; `content_hash` is the hash of it for all.
    Source of `event_us`: received - (sent - created) where both client times are there and in order,
    else received.
    """
    lateness_us = limits.max_lateness_days * 86_400_000_000
    looks_wrong = " or ".join(
        f"regexp_full_match({column}, '{NOT_TEXT}')"
        for column in ("event_id", "app_id", "stream_id", "visitor_id", "page_id", "url")
    )
    con.execute(
        f"""
        create or replace temp table decoded as
        with listed as (
            select
                * exclude (messages),
                unnest(case when line_reason is null then messages else [null] end) as item,
                generate_subscripts(case when line_reason is null then messages else [null] end, 1) - 1 as ordinal
            from requests
        ),
        read as (
            select *, cast(item as varchar) as message, try(from_json(item, '{shape(MESSAGE)}')) as fields from listed
        ),
        named as (
            select
                file_id, source_file, line_number, request_id, line_reason, line_detail, payload,
                case when line_reason is null then cast(ordinal as integer) end as position,
                received_us, sent_us, ip, user_agent, message,
                cast(fields.version as varchar) as version_text,
                fields.id as event_id,
                fields.schema as schema,
                fields.app_id as app_id,
                fields.platform as platform,
                nullif(fields.tracker, '') as tracker,
                fields.stream_id as stream_id,
                cast(fields.index as varchar) as index_text,
                iso_us(fields.created_at) as created_us,
                fields.visitor_id as visitor_id,
                nullif(fields.user_id, '') as user_id,
                fields.logged_in as is_logged_in,
                nullif(fields.page.id, '') as page_id,
                nullif(fields.page.type, '') as page_type,
                nullif(fields.page.url, '') as url,
                nullif(fields.page.referrer, '') as referrer,
                nullif(fields.page.referring_page_id, '') as referring_page_id,
                nullif(fields.page.referring_click_id, '') as referring_click_id,
                nullif(fields.page.navigation, '') as navigation,
                nullif(fields.country, '') as country,
                nullif(fields.locale, '') as locale,
                cast(fields.data as varchar) as data
            from read
        )
        select
            * exclude (version_text, index_text, line_reason, line_detail, message),
            cast({NEWEST_VERSION} as integer) as version,
            try_cast(index_text as bigint) as message_index,
            case when created_us <= sent_us then received_us - (sent_us - created_us) else received_us end as event_us,
            line_reason is null and (
                version_text is distinct from '{NEWEST_VERSION}'
                or strlen(message) > {limits.max_message_bytes}
                or created_us is null
                or not coalesce(regexp_full_match(index_text, '[0-9]{{1,18}}'), false)
                or coalesce(event_id, '') = '' or coalesce(app_id, '') = ''
                or coalesce(stream_id, '') = '' or coalesce(visitor_id, '') = ''
                or not coalesce(platform in ({sql_list(PLATFORMS)}), false)
                or not coalesce(schema in ({sql_list(CORE_SCHEMAS)}) or schema like 'custom._%', false)
                or (schema = 'page_view' and (page_id is null or url is null))
                or received_us - event_us > {lateness_us}
                or coalesce({looks_wrong}, false)
            ) as is_suspect,
            case when is_suspect then message end as message,
            hash(message) as content_hash,
            false as is_access,
            line_reason as reason,
            line_detail as detail
        from named
        """
    )
    judge_suspects(con, limits)


def judge_suspects(con: duckdb.DuckDBPyConnection, limits: Limits) -> None:
    """Give each suspect of `decoded` its reason and detail; null for those that are valid after all."""

    def kind(key: str) -> str:
        return f"coalesce(json_type(message, '$.{key}'), 'NULL')"

    def value(key: str) -> str:
        return f"left(json_extract_string(message, '$.{key}'), 100)"

    def is_missing(key: str) -> str:
        return f"({kind(key)} = 'NULL' or ({kind(key)} = 'VARCHAR' and json_extract_string(message, '$.{key}') = ''))"

    def wrong_type(key: str, wanted: str) -> str:
        shown = (
            f"case {kind(key)} when 'VARCHAR' then 'a string' when 'BOOLEAN' then 'a boolean'"
            " when 'OBJECT' then 'an object' when 'ARRAY' then 'a list' else 'a number' end"
        )
        return f"'{key} is ' || {shown} || ', not {wanted}: ''' || {value(key)} || ''''"

    is_page_view = "json_extract_string(message, '$.schema') = 'page_view'"
    schema_name = "json_extract_string(message, '$.schema')"
    is_known = f"({schema_name} in ({sql_list(CORE_SCHEMAS)}) or {schema_name} like 'custom._%')"
    rules: list[tuple[str, str, str]] = [
        ("too_large", f"strlen(message) > {limits.max_message_bytes}",
         "'the message has ' || strlen(message) || ' bytes'"),
        ("bad_body", "json_type(message) is distinct from 'OBJECT'",
         "'the message is not an object: ' || left(coalesce(message, 'null'), 100)"),
        ("unknown_version", f"json_extract(message, '$.version')::varchar is distinct from '{NEWEST_VERSION}'",
         f"case when {kind('version')} = 'NULL' then 'version 1 (no version key) is not read yet'"
         f" else 'version ' || left(json_extract(message, '$.version')::varchar, 100) || ' is not read' end"),
        ("unknown_schema", f"{kind('schema')} = 'VARCHAR' and {schema_name} <> '' and not {is_known}",
         f"'no schema is named ''' || {value('schema')} || ''''"),
    ]  # fmt: skip
    rules += [("missing_key", is_missing(key), f"'{key} is missing'") for key in REQUIRED_KEYS]
    rules += [
        (
            "missing_key",
            f"{is_page_view} and {is_missing(key)} and {kind('page')} in ('NULL', 'OBJECT')",
            f"'{key} is missing'",
        )
        for key in REQUIRED_PAGE_KEYS
    ]
    rules += [("malformed_key", f"{kind(key)} <> 'VARCHAR'", wrong_type(key, "a string")) for key in TEXT_KEYS]
    rules += [
        ("malformed_key", f"platform not in ({sql_list(PLATFORMS)})",
         "'platform is unknown: ''' || left(platform, 100) || ''''"),
        ("malformed_key", f"{kind('index')} not in ('UBIGINT', 'BIGINT')", wrong_type("index", "a whole number")),
        ("malformed_key", "message_index is null or message_index < 0",
         f"'index is out of range: ' || {value('index')}"),
        ("malformed_key", "created_us is null", f"'created_at is no time: ''' || {value('created_at')} || ''''"),
        ("malformed_key", f"{is_page_view} and {kind('page')} <> 'OBJECT'", wrong_type("page", "an object")),
        *(
            ("malformed_key", f"{is_page_view} and {kind(key)} <> 'VARCHAR'", wrong_type(key, "a string"))
            for key in REQUIRED_PAGE_KEYS
        ),
        ("too_late", f"received_us - event_us > {limits.max_lateness_days * 86_400_000_000}",
         "'happened ' || ((received_us - event_us) // 86400000000) || ' days before it was received'"),
    ]  # fmt: skip
    rule = "case " + " ".join(f"when {test} then {number}" for number, (_, test, _) in enumerate(rules)) + " end"
    reasons = " ".join(f"when {number} then '{reason}'" for number, (reason, _, _) in enumerate(rules))
    details = " ".join(f"when {number} then {detail}" for number, (_, _, detail) in enumerate(rules))
    con.execute(
        f"""
        update decoded
        set reason = verdicts.reason, detail = verdicts.detail, payload = coalesce(message, 'null')
        from (
            select
                file_id, line_number, position, case rule {reasons} end as reason, case rule {details} end as detail
            from (select *, {rule} as rule from decoded where is_suspect)
            where rule is not null
        ) as verdicts
        where
            decoded.file_id = verdicts.file_id and decoded.line_number = verdicts.line_number
            and decoded.position = verdicts.position
        """
    )
