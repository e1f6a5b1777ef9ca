"""Publish: one new warehouse file in place of the old, as a whole.

Small marts are tables inside it. `core.events` is a view over immutable, versioned Parquet, so the
file stays small and a reader of the old warehouse goes on reading the old versions.
"""

import uuid
from datetime import date
from pathlib import Path

import duckdb

from etl import lake, restatements
from etl.build import build_path
from etl.parse import sql_text
from etl.sessionize import version_path
from etl.settings import Settings

MART_SCHEMAS = ("core", "marketing", "executive", "product", "quality")


def publish(settings: Settings) -> Path:
    """Replace the published warehouse with what dbt has built; return its path.

    Parquet versions that neither the new warehouse nor the one before reads are removed.
    """
    target = settings.warehouse
    target.parent.mkdir(parents=True, exist_ok=True)
    restatements.settle(settings)
    for leftover in target.parent.glob(".publishing-*"):
        leftover.unlink()
    partial = target.parent / f".publishing-{uuid.uuid4().hex}.duckdb"
    versions = current_versions(settings)
    try:
        with duckdb.connect(
            str(partial),
            config={"threads": settings.threads, "memory_limit": settings.memory_limit},
        ) as con:
            con.execute("set timezone = 'UTC'")
            con.execute(f"attach '{sql_text(build_path(settings))}' as built (read_only)")
            copy_marts(con)
            con.execute(f"create or replace view core.events as {select_events(settings, versions)}")
            con.execute("detach built")
            restatements.record(con, settings, partial)
            con.execute("checkpoint")
        lake.move_into_place(partial, target)
    finally:
        if partial.exists():
            restatements.forget(settings, partial)
            partial.unlink()
    restatements.settle(settings)
    export_marts(settings)
    remove_old_versions(settings, versions)
    return target


def copy_marts(con: duckdb.DuckDBPyConnection) -> None:
    """Copy each mart, table or view, as a table."""
    rows = con.execute(
        """
        select table_schema, table_name from information_schema.tables
        where table_catalog = 'built' and table_schema in (select unnest($schemas)) order by 1, 2
        """,
        {"schemas": list(MART_SCHEMAS)},
    ).fetchall()
    for schema in MART_SCHEMAS:
        con.execute(f"create schema {schema}")
    for schema, name in rows:
        if (schema, name) != ("core", "events"):
            con.execute(f'create table {schema}."{name}" as select * from built.{schema}."{name}"')


def current_versions(settings: Settings) -> list[Path]:
    """List the immutable Parquet file of each event day."""
    days = lake.manifests(settings, "days")
    return [version_path(settings, date.fromisoformat(name), day["version"]) for name, day in days.items()]


def select_events(settings: Settings, versions: list[Path]) -> str:
    """Say `core.events` in SQL."""
    files = lake.scan(versions, lake.lake_path(settings, "schemas", "events.parquet"))
    order = (
        "event_id, request_id, schema, version, app_id, platform, tracker, stream_id, message_index, created_at,"
        " sent_at, received_at, event_at, visitor_id, user_id, is_logged_in, session_id, page_id, url, url_host,"
        " url_path, referrer, user_agent, browser, browser_version, os, os_version, device, country, locale, ip,"
        " is_bot, bot_reason, is_excluded, cast(data as json) as data, "
        "cast(event_at as date) as event_date, "
    )
    rest = (
        "columns(* exclude ("
        + order.replace(" cast(data as json) as data, cast(event_at as date) as event_date, ", " data")
        + "))"
    )
    return f"select {order}{rest} from {files}"


def export_marts(settings: Settings) -> None:
    """Write the marts as Parquet beside the events, one folder a mart."""
    with (
        lake.staging(settings) as folder,
        duckdb.connect(str(settings.warehouse), read_only=True) as con,
    ):
        con.execute("set timezone = 'UTC'")
        tables = con.execute(
            """
            select table_schema, table_name from information_schema.tables
            where table_type = 'BASE TABLE' order by 1, 2
            """
        ).fetchall()
        for schema, name in tables:
            part = folder / f"{schema}.{name}.parquet"
            con.execute(f"""copy {schema}."{name}" to '{sql_text(part)}' ({lake.PARQUET})""")
            lake.move_into_place(part, lake.lake_path(settings, "marts", schema, f"{name}.parquet"))


def remove_old_versions(settings: Settings, versions: list[Path]) -> None:
    """Remove event versions that only warehouses older than the previous one read."""
    state = lake.manifest_path(settings, "state", "published")
    now = sorted(path.name for path in versions)
    published = lake.read_manifest(state) or {"now": now, "before": now}
    before = published["before"] if published["now"] == now else published["now"]
    for path in lake.lake_path(settings, "versions", "events").glob("*.parquet"):
        if path.name not in {*now, *before}:
            path.unlink()
    lake.write_manifest(state, {"now": now, "before": before})
