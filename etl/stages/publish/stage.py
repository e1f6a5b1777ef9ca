"""Publish: one new warehouse file in place of the old, as a whole.

Small marts are tables inside it. `core.events` and the marts that grow with every visit are views over
immutable, versioned Parquet, a file a day: the file stays small, days that did not change are not
written again, and a reader of the old warehouse goes on reading the old versions.
"""

import hashlib
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import duckdb

from etl.errors import FailedNode
from etl.lake import files as lake
from etl.settings import Settings
from etl.stages.build.stage import build_path, definitions_path
from etl.stages.parse.stage import sql_text
from etl.stages.publish import restatements
from etl.stages.sessionize.stage import version_path
from etl.vocabulary import tracking_plan as plan

MART_SCHEMAS = ("core", "marketing", "executive", "product", "quality")
BY_DAY = {
    ("core", "page_views"): "session_date",
    ("core", "sessions"): "session_date",
    ("marketing", "touchpoints"): "touched_date",
}
"""The marts kept a file per day, and their column of the day."""


def shown_path(settings: Settings, schema: str, name: str) -> Path:
    """Where people find a mart's Parquet, without its ending: those of `core` beside the events."""
    if schema == "core":
        return lake.lake_path(settings, name)
    return lake.lake_path(settings, "marts", schema, name)


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
    marts: dict[tuple[str, str], list[Path]] = {}
    try:
        with duckdb.connect(
            str(partial),
            config={"threads": settings.threads, "memory_limit": settings.memory_limit},
        ) as con:
            con.execute("set timezone = 'UTC'")
            con.execute(f"attach '{sql_text(build_path(settings))}' as built (read_only)")
            copy_marts(con)
            marts = write_days(con, settings)
            for (schema, name), paths in marts.items():
                con.execute(f"create view {schema}.{name} as {select_days(con, schema, name, paths)}")
            create_events(con, settings, versions)
            create_typed_views(con, settings)
            create_metrics(con, settings)
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
    for (schema, name), paths in marts.items():
        link_days(settings, schema, name, paths)
    remove_old_versions(settings, [*versions, *(path for paths in marts.values() for path in paths)])
    return target


def copy_marts(con: duckdb.DuckDBPyConnection) -> None:
    """Copy each mart, table or view, as a table; those kept by day apart."""
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
        if (schema, name) != ("core", "events") and (schema, name) not in BY_DAY:
            con.execute(f'create table {schema}."{name}" as select * from built.{schema}."{name}"')


def day_contents(con: duckdb.DuckDBPyConnection, schema: str, name: str) -> dict[str, str]:
    """Name what each day of a mart holds, by its rows in any order, their columns and types.

    By content, not by what it was made of: a login of today gives sessions of last month their person, and what else
    a mart's rows follow from is dbt's to know. The hash reads all rows, a fifth of the time it takes to write them.
    """
    columns = con.execute(f"describe built.{schema}.{name}").fetchall()
    shape = repr([(column, kind) for column, kind, *_ in columns])
    listed = ", ".join(f'"{column}"' for column, *_ in columns)
    rows = con.execute(
        f"""
        select cast({BY_DAY[schema, name]} as varchar), count(*), sum(cast(hash({listed}) as hugeint))
        from built.{schema}.{name} group by 1 order by 1
        """
    ).fetchall()
    return {day: hashlib.sha256(repr((shape, *content)).encode()).hexdigest()[:16] for day, *content in rows}


def write_days(con: duckdb.DuckDBPyConnection, settings: Settings) -> dict[tuple[str, str], list[Path]]:
    """Write the days of the marts in `BY_DAY` that no version holds yet; return each mart's versions, by day."""
    written: dict[tuple[str, str], list[Path]] = {}
    for (schema, name), column in BY_DAY.items():
        folder = lake.lake_path(settings, "versions", f"{schema}.{name}")
        paths = written[schema, name] = []
        with lake.staging(settings) as staged:
            for day, content in day_contents(con, schema, name).items():
                path = folder / f"{column}={day}" / f"{content}.parquet"
                paths.append(path)
                if path.exists():
                    continue
                part = staged / f"{day}.parquet"
                con.execute(
                    f"copy (select * exclude ({column}) from built.{schema}.{name} where {column} = date '{day}')"
                    f" to '{sql_text(part)}' ({lake.PARQUET})"
                )
                lake.move_into_place(part, path)
    return written


def select_days(con: duckdb.DuckDBPyConnection, schema: str, name: str, paths: Sequence[Path]) -> str:
    """Say a mart kept by day in SQL, with the columns and types that dbt gave it."""
    columns = con.execute(f"describe built.{schema}.{name}").fetchall()
    if not paths:
        nothing = ", ".join(f'cast(null as {kind}) as "{column}"' for column, kind, *_ in columns)
        return f"select {nothing} where false"
    listed = ", ".join(f'cast("{column}" as {kind}) as "{column}"' for column, kind, *_ in columns)
    files = ", ".join(f"'{sql_text(path)}'" for path in paths)
    day = BY_DAY[schema, name]
    return f"select {listed} from read_parquet([{files}], hive_partitioning = true, hive_types = {{'{day}': date}})"


def link_days(settings: Settings, schema: str, name: str, paths: Sequence[Path]) -> None:
    """Give the versions of a mart the names by which people find them, hive-partitioned; the bytes exist once."""
    folder = shown_path(settings, schema, name)
    wanted: Mapping[Path, Path] = {folder / path.parent.name / f"{name}.parquet": path for path in paths}
    for shown in folder.glob("*/*.parquet"):
        if shown not in wanted:
            shown.unlink()
    with lake.staging(settings) as staged:
        for shown, path in wanted.items():
            if shown.exists() and shown.samefile(path):
                continue
            os.link(path, staged / "linked.parquet")
            lake.move_into_place(staged / "linked.parquet", shown)


def create_metrics(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Publish what metrics are asked of: dbt's views, over the marts published here, and what each metric means."""
    con.execute("create schema metrics")
    create_built_views(con, "metrics")
    definitions = definitions_path(settings).read_text().replace("'", "''")
    con.execute(f"create view metrics.definitions as select cast('{definitions}' as json) as semantic_manifest")


def note_failure(settings: Settings, failed: Sequence[FailedNode]) -> None:
    """Say in the published `quality.checks` which models and tests of the last build failed, and nothing else.

    The warehouse is copied, the copy is told and takes its place; it keeps its time, for it is the publication of then.
    The next publication knows nothing of it.
    """
    target = settings.warehouse
    if not target.exists():
        return
    partial = target.parent / f".publishing-{uuid.uuid4().hex}.duckdb"
    try:
        shutil.copyfile(target, partial)
        with duckdb.connect(str(partial)) as con:
            con.execute("set timezone = 'UTC'")
            con.execute("delete from quality.checks where \"check\" = 'dbt_build'")
            for node in failed:
                con.execute(
                    """
                    insert into quality.checks ("check", scope, value, threshold, status, owner, hint)
                    values ('dbt_build', ?, ?, 0, 'error', 'platform', ?)
                    """,
                    [
                        node.name, max(node.rows, 1),
                        f"The last build failed here, and this is the warehouse before it: {node.reason}",
                    ],
                )  # fmt: skip
            con.execute("checkpoint")
        published = target.stat()
        os.utime(partial, ns=(published.st_atime_ns, published.st_mtime_ns))
        lake.move_into_place(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    export_marts(settings, only=("quality", "checks"))


def create_typed_views(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Give each schema of the tracking plan that names one its view: the fields of its data as columns."""
    for schema in plan.load_plan(settings.tracking_plan).values():
        if schema.view:
            con.execute(f'create view core."{schema.view}" as {plan.select_typed(schema, "core.events")}')
            described = {"view": schema.description} | {
                f"column.{name}": f"{field.description}{f' ({field.unit})' if field.unit else ''}"
                for name, field in schema.fields.items()
            }
            for target, text in described.items():
                kind, _, column = target.partition(".")
                place = f'core."{schema.view}"' + (f'."{column}"' if column else "")
                con.execute(f"comment on {kind} {place} is '{text.replace(chr(39), chr(39) * 2)}'")


def current_versions(settings: Settings) -> list[Path]:
    """List the immutable Parquet file of each event day."""
    days = lake.manifests(settings, "days")
    return [version_path(settings, date.fromisoformat(name), day["version"]) for name, day in days.items()]


def create_events(con: duckdb.DuckDBPyConnection, settings: Settings, versions: Sequence[Path]) -> None:
    """Publish `core.events` as dbt defines it, over the versions that hold now in the place of the build's files."""
    con.execute("create schema lake")
    files = lake.scan(versions, lake.lake_path(settings, "schemas", "events.parquet"))
    con.execute(f"create view lake.events as select * from {files}")
    create_built_views(con, "core", "events")


def create_built_views(con: duckdb.DuckDBPyConnection, schema: str, name: str | None = None) -> None:
    """Publish views, or only one, as dbt wrote them: they ask relations that are published beside them."""
    views = con.execute(
        """
        select sql from duckdb_views()
        where database_name = 'built' and schema_name = $schema and view_name = coalesce($name, view_name)
        order by view_name
        """,
        {"schema": schema, "name": name},
    ).fetchall()
    for (sql,) in views:
        con.execute(sql)


def export_marts(settings: Settings, only: tuple[str, str] | None = None) -> None:
    """Write the marts, or only one, as Parquet beside the events, one folder a mart."""
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
            if only and (schema, name) != only:
                continue
            part = folder / f"{schema}.{name}.parquet"
            con.execute(f"""copy {schema}."{name}" to '{sql_text(part)}' ({lake.PARQUET})""")
            lake.move_into_place(part, shown_path(settings, schema, name).with_suffix(".parquet"))


def remove_old_versions(settings: Settings, versions: Sequence[Path]) -> None:
    """Remove versions that only warehouses older than the previous one read."""
    state = lake.manifest_path(settings, "state", "published")
    root = lake.lake_path(settings, "versions")
    now = sorted(path.relative_to(root).as_posix() for path in versions)
    published = lake.read_manifest(state) or {"now": now, "before": now}
    before = published["before"] if published["now"] == now else published["now"]
    kept = {*now, *before}
    for path in root.rglob("*.parquet"):
        if path.relative_to(root).as_posix() not in kept:
            path.unlink()
    lake.write_manifest(state, {"now": now, "before": before})
