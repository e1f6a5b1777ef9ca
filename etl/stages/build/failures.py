"""What failed: models and tests by name, with the rows that break a test kept for a look."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from etl.errors import FailedNode
from etl.lake import sql
from etl.lake.datasets import PARQUET
from etl.stages.build.plan import Node

KEPT_ROWS = 1000
"""So many of the rows that break a test are kept for a look."""


def in_one_line(error: object) -> str:
    """Write an error as one line of bounded length."""
    return " ".join(str(error).split())[:300]


def failed_model(node: Node, error: Exception) -> FailedNode:
    """Name a model, or a test that could not be run, and say why."""
    return FailedNode(node.name, f"{node.name} (dbt_project/{node.file}): {in_one_line(error)}")


def broken_contract(node: Node, found: Sequence[tuple[str, str]]) -> FailedNode:
    """Say in which columns a model is not what its contract says."""
    said, has = dict(node.columns), dict(found)
    told = [f"{name} is {has.get(name, 'missing')}" for name in said if has.get(name) != said[name]]
    told += [f"{name} is not in it" for name in has if name not in said]
    return failed_model(node, TypeError(f"breaks its contract: {', '.join(told) or 'the order of its columns'}"))


def failed_test(con: duckdb.DuckDBPyConnection, node: Node, rows: int, folder: Path) -> FailedNode:
    """Name a test that rows break, say by what, and keep the rows.

    Of a model's rules for its rows those that are broken are named, by how many rows, and the rows are the model's own.

    Args:
        con: open on what was built.
        rows: how many the test has returned.
        folder: where they go, a Parquet file a test.
    """
    name, chosen = node.told or node.name, node.sql
    reason = f"{name}: got {rows:,} {'row' if rows == 1 else 'rows'}, wants none"
    if node.attached:
        broken = con.execute(node.sql).fetchall()
        rows = sum(count for _, count in broken)
        reason = f"{name}: " + ", ".join(f"{rule} ({count:,})" for rule, count in broken)
        chosen = " union all by name ".join(
            f"(select {sql.text(rule)} as broken_rule, * from {node.attached} {rows_of(rule, node.accepted or {})})"
            for rule, _ in broken
        )
    kept = folder / f"{name}.parquet"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        con.execute(f"copy (select * from (\n{chosen}\n) limit {KEPT_ROWS}) to {sql.text(kept)} ({PARQUET})")
    except (OSError, duckdb.Error) as error:
        return FailedNode(name, f"{reason}, whose rows could not be kept: {in_one_line(error)}", rows)
    return FailedNode(name, f"{reason}, rows in {kept}", rows, kept)


def rows_of(rule: str, accepted: Mapping[str, Sequence[str]]) -> str:
    """Say in SQL which rows break a rule of the dbt test rows_hold, by the name that the rule has in its answer."""
    columns, kind = re.fullmatch("(.+) (repeated|is null|unheard of)", rule).groups()  # type: ignore[union-attr]
    listed = ", ".join(f'"{column}"' for column in columns.split(", "))
    if kind == "repeated":
        return f"qualify count(*) over (partition by {listed}) > 1"
    if kind == "is null":
        return f"where {listed} is null"
    return f"where {listed} not in ({sql.texts(accepted[columns])})"
