"""Bloodhound messages of older versions, brought to the newest one step at a time, in SQL.

A migration turns the JSON of version N into the JSON of version N + 1, whole columns at once. It
says which keys it reads (`shape`: read once, into the struct `old`) and what the next version's keys
are; keys it does not speak of stay as they are. Version 4 needs one more function, registered in
`MIGRATIONS` under 3, and its test: nothing else knows how many steps there are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

Shape = Mapping[str, object]

LONE_SURROGATE = r"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
"""Half of a character, as browsers send when they cut a text inside an emoji: it is left out, so that
the batch can be read. The first group is what only looks like one, and stays."""


@dataclass(frozen=True)
class Migration:
    """One step.

    Args:
        shape: the keys it reads, as a `from_json` structure.
        message: SQL of the next version's message, of `old` (struct of `shape`) and `message` (JSON text).
        names: what the older version calls keys of the newest, for people who read why one is missing.
    """

    shape: Shape
    message: str
    names: Mapping[str, str]


def object_with_rest(source: str, keys: Mapping[str, str], replaced: Mapping[str, object]) -> str:
    """Say in SQL the object `source` with `keys` (SQL values) in place of the keys `replaced`.

    The two halves are joined as text: a JSON merge would drop nulls that lie deep inside a value.
    """
    removal = orjson.dumps(dict.fromkeys({*replaced, *keys})).decode()
    rest = f"cast(json_merge_patch({source}, '{removal}') as varchar)"
    added = ", ".join(f"'{key}', {value}" for key, value in keys.items())
    return f"regexp_replace(left({rest}, -1) || ',' || substr(cast(json_object({added}) as varchar), 2), '^.,', '{{')"


def mended(text: str) -> str:
    """Say in SQL a text of JSON without halves of characters."""
    return f"regexp_replace({text}, '{LONE_SURROGATE}', '\\1', 'g')"


def read_json(text: str, shape: str) -> str:
    """Say in SQL a text of JSON as a structure; null if it is no JSON even when mended."""
    return f"coalesce(try(from_json({text}, '{shape}')), try(from_json({mended(text)}, '{shape}')))"


def text_of(value: str) -> str:
    """Say the text of a JSON value in SQL."""
    return f"({value} ->> '$')"


def renamed(value: str, names: Mapping[str, str]) -> str:
    """Say in SQL a JSON value, under its new name if it is a text of `names`."""
    cases = " ".join(f"when '{old}' then '\"{new}\"'::json" for old, new in names.items())
    return f"case {text_of(value)} {cases} else {value} end"


def decimal_of_cents(value: str) -> str:
    """Say in SQL whole cents (JSON) as a decimal string; anything else becomes a text that is no decimal."""
    whole = f"ltrim({text_of(value)}, '-')"
    digits = f"lpad({whole}, greatest(length({whole}), 3)::integer, '0')"
    return (
        f"case when regexp_full_match({value}::varchar, '-?[0-9]{{1,17}}')"
        f" then to_json(case when starts_with({text_of(value)}, '-') then '-' else '' end"
        f" || {digits}[:-3] || '.' || {digits}[-2:])"
        f" when {value} is not null then to_json('no whole cents: ' || {text_of(value)}) end"
    )


def iso_of_milliseconds(value: str) -> str:
    """Say in SQL epoch milliseconds (a JSON number) as ISO 8601; anything else becomes a text that is no time."""
    microseconds = f"try(cast(cast({value}::varchar as decimal(21, 3)) * 1000 as bigint))"
    return (
        f"case when regexp_full_match({value}::varchar, '-?[0-9]{{1,15}}([.][0-9]+)?')"
        f" and in_range({microseconds}) is not null"
        f" then to_json(strftime(make_timestamp({microseconds}), '%Y-%m-%dT%H:%M:%S.%fZ'))"
        f" when {value} is not null then to_json('no epoch milliseconds: ' || {text_of(value)}) end"
    )


V1_SCHEMAS = {"pv": "page_view", "imp": "impression", "clk": "click", "ord": "order", "exp": "experiment_exposure"}
V1_PLATFORMS = {"web": "desktop_web", "touch": "mobile_web", "svc": "backend"}
V1_DATA: Mapping[str, Mapping[str, str]] = {
    "clk": {"cid": "click_id"},
    "exp": {"e": "experiment", "v": "variant"},
    "ord": {"oid": "order_id", "amt_cents": "revenue", "cur": "currency", "qty": "quantity"},
}
V1_NAMES = {
    "id": "eid", "schema": "type", "app_id": "app", "platform": "plat", "tracker": "lib", "index": "idx",
    "created_at": "ts", "visitor_id": "uid", "user_id": "cid", "logged_in": "li", "country": "cc", "locale": "lc",
}  # fmt: skip
V1_PAGE = {
    "page_id": "id", "page_type": "t", "url": "u", "referrer": "r",
    "parent_page_id": "rp", "parent_click_id": "rc", "nav": "nav",
}  # fmt: skip
V2_PAGE = {
    "id": "page_id", "type": "page_type", "url": "url", "referrer": "referrer",
    "referring_page_id": "parent_page_id", "referring_click_id": "parent_click_id",
}  # fmt: skip
V2_NAVIGATIONS = {"0": "navigate", "1": "reload", "2": "back_forward"}


def from_version_1() -> Migration:
    """Short names become whole words, and abbreviated values too."""

    data = "(message -> '$.d')"

    def data_of(schema: str) -> str:
        names = V1_DATA[schema]
        keys = {new: f"coalesce(old.d.{old}, old.d.{new})" for old, new in names.items()}
        if schema == "ord":
            keys["revenue"] = f"coalesce({decimal_of_cents('old.d.amt_cents')}, old.d.revenue)"
        added = ", ".join(f"'{key}', {value}" for key, value in keys.items())
        removal = orjson.dumps(dict.fromkeys(names)).decode()
        # A merge leaves out what is null: a key that the old data lacks is not made up.
        return f"json_merge_patch({data}, '{removal}', json_object({added}))"

    renamings = " ".join(
        f"when json_type(message, '$.d') = 'OBJECT' and {text_of('old.type')} in ('{short}', '{V1_SCHEMAS[short]}')"
        f" then {data_of(short)}"
        for short in V1_DATA
    )
    keys = {name: f"old.{short}" for name, short in V1_NAMES.items()}
    keys |= {name: f"old.pg.{short}" for name, short in V1_PAGE.items()}
    keys |= {
        "version": "2",
        "schema": renamed("old.type", V1_SCHEMAS),
        "platform": renamed("old.plat", V1_PLATFORMS),
        "tracker": f"'bh-js/' || {text_of('old.lib')}",
        "logged_in": f"case {text_of('old.li')} when '1' then true when '0' then false when 'true' then true"
        " when 'false' then false end",
        "data": f"case {renamings} else {data} end",
        "page": "case when json_type(message, '$.pg') <> 'OBJECT' then message -> '$.pg' end",
    }
    texts = dict.fromkeys((*V1_NAMES.values(),), "JSON")
    all_data = {key for names in V1_DATA.values() for pair in names.items() for key in pair}
    shape: Shape = {
        **texts, "pg": dict.fromkeys(V1_PAGE.values(), "JSON"), "d": dict.fromkeys(sorted(all_data), "JSON"),
    }  # fmt: skip
    names = V1_NAMES | {f"page.{key}": f"pg.{V1_PAGE[old]}" for key, old in V2_PAGE.items()}
    return Migration(shape, object_with_rest("message", keys, shape), names)


def from_version_2() -> Migration:
    """The page gets an object of its own, the stream an id, and the time is written as ISO 8601."""
    read = (*V2_PAGE.values(), "nav", "created_at", "app_id", "visitor_id", "schema")
    shape: Shape = {**dict.fromkeys(read, "JSON"), "data": {"revenue": "JSON"}}
    page = ", ".join(f"'{key}', old.{name}" for key, name in V2_PAGE.items())
    ways = " ".join(f"when '{number}' then '{name}'" for number, name in V2_NAVIGATIONS.items())
    navigation = f"case coalesce(old.nav::varchar, '0') {ways} end"
    has_page = " or ".join(f"old.{name} is not null" for name in (*V2_PAGE.values(), "nav"))
    keys = {
        "version": "3",
        "stream_id": f"{text_of('old.app_id')} || ':' || {text_of('old.visitor_id')}",
        "created_at": iso_of_milliseconds("old.created_at"),
        "page": f"case when {has_page} then json_object({page}, 'navigation', {navigation})"
        " else message -> '$.page' end",
        "data": f"case when {text_of('old.schema')} = 'order' and"
        " json_type(old.data.revenue) in ('DOUBLE', 'BIGINT', 'UBIGINT', 'HUGEINT', 'UHUGEINT')"
        " then json_merge_patch(message -> '$.data', json_object('revenue', old.data.revenue::varchar))"
        " else message -> '$.data' end",
    }
    replaced = dict.fromkeys((*V2_PAGE.values(), "nav"))
    names = {f"page.{key}": old for key, old in V2_PAGE.items()}
    return Migration(shape, object_with_rest("message", keys, replaced), names)


MIGRATIONS: Mapping[int, Callable[[], Migration]] = {1: from_version_1, 2: from_version_2}
"""The step that leads away from each version."""

NEWEST_VERSION = max(MIGRATIONS) + 1
VERSIONS = tuple(range(1, NEWEST_VERSION + 1))


def migrate(source: str, version: str = "version_text") -> str:
    """Say in SQL the CTEs that bring `message` of each row of `source` to the newest version.

    Args:
        source: a CTE with `message` (JSON text) and the column `version`, the text of the message's version.

    Returns:
        CTEs separated by commas, the last of them named `migrated`, with the columns of `source`.
    """
    steps = []
    for number in sorted(MIGRATIONS):
        step = MIGRATIONS[number]()
        older = ", ".join(f"'{past}'" for past in range(1, number + 1))
        applies = f"{version} in ({older})"
        shape = orjson.dumps(step.shape).decode()
        steps.append(
            f"of_version_{number} as (select *, case when {applies} then try(from_json(message, '{shape}')) end as old"
            f" from {source}),\n"
            f"to_version_{number + 1} as (select * replace (case when {applies} and json_type(message) = 'OBJECT'"
            f" then {step.message} else message end as message) from of_version_{number})"
        )
        source = f"(select * exclude (old) from to_version_{number + 1})"
    return ",\n".join(steps) + f",\nmigrated as (select * from {source})"
