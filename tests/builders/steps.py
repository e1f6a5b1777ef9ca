"""Steps by themselves: plain tables in, plain tables out."""

from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa

from etl.stages.step import Step

Row = dict[str, Any]


def apply(step: Step, given: dict[str, Sequence[Row]], rounds: int = 1, **values: Any) -> dict[str, list[Row]]:
    """Run a step on rows, of which what is not said is null; hold its relations to the columns that it declares."""
    tables = {name: pa.Table.from_pylist(list(rows), schema=step.takes[name]) for name, rows in given.items()}
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        made = step.run(con, tables, rounds=rounds, **values)
        found = {name: con.sql(f"from {relation} order by all").to_arrow_table() for name, relation in made.items()}
    for name, schema in step.gives.items():
        columns = {field.name: field.type for field in found[name].schema}
        assert columns == {field.name: field.type for field in schema}, name
    return {name: table.to_pylist() for name, table in found.items()}


def refs(rows: Sequence[Row], *names: str) -> list[Any]:
    """Take one column of rows, or some."""
    return [row[names[0]] if len(names) == 1 else tuple(row[name] for name in names) for row in rows]
