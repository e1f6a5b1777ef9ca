"""The rules of quarantine: which reason a suspect has, and how it is worded; generated in the order that counts."""

import duckdb

from etl.formats import snowplow
from etl.formats.collector import PLATFORMS
from etl.formats.versions import MIGRATIONS, VERSIONS
from etl.vocabulary import tracking_plan as plan

TEXT_KEYS = ("id", "schema", "app_id", "platform", "stream_id", "visitor_id")
REQUIRED_KEYS = ("id", "schema", "app_id", "platform", "index", "created_at", "visitor_id", "stream_id")
"""The stream last: version 2 has none, its app and visitor name it."""
NOT_OF_OTHERS = ("stream_id", "index", "created_at", "visitor_id")
"""Keys that another tracker's event may lack: it then takes no part in gaps, happened when it was received, or is of
nobody known; one of Snowplow's is of whoever reads with its browser from its address."""
NOT_OF_NOBODY = ("stream_id", "index", "visitor_id")
"""Keys that a message may lack in which no id of any kind is used."""
REQUIRED_PAGE_KEYS = ("page.id", "page.url")

NOT_A_NUMBER = "(^|[:,[])-?(?i:nan|inf)"
"""What JSON does not have, but some trackers write and DuckDB reads. Python's spellings are looked for in
whole messages, others (slower to find) in the data alone: elsewhere no harm comes of them."""

DEEPEST = 500
"""Levels of JSON in a message's data: what is nested deeper not every language reads, Python among them."""

LARGEST_INDEX = 2**62
"""No client counts so far; what lies beyond would overflow whoever counts on."""


def sql_list(values: tuple[str, ...]) -> str:
    """Write constants of this project as an SQL list."""
    return ", ".join(f"'{value}'" for value in values)


def judge_suspects(
    con: duckdb.DuckDBPyConnection, max_message_bytes: int, lateness_us: int, tracking_plan: plan.Plan
) -> None:
    """Give each suspect of `read_messages` its reason and detail; null for those that are valid after all."""
    # First, and by itself: what reads the other keys takes more memory than there is for a few hundred thousand levels.
    con.execute(
        f"""
        update read_messages
        set
            reason = 'malformed_key', detail = 'data is nested deeper than {DEEPEST} levels', payload = item,
            message = null
        where is_suspect and {is_deeper("data", DEEPEST)}
        """
    )
    rules = list_rules(max_message_bytes, lateness_us, tracking_plan)
    rule = "case " + " ".join(f"when {test} then {number}" for number, (_, test, _) in enumerate(rules)) + " end"
    reasons = " ".join(f"when {number} then '{reason}'" for number, (reason, _, _) in enumerate(rules))
    details = " ".join(f"when {number} then {detail}" for number, (_, _, detail) in enumerate(rules))
    con.execute(
        f"""
        update read_messages
        set reason = verdicts.reason, detail = verdicts.detail, payload = item
        from (
            select
                file_id, line_number, position, case rule {reasons} end as reason, case rule {details} end as detail
            from (select *, {rule} as rule from read_messages where is_suspect and reason is null)
            where rule is not null
        ) as verdicts
        where
            read_messages.file_id = verdicts.file_id and read_messages.line_number = verdicts.line_number
            and read_messages.position = verdicts.position
        """
    )


def refuse_sealed(con: duckdb.DuckDBPyConnection) -> None:
    """Give each suspect that is valid, but for a day that was sealed before it landed, that reason."""
    con.execute(
        """
        update read_messages
        set
            reason = 'sealed', payload = item,
            detail = 'it happened before ' || sealed_before || ', and days before that are sealed'
        from seals
        where
            is_suspect and reason is null and read_messages.file_id = seals.file_id
            and line_number > after_line and line_number <= until_line and event_us < before_us
        """
    )


Rule = tuple[str, str, str]
"""A reason, the SQL condition of a suspect under which it applies, and the SQL of its wording."""
SCHEMA = "json_extract_string(message, '$.schema')"
IS_PAGE_VIEW = f"{SCHEMA} = 'page_view'"


def list_rules(max_message_bytes: int, lateness_us: int, tracking_plan: plan.Plan) -> list[Rule]:
    """List the rules of quarantine in the order in which they count."""
    return [
        *rules_of_the_whole(max_message_bytes, tracking_plan),
        *rules_of_missing_keys(tracking_plan),
        *rules_of_malformed_keys(tracking_plan),
        ("too_late", f"received_us - event_us > {lateness_us}",
         "'happened ' || ((received_us - event_us) // 86400000000) || ' days before it was received'"),
    ]  # fmt: skip


def rules_of_the_whole(max_message_bytes: int, tracking_plan: plan.Plan) -> list[Rule]:
    """List what keeps a message from being looked at: its size, its JSON, its version, its schema."""
    versions = sql_list(tuple(map(str, VERSIONS)))
    is_known = f"({SCHEMA} in ({sql_list(tuple(tracking_plan))}) or {SCHEMA} like 'custom._%')"
    return [
        ("too_large", f"strlen(item) > {max_message_bytes}",
         "'the message has ' || strlen(item) || ' bytes'"),
        ("bad_body", "json_type(message) is distinct from 'OBJECT'",
         "'the message is not an object: ' || left(coalesce(message, 'null'), 100)"),
        ("bad_body", f"regexp_matches({without_texts('message')}, '{NOT_A_NUMBER}')",
         "'the message holds NaN or Infinity, which are no JSON'"),
        ("unknown_version", f"version_text not in ({versions}, 'snowplow', 'export')",
         "'version ' || left(version_text, 100) || ' is not read'"),
        ("unknown_schema", f"{kind('schema')} = 'VARCHAR' and {SCHEMA} <> '' and not {is_known}",
         f"'no schema is named ''' || {shown('schema')} || ''''"),
    ]  # fmt: skip


def rules_of_missing_keys(tracking_plan: plan.Plan) -> list[Rule]:
    """List what has to be there: in every message, in a page view, and by the tracking plan."""
    may_lack = {key: " and version_text not in ('snowplow', 'export')" for key in NOT_OF_OTHERS}
    for key in NOT_OF_NOBODY:
        may_lack[key] = may_lack.get(key, "") + " and not is_nobody"
    may_lack["visitor_id"] += " and not may_be_nobody"
    # What keeps an event from being read is more than that its schema is therefore unknown.
    may_lack["schema"] = " and wrong is null"
    is_page = f"{kind('page')} in ('NULL', 'OBJECT')"
    absent = [
        *((is_missing(key) + may_lack.get(key, ""), key) for key in REQUIRED_KEYS),
        *((f"{IS_PAGE_VIEW} and {is_missing(key)} and {is_page}", key) for key in REQUIRED_PAGE_KEYS),
        *((f"{applies} {is_missing(key)}", key) for applies, key, field in planned(tracking_plan) if field.required),
    ]
    return [("missing_key", condition, says_missing(key)) for condition, key in absent]


def rules_of_malformed_keys(tracking_plan: plan.Plan) -> list[Rule]:
    """List what a key's value may not be."""
    found: list[tuple[str, str]] = [
        ("wrong is not null", "wrong"),
        *((f"{kind(key)} not in ('VARCHAR', 'NULL')", says_type(key, "a string")) for key in TEXT_KEYS),
        (f"platform not in ({sql_list(PLATFORMS)})", "'platform is unknown: ''' || left(platform, 100) || ''''"),
        (f"{kind('index')} not in ('UBIGINT', 'BIGINT', 'NULL')", says_type("index", "a whole number")),
        (f"{kind('index')} <> 'NULL' and not is_nobody"
         f" and not coalesce(message_index between 0 and {LARGEST_INDEX}, false)",
         f"'index is out of range: ' || {shown('index')}"),
        (f"{kind('created_at')} <> 'NULL' and created_us is null",
         f"'created_at is no time: ''' || {shown('created_at')} || ''''"),
        (f"{IS_PAGE_VIEW} and {kind('page')} <> 'OBJECT'", says_type("page", "an object")),
        *((f"{IS_PAGE_VIEW} and {kind(key)} <> 'VARCHAR'", says_type(key, "a string")) for key in REQUIRED_PAGE_KEYS),
        *((f"{applies} {is_unlike(key, field)}", says_type(key, plan.WORDS[field.type]))
          for applies, key, field in planned(tracking_plan)),
    ]  # fmt: skip
    return [("malformed_key", condition, words) for condition, words in found]


def planned(tracking_plan: plan.Plan) -> list[tuple[str, str, plan.DataField]]:
    """List the fields of the tracking plan: the condition of their schema, their key, and what they are."""
    return [
        (f"{SCHEMA} = '{name}' and", f"data.{key}", field)
        for name, entry in tracking_plan.items()
        for key, field in entry.fields.items()
    ]


def is_deeper(json: str, levels: int) -> str:
    """Say in SQL whether a text of JSON has more levels of objects and lists than so many.

    One expression describes all that has no more: lists of brackets would take more memory than the largest bodies.
    """
    brackets = f"translate(regexp_replace({without_texts(json)}, '[^][{{}}]', '', 'g'), '{{}}', '[]')"
    shallow = ""
    for _ in range(levels):
        shallow = rf"(?:\[{shallow}\])*"
    return f"not regexp_full_match({brackets}, '{shallow}')"


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
