"""The plan's statements, one after the other on one connection: what `dbt build` does, without dbt."""

import importlib.util
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import structlog

from etl.errors import FailedNode
from etl.lake import sql
from etl.settings import Settings
from etl.stages.build import put_back
from etl.stages.build.failures import broken_contract, failed_model, failed_test
from etl.stages.build.plan import Node, Plan
from etl.stages.build.project import DBT_PROJECT
from etl.stages.build.put_back import Kept
from etl.stages.build.workplace import workplace
from etl.stages.stage import Advance, silent


@contextmanager
def opened(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the file that is built, as dbt's profile does (`dbt_project/profiles.yml`)."""
    database = workplace(settings).database
    config: dict[str, Any] = {
        "threads": settings.threads, "memory_limit": settings.memory_limit, "temp_directory": f"{database}.spill",
        "preserve_insertion_order": False, "autoinstall_known_extensions": False,
    }  # fmt: skip
    with duckdb.connect(str(database), config=config) as con:
        con.execute("set timezone = 'UTC'")
        yield con


@dataclass
class Outcome:
    """What became of a plan's nodes."""

    models: int = 0
    tests: int = 0
    failed: list[FailedNode] = field(default_factory=list)


def execute(
    con: duckdb.DuckDBPyConnection, plan: Plan, days: Sequence[str] | None, failures: Path,
    *, chosen: Collection[str] | None = None, kept: Kept | None = None, advance: Advance = silent,
) -> Outcome:  # fmt: skip
    """Build models of a plan and run its tests. What needs something that failed is left out, as `dbt build` does.

    Args:
        con: open on the file that is built, with the lake's relations in it.
        days: the session days to build; None builds everything.
        failures: where the rows that break a test go.
        chosen: names of nodes; all unless given.
        kept: rows of days whose events are gone.
        advance: told of each model and test.
    """
    con.execute("set variable built_days = cast($days as date[])", {"days": None if days is None else list(days)})
    nodes = [node for node in plan.nodes if chosen is None or node.name in chosen]
    for schema in sorted({node.relation.rpartition(".")[0] for node in nodes if node.relation}):
        con.execute(f"create schema if not exists {schema}")
    outcome, log, left_out = Outcome(), structlog.get_logger("bloodhound"), set[str]()
    models = sum(node.kind not in {"seed", "test"} for node in nodes)
    for node in nodes:
        if left_out.intersection(node.needs):
            left_out.add(node.name)
            continue
        begun = time.perf_counter()
        rows, failed = run_test(con, node, failures) if node.kind == "test" else build(con, node, plan, kept)
        if failed:
            outcome.failed.append(failed)
            left_out.add(node.name)
        outcome.models += node.kind not in {"seed", "test"}
        outcome.tests += node.kind == "test"
        seconds = round(time.perf_counter() - begun, 3)
        log.info("built", kind=node.kind, name=node.name, rows=rows, seconds=seconds, is_failed=failed is not None)
        advance(f"model {outcome.models} of {models}, {node.name}", 1)
    return outcome


def run_test(con: duckdb.DuckDBPyConnection, node: Node, failures: Path) -> tuple[int, FailedNode | None]:
    """Count the rows that break a test."""
    try:
        ((rows,),) = con.execute(f"select count(*) from (\n{node.sql}\n)").fetchall()
    except duckdb.Error as error:
        return 0, failed_model(node, error)
    return rows, failed_test(con, node, rows, failures) if rows else None


def build(
    con: duckdb.DuckDBPyConnection, node: Node, plan: Plan, kept: Kept | None
) -> tuple[int, FailedNode | None]:  # fmt: skip
    """Build a seed or model; return its new rows, and why it failed."""
    try:
        if node.kind == "python":
            con.register("made", called(con, node, plan))
        rows = 0
        for statement in statements(con, node):
            found = con.execute(statement).fetchall()
            rows = found[0][0] if found else rows
        if kept is not None and node.sealed_by:
            for statement in put_back.statements(con, kept, node):
                con.execute(statement)
        if node.columns and node.kind != "seed":
            found = [(name, kind) for name, kind, *_ in con.execute(f"describe {node.relation}").fetchall()]
            # dbt puts the columns of a table into the contract's order; a view has its own.
            if found != node.columns and (node.kind != "view" or sorted(found) != sorted(node.columns)):
                return 0, broken_contract(node, found)
    except Exception as error:  # A Python model may raise anything.
        with suppress(duckdb.Error):  # Where nothing was begun there is nothing to take back.
            con.rollback()
        return 0, failed_model(node, error)
    finally:
        if node.kind == "python":
            con.unregister("made")
    return rows, None


def statements(con: duckdb.DuckDBPyConnection, node: Node) -> Iterable[str]:
    """Say in SQL how a seed or model is built: as the project's materializations do."""
    names = ", ".join(sql.name(name) for name, _ in node.columns)
    chosen = f"select {names}, * exclude ({names}) from" if names else "from"
    if node.kind == "seed":
        typed = ", ".join(f"{sql.name(name)} {kind}" for name, kind in node.columns)
        copied = f"copy {node.relation} from {sql.text(DBT_PROJECT / node.file)} (format csv, header true)"
        return f"create or replace table {node.relation} ({typed})", copied
    if node.kind == "view":
        return (f"create or replace view {node.relation} as (\n{node.sql}\n)",)
    if node.kind == "python":
        return (f"create or replace table {node.relation} as {chosen} made",)
    if node.kind == "days" and exists(con, node.relation):
        forget = f"list_contains(getvariable('built_days'), {sql.name(node.built_by)})"
        return (
            "begin",
            f"delete from {node.relation} where getvariable('built_days') is null or {forget}",
            f"insert into {node.relation} by name (\n{node.sql}\n)",
            "commit",
        )
    return (f"create or replace table {node.relation} as {chosen} (\n{node.sql}\n)",)


def exists(con: duckdb.DuckDBPyConnection, relation: str) -> bool:
    """Say whether a relation is there."""
    try:
        con.execute(f"describe {relation}").fetchall()
    except duckdb.CatalogException:
        return False
    return True


def called(con: duckdb.DuckDBPyConnection, node: Node, plan: Plan) -> pa.Table:
    """Call the function of a Python model, from its file in the project."""
    specification = importlib.util.spec_from_file_location(node.name, DBT_PROJECT / node.file)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    relations = {other.name: other.relation for other in plan.nodes}
    return module.model(Given(con, relations), con)


@dataclass(frozen=True)
class Given:
    """What a Python model is given as `dbt`."""

    con: duckdb.DuckDBPyConnection
    relations: dict[str, str]

    def ref(self, name: str) -> duckdb.DuckDBPyRelation:
        """Read another model."""
        return self.con.sql(f"from {self.relations[name]}")

    def config(self, **_: Any) -> None:
        """Take what a model says to dbt alone."""
