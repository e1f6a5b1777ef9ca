"""Collector lines → requests → messages in the newest version, by columns and in SQL.

The statements stand in requests.sql and items.sql; what is made of data (versions, Snowplow's parameters) is generated
here. The common path never leaves DuckDB's vectors.
"""

from collections.abc import Mapping, Sequence

import duckdb
import orjson

from etl.formats import exports, snowplow, statements
from etl.formats import versions as migrations
from etl.formats.versions import NEWEST_VERSION, mended, read_json

BATCH_PATH = "/t"
PLATFORMS = ("desktop_web", "mobile_web", "ios", "android", "email", "api", "backend")
SESSIONLESS_PLATFORMS = ("backend", "api", "email")

ENVELOPE = dict.fromkeys(
    (
        "request_id",
        "received_at",
        "remote_addr",
        "host",
        "method",
        "path",
        "query",
        "user_agent",
        "body",
        "status",
        "blocked",
        "network_id",
        "privacy",
        "sec_purpose",
    ),
    "VARCHAR",
)
BATCH = {"sent_at": "VARCHAR", "messages": ["JSON"]}
PAYLOAD = {"data": ["JSON"]}
BODY = {"schema": "VARCHAR", "messages": "JSON"}
"""What tells whose a body is, where the path does not."""

KEPT_BY_CLIENTS = (404, 408, 413, 415, 429)
"""Answers after which a client keeps what it sent and tries again, as after all from 500 on."""

MOST_MESSAGES = 250_000
"""A longer list is no batch but an attack: eight million zeros fit into a line, and no message into so few bytes."""

LONGEST_HOST = 253
"""A DNS name has no more characters; what a client writes into its Host header may."""

FIRST_LOG_US, LAST_LOG_US = 631_152_000_000_000, 7_258_118_399_999_999
"""1990 to 2199: no web server's log is of another time, and a clock that says so would stretch every
table of days over thousands of years."""


def shape(columns: Mapping[str, object]) -> str:
    """Write a `from_json` structure."""
    return orjson.dumps(columns).decode()


def define_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Make the macros that the statements of this room share: times, bodies and queries; and `seals`, unless there."""
    statements.run(con, "macros.sql")
    exports.define_macros(con)
    for name, said in {
        "read_batch(body)": read_json("body", shape(BATCH)),
        "read_payload(body)": read_json("body", shape(PAYLOAD)),
        "read_kind(body)": read_json("body", shape(BODY)),
        "without_halves(body)": mended("body"),
        "query_as_json(query)": snowplow.query_as_json("query"),
    }.items():
        con.execute(f"create or replace macro {name} as {said}")
    # Who decodes what has landed says what comes too late; nothing does elsewhere.
    con.execute(
        "create temp table if not exists seals"
        " (file_id bigint, after_line bigint, until_line bigint, sealed_before varchar, before_us bigint)"
    )


def decode_requests(con: duckdb.DuckDBPyConnection, batch_paths: Sequence[str] = ()) -> None:
    """Make the view `requests` of `lines`, as requests.sql says.

    Args:
        batch_paths: further paths to which batches are posted.
    """
    define_macros(con)
    statements.set_variables(
        con, envelope=shape(ENVELOPE), batch_paths=[BATCH_PATH, *batch_paths], post_path=snowplow.POST_PATH,
        get_path=snowplow.GET_PATH, first_log_us=FIRST_LOG_US, last_log_us=LAST_LOG_US, longest_host=LONGEST_HOST,
        most_messages=MOST_MESSAGES, kept_by_clients=list(KEPT_BY_CLIENTS),
    )  # fmt: skip
    statements.run(con, "requests.sql")


def list_messages(con: duckdb.DuckDBPyConnection, max_message_bytes: int, schemas: Sequence[str]) -> None:
    """Make the view `sent` of `requests`: one row a message, in the newest version, and one a refused line.

    Columns: those of `versioned` (items.sql) with `message` in the newest version, and what `snowplow.translate` adds;
    sent_platform is `web` or `mob`, still to be told apart by the user agent.

    Args:
        schemas: those that the tracking plan names.
    """
    statements.set_variables(
        con, most_read_bytes=4 * max_message_bytes, newest_version=str(NEWEST_VERSION), planned_schemas=list(schemas)
    )
    statements.run(con, "items.sql")
    con.execute(
        f"create or replace temp view sent as with {migrations.migrate('versioned')},"
        f" {snowplow.translate('migrated')}, {exports.translate('translated')} select * from told"
    )
