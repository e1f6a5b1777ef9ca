"""Frames of the warehouse, small enough for a page: read, cut to the days shown, written as columns."""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

DAYS = 400
"""Days shown: a year, and the period of it that is compared."""
ROWS = 5_000
"""Rows of a frame: clients choose how many names there are. Of more, the newest whole days are kept."""
OTHER = "(other)"
Frame = dict[str, Any]


def read(con: duckdb.DuckDBPyConnection, query: str, **parameters: Any) -> pa.Table:
    """Run a query; `$since` in it is the first day shown."""
    if "$since" in query:
        parameters["since"] = first_day(con)
    return con.sql(query, params=parameters or None).to_arrow_table()


def read_newest(con: duckdb.DuckDBPyConnection, query: str, rows: int = ROWS, **parameters: Any) -> pa.Table:
    """Run a query with a column `date`, and keep as many of its newest days as fit, each whole."""
    found = read(con, query, **parameters)
    if found.num_rows <= rows:
        return found
    newest = pc.sort_indices(found, [("date", "descending")])
    first_out = found["date"][newest[rows].as_py()]
    return found.filter(pc.greater(found["date"], first_out))


def read_sums(con: duckdb.DuckDBPyConnection, mart: str, by: str, sums: str) -> pa.Table:
    """Add up columns of a mart by others, in their order, `date` among them: the days shown, the newest if too many.

    Args:
        by: columns in SQL; rows come in their order, so that what seldom changes comes first and is written short.
        sums: names of columns, separated by commas.
    """
    summed = ", ".join(f"sum({name}) as {name}" for name in sums.split(", "))
    return read_newest(con, f"select {by}, {summed} from {mart} where date >= $since group by all order by all")


def first_day(con: duckdb.DuckDBPyConnection) -> date:
    """The first day shown."""
    found = con.execute(f"select max(date) - {DAYS - 1} from executive.kpi_daily").fetchall()[0][0]
    return found.date() if isinstance(found, datetime) else found or date(1970, 1, 1)


def encode(table: pa.Table) -> Frame:
    """Write a table as columns: days as days since 1970, text as a list of values and numbers into it."""
    return {"rows": table.num_rows, "columns": {name: encode_column(table[name]) for name in table.column_names}}


def encode_column(column: pa.ChunkedArray) -> Any:
    """Write one column; text that a client chose is never anything but a value in JSON."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        known: dict[Any, int] = {}
        codes = [known.setdefault(value, len(known)) for value in column.to_pylist()]
        return {"values": list(known), "codes": shortened(codes)}
    values = [plain(value) for value in column.to_pylist()]
    if pa.types.is_date(column.type) and column.null_count == 0:
        # Of each name one day follows the other.
        steps = shortened([day - before for before, day in pairwise([0, *values])])
        return {"steps": steps} if isinstance(steps, dict) else shortened(values)
    return shortened(values)


def shortened(values: list[Any]) -> Any:
    """Write values that repeat as [value, times] where that is shorter."""
    runs: list[list[Any]] = []
    for value in values:
        if runs and runs[-1][0] == value and type(runs[-1][0]) is type(value):
            runs[-1][1] += 1
        else:
            runs.append([value, 1])
    return {"runs": runs} if 3 * len(runs) < len(values) else values


def plain(value: Any) -> Any:
    """Make JSON of a value: no NaN, no more digits than anybody reads."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    if isinstance(value, date):
        return (value - date(1970, 1, 1)).days
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 2**53 else round(value, 6)
    return value


def encode_all(tables: Mapping[str, pa.Table]) -> dict[str, Frame]:
    """Write several tables."""
    return {name: encode(table) for name, table in tables.items()}


def top(column: str, table: str, weight: str, most: int, where: str = "true") -> str:
    """Say in SQL a column with all but its heaviest values as `(other)`: clients choose how many there are."""
    return (
        f"case when {column} is null then '(unknown)' when {column} in"
        f" (select {column} from {table} where {where} group by 1 order by sum({weight}) desc, 1 limit {most})"
        f" then {column} else '{OTHER}' end"
    )
