"""Figures of a publication: what each table of it adds up to, so that two publications can be compared without either.

Of each column the values are counted and added up: numbers that were divided as they are, all others by a digest of
their text. Tables are equal if rows, counts and sums are; figures that follow from division up to `SAME`.
"""

import duckdb
import msgspec

from etl.lake import sql

SAME = 1e-9
DIVIDED = ("FLOAT", "DOUBLE")
NOT_COMPARED = ("quality.restatements", "quality.erasures")
"""What was published when: a history of its own."""
DERIVED = ("lake", "metrics")
"""Schemas that only say in another way what stands in the marts."""


class Column(msgspec.Struct, frozen=True):
    """What a column adds up to: values that are not null, and their sum or that of their digests, as text."""

    count: int
    total: str
    is_divided: bool = False


class Table(msgspec.Struct, frozen=True):
    """What a table adds up to."""

    rows: int
    columns: dict[str, Column]


def read_figures(con: duckdb.DuckDBPyConnection) -> dict[str, Table]:
    """Add up every table of a publication, by schema and name.

    Args:
        con: open on the warehouse.
    """
    tables = con.execute(
        "select table_schema, table_name from information_schema.tables"
        " where table_schema not in (select unnest($derived)) order by all",
        {"derived": list(DERIVED)},
    ).fetchall()
    return {
        f"{schema}.{name}": add_up(con, f"{schema}.{sql.name(name)}")
        for schema, name in tables if f"{schema}.{name}" not in NOT_COMPARED
    }  # fmt: skip


def add_up(con: duckdb.DuckDBPyConnection, table: str) -> Table:
    """Add up one table."""
    described = [(name, str(kind)) for name, kind, *_ in con.execute(f"describe {table}").fetchall()]
    asked = ["count(*)"]
    for name, kind in described:
        column = sql.name(name)
        value = column if kind in DIVIDED else f"cast(md5_number_lower(cast({column} as varchar)) as hugeint)"
        asked += [f"count({column})", f"coalesce(sum({value}), 0)"]
    (found,) = con.execute(f"select {', '.join(asked)} from {table}").fetchall()
    rows, *told = found
    columns = {
        name: Column(told[2 * place], str(told[2 * place + 1]), kind in DIVIDED)
        for place, (name, kind) in enumerate(described)
    }
    return Table(rows, columns)


def differences(before: dict[str, Table], after: dict[str, Table]) -> list[str]:
    """Name the tables that are not equal, a sentence each."""
    found = []
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            found.append(f"{name} is only in one of them")
        elif before[name].rows != after[name].rows:
            found.append(f"{name} had {before[name].rows:,} rows and has {after[name].rows:,}")
        elif other := [column for column in before[name].columns if not is_same(before[name], after[name], column)]:
            found.append(f"{name} differs in {', '.join(other)}")
    return found


def is_same(before: Table, after: Table, column: str) -> bool:
    """Say whether a column adds up to the same."""
    then, now = before.columns[column], after.columns.get(column)
    if now is None or then.count != now.count:
        return False
    if not then.is_divided:
        return then.total == now.total
    one, other = float(then.total), float(now.total)
    return abs(one - other) <= SAME * max(abs(one), abs(other), 1)
