"""Collector lines → messages: decode, bring to the newest version, validate and correct the clock.

All by columns and in SQL; the common path never leaves DuckDB's vectors. A message that looks wrong
in any way is marked suspect by cheap tests; only suspects are looked at key by key, for the reason
and its wording.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import orjson

from etl.formats import snowplow
from etl.formats import versions as migrations
from etl.formats.versions import MIGRATIONS, NEWEST_VERSION, VERSIONS, mended, read_json
from etl.vocabulary import tracking_plan as plan

BATCH_PATH = "/t"
PLATFORMS = ("desktop_web", "mobile_web", "ios", "android", "email", "api", "backend")
SESSIONLESS_PLATFORMS = ("backend", "api", "email")

ENVELOPE = dict.fromkeys(
    ("request_id", "received_at", "remote_addr", "host", "method", "path", "query", "user_agent", "body"),
    "VARCHAR",
)
BATCH = {"sent_at": "VARCHAR", "messages": ["JSON"]}
PAYLOAD = {"data": ["JSON"]}
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
REQUIRED_KEYS = ("id", "schema", "app_id", "platform", "index", "created_at", "visitor_id", "stream_id")
"""The stream last: version 2 has none, its app and visitor name it."""
NOT_OF_SNOWPLOW = ("stream_id", "index", "created_at")
"""Keys that a Snowplow event may lack: it then takes no part in gaps, or happened when it was received."""
REQUIRED_PAGE_KEYS = ("page.id", "page.url")

MOST_MESSAGES = 250_000
"""A longer list is no batch but an attack: eight million zeros fit into a line, and no message into so few bytes."""

LONGEST_HOST = 253
"""A DNS name has no more characters; what a client writes into its Host header may."""

NOT_TEXT = r"-?[0-9][0-9.eE+\-]*|true|false|[\[{].*|-?(?i:nan|inf(inity)?)"
"""What a JSON value that is not a string looks like once DuckDB has cast it to text. Some strings
look like it too; they are only looked at more closely."""

NOT_A_NUMBER = "(^|[:,[])-?(?i:nan|inf)"
"""What JSON does not have, but some trackers write and DuckDB reads. Python's spellings are looked for in
whole messages, others (slower to find) in the data alone: elsewhere no harm comes of them."""

LARGEST_INDEX = 2**62
"""No client counts so far; what lies beyond would overflow whoever counts on."""

FIRST_LOG_US, LAST_LOG_US = 631_152_000_000_000, 7_258_118_399_999_999
"""1990 to 2199: no web server's log is of another time, and a clock that says so would stretch every
table of days over thousands of years."""

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
    """What `conf/bloodhound.toml` says of sizes and lateness."""

    max_message_bytes: int
    max_lateness_days: int


def sql_list(values: tuple[str, ...]) -> str:
    """Write constants of this project as an SQL list."""
    return ", ".join(f"'{value}'" for value in values)


def is_log_time(us: str) -> str:
    """Say in SQL whether a server may have written a log at that moment."""
    return f"{us} between {FIRST_LOG_US} and {LAST_LOG_US}"


def shape(columns: Mapping[str, object]) -> str:
    """Write a `from_json` structure."""
    return orjson.dumps(columns).decode()


def decode_requests(con: duckdb.DuckDBPyConnection) -> None:
    """Make the view `requests` (one row a collector line) of `lines`.

    Columns: file_id, source_file, line_number, request_id, received_us, ip, collector_host, user_agent, sent_us,
    protocol (`bloodhound`, `snowplow`; null when the request is for neither), items (list of JSON text;
    null when there are none), query (of a Snowplow GET), line_hash (of Snowplow's lines), line_reason,
    line_detail, payload. A view, so that lines are decoded by all threads, row group by row group.
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
            from lines
        ),
        envelopes as (
            select *, try(from_json(text, '{shape(ENVELOPE)}')) as envelope from texts
        ),
        routed as (
            select
                *,
                epoch_text_us(envelope.received_at) as stated_us,
                case
                    when envelope.method = 'POST' and envelope.path = '{BATCH_PATH}' then 'bloodhound'
                    when envelope.method = 'POST' and envelope.path = '{snowplow.POST_PATH}' then 'snowplow'
                    when envelope.method = 'GET' and envelope.path = '{snowplow.GET_PATH}' and envelope.query <> ''
                        then 'snowplow'
                end as protocol,
                coalesce(envelope.method = 'GET', false) as is_get
            from envelopes
        ),
        judged as (
            select
                *,
                case when {is_log_time("stated_us")} then stated_us end as received_us,
                case
                    when line_sha256 is not null then 'the line has ' || line_bytes || ' bytes; SHA-256 ' || line_sha256
                    when text is null then 'not UTF-8'
                    when envelope is null then 'not a JSON object'
                    when coalesce(envelope.request_id, '') = '' then 'request_id is missing'
                    when coalesce(envelope.received_at, '') = '' then 'received_at is missing'
                    when received_us is null then 'received_at is no time: ' || left(envelope.received_at, 100)
                    when coalesce(envelope.path, '') = '' then 'path is missing'
                end as wrong_line,
                case when wrong_line is null and protocol = 'bloodhound'
                    then {read_json("envelope.body", shape(BATCH))} end as batch
            from routed
        ),
        opened as (
            select
                *,
                case
                    when wrong_line is not null or protocol is null then null
                    when protocol = 'bloodhound' then batch.messages
                    when is_get then [cast({snowplow.query_as_json("envelope.query")} as json)]
                    else {read_json("envelope.body", shape(PAYLOAD))}.data
                end as items,
                case when protocol = 'bloodhound' then 'messages' else 'data' end as list_name
            from judged
        )
        select
            file_id, source_file, line_number,
            envelope.request_id as request_id,
            received_us,
            nullif(envelope.remote_addr, '') as ip,
            nullif(lower(left(envelope.host, {LONGEST_HOST})), '') as collector_host,
            nullif(nullif(envelope.user_agent, ''), '-') as user_agent,
            iso_us(batch.sent_at) as sent_us,
            protocol,
            items,
            case when protocol = 'snowplow' and is_get then envelope.query end as query,
            case when protocol = 'snowplow' then md5(text) end as line_hash,
            case
                when line_sha256 is not null then 'too_large'
                when wrong_line is not null then 'bad_line'
                when protocol is not null and (items is null or len(items) > {MOST_MESSAGES}) then 'bad_body'
            end as line_reason,
            case
                when wrong_line is not null then wrong_line
                when len(items) > {MOST_MESSAGES} then 'the list of ' || list_name || ' holds ' || len(items)
                when protocol is null or items is not null then null
                when envelope.body is null then 'the body is missing'
                when try(json_type(envelope.body)) is null and try(json_type({mended("envelope.body")})) is null
                    then 'the body is not JSON'
                else 'the body has no list of ' || list_name
            end as line_detail,
            case
                when line_sha256 is not null then coalesce(try(decode(line)), cast(line as varchar))
                when wrong_line is not null then coalesce(text, cast(line as varchar))
                when line_reason is not null then coalesce(envelope.body, text)
            end as payload
        from opened
        """
    )


def list_messages(con: duckdb.DuckDBPyConnection, max_message_bytes: int) -> None:
    """Make the view `sent` of `requests`: one row a message, in the newest version, and one a refused line.

    Columns: those of `requests` but the list, ordinal (place in the batch, from 0), item (the message's
    JSON as it came; null of a refused line), message (the same in the newest version; null when it is so much
    too large that reading it would take the memory of all others), version_text (the version it came in, or
    `snowplow`), wrong (why a Snowplow event cannot be read), sent_platform (`web`, `mob`: Snowplow's, still to
    be told apart by the user agent).
    """
    con.execute(
        f"""
        create or replace temp view sent as
        with listed as (
            select
                * exclude (items),
                unnest(case when line_reason is null then items else [null] end) as item,
                generate_subscripts(case when line_reason is null then items else [null] end, 1) - 1 as ordinal
            from requests
        ),
        versioned as (
            select
                * replace (cast(item as varchar) as item),
                case when strlen(item) <= {4 * max_message_bytes} then cast(item as varchar) end as message,
                case
                    when line_reason is not null or strlen(item) > {4 * max_message_bytes} then null
                    when protocol = 'snowplow' then 'snowplow'
                    when starts_with(item, '{{"version":{NEWEST_VERSION},') then '{NEWEST_VERSION}'
                    when json_type(item) <> 'OBJECT' then 'none'
                    else coalesce(cast(json_extract(item, '$.version') as varchar), '1')
                end as version_text
            from listed
        ),
        {migrations.migrate("versioned")},
        {snowplow.translate("migrated")}
        select * from translated
        """
    )


def decode_messages(con: duckdb.DuckDBPyConnection, limits: Limits, tracking_plan: plan.Plan) -> None:
    """Make `decoded` (one row a message, valid or not, and one a line or body that is none) of `sent`.

    `reason`, `detail` and `payload` are null for valid messages; a bad line has no position.
    `message` and `item` are kept of suspects only; `content_key` is a key of the message in the newest
    version. Source of `event_us`: received - (sent - created) where both client times are there and in
    order, else received.
    """
    lateness_us = limits.max_lateness_days * 86_400_000_000
    looks_wrong = " or ".join(
        f"regexp_full_match({column}, '{NOT_TEXT}')"
        for column in ("event_id", "app_id", "stream_id", "visitor_id", "page_id", "url")
    )
    versions = sql_list(tuple(map(str, VERSIONS)))
    con.execute(
        f"""
        create or replace temp table decoded as
        with read as (
            select *, try(from_json(message, '{shape(MESSAGE)}')) as fields from sent
        ),
        named as (
            select
                file_id, source_file, line_number, request_id, line_reason, line_detail, payload,
                case when line_reason is null then cast(ordinal as integer) end as position,
                received_us, sent_us, ip, collector_host, user_agent, item, message, version_text, wrong,
                sent_platform, query,
                coalesce(version_text = 'snowplow', false) as is_snowplow,
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
                cast(fields.data as varchar) as data,
                {read_data(tracking_plan)} as planned
            from read
        ),
        timed as (
            select
                *,
                try_cast(index_text as bigint) as message_index,
                case when created_us <= sent_us then received_us - (sent_us - created_us) else received_us end
                    as event_us
            from named
        ),
        doubted as (
            select
                *,
                line_reason is null and (
                    coalesce(version_text not in ({versions}, 'snowplow'), true)
                    or strlen(item) > {limits.max_message_bytes}
                    or wrong is not null
                    or (created_us is null and not is_snowplow)
                    or coalesce(not regexp_full_match(index_text, '[0-9]{{1,18}}'), not is_snowplow)
                    or coalesce(event_id, '') = '' or coalesce(app_id, '') = ''
                    or (coalesce(stream_id, '') = '' and not is_snowplow) or coalesce(visitor_id, '') = ''
                    or not coalesce(platform in ({sql_list(PLATFORMS)}), false)
                    or not coalesce(schema in ({sql_list(tuple(tracking_plan))}) or schema like 'custom._%', false)
                    or (schema = 'page_view' and (page_id is null or url is null))
                    or {breaks_plan(tracking_plan)}
                    or received_us - event_us > {lateness_us}
                    or contains(message, ':NaN') or contains(message, 'Infinity')
                    or coalesce(regexp_matches(data, '{NOT_A_NUMBER}'), false)
                    or coalesce({looks_wrong}, false)
                ) as is_suspect
            from timed
        )
        select
            * exclude (version_text, index_text, line_reason, line_detail, item, message, wrong, query, is_snowplow,
                planned),
            case when version_text in ({versions}) then try_cast(version_text as integer) end as version,
            case when is_suspect then message end as message,
            case when is_suspect then coalesce(query, item, 'null') end as item,
            case when is_suspect then wrong end as wrong,
            case when is_suspect then version_text end as version_text,
            cast(hash(message) >> 1 as bigint) as content_key,
            false as is_access,
            line_reason as reason,
            line_detail as detail
        from doubted
        """
    )
    judge_suspects(con, limits, tracking_plan)


def read_data(tracking_plan: plan.Plan) -> str:
    """Say in SQL the fields that the plan knows, of the schemas that have any (a struct of JSON)."""
    names = sorted({name for schema in tracking_plan.values() for name in schema.fields})
    planned = tuple(name for name, schema in tracking_plan.items() if schema.fields)
    if not planned:
        return "null::json"
    fields = shape(dict.fromkeys(names, "JSON"))
    return f"case when fields.schema in ({sql_list(planned)}) then try(from_json(fields.data, '{fields}')) end"


def breaks_plan(tracking_plan: plan.Plan) -> str:
    """Say in SQL whether a message's data lacks what the plan requires, or has it in another type."""
    tests = []
    for name, schema in tracking_plan.items():
        doubts = [
            f"coalesce({looks_unlike(f'planned.{key}', field)}, {str(field.required).lower()})"
            for key, field in schema.fields.items()
        ]
        if doubts:
            required = "planned is null or " if any(field.required for field in schema.fields.values()) else ""
            tests.append(f"(schema = '{name}' and ({required}{' or '.join(doubts)}))")
    return f"coalesce({' or '.join(tests) or 'false'}, false)"


def looks_unlike(value: str, field: plan.DataField) -> str:
    """Say in SQL whether a JSON value is not of its field's type, or an empty text; null when it is absent."""
    if field.type == "text":
        return f"""(not starts_with({value}::varchar, '"') or {value}::varchar = '""')"""
    return f"not regexp_full_match({value}::varchar, '{plan.PATTERNS[field.type]}')"


def judge_suspects(con: duckdb.DuckDBPyConnection, limits: Limits, tracking_plan: plan.Plan) -> None:
    """Give each suspect of `decoded` its reason and detail; null for those that are valid after all."""
    rules = list_rules(limits, tracking_plan)
    rule = "case " + " ".join(f"when {test} then {number}" for number, (_, test, _) in enumerate(rules)) + " end"
    reasons = " ".join(f"when {number} then '{reason}'" for number, (reason, _, _) in enumerate(rules))
    details = " ".join(f"when {number} then {detail}" for number, (_, _, detail) in enumerate(rules))
    con.execute(
        f"""
        update decoded
        set reason = verdicts.reason, detail = verdicts.detail, payload = item
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


Rule = tuple[str, str, str]
"""A reason, the SQL condition of a suspect under which it applies, and the SQL of its wording."""


def list_rules(limits: Limits, tracking_plan: plan.Plan) -> list[Rule]:
    """List the rules of quarantine in the order in which they count."""
    versions = sql_list(tuple(map(str, VERSIONS)))
    schema = "json_extract_string(message, '$.schema')"
    is_page_view = f"{schema} = 'page_view'"
    is_known = f"({schema} in ({sql_list(tuple(tracking_plan))}) or {schema} like 'custom._%')"
    fields = [
        (f"{schema} = '{name}' and", f"data.{key}", field)
        for name, entry in tracking_plan.items()
        for key, field in entry.fields.items()
    ]
    rules: list[Rule] = [
        ("too_large", f"strlen(item) > {limits.max_message_bytes}",
         "'the message has ' || strlen(item) || ' bytes'"),
        ("bad_body", "json_type(message) is distinct from 'OBJECT'",
         "'the message is not an object: ' || left(coalesce(message, 'null'), 100)"),
        ("bad_body", f"regexp_matches({without_texts('message')}, '{NOT_A_NUMBER}')",
         "'the message holds NaN or Infinity, which are no JSON'"),
        ("unknown_version", f"version_text not in ({versions}, 'snowplow')",
         "'version ' || left(version_text, 100) || ' is not read'"),
        ("unknown_schema", f"{kind('schema')} = 'VARCHAR' and {schema} <> '' and not {is_known}",
         f"'no schema is named ''' || {shown('schema')} || ''''"),
    ]  # fmt: skip
    may_lack = {key: " and version_text <> 'snowplow'" for key in NOT_OF_SNOWPLOW}
    # What keeps an event from being read is more than that its schema is therefore unknown.
    may_lack["schema"] = " and wrong is null"
    rules += [("missing_key", is_missing(key) + may_lack.get(key, ""), says_missing(key)) for key in REQUIRED_KEYS]
    is_page = f"{kind('page')} in ('NULL', 'OBJECT')"
    rules += [
        ("missing_key", f"{is_page_view} and {is_missing(key)} and {is_page}", says_missing(key))
        for key in REQUIRED_PAGE_KEYS
    ]
    rules += [
        ("missing_key", f"{applies} {is_missing(key)}", says_missing(key)) for applies, key, field in fields
        if field.required
    ]  # fmt: skip
    rules.append(("malformed_key", "wrong is not null", "wrong"))
    rules += [
        ("malformed_key", f"{kind(key)} not in ('VARCHAR', 'NULL')", says_type(key, "a string")) for key in TEXT_KEYS
    ]
    rules += [
        ("malformed_key", f"platform not in ({sql_list(PLATFORMS)})",
         "'platform is unknown: ''' || left(platform, 100) || ''''"),
        ("malformed_key", f"{kind('index')} not in ('UBIGINT', 'BIGINT', 'NULL')",
         says_type("index", "a whole number")),
        ("malformed_key",
         f"{kind('index')} <> 'NULL' and not coalesce(message_index between 0 and {LARGEST_INDEX}, false)",
         f"'index is out of range: ' || {shown('index')}"),
        ("malformed_key", f"{kind('created_at')} <> 'NULL' and created_us is null",
         f"'created_at is no time: ''' || {shown('created_at')} || ''''"),
        ("malformed_key", f"{is_page_view} and {kind('page')} <> 'OBJECT'", says_type("page", "an object")),
    ]  # fmt: skip
    rules += [
        ("malformed_key", f"{is_page_view} and {kind(key)} <> 'VARCHAR'", says_type(key, "a string"))
        for key in REQUIRED_PAGE_KEYS
    ]
    rules += [
        ("malformed_key", f"{applies} {is_unlike(key, field)}", says_type(key, plan.WORDS[field.type]))
        for applies, key, field in fields
    ]
    rules.append(
        ("too_late", f"received_us - event_us > {limits.max_lateness_days * 86_400_000_000}",
         "'happened ' || ((received_us - event_us) // 86400000000) || ' days before it was received'")
    )  # fmt: skip
    return rules


def without_texts(json: str) -> str:
    """Say in SQL a text of JSON with all strings empty."""
    return f"""regexp_replace({json}, '"(?:[^"\\\\]|\\\\.)*"', '""', 'g')"""


def kind(key: str) -> str:
    """Say in SQL the JSON type of a suspect's key; absent is null too."""
    return f"coalesce(json_type(message, '$.{key}'), 'NULL')"


def shown(key: str) -> str:
    """Say in SQL the beginning of a key's value, for people."""
    return f"left(json_extract_string(message, '$.{key}'), 100)"


def is_missing(key: str) -> str:
    """Say in SQL whether a key is absent, null or empty."""
    return f"({kind(key)} = 'NULL' or ({kind(key)} = 'VARCHAR' and json_extract_string(message, '$.{key}') = ''))"


def is_unlike(key: str, field: plan.DataField) -> str:
    """Say in SQL whether a key that is there is not of the type that the plan says."""
    pattern = plan.PATTERNS[field.type]
    return f"not {is_missing(key)} and not regexp_full_match(json_extract(message, '$.{key}')::varchar, '{pattern}')"


def says_missing(key: str) -> str:
    """Word in SQL that a key is missing, and what the message's own version calls it."""
    names = {str(version): (step().names.get(key), f"version {version}") for version, step in MIGRATIONS.items()}
    names["snowplow"] = (snowplow.NAMES.get(key), "Snowplow")
    cases = " ".join(
        f"when '{version}' then ' ({name} of {language})'" for version, (name, language) in names.items() if name
    )
    return f"'{key} is missing'" + (f" || case version_text {cases} else '' end" if cases else "")


def says_type(key: str, wanted: str) -> str:
    """Word in SQL that a key is of another type than `wanted`."""
    found = (
        f"case {kind(key)} when 'VARCHAR' then 'a string' when 'BOOLEAN' then 'a boolean'"
        " when 'OBJECT' then 'an object' when 'ARRAY' then 'a list' else 'a number' end"
    )
    return f"'{key} is ' || {found} || ', not {wanted}: ''' || {shown(key)} || ''''"
