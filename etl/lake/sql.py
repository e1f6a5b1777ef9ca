"""Text and paths of this project inside SQL, quoted in one place."""

from collections.abc import Iterable
from pathlib import Path


def text(value: object) -> str:
    """Write a value as an SQL literal of text."""
    return "'" + str(value).replace("'", "''") + "'"


def texts(values: Iterable[object]) -> str:
    """Write values as the inside of an SQL list of text."""
    return ", ".join(text(value) for value in values)


def name(identifier: str) -> str:
    """Write a name of a column or relation in SQL."""
    return '"' + identifier.replace('"', '""') + '"'


def scan(paths: Iterable[Path], empty: Path) -> str:
    """Say `read_parquet([…])` of these files in SQL; the dataset's zero-row file when there are none."""
    listed = texts(list(paths) or [empty])
    return f"read_parquet([{listed}], hive_partitioning = false, union_by_name = false)"


def scan_named(paths: Iterable[Path]) -> str:
    """Say `read_parquet([…])` in SQL with the column `filename`: from which file a row is."""
    return f"read_parquet([{texts(paths)}], filename = true, hive_partitioning = false)"
