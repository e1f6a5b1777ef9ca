"""dbt itself, as anybody may run it: what it builds is what a run builds by the plan that was compiled of it."""

import json
from collections.abc import Callable
from typing import Any

import duckdb
import pytest
from builders.shop import LEDGER, SHOP, SHOP_HITS
from builders.warehouse import DBT, Warehouse, visit
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import ModelNode

from etl.stages.build.sources import name_tables
from etl.warehouse.page import definitions

Dbt = Callable[..., Any]
MODELS = ("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test")
"""For a build whose tables are compared: what dbt's tests say of equal tables has been said by the plan's."""
FOLDERS = ["--project-dir", str(DBT), "--profiles-dir", str(DBT), "--quiet"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return Warehouse(tmp_path_factory.mktemp("dbt"))


@pytest.fixture(scope="module")
def manifest(place: Warehouse) -> Manifest:
    """Read the project."""
    with pytest.MonkeyPatch.context() as patch:
        name_places(patch, place)
        manifest = dbtRunner().invoke(["parse", *FOLDERS]).result
    assert isinstance(manifest, Manifest)
    return manifest


def name_places(patch: pytest.MonkeyPatch, place: Warehouse) -> None:
    patch.setenv("BLOODHOUND_BUILD_DB", str(place.database))
    patch.setenv("DBT_TARGET_PATH", str(place.folder / "target"))
    patch.setenv("DBT_LOG_PATH", str(place.folder / "logs"))


@pytest.fixture
def dbt(place: Warehouse, manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> Dbt:
    """Lend the command `dbt build` over the rows of a warehouse; nothing of it may fail."""
    name_places(monkeypatch, place)

    def build(rows: Warehouse, *arguments: str, **variables: Any) -> None:
        # A manifest that is used again takes what it once compiled of ephemeral models for what it is to compile.
        for node in manifest.nodes.values():
            if isinstance(node, ModelNode):
                node.compiled, node.extra_ctes, node.extra_ctes_injected = False, [], False
        with duckdb.connect(str(place.database)) as con:
            name_tables(con, rows.rows)
        done = dbtRunner(manifest=manifest).invoke(["build", *arguments, *FOLDERS, "--vars", json.dumps(variables)])
        # dbt leaves the file open in this process; until it is closed others read an older state.
        DuckDBConnectionManager.close_all_connections()
        failed = [(one.node.name, one.message) for one in done.result if one.status not in {"success", "pass"}]
        assert done.success, failed

    return build


def contents(warehouse: Warehouse) -> dict[str, tuple[list[tuple[Any, ...]], list[str]]]:
    """Read every relation: its columns with their types, and its rows in an order of their own.

    Intermediate views are read by tables: one that asks which days are built says another thing once they are.
    """
    relations = warehouse.query("""
        select '"' || table_schema || '"."' || table_name || '"' from information_schema.tables
        where table_schema <> 'lake' and (table_type = 'BASE TABLE' or table_schema <> 'intermediate') order by all
    """)
    return {
        name: (
            warehouse.query(f"select column_name, column_type from (describe {name})"),
            sorted(map(str, warehouse.query(f"select * from {name}"))),
        )
        for (name,) in relations
    }


def compare(place: Warehouse, warehouse: Warehouse) -> None:
    by_dbt, by_plan = contents(place), contents(warehouse)
    assert by_dbt.keys() == by_plan.keys()
    assert {name for name in by_dbt if by_dbt[name] != by_plan[name]} == set()


@pytest.mark.prove
def test_plan_builds_what_dbt_builds_whole_and_by_days(place: Warehouse, warehouse: Warehouse, dbt: Dbt) -> None:
    """GIVEN a shop WHEN dbt builds it, its unit tests too, and then late days THEN the plan's tables are the same."""
    gone = visit("gone", "2026-03-05 10:00")
    warehouse.fill(events=[*SHOP, *gone], pixel_hits=SHOP_HITS, **LEDGER)
    warehouse.build()
    dbt(warehouse)
    compare(place, warehouse)

    warehouse.fill(events=[*SHOP, *visit("late", "2026-03-02 10:00", "/a /b")], pixel_hits=SHOP_HITS, **LEDGER)
    changed = ["2026-03-02", "2026-03-05"]
    warehouse.build(fresh=False, days=changed)
    dbt(warehouse, *MODELS, days=changed)
    compare(place, warehouse)
    visitors = "select count(*) from core.sessions where visitor_id "
    assert [warehouse.query(visitors + name) for name in ("= 'gone'", "= 'late'", "= 'ben'")] == [
        [(0,)],
        [(1,)],
        [(1,)],
    ]


def test_plan_builds_what_dbt_builds_of_next_to_nothing(place: Warehouse, warehouse: Warehouse, dbt: Dbt) -> None:
    place.database.unlink(missing_ok=True)
    warehouse.fill(events=visit("one", "2026-03-01 10:00"))
    warehouse.build()
    dbt(warehouse, *MODELS)
    compare(place, warehouse)


def test_every_model_says_its_grain_and_what_is_published_holds_a_contract(manifest: Manifest) -> None:
    models = [node for node in manifest.nodes.values() if node.resource_type == "model"]
    assert [node.name for node in models if not node.description.startswith("One row per ")] == []
    published = {node.name for node in models if node.schema not in {"staging", "intermediate"}}
    assert {node.name for node in models if node.config.contract.enforced} == published
    assert {node.schema for node in models} == {"staging", "intermediate", *definitions.SCHEMAS}


def test_every_mart_has_a_key_that_is_tested(manifest: Manifest) -> None:
    """GIVEN the project THEN each table people query has a key that may not come twice.

    Events are the lake's, and facts are rows of three tables that have theirs.
    """
    nodes = manifest.nodes.values()
    marts = {node.name for node in nodes if node.resource_type == "model" and node.config.contract.enforced}
    keyed = {
        node.file_key_name.removeprefix("models.")
        for node in nodes
        if node.resource_type == "test"
        and getattr(node, "test_metadata", None) is not None
        and node.test_metadata.name == "rows_hold"
        and node.test_metadata.kwargs.get("unique")
    }
    assert marts - keyed == {"events", "quarantine", "facts"}
