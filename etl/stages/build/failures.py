"""What failed: dbt's models and tests by name, with the rows that break a test kept for a look."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from etl.errors import FailedNode
from etl.lake import sql
from etl.lake.datasets import PARQUET

KEPT_ROWS = 1000
"""So many of the rows that break a test are kept for a look."""


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
            f"(select {sql.text(rule)} as broken_rule, * from {relation} {rows_of(rule, metadata.kwargs)})"
            for rule, _ in broken
        )
    else:
        name, rows, chosen = node.name, int(result.failures or 0), node.compiled_code
        reason = f"{name}: {' '.join(str(result.message).split())[:300]}"
    kept = folder / f"{name}.parquet"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        con.execute(f"copy (select * from ({chosen}) limit {KEPT_ROWS}) to {sql.text(kept)} ({PARQUET})")
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
    return f"where {listed} not in ({', '.join(sql.text(value) for value in arguments['accepted'][columns])})"
