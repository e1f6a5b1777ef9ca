"""Snapshots of a home's published tables, and the differences between two of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import duckdb

from etl.lake import sql

CLOSE = 1e-9
"""Relative difference up to which two floats are the same."""
PUBLICATION = (
    "*quality.restatements.published_at", "*quality.restatements.previous_published_at",
    "*quality.restatements.definition",
)  # fmt: skip
"""Columns that say when something was published, and by which code."""
LAKE = ("events", "page_views", "sessions", "orders.parquet", "visitors.parquet", "marts")
"""What the lake publishes, below its folder; the rest is the pipeline's own."""
FLOATS = ("DOUBLE", "FLOAT")
INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
SAMPLES = 3
SHOWN_COLUMNS = 4
SHOWN_LETTERS = 60


def snapshot(home: Path, target: Path) -> None:
    """Copy all that a home publishes into one file: its warehouse's tables and views, its lake's files as `parquet`.

    Views of a warehouse name their Parquet by absolute paths: a snapshot outlives its home.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}")
    partial.unlink(missing_ok=True)
    with duckdb.connect(str(home / "warehouse" / "bloodhound.duckdb"), read_only=True) as con:
        con.execute("set timezone = 'UTC'")
        con.execute(f"attach '{partial}' as snapshot (read_write)")
        published = con.execute(
            """
            select table_schema, table_name from information_schema.tables
            where table_catalog = current_database() order by 1, 2
            """
        ).fetchall()
        for schema in dict.fromkeys(schema for schema, _ in published):
            con.execute(f'create schema snapshot."{schema}"')
        for schema, name in published:
            con.execute(f'create table snapshot."{schema}"."{name}" as select * from "{schema}"."{name}"')
        con.execute("create schema snapshot.parquet")
        for name, paths in lake_datasets(home / "lake").items():
            con.execute(
                f"""
                create table snapshot.parquet."{name}" as
                select * from read_parquet([{sql.texts(paths)}], hive_partitioning = true)
                """
            )
        con.execute("detach snapshot")
    partial.replace(target)


def lake_datasets(lake: Path) -> dict[str, list[Path]]:
    """Name the files of each published dataset: its folder above the partitions, by dots."""
    found: dict[str, list[Path]] = {}
    for name in LAKE:
        root = lake / name
        for path in sorted(root.rglob("*.parquet")) if root.is_dir() else [root] if root.exists() else []:
            parts = path.relative_to(lake).with_suffix("").parts
            partition = next((place for place, part in enumerate(parts) if "=" in part), None)
            found.setdefault(".".join(parts[:partition]), []).append(path)
    return found


@dataclass(frozen=True)
class Allowed:
    """Differences that are meant: patterns of `schema.table.column`, or of `schema.table` for all of a table.

    Args:
        anything: what is not compared at all.
        types: columns that may change their type, but not their values.
    """

    anything: Sequence[str] = ()
    types: Sequence[str] = ()

    def holds(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in (*PUBLICATION, *self.anything))

    def holds_type(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.types)


@dataclass
class Difference:
    """How a table differs: what is there on one side only or of another type, and its rows on either side only."""

    table: str
    shape: list[str] = field(default_factory=list)
    gone: int = 0
    come: int = 0
    columns: list[str] = field(default_factory=list)
    gone_rows: list[str] = field(default_factory=list)
    come_rows: list[str] = field(default_factory=list)


def differences(old: Path, new: Path, allowed: Allowed) -> tuple[int, int, list[Difference]]:
    """Compare two snapshots; return how many tables and rows were compared, and the tables that differ."""
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        for name, path in (("old", old), ("new", new)):
            con.execute(f"attach '{path}' as {name} (read_only)")
        tables = [described(con, name) for name in ("old", "new")]
        names = [name for name in sorted({*tables[0], *tables[1]}) if not allowed.holds(name)]
        rows = 0
        found = []
        for name in names:
            sides = [side.get(name) for side in tables]
            if sides[0] is None or sides[1] is None:
                found.append(Difference(name, ["is new" if sides[0] is None else "is gone"]))
                continue
            difference = Difference(name, list(shape_differences(name, sides[0], sides[1], allowed)))
            shared = [column for column in sides[0] if column in sides[1] and not allowed.holds(f"{name}.{column}")]
            rows += compare_rows(con, difference, {column: (sides[0][column], sides[1][column]) for column in shared})
            if difference.shape or difference.gone or difference.come:
                found.append(difference)
    return len(names), rows, found


def described(con: duckdb.DuckDBPyConnection, database: str) -> dict[str, dict[str, str]]:
    """Read the columns of each table, in their order, and their types."""
    found: dict[str, dict[str, str]] = {}
    rows = con.execute(
        """
        select schema_name || '.' || table_name, column_name, data_type from duckdb_columns()
        where database_name = ? order by 1, column_index
        """,
        [database],
    ).fetchall()
    for table, column, kind in rows:
        found.setdefault(table, {})[column] = kind
    return found


def shape_differences(name: str, old: dict[str, str], new: dict[str, str], allowed: Allowed) -> Iterator[str]:
    """Say which columns are on one side only, or of another type, or in another order."""
    for column in sorted({*old, *new}):
        before, after = old.get(column), new.get(column)
        place = f"{name}.{column}"
        if before == after or allowed.holds(place):
            continue
        if before is None:
            yield f"column {column} ({after}) is new"
        elif after is None:
            yield f"column {column} ({before}) is gone"
        elif not allowed.holds_type(place):
            yield f"column {column} was {before} and is {after}"
    if list(old) != list(new) and set(old) == set(new) and not allowed.holds_type(name):
        yield "columns stand in another order"


def value(column: str, kinds: tuple[str, str]) -> str:
    """Say a column in SQL so that both sides can be compared, whatever their types.

    Numbers of 64 bits with and without a sign are the same if their bits are.
    """
    old, new = kinds
    if old == new:
        return f'"{column}"'
    if old in INTEGERS and new in INTEGERS:
        return f'((cast("{column}" as hugeint) + 18446744073709551616) % 18446744073709551616) as "{column}"'
    if {old, new} <= {*FLOATS, *INTEGERS} or any(kind.startswith("DECIMAL") for kind in kinds):
        return f'try_cast("{column}" as double) as "{column}"'
    return f'cast("{column}" as varchar) as "{column}"'


def compare_rows(con: duckdb.DuckDBPyConnection, difference: Difference, kinds: dict[str, tuple[str, str]]) -> int:
    """Note the rows that stand on one side only, as multisets; return how many the old side has."""
    listed = ", ".join(value(column, both) for column, both in kinds.items())
    schema, _, table = difference.table.partition(".")
    sides = {side: f'select {listed} from {side}."{schema}"."{table}"' for side in ("old", "new")}
    ((rows,),) = con.execute(f'select count(*) from old."{schema}"."{table}"').fetchall()
    con.execute(f"create or replace temp table gone as {sides['old']} except all {sides['new']}")
    con.execute(f"create or replace temp table come as {sides['new']} except all {sides['old']}")
    floats = [column for column, _, kind in columns_of(con) if kind in FLOATS]
    if floats:
        pair_off(con, [column for column in kinds if column not in floats], floats)
    ((difference.gone, difference.come),) = con.execute(
        "select (select count(*) from gone), (select count(*) from come)"
    ).fetchall()
    if difference.gone or difference.come:
        # Where only the combinations differ, no column does by itself.
        difference.columns = [column for column in kinds if differs(con, column)] or list(kinds)[: 2 * SHOWN_COLUMNS]
        leading = [column for column in list(kinds)[:SHOWN_COLUMNS] if column not in difference.columns]
        difference.gone_rows, difference.come_rows = (
            samples(con, side, [*leading, *difference.columns]) for side in ("gone", "come")
        )
    return int(rows)


def columns_of(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int, str]]:
    """Read names, places and types of the compared columns."""
    return con.execute(
        "select column_name, column_index, data_type from duckdb_columns() where table_name = 'gone' order by 2"
    ).fetchall()


def pair_off(con: duckdb.DuckDBPyConnection, exact: Sequence[str], floats: Sequence[str]) -> None:
    """Take away the rows that differ by no more than the last digits of floats.

    Rows that are the same in all else are paired in the order of their floats.
    """
    order = ", ".join(f'"{column}"' for column in floats)
    groups = ", ".join(f'"{column}"' for column in exact) or "1"
    same = [f'gone."{column}" is not distinct from come."{column}"' for column in exact] + [
        f'(gone."{column}" is not distinct from come."{column}" or coalesce(abs(gone."{column}" - come."{column}")'
        f' <= {CLOSE} * greatest(abs(gone."{column}"), abs(come."{column}")), false))'
        for column in floats
    ]
    for side in ("gone", "come"):
        con.execute(
            f"""
            create or replace temp table {side}_numbered as
            select *, row_number() over (partition by {groups} order by {order}) as "#" from {side}
            """
        )
    for side, other in (("gone", "come"), ("come", "gone")):
        con.execute(
            f"""
            create or replace temp table {side} as
            select {side}.* exclude ("#") from {side}_numbered as {side}
            where not exists (
                from {other}_numbered as {other} where gone."#" = come."#" and {" and ".join(same)}
            )
            """
        )


def differs(con: duckdb.DuckDBPyConnection, column: str) -> bool:
    """Tell whether the differing rows hold other values in this column."""
    ((count,),) = con.execute(
        f"""
        select count(*) from (
            (select "{column}" from gone except all select "{column}" from come)
            union all (select "{column}" from come except all select "{column}" from gone)
        )
        """
    ).fetchall()
    return bool(count)


def samples(con: duckdb.DuckDBPyConnection, side: str, columns: Sequence[str]) -> list[str]:
    """Write the first differing rows of a side, in order of their columns."""
    listed = ", ".join(f'"{column}"' for column in columns)
    rows = con.execute(f"select {listed} from {side} order by all limit {SAMPLES}").fetchall()
    return [
        ", ".join(f"{name}={str(cell)[:SHOWN_LETTERS]}" for name, cell in zip(columns, row, strict=True))
        for row in rows
    ]
