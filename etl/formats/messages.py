"""Messages, valid or not: read into columns, with the clock corrected, and judged.

A message that looks wrong in any way is marked suspect by cheap tests (messages.sql); only suspects are looked at key
by key, for the reason and its wording. What the tracking plan asks is generated from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from etl.enrich import addresses
from etl.formats import statements
from etl.formats.collector import PLATFORMS, shape
from etl.formats.rules import DEEPEST, NOT_A_NUMBER, judge_suspects, refuse_sealed, sql_list
from etl.formats.versions import VERSIONS
from etl.vocabulary import tracking_plan as plan

MESSAGE = {
    "version": "JSON", "id": "VARCHAR", "schema": "VARCHAR", "app_id": "VARCHAR", "platform": "VARCHAR",
    "tracker": "VARCHAR", "stream_id": "VARCHAR", "index": "JSON", "created_at": "VARCHAR",
    "visitor_id": "VARCHAR", "anonymous": "BOOLEAN", "user_id": "VARCHAR", "logged_in": "BOOLEAN", "country": "VARCHAR",
    "locale": "VARCHAR", "data": "JSON",
    "page": {
        "id": "VARCHAR", "type": "VARCHAR", "url": "VARCHAR", "referrer": "VARCHAR",
        "referring_page_id": "VARCHAR", "referring_click_id": "VARCHAR", "navigation": "VARCHAR",
    },
}  # fmt: skip

NOT_TEXT = r"-?[0-9][0-9.eE+\-]*|true|false|[\[{].*|-?(?i:nan|inf(inity)?)"
"""What a JSON value that is not a string looks like once DuckDB has cast it to text. Some strings
look like it too; they are only looked at more closely."""


@dataclass(frozen=True)
class Limits:
    """What `conf/bloodhound.toml` says of sizes and lateness."""

    max_message_bytes: int
    max_lateness_days: int

    @property
    def lateness_us(self) -> int:
        """The lateness in microseconds."""
        return self.max_lateness_days * 86_400_000_000


def decode_messages(con: duckdb.DuckDBPyConnection, limits: Limits, tracking_plan: plan.Plan) -> None:
    """Make `read_messages` of `sent`, as messages.sql says, and give each suspect its reason or none."""
    con.execute(f"create or replace macro read_planned(schema_name, message_data) as {read_planned(tracking_plan)}")
    con.execute(f"create or replace macro breaks_plan(schema_name, planned) as {breaks_plan(tracking_plan)}")
    statements.run(
        con, "messages.sql", shape=shape(MESSAGE), versions=list(map(str, VERSIONS)),
        platforms=list(PLATFORMS), schemas=list(tracking_plan), max_message_bytes=limits.max_message_bytes,
        lateness_us=limits.lateness_us, not_text=NOT_TEXT, not_a_number=NOT_A_NUMBER,
        deepest=DEEPEST,
    )  # fmt: skip
    judge_suspects(con, limits.max_message_bytes, limits.lateness_us, tracking_plan)
    refuse_sealed(con)


def name_people(con: duckdb.DuckDBPyConnection, key: bytes, trusted_proxies: Sequence[str]) -> None:
    """Make the view `decoded` of `read_messages` (people.sql): with addresses, and pseudonyms for who has no id."""
    told = [("", ip, None) for (ip,) in con.execute("select distinct ip from read_messages").fetchall()]
    found = addresses.clients(told, addresses.read_networks(tuple(trusted_proxies)))
    con.register("clients", found)
    nameless = con.execute(
        "select distinct clients.ip, user_agent from read_messages inner join clients on read_messages.ip = client"
        " where is_snowplow and visitor_id is null and clients.ip is not null"
    ).fetchall()
    con.register("pseudonyms", addresses.pseudonyms(key, nameless))
    statements.run(con, "people.sql")


def read_planned(tracking_plan: plan.Plan) -> str:
    """Say in SQL the fields that the plan knows, of the schemas that have any (a struct of JSON)."""
    names = sorted({name for schema in tracking_plan.values() for name in schema.fields})
    planned = tuple(name for name, schema in tracking_plan.items() if schema.fields)
    if not planned:
        return "null::json"
    fields = shape(dict.fromkeys(names, "JSON"))
    return f"case when schema_name in ({sql_list(planned)}) then try(from_json(message_data, '{fields}')) end"


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
            tests.append(f"(schema_name = '{name}' and ({required}{' or '.join(doubts)}))")
    return f"coalesce({' or '.join(tests) or 'false'}, false)"


def looks_unlike(value: str, field: plan.DataField) -> str:
    """Say in SQL whether a JSON value is not of its field's type, or an empty text; null when it is absent."""
    if field.type == "text":
        return f"""(not starts_with({value}::varchar, '"') or {value}::varchar = '""')"""
    return f"not regexp_full_match({value}::varchar, '{plan.PATTERNS[field.type]}')"
