"""dbt, run in this process: the only place that imports it."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import orjson

from etl.errors import BuildFailed
from etl.lake import sql
from etl.lake.datasets import DATASETS
from etl.stages.build.plan import Node, Plan
from etl.stages.build.project import DBT_PROJECT
from etl.stages.build.sources import name_tables

KINDS = {"in_place_table": "table", "in_place_view": "view", "in_place_days": "days", "seed": "seed", "test": "test"}
"""Materializations of the project → kinds of a plan's nodes; those of ephemeral models stand in who reads them."""
BOUND = "bound"
"""The variable `days` where a statement is to ask DuckDB for them; see the macro built_days."""


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


@contextmanager
def dbt_environment(database: Path | str) -> Iterator[None]:
    """Tell dbt's profile its file; its limits are the profile's own, for here dbt reads no data."""
    with environment({"BLOODHOUND_BUILD_DB": str(database)}), quiet_logging():
        yield


@contextmanager
def quiet_logging() -> Iterator[None]:
    """Keep dbt's log from printing a traceback for each line that it cannot write: on a full disk, all of them."""
    before = logging.raiseExceptions
    logging.raiseExceptions = False
    try:
        yield
    finally:
        logging.raiseExceptions = before


def compile_plan(values: Mapping[str, Any], folder: Path) -> Plan:
    """Let dbt compile the project over a lake without rows.

    Args:
        values: of the models' variables, but for the days.
        folder: where dbt works; its memory of the parsed project is kept there from plan to plan.

    Raises:
        BuildFailed: the project cannot be compiled.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # noqa: PLC0415  (slow to import)
    from dbt.cli.main import dbtRunner  # noqa: PLC0415
    from dbt.contracts.graph.semantic_manifest import SemanticManifest  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    database, definitions = folder / "build.duckdb", folder / "metrics.json"
    database.unlink(missing_ok=True)
    common = [
        "--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT),
        "--target-path", str(folder / "target"), "--log-path", str(folder / "logs"),
        "--log-level-file", "info", "--no-write-json", "--log-level", "none", "--no-use-colors",
    ]  # fmt: skip

    def invoke(manifest: Any, *arguments: str) -> Any:
        outcome = dbtRunner(manifest=manifest).invoke([*arguments, *common])
        if outcome.exception is not None and isinstance(outcome.exception, OSError):
            raise outcome.exception
        if not outcome.success:
            raise BuildFailed(f"dbt did not compile the project: {outcome.exception or in_words(outcome.result)}")
        return outcome.result

    with dbt_environment(database):
        with duckdb.connect(str(database)) as con:
            name_tables(con, {name: dataset.columns.empty_table() for name, dataset in DATASETS.items()})
        # Read without variables, so that dbt's memory of the project holds whatever the settings are.
        manifest = invoke(None, "parse")
        SemanticManifest(manifest).write_json_to_file(str(definitions))
        given = ("--vars", orjson.dumps({"days": BOUND} | dict(values)).decode())
        invoke(manifest, "seed", *given)
        # dbt asks the seeds for the rules of channels while it compiles.
        compiled = [result.node for result in invoke(manifest, "compile", *given)]
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
        with duckdb.connect(str(database), read_only=True) as con:
            nodes = in_order([plan_node(con, manifest, node) for node in compiled], readers(manifest))
    return Plan(nodes, definitions.read_text())


def in_words(results: Any) -> str:
    """Say which nodes failed and why."""
    failed = [result for result in results or () if result.status in {"error", "runtime error"}]
    return "; ".join(f"{one.node.name}: {' '.join(str(one.message).split())[:300]}" for one in failed)


def readers(manifest: Any) -> dict[str, list[str]]:
    """Name the seeds and models that each node of dbt's reads, those behind ephemeral models too."""

    def read(node: Any) -> Iterator[str]:
        for name in node.depends_on.nodes:
            parent = manifest.nodes.get(name)
            if parent is None:  # A source: it is there before anything runs.
                continue
            if parent.config.materialized == "ephemeral":
                yield from read(parent)
            else:
                yield parent.name

    return {
        node.name: sorted(set(read(node))) if node.resource_type.value != "seed" else []
        for node in manifest.nodes.values()
    }


def plan_node(con: duckdb.DuckDBPyConnection, manifest: Any, node: Any) -> Node:
    """Write what a plan says of a node of dbt's, but for what it needs.

    Raises:
        BuildFailed: its materialization is none that a plan knows.
    """
    kind = KINDS.get(node.config.materialized)
    if kind is None:
        raise BuildFailed(
            f"{node.name} ({node.original_file_path}) is materialized as {node.config.materialized}",
            f"Use one of {', '.join(KINDS)}, ephemeral",
        )
    said: dict[str, Any] = {"name": node.name, "kind": kind, "file": node.original_file_path, "needs": []}
    if kind == "seed":
        return Node(**said, relation=node.relation_name, columns=described(con, f"from {node.relation_name}"))
    if kind == "test":
        return Node(**said, sql=node.compiled_code, **said_of_test(manifest, node))
    if node.language == "python":
        said["kind"] = "python"
    columns = node.columns if node.contract.enforced else {}
    asked = ", ".join(f"cast(null as {column.data_type}) as {sql.name(name)}" for name, column in columns.items())
    return Node(
        **said, relation=node.relation_name, sql="" if said["kind"] == "python" else node.compiled_code,
        columns=described(con, f"select {asked}") if columns else [],
        built_by=node.config.meta["built_by"] if kind == "days" else "",
        sealed_by=node.config.meta.get("sealed_by", ""),
    )  # fmt: skip


def described(con: duckdb.DuckDBPyConnection, query: str) -> list[tuple[str, str]]:
    """Name a query's columns and their types as DuckDB writes them."""
    return [(name, kind) for name, kind, *_ in con.execute(f"describe {query}").fetchall()]


def said_of_test(manifest: Any, node: Any) -> dict[str, Any]:
    """Say of a test what its failures are told by."""
    metadata, attached = getattr(node, "test_metadata", None), manifest.nodes.get(getattr(node, "attached_node", None))
    if metadata is None or metadata.name != "rows_hold":
        return {}
    return {
        "told": node.file_key_name, "attached": attached.relation_name, "accepted": metadata.kwargs.get("accepted", {}),
    }  # fmt: skip


def in_order(nodes: list[Node], read: Mapping[str, list[str]]) -> list[Node]:
    """Put nodes into an order in which each follows what it needs.

    As `dbt build` does, a model waits for the tests of all that lies behind it, and is not built when one fails.
    """
    known = {node.name: node for node in nodes}
    tests = {name: set(read[name]) for name, node in known.items() if node.kind == "test"}
    behind: dict[str, set[str]] = {}
    ordered: list[Node] = []

    def visit(name: str) -> None:
        if name in behind:
            return
        for parent in read[name]:
            visit(parent)
        before = set(read[name]).union(*(behind[parent] for parent in read[name]))
        if name not in tests:
            for test in sorted(tests.keys() - before):
                if tests[test] and tests[test] <= before:
                    visit(test)
                    before.add(test)
        behind[name] = before
        waited = {test for test in before & tests.keys() if not any(test in behind[parent] for parent in read[name])}
        needs = set(read[name]) if name in tests else {*read[name], *waited}
        ordered.append(msgspec.structs.replace(known[name], needs=sorted(needs)))

    for name in sorted(known):
        visit(name)
    return ordered
