"""`warehouse/marts.duckdb`: the marts in which no row is a person's, for those who need no more."""

import uuid

import duckdb

from etl.lake import files, sql
from etl.lake.catalogue import Lake
from etl.lake.published import STORED_AS

PERSONAL = (
    "visitor_id", "user_id", "person_id", "session_id", "stream_id", "event_id", "page_id", "order_id", "ip", "payload",
    "suspect",
)  # fmt: skip
"""A table with one of these columns has rows that are somebody's."""
LEFT_OUT = ("core", "lake", "metrics")
"""Schemas of rows, and of views that ask them."""


def write_marts(lake: Lake) -> None:
    """Copy the tables of the published warehouse that are nobody's rows into a file of their own."""
    target = lake.settings.marts
    partial = target.with_name(f".publishing-{uuid.uuid4().hex}.duckdb")
    try:
        with duckdb.connect(str(partial), config=STORED_AS) as con:
            con.execute("set timezone = 'UTC'")
            con.execute(f"attach {sql.text(lake.settings.warehouse)} as published (read_only)")
            con.execute("begin")
            for schema, name in impersonal_tables(con):
                place = f"{sql.name(schema)}.{sql.name(name)}"
                con.execute(f"create schema if not exists {sql.name(schema)}")
                con.execute(f"create table {place} as from published.{place}")
            con.execute("commit")
            con.execute("detach published")
            con.execute("checkpoint")
        files.move_into_place(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def impersonal_tables(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """List the tables of the warehouse, attached as `published`, that have no person's rows."""
    return con.execute(
        """
        select schema_name, table_name from duckdb_columns()
        where database_name = 'published' and not internal and schema_name not in (select unnest($left_out))
        group by all having not bool_or(column_name in (select unnest($personal)))
        order by all
        """,
        {"left_out": list(LEFT_OUT), "personal": list(PERSONAL)},
    ).fetchall()
