"""Publish: one new warehouse file in place of the old, as a whole.

Small marts are tables inside it. `core.events` and the marts that grow with every visit are views over immutable
Parquet, a file a day: the file stays small, days that did not change are not written again, and a reader of the old
warehouse goes on reading the old files.
"""

import os
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from etl.enrich import addresses
from etl.errors import FailedNode
from etl.lake import files, sql
from etl.lake.catalogue import Lake
from etl.lake.datasets import DATASETS, PARQUET
from etl.lake.fingerprint import Fingerprint, digest
from etl.lake.key import key_digest, read_key
from etl.lake.manifests import Build, Commit, Day, Publication
from etl.lake.published import STORED_AS
from etl.settings import Settings
from etl.stages.publish import restatements
from etl.stages.publish.apart import write_marts
from etl.stages.publish.days import is_here, link_days, select_days, shown_path, write_days
from etl.stages.stage import Made, Stage, Work
from etl.vocabulary import tracking_plan

UNIT = "warehouse"
PUBLISHER_VERSION = 3
MART_SCHEMAS = ("core", "traffic", "marketing", "executive", "product", "quality")
VIEWS = (("core", "events"),)
"""Views of what dbt builds that are published as they are, over the same files."""


class Publish(Stage[Publication]):
    """There is one unit: the warehouse.

    Args:
        makers: the stages before it, whose definitions say what the figures mean.
    """

    name = "publish"
    facts = Publication

    def __init__(self, makers: Sequence[Stage[Any]]) -> None:
        self.makers = makers

    def definition(self, lake: Lake) -> str:
        """Name what the figures mean: every stage's version and settings, and the models; for restatements."""
        return digest([(stage.name, stage.definition(lake)) for stage in self.makers])

    def wanted(self, lake: Lake) -> Mapping[str, Fingerprint]:
        commits = lake.commits("build", Build)
        if not commits:
            return {}
        built = commits[0].units["marts"].fingerprint
        return {UNIT: Fingerprint(digest(PUBLISHER_VERSION, built.data, shown_addresses(lake)), built.description)}

    def is_lost(self, lake: Lake, commit: Commit[Publication]) -> bool:
        settings = lake.settings
        is_there = settings.warehouse.exists() and settings.marts.exists()
        return not is_there or commit.facts.place != str(settings.warehouse.resolve())

    def days_of(self, commit: Commit[Publication]) -> Iterable[str]:
        del commit
        return ()

    def make(self, work: Work[Publication]) -> Made[Publication]:
        now = publish(work.lake, work.folder, self.definition(work.lake))
        before = work.before[0].facts if work.before else Publication(now, now)
        kept = before.before if before.now == now else before.now
        remove_old_versions(work.lake, {*now, *kept})
        return Made(Publication(now, kept, str(work.lake.settings.warehouse.resolve())))


def publish(lake: Lake, folder: Path, meaning: str) -> list[str]:
    """Replace the published warehouse with what dbt has built; name the immutable files that it reads.

    Args:
        folder: for files half written.
        meaning: names what the figures mean.
    """
    target = lake.settings.warehouse
    files.make_folder(target.parent)
    restatements.settle(lake)
    for leftover in target.parent.glob(".publishing-*"):
        leftover.unlink()
    partial = target.parent / f".publishing-{uuid.uuid4().hex}.duckdb"
    events = event_files(lake)
    marts: dict[tuple[str, str], list[Path]] = {}
    try:
        with duckdb.connect(
            str(partial),
            config=STORED_AS | {"threads": lake.settings.threads, "memory_limit": lake.settings.memory_limit},
        ) as con:
            con.execute("set timezone = 'UTC'")
            built = lake.settings.home / "warehouse" / "build" / "build.duckdb"
            con.execute(f"attach {sql.text(built)} as built (read_only)")
            marts = write_days(con, lake, folder)
            copy_marts(con, marts)
            mask_payloads(con, lake.settings)
            for (schema, name), paths in marts.items():
                con.execute(
                    f"create view {schema}.{name} as {select_days(con, schema, name, paths)} where {is_here(target)}"
                )
            copy_views(con, lake, events)
            create_typed_views(con, lake)
            con.execute("detach built")
            restatements.record(con, lake, partial, meaning)
            con.execute("checkpoint")
        files.move_into_place(partial, target)
    finally:
        if partial.exists():
            restatements.forget(lake, partial)
            partial.unlink()
    restatements.settle(lake)
    write_marts(lake)
    export_marts(lake, folder)
    marts[("core", "events")] = events
    for (schema, name), paths in marts.items():
        link_days(lake, schema, name, paths)
    return sorted(path.relative_to(lake.root).as_posix() for paths in marts.values() for path in paths)


def day_files(lake: Lake, dataset: str, paths: Sequence[Path]) -> str:
    """Say in SQL the rows of a dataset kept by day; its zero-row file when there are none."""
    if not paths:
        return f"read_parquet([{sql.text(lake.empty(dataset))}], hive_partitioning = false)"
    partition = DATASETS[dataset].partition
    return f"read_parquet([{sql.texts(paths)}], hive_partitioning = true, hive_types = {{'{partition}': date}})"


def event_files(lake: Lake) -> list[Path]:
    """List the immutable files of the event days that hold, by day."""
    parts = [part for commit in lake.commits("sessionize", Day) for part in commit.parts if part.dataset == "events"]
    return lake.files(sorted(parts, key=lambda part: (str(part.day), part.path)))


def copy_marts(con: duckdb.DuckDBPyConnection, by_day: Iterable[tuple[str, str]]) -> None:
    """Copy each mart as a table; those that are views over files apart."""
    rows = con.execute(
        """
        select table_schema, table_name from information_schema.tables
        where table_catalog = 'built' and table_schema in (select unnest($schemas)) order by 1, 2
        """,
        {"schemas": list(MART_SCHEMAS)},
    ).fetchall()
    con.execute("begin")
    for schema in MART_SCHEMAS:
        con.execute(f"create schema {schema}")
    for schema, name in rows:
        if (schema, name) not in {*VIEWS, *by_day}:
            con.execute(f'create table {schema}."{name}" as select * from built.{schema}."{name}"')
    con.execute("commit")


def shown_addresses(lake: Lake) -> tuple[str, str]:
    """Say how addresses are shown in what was refused, and under which key: no row of the lake tells it."""
    how = lake.settings.ip_addresses
    return how, key_digest(lake.settings) if how == "hash" else ""


def mask_payloads(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Hide in what was refused the addresses that the setting hides; the lake has it whole, for its owner alone."""
    if settings.ip_addresses == "keep":
        return
    for column in ("payload", "detail"):
        texts = [
            text
            for (text,) in con.execute(
                f"select distinct {column} from quality.quarantine where {column} is not null"
            ).fetchall()
        ]
        shown = [addresses.mask_text(text, settings.ip_addresses, read_key(settings)) for text in texts]
        con.register("shown", pa.table({"text": pa.array(texts, pa.string()), "shown": pa.array(shown, pa.string())}))
        con.execute(f"update quality.quarantine set {column} = shown.shown from shown where {column} = shown.text")
        con.unregister("shown")


def copy_views(con: duckdb.DuckDBPyConnection, lake: Lake, events: Sequence[Path]) -> None:
    """Publish dbt's own views as it wrote them, over the relations that are published beside them."""
    con.execute("create schema lake")
    con.execute(
        f"create view lake.events as select * from {day_files(lake, 'events', events)}"
        f" where {is_here(lake.settings.warehouse)}"
    )
    con.execute(
        f"create view lake.place as select true as is_here,"
        f" {sql.text(lake.settings.reporting_currency)} as reporting_currency,"
        f" {sql.text(lake.settings.reporting_timezone)} as reporting_timezone where {is_here(lake.settings.warehouse)}"
    )
    con.execute("create schema metrics")
    views = con.execute(
        """
        select schema_name, view_name, sql from duckdb_views()
        where database_name = 'built' and not internal order by schema_name, view_name
        """
    ).fetchall()
    for schema, name, statement in views:
        if (schema, name) in VIEWS or schema == "metrics":
            con.execute(statement)
    definitions = (lake.settings.home / "warehouse" / "build" / "metrics.json").read_text()
    con.execute(f"create view metrics.definitions as select cast({sql.text(definitions)} as json) as semantic_manifest")


def note_failure(lake: Lake, failed: Sequence[FailedNode]) -> None:
    """Say in the published `quality.checks` which models and tests of the last build failed, and nothing else.

    The warehouse is copied, the copy is told and takes its place; it keeps its time, for it is the publication of then.
    The next publication knows nothing of it.
    """
    target = lake.settings.warehouse
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
                    insert into quality.checks ("check", scope, value, warn, error, threshold, status, owner, hint)
                    values ('dbt_build', ?, ?, 0, 0, 0, 'error', 'platform', ?)
                    """,
                    [
                        node.name, max(node.rows, 1),
                        f"The last build failed here, and this is the warehouse before it: {node.reason}",
                    ],
                )  # fmt: skip
            con.execute("checkpoint")
        published = target.stat()
        os.utime(partial, ns=(published.st_atime_ns, published.st_mtime_ns))
        files.move_into_place(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    write_marts(lake)
    with lake.staging() as folder:
        export_marts(lake, folder, only=("quality", "checks"))


def create_typed_views(con: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Give each schema of the tracking plan that names one its view: the fields of its data as columns."""
    for schema in tracking_plan.load_plan(lake.settings.tracking_plan).values():
        if schema.view:
            con.execute(f'create view core."{schema.view}" as {tracking_plan.select_typed(schema, "core.events")}')
            described = {"view": schema.description} | {
                f"column.{name}": f"{field.description}{f' ({field.unit})' if field.unit else ''}"
                for name, field in schema.fields.items()
            }
            for target, text in described.items():
                kind, _, column = target.partition(".")
                place = f'core."{schema.view}"' + (f'."{column}"' if column else "")
                con.execute(f"comment on {kind} {place} is {sql.text(text)}")


def export_marts(lake: Lake, folder: Path, only: tuple[str, str] | None = None) -> None:
    """Write the marts, or only one, as Parquet beside the events, one file a mart."""
    with duckdb.connect(str(lake.settings.warehouse), read_only=True) as con:
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
            con.execute(f"copy {schema}.{sql.name(name)} to {sql.text(part)} ({PARQUET})")
            files.move_into_place(part, shown_path(lake, schema, name).with_suffix(".parquet"))


def remove_old_versions(lake: Lake, kept: set[str]) -> None:
    """Remove the immutable files that only warehouses older than the previous one read."""
    for path in lake.path("versions").rglob("*.parquet"):
        if path.relative_to(lake.root).as_posix() not in kept:
            path.unlink()
