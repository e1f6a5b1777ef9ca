"""Frames of the warehouse, small enough for a page: read, cut to the days shown, written as columns."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

DAYS = 400
"""Days shown: a year, and the period of it that is compared."""
ROWS = 4_000
"""Rows of a frame: clients choose how many names there are. Of more, the newest whole days are kept."""
OTHER = "(other)"
Frame = dict[str, Any]


def read(con: duckdb.DuckDBPyConnection, query: str, **parameters: Any) -> pa.Table:
    """Run a query; `$since` in it is the first day shown."""
    if "$since" in query:
        parameters["since"] = first_day(con)
    return con.sql(query, params=parameters or None).to_arrow_table()


def read_newest(
    con: duckdb.DuckDBPyConnection, query: str, rows: int | None = None,
    *, names: Sequence[str] = (), least: Sequence[str] = (), **parameters: Any,
) -> pa.Table:  # fmt: skip
    """Run a query with a column `date`, and keep as many of its newest days as fit, each whole.

    Args:
        rows: how many fit; else `ROWS`.
        names: columns whose values clients choose. With them no day is lost: on those before, all values together are
            `(other)`, numbers are added up, and what else is text stays apart.
        least: columns of which the least holds for several rows together.

    Returns:
        A table; where not all days fit, its metadata say from when on they do (`since`), and whether the days before
        are there without names (`is_folded`).
    """
    rows, found = rows or ROWS, read(con, query, **parameters)
    if found.num_rows <= rows:
        return found
    newest = pc.sort_indices(found, [("date", "descending")])
    first_out = found["date"][newest[rows].as_py()]
    kept = found.filter(pc.greater(found["date"], first_out))
    if names:
        earlier = found.filter(pc.less_equal(found["date"], first_out))
        kept = pa.concat_tables([fold(con, earlier, names, least), kept])
    since = {"since": str(plain(first_out.as_py()) + 1), "is_folded": str(int(bool(names)))}
    return kept.replace_schema_metadata(since)


def fold(con: duckdb.DuckDBPyConnection, found: pa.Table, names: Sequence[str], least: Sequence[str]) -> pa.Table:
    """Add up rows that differ in names alone; the names are `(other)` then."""
    told = []
    for field in found.schema:
        if field.name in names:
            told.append(f"'{OTHER}' as {field.name}")
        elif field.name in least:
            told.append(f"min({field.name}) as {field.name}")
        elif field.name == "date" or pa.types.is_string(field.type) or pa.types.is_boolean(field.type):
            told.append(field.name)
        else:
            told.append(f"sum({field.name}) as {field.name}")
    order = ", ".join(
        field.name for field in found.schema
        if field.name != "date" and field.name not in names and pa.types.is_string(field.type)
    )  # fmt: skip
    con.register("unfolded", found)
    made = con.sql(f"select {', '.join(told)} from unfolded group by all order by {order + ', ' if order else ''}date")
    table = made.to_arrow_table().cast(found.schema)
    con.unregister("unfolded")
    return table


def read_sums(
    con: duckdb.DuckDBPyConnection, mart: str, by: str, sums: str, rows: int | None = None, *, names: Sequence[str] = ()
) -> pa.Table:
    """Add up columns of a mart by others, in their order, `date` among them: the days shown, the newest if too many.

    Args:
        by: columns in SQL; rows come in their order, so that what seldom changes comes first and is written short.
        sums: names of columns, separated by commas.
        names: see `read_newest`.
    """
    summed = ", ".join(f"sum({name}) as {name}" for name in sums.split(", "))
    query = f"select {by}, {summed} from {mart} where date >= $since group by all order by all"
    return read_newest(con, query, rows, names=names)


def first_day(con: duckdb.DuckDBPyConnection) -> date:
    """The first day shown."""
    found = con.execute(f"select max(date) - {DAYS - 1} from executive.kpi_daily").fetchall()[0][0]
    return found.date() if isinstance(found, datetime) else found or date(1970, 1, 1)


def encode(table: pa.Table) -> Frame:
    """Write a table as columns: days as days since 1970, text as a list of values and numbers into it."""
    told = {key.decode(): int(value) for key, value in (table.schema.metadata or {}).items()}
    columns = {name: encode_column(table[name]) for name in table.column_names}
    return {"rows": table.num_rows, "columns": columns} | told


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
