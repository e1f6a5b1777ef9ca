"""The statements of this room: SQL files beside its modules, run on a connection that the caller opened."""

from pathlib import Path
from typing import Any

import duckdb

from etl.lake.engine import run_file, set_variables

__all__ = ["run", "set_variables"]


def run(con: duckdb.DuckDBPyConnection, name: str, **values: Any) -> duckdb.DuckDBPyConnection:
    """Run one of this room's SQL files, with the values that it names as `$name`."""
    return run_file(con, Path(__file__).with_name(name), **values)
