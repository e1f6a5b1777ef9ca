"""Published tables, read whole."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import duckdb


def asked(home: Path, query: str) -> list[tuple[Any, ...]]:
    """Ask the published warehouse of a home."""
    with duckdb.connect(str(home / "warehouse" / "bloodhound.duckdb"), read_only=True) as con:
        con.execute("set timezone = 'UTC'")
        return con.execute(query).fetchall()


def tables(home: Path, left_out: Collection[str], without: str = "") -> dict[str, list[str]]:
    """Read every table, but for the column of one name: rows as text, in order."""
    names = asked(
        home,
        "select table_schema || '.' || table_name from information_schema.tables"
        " where table_schema not in ('lake', 'metrics')",
    )
    told = f"select columns(lambda name: name <> '{without}') from"
    return {name: sorted(map(str, asked(home, f"{told} {name}"))) for (name,) in names if name not in left_out}


def differing(one: dict[str, list[str]], other: dict[str, list[str]]) -> list[str]:
    """Name the tables that are not equal."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
