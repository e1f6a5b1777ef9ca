"""The dbt project, compiled once for all tests of marts."""

from collections.abc import Iterator

import duckdb
import pytest
from builders.quality import Models, World
from builders.warehouse import Warehouse, compiled_plan

from etl.lake.datasets import DATASETS
from etl.settings import PROJECT
from etl.stages.build.plan import Node
from etl.stages.build.sources import name_tables


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Lend one place for lake and database."""
    return Warehouse(tmp_path_factory.mktemp("warehouse"))


@pytest.fixture(scope="session")
def compiled() -> dict[str, Node]:
    return {node.name: node for node in compiled_plan().nodes}


@pytest.fixture
def models(compiled: dict[str, Node]) -> Iterator[Models]:
    """An empty database to run the models in, with the thresholds of the project."""
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        con.execute("attach ':memory:' as build")
        con.execute("use build")
        name_tables(con, {name: dataset.columns.empty_table() for name, dataset in DATASETS.items()})
        con.execute("use memory")
        made = Models(con, compiled)
        made.expect(PROJECT / "conf" / "thresholds.toml")
        made.make("stg_lake__strays", "stg_lake__seals")
        yield made


@pytest.fixture(scope="module")
def world() -> World:
    return World.make()
