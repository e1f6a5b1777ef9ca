"""Build: dbt turns the lake into marts in a file of its own; what passed its tests is published.

Which sessions' days dbt rebuilds follows from the versions of the event days: those that changed
since the last build, and no clock.
"""

import hashlib
import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from etl.errors import BuildFailed, FailedNode
from etl.lake import files as lake
from etl.settings import PROJECT, Settings
from etl.stages.build.sources import create_views, lake_views, quoted
from etl.stages.exclusions import stage as exclusions
from etl.stages.parse import stage as parse
from etl.stages.spend import stage as spend
from etl.vocabulary import bot_rules
from etl.vocabulary import tracking_plan as plan
from etl.vocabulary.columns import CONVERSIONS, FILES
from etl.vocabulary.thresholds import read_thresholds

DBT_PROJECT = PROJECT / "dbt_project"

KEPT_ROWS = 1000
"""So many of the rows that break a test are kept for a look."""


def build_path(settings: Settings) -> Path:
    """Name the DuckDB file dbt writes; nobody else reads it."""
    return settings.home / "warehouse" / "build" / "build.duckdb"


def definitions_path(settings: Settings) -> Path:
    """Name the file that holds the definitions of the metrics, as dbt read them for the last build."""
    return settings.home / "warehouse" / "build" / "metrics.json"


def failures_path(settings: Settings) -> Path:
    """Name the folder of the rows that broke tests of the last build."""
    return settings.home / "warehouse" / "build" / "failures"


def is_unfinished(settings: Settings) -> bool:
    """Tell whether a build began that did not come to its end."""
    return lake.manifest_path(settings, "state", "building").exists()


def variables(settings: Settings) -> dict[str, Any]:
    """The settings that dbt's models use."""
    return {
        name: getattr(settings, name)
        for name in (
            "attribution_window_days", "time_decay_half_life_days", "position_first_share", "position_last_share",
            "stitch_days", "count_access", "reporting_currency",
            "reporting_timezone", "session_gap_minutes",
            "own_hosts", "max_lateness_days", "bot_rules",
        )
    } | {"bot_platforms": list(bot_rules.PLATFORMS), "bot_behaviour": bot_rules.behaviour()}  # fmt: skip


def project_hash() -> str:
    """Name the state of the dbt project's own files, and of the statistics that one of its models calls."""
    digest = hashlib.sha256()
    for path in sorted(DBT_PROJECT.rglob("*")):
        if path.suffix in {".sql", ".yml", ".csv", ".py"} and not {"target", "logs"} & set(path.parts):
            digest.update(path.relative_to(DBT_PROJECT).as_posix().encode() + path.read_bytes())
    # Read and not imported: the statistics library would double the start-up of every command.
    digest.update(PROJECT.joinpath("etl", "statistics", "experiments.py").read_bytes())
    return digest.hexdigest()[:16]


def inputs(settings: Settings) -> dict[str, Any]:
    """All that a build depends on."""
    days = lake.manifests(settings, "days")
    return {
        "project": project_hash(),
        "variables": variables(settings),
        "days": {
            name: {"version": day["version"], "session_dates": day["session_dates"]} for name, day in days.items()
        },
        "batches": sorted(parse.fresh_batches(settings)),
        "plan": hashlib.sha256(repr(plan.load_plan(settings.tracking_plan)).encode()).hexdigest()[:16],
        "spend": sorted(lake.manifests(settings, "spend")),
        "conversions": [conversion.model_dump(mode="json") for conversion in settings.conversions],
        "thresholds": [str(row) for row in read_thresholds(settings.thresholds).to_pylist()],
        "files": sorted(
            (file["source_file"], file["status"], file["file_id"])
            for file in lake.manifests(settings, "files").values()
        ),
    }


def digest(content: Mapping[str, Any]) -> str:
    """Name a build's inputs."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def stale_session_days(settings: Settings, wanted: Mapping[str, Any]) -> list[str] | None:
    """The session days to rebuild; None when all are.

    Days that a build began and did not finish are among them, whatever has become of their inputs.
    """
    built = lake.read_manifest(lake.manifest_path(settings, "state", "built"))
    if (
        built is None
        or not build_path(settings).exists()
        or any(built.get(name) != wanted.get(name) for name in ("project", "variables", "conversions"))
    ):
        return None
    before, after = built["days"], wanted["days"]
    changed = [day for day in {*before, *after} if before.get(day) != after.get(day)]
    unfinished = (lake.read_manifest(lake.manifest_path(settings, "state", "building")) or {"days": []})["days"]
    stale = {name for day in changed for days in (before, after) for name in days.get(day, {}).get("session_dates", [])}
    # With the changed days themselves: what is kept by the day of the event is found by them.
    return sorted({*stale, *changed, *unfinished})


def write_ledger(settings: Settings) -> None:
    """Write `ledger/files.parquet`: what became of each file's lines (columns of `FILES`)."""
    counts: dict[str, dict[str, int]] = {}
    for batch in parse.fresh_batches(settings).values():
        counts |= batch["counts"]
    counts |= spend.counts(settings) | exclusions.counts(settings)
    rows = []
    for file in sorted(lake.manifests(settings, "files").values(), key=lambda entry: entry["source_file"]):
        count = counts.get(f"{file['file_id']:016x}", {})
        valid, quarantined = count.get("valid", 0), count.get("quarantined", 0)
        rows.append(
            {
                "source_file": file["source_file"], "source": file["source"], "file_id": file["file_id"],
                "status": file["status"], "detail": file["detail"], "lines": file["lines"],
                "bad_lines": count.get("bad_lines", 0), "messages": valid + quarantined,
                "valid": valid, "quarantined": quarantined,
                "is_parsed": file["source"] not in parse.PARSED_SOURCES or f"{file['file_id']:016x}" in counts,
                "received_from": first_day(file["partitions"]),
            }
        )  # fmt: skip
    lake.write_table(
        lake.lake_path(settings, "ledger", "files.parquet"),
        pa.Table.from_pylist(rows, schema=FILES),
    )


def first_day(partitions: Sequence[str]) -> date | None:
    """Read the first day of which a file holds lines; None when no line has a readable time."""
    days = sorted(date.fromisoformat(name) for name in partitions if name != lake.UNKNOWN_DAY)
    return days[0] if days else None


def declared_conversions(settings: Settings) -> pa.Table:
    """Write the setting `conversions` as rows, so that its text reaches dbt as data and never as SQL."""
    rows = []
    for conversion in settings.conversions:
        currency, value = conversion.currency, conversion.value
        is_code = currency is not None and re.fullmatch("[A-Z]{3}", currency) is not None
        rows.append(
            {
                "conversion": conversion.name, "schema_name": conversion.schema_name, "once_per": conversion.once_per,
                "conditions": [
                    {"field": field, "operator": operator, "operand": as_json(operand)}
                    for field, operator, operand in conversion.where
                ],
                "value": None if isinstance(value, str) else Decimal(str(value)).quantize(Decimal("0.0001")),
                "value_field": value if isinstance(value, str) else None,
                "currency": currency if is_code else None,
                "currency_field": None if is_code else currency,
            }
        )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=CONVERSIONS)


def as_json(operand: str | float | bool) -> str:
    """Write a condition's operand as an event's data would hold it, without quotes."""
    return operand if isinstance(operand, str) else orjson.dumps(operand).decode()


def build(settings: Settings, redo: Sequence[date] = ()) -> dict[str, Any] | None:
    """Run dbt for what changed; None when nothing did.

    Args:
        redo: session days rebuilt even when they are fresh.

    Returns:
        `days` (session days rebuilt; null for all), `models` and `tests` run, `digest` of the inputs.

    Raises:
        BuildFailed: models or tests failed, by name.
    """
    wanted = inputs(settings)
    built = lake.read_manifest(lake.manifest_path(settings, "state", "built"))
    days = stale_session_days(settings, wanted)
    is_built = built is not None and built["digest"] == digest(wanted) and not is_unfinished(settings)
    if is_built and not days and days is not None and not redo:
        return None
    write_ledger(settings)
    lake.write_table(lake.lake_path(settings, "declared", "conversions.parquet"), declared_conversions(settings))
    lake.write_table(lake.lake_path(settings, "declared", "thresholds.parquet"), read_thresholds(settings.thresholds))
    path = build_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    if days is None:
        lake.manifest_path(settings, "state", "built").unlink(missing_ok=True)
        for leftover in path.parent.glob("build.duckdb*"):
            if leftover.is_file():
                leftover.unlink()
    else:
        days = sorted({*days, *(day.isoformat() for day in redo)})
    building = lake.manifest_path(settings, "state", "building")
    lake.write_manifest(building, {"days": days or []})
    with duckdb.connect(str(path)) as con:
        create_views(con, lake_views(settings), lake.lake_path(settings, "schemas"))
    models, tests = run_dbt(settings, days)
    lake.write_manifest(lake.manifest_path(settings, "state", "built"), wanted | {"digest": digest(wanted)})
    building.unlink()
    return {"days": days, "models": models, "tests": tests, "digest": digest(wanted)}


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while: the only way dbt's profile can be told paths."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def dbt_variables(settings: Settings, days: Sequence[str] | None) -> str:
    """Write the variables of dbt's models as JSON."""
    return orjson.dumps({"days": days} | variables(settings)).decode()


def failed_node(con: duckdb.DuckDBPyConnection, result: Any, relation: str, folder: Path) -> FailedNode:
    """Name a node that failed, say why, and keep the rows that broke a test.

    Of a model's rules for its rows those that are broken are named, by how many rows, and the rows are the model's own.

    Args:
        con: open on what was built.
        relation: the table that a test is about, as SQL names it.
        folder: where the rows go, a Parquet file a test.
    """
    node = result.node
    if result.status != "fail":
        return FailedNode(node.name, f"{node.name}: {' '.join(str(result.message).split())[:300]}")
    metadata = getattr(node, "test_metadata", None)
    if metadata is not None and metadata.name == "rows_hold":
        broken = con.execute(node.compiled_code).fetchall()
        name, rows = node.file_key_name, sum(count for _, count in broken)
        reason = f"{name}: " + ", ".join(f"{rule} ({count:,})" for rule, count in broken)
        chosen = " union all by name ".join(
            f"(select {quoted(rule)} as broken_rule, * from {relation} {rows_of(rule, metadata.kwargs)})"
            for rule, _ in broken
        )
    else:
        name, rows, chosen = node.name, int(result.failures or 0), node.compiled_code
        reason = f"{name}: {' '.join(str(result.message).split())[:300]}"
    kept = folder / f"{name}.parquet"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        con.execute(f"copy (select * from ({chosen}) limit {KEPT_ROWS}) to {quoted(kept)} ({lake.PARQUET})")
    except (OSError, duckdb.Error) as error:
        return FailedNode(name, f"{reason}, whose rows could not be kept: {' '.join(str(error).split())[:200]}", rows)
    return FailedNode(name, f"{reason}, rows in {kept}", rows, kept)


def relation_of(manifest: Any, node: Any) -> str:
    """Name the table that a test is about; none for a model or a test of several."""
    attached = manifest.nodes.get(getattr(node, "attached_node", None))
    return f'{attached.schema}."{attached.alias}"' if attached else ""


def rows_of(rule: str, arguments: Mapping[str, Any]) -> str:
    """Say in SQL which rows break a rule of the dbt test rows_hold, by the name that the rule has in its answer."""
    columns, kind = re.fullmatch("(.+) (repeated|is null|unheard of)", rule).groups()  # type: ignore[union-attr]
    listed = ", ".join(f'"{column}"' for column in columns.split(", "))
    if kind == "repeated":
        return f"qualify count(*) over (partition by {listed}) > 1"
    if kind == "is null":
        return f"where {listed} is null"
    return f"where {listed} not in ({', '.join(quoted(value) for value in arguments['accepted'][columns])})"


@contextmanager
def dbt_environment(settings: Settings, database: Path | str) -> Iterator[None]:
    """Tell dbt's profile its paths and limits."""
    with environment(
        {
            "BLOODHOUND_BUILD_DB": str(database),
            "BLOODHOUND_MEMORY_LIMIT": settings.memory_limit,
            "BLOODHOUND_THREADS": str(settings.threads),
        }
    ):
        yield


def run_dbt(settings: Settings, days: Sequence[str] | None) -> tuple[int, int]:
    """Run `dbt build` in this process; return how many models and tests ran.

    Raises:
        BuildFailed: something failed; the message names each node and why.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # noqa: PLC0415  (slow to import)
    from dbt.cli.main import dbtRunner  # noqa: PLC0415
    from dbt.contracts.graph.semantic_manifest import SemanticManifest  # noqa: PLC0415

    shutil.rmtree(failures_path(settings), ignore_errors=True)
    work = settings.home / "warehouse" / "build"
    common = [
        "--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT),
        "--target-path", str(work / "target"), "--log-path", str(work / "logs"), "--log-level-file", "info",
        "--no-write-json", "--log-level", "none", "--no-use-colors",
    ]  # fmt: skip
    # Unit tests judge the code, not the data: the project's own tests run them. Seeds are files of the
    # project, so a build of some days finds them as the first build left them.
    everything = ["build", "--exclude-resource-type", "unit_test"]
    if days is not None:
        everything += ["--exclude-resource-type", "seed"]
    with dbt_environment(settings, build_path(settings)):
        # On a full disk dbt's log would print a traceback for each line it cannot write.
        logging.raiseExceptions = False
        # Parsed without the days, so that dbt's own memory of the parsed project holds from run to run:
        # a variable that differs makes it parse everything anew, which takes longer than a day's models.
        outcome = dbtRunner().invoke(["parse", *common, "--vars", dbt_variables(settings, None)])
        manifest: Any = outcome.result
        if outcome.success:
            SemanticManifest(manifest).write_json_to_file(str(definitions_path(settings)))
            outcome = dbtRunner(manifest=manifest).invoke(
                [*everything, *common, "--vars", dbt_variables(settings, days)]
            )
        logging.raiseExceptions = True
        # dbt leaves the file open, and a second connection in this process would see its old state.
        DuckDBConnectionManager.close_all_connections()
    if isinstance(outcome.exception, OSError):
        raise outcome.exception
    if outcome.exception is not None:
        raise BuildFailed(f"dbt did not run: {outcome.exception}") from outcome.exception
    results: list[Any] = list(outcome.result)  # type: ignore[arg-type]
    failed = [result for result in results if result.status in {"error", "fail", "runtime error"}]
    if failed or not outcome.success:
        with duckdb.connect(str(build_path(settings)), read_only=True) as con:
            nodes = [
                failed_node(con, result, relation_of(manifest, result.node), failures_path(settings))
                for result in failed
            ]
        raise BuildFailed(
            f"dbt failed at {'; '.join(node.reason for node in nodes)}",
            f"The warehouse stays as it was; see {work / 'logs' / 'dbt.log'}",
            nodes,
        )
    kinds = [result.node.resource_type.value for result in results]
    return kinds.count("model"), kinds.count("test") + kinds.count("unit_test")
