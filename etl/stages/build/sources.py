"""dbt's sources: relations of the schema `lake` in the file that dbt builds, over the files that hold now."""

from collections.abc import Iterable, Mapping

import duckdb
import pyarrow as pa

from etl.lake import sql
from etl.lake.catalogue import Lake
from etl.lake.datasets import DATASETS
from etl.lake.manifests import Part

SCHEMA = "lake"


def name_sources(
    con: duckdb.DuckDBPyConnection, lake: Lake, parts: Iterable[Part], tables: dict[str, pa.Table],
    kept: Mapping[str, str],
) -> None:  # fmt: skip
    """Make a view of each dataset over the files that manifests name, and a table of each of `tables`.

    Args:
        con: open on the file that dbt builds.
        parts: of any datasets.
        tables: small rows that no stage commits, by dataset.
        kept: rows of days whose events are gone, in SQL, by dataset.
    """
    con.execute(f"create schema if not exists {SCHEMA}")
    files: dict[str, list[Part]] = {name: [] for name in DATASETS}
    for part in parts:
        files[part.dataset].append(part)
    for name, found in files.items():
        if name in tables:
            continue
        scan = rows_of(lake, name, found)
        if name == "restatements" and (history := lake.history("restatements.parquet")).exists():
            scan = sql.scan([history], lake.empty(name))
        more = f" union all by name select * from {kept[name]}" if name in kept else ""
        con.execute(f"create or replace view {SCHEMA}.{name} as select * from {scan}{more}")
    name_tables(con, tables)


def name_tables(con: duckdb.DuckDBPyConnection, tables: Mapping[str, pa.Table]) -> None:
    """Make a table of the schema `lake` of each of these."""
    con.execute(f"create schema if not exists {SCHEMA}")
    for name, table in tables.items():
        con.register("declared_rows", table)
        con.execute(f"create or replace table {SCHEMA}.{name} as select * from declared_rows")
        con.unregister("declared_rows")


def rows_of(lake: Lake, dataset: str, parts: list[Part]) -> str:
    """Say a dataset's rows in SQL, with the column of its partition; its zero-row file where nothing holds."""
    partition = DATASETS[dataset].partition
    if not parts:
        return f"read_parquet([{sql.text(lake.empty(dataset))}], hive_partitioning = false)"
    listed = sql.texts(lake.files(parts))
    if partition is None:
        return f"read_parquet([{listed}], hive_partitioning = false)"
    return f"read_parquet([{listed}], hive_partitioning = true, hive_types = {{{partition}: date}})"
