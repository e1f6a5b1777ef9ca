"""DuckDB as stages run it: in memory, within the settings' limits; and statements that stand in files of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from etl.settings import Settings


@contextmanager
def engine(settings: Settings, folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB with the settings' limits, spilling into `folder`."""
    with duckdb.connect(
        config={
            "threads": settings.threads,
            "memory_limit": settings.memory_limit,
            "temp_directory": str(folder / "spill"),
            "preserve_insertion_order": False,
            "enable_external_access": True,
            "autoload_known_extensions": False,
            "autoinstall_known_extensions": False,
        }
    ) as connection:
        connection.execute("set timezone = 'UTC'")
        # Joins run as written, the small side on the right: with two sides of nearly equal size the
        # optimiser now and then built its hash table of the wide one, and ran out of memory.
        connection.execute("set disabled_optimizers = 'join_order,build_side_probe_side'")
        yield connection


def run_file(con: duckdb.DuckDBPyConnection, path: Path, **values: Any) -> duckdb.DuckDBPyConnection:
    """Run an SQL file's statements, each with those of the values that it names as `$name`; return the last's rows."""
    for statement in duckdb.extract_statements(path.read_text()):
        names = statement.named_parameters
        con.execute(statement, {name: values[name] for name in names} if names else None)
    return con


def set_variables(con: duckdb.DuckDBPyConnection, **values: Any) -> None:
    """Set what the views of a connection name by `getvariable`: a view takes no `$name`."""
    for name, value in values.items():
        con.execute(f"set variable {name} = $value", {"value": value})
