"""Marts kept by day: immutable Parquet, a file a day, named by what it holds, and the names by which people find it."""

import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path

import duckdb

from etl.lake import files, sql
from etl.lake.catalogue import Lake
from etl.lake.datasets import PARQUET

BY_DAY = {
    ("core", "page_views"): "session_date",
    ("core", "sessions"): "session_date",
    ("marketing", "touchpoints"): "touched_date",
}
"""The marts kept a file per day, and their column of the day."""


def shown_path(lake: Lake, schema: str, name: str) -> Path:
    """Where people find a mart's Parquet, without its ending: those of `core` beside the events."""
    if schema == "core":
        return lake.path(name)
    return lake.path("marts", schema, name)


def day_contents(con: duckdb.DuckDBPyConnection, schema: str, name: str) -> dict[str, str]:
    """Name what each day of a mart holds, by its rows in any order, their columns and types.

    By content, not by what it was made of: a login of today gives sessions of last month their person, and what else
    a mart's rows follow from is dbt's to know. The hash reads all rows, a fifth of the time it takes to write them.
    """
    columns = con.execute(f"describe built.{schema}.{name}").fetchall()
    shape = repr([(column, kind) for column, kind, *_ in columns])
    listed = ", ".join(f'"{column}"' for column, *_ in columns)
    rows = con.execute(
        f"""
        select cast({BY_DAY[schema, name]} as varchar), count(*), sum(cast(hash({listed}) as hugeint))
        from built.{schema}.{name} group by 1 order by 1
        """
    ).fetchall()
    return {day: hashlib.sha256(repr((shape, *content)).encode()).hexdigest()[:16] for day, *content in rows}


def write_days(con: duckdb.DuckDBPyConnection, lake: Lake, staged: Path) -> dict[tuple[str, str], list[Path]]:
    """Write the days of the marts in `BY_DAY` that no version holds yet; return each mart's versions, by day."""
    written: dict[tuple[str, str], list[Path]] = {}
    for (schema, name), column in BY_DAY.items():
        folder = lake.path("versions", f"{schema}.{name}")
        paths = written[schema, name] = []
        for day, content in day_contents(con, schema, name).items():
            path = folder / f"{column}={day}" / f"{content}.parquet"
            paths.append(path)
            if path.exists():
                continue
            part = staged / f"{day}.parquet"
            con.execute(
                f"copy (select * exclude ({column}) from built.{schema}.{name} where {column} = date '{day}')"
                f" to {sql.text(part)} ({PARQUET})"
            )
            files.move_into_place(part, path)
    return written


def select_days(con: duckdb.DuckDBPyConnection, schema: str, name: str, paths: Sequence[Path]) -> str:
    """Say a mart kept by day in SQL, with the columns and types that dbt gave it."""
    columns = con.execute(f"describe built.{schema}.{name}").fetchall()
    if not paths:
        nothing = ", ".join(f'cast(null as {kind}) as "{column}"' for column, kind, *_ in columns)
        return f"from (select {nothing} where false)"
    listed = ", ".join(f'cast("{column}" as {kind}) as "{column}"' for column, kind, *_ in columns)
    day = BY_DAY[schema, name]
    return (
        f"select {listed} from read_parquet([{sql.texts(paths)}], hive_partitioning = true,"
        f" hive_types = {{'{day}': date}})"
    )


def is_here(warehouse: Path) -> str:
    """Say in SQL that the file that is open is the one that was published here, and fail if it is not.

    Views name files by their whole paths, since DuckDB takes others from where the reader happens to stand: a warehouse
    that was copied would read the files of the one it was copied from, as long as these are there. A reader who names
    it by a path that is not whole is believed.
    """
    known = sql.texts(sorted({str(warehouse), str(warehouse.resolve())}))
    told = sql.text(
        f"this warehouse was published as {warehouse} and reads the files there; where it lies now it is published anew"
        " by: python -m etl run --home …"
    )
    return (
        f"(select case when count(*) > 0 then true else error({told}) end from duckdb_databases()"
        f" where path in ({known}) or not starts_with(path, '/'))"
    )


def link_days(lake: Lake, schema: str, name: str, paths: Sequence[Path]) -> None:
    """Give the files of a mart the names by which people find them, hive-partitioned; the bytes exist once.

    A day is one file of the mart's name, or as many as a cluster made of it, numbered from the second on.
    """
    folder = shown_path(lake, schema, name)
    wanted: dict[Path, Path] = {}
    for path in paths:
        names = (f"{name}-{number}" if number else name for number in itertools.count())
        wanted[next(at for one in names if (at := folder / path.parent.name / f"{one}.parquet") not in wanted)] = path
    for shown in folder.glob("*/*.parquet"):
        if shown not in wanted:
            shown.unlink()
    for shown, path in wanted.items():
        if not (shown.exists() and shown.samefile(path)):
            files.link_into_place(path, shown)
