"""The dbt project, parsed and compiled once for all tests of marts."""

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from builders.quality import MODELS, Models, World
from builders.warehouse import DBT, Warehouse
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import ModelNode

from etl.lake.datasets import DATASETS
from etl.settings import PROJECT
from etl.stages.build.sources import name_tables


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Parse the project once, and lend one place for lake and database."""
    root = tmp_path_factory.mktemp("dbt")
    environment = {
        "BLOODHOUND_BUILD_DB": str(root / "build.duckdb"),
        "DBT_TARGET_PATH": str(root / "target"),
        "DBT_LOG_PATH": str(root / "logs"),
    }
    folders = ["--project-dir", str(DBT), "--profiles-dir", str(DBT), "--quiet"]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        manifest = dbtRunner().invoke(["parse", *folders]).result
        assert isinstance(manifest, Manifest)

        def dbt(*arguments: str) -> Any:
            # A manifest that is used again takes what it once compiled of ephemeral models for what it is to compile.
            for node in manifest.nodes.values():
                if isinstance(node, ModelNode):
                    node.compiled, node.extra_ctes, node.extra_ctes_injected = False, [], False
            return dbtRunner(manifest=manifest).invoke([*arguments, *folders])

        yield Warehouse(root / "build.duckdb", manifest, dbt)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Compile the project once; nothing of the lake is read for it."""
    root = tmp_path_factory.mktemp("compiled")
    environment = {
        "BLOODHOUND_BUILD_DB": str(root / "build.duckdb"),
        "DBT_TARGET_PATH": str(root / "target"), "DBT_LOG_PATH": str(root / "logs"),
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        folders = ["--project-dir", str(PROJECT / "dbt_project"), "--profiles-dir", str(PROJECT / "dbt_project")]
        chosen = ["--select", "path:models/staging", "path:models/quality", *MODELS]
        result = dbtRunner().invoke(["compile", *folders, "--quiet", *chosen])
        DuckDBConnectionManager.close_all_connections()
        assert result.success, result.exception
    return {node.node.name: node.node for node in result.result}


@pytest.fixture
def models(compiled: dict[str, Any]) -> Iterator[Models]:
    """An empty database to run the models in, with the thresholds of the project."""
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        con.execute("attach ':memory:' as build")
        con.execute("use build")
        name_tables(con, {name: dataset.columns.empty_table() for name, dataset in DATASETS.items()})
        con.execute("use memory")
        made = Models(con, compiled)
        made.expect(PROJECT / "conf" / "thresholds.toml")
        yield made


@pytest.fixture(scope="module")
def world() -> World:
    return World.make()
