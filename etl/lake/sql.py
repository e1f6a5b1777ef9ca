"""Values and paths inside SQL text, for the statements that take no parameters."""

from collections.abc import Iterable
from pathlib import Path


def text(value: object) -> str:
    """Write a value's text as an SQL literal, its quotes included."""
    return "'" + str(value).replace("'", "''") + "'"


def paths(values: Iterable[str | Path]) -> str:
    """Write paths as an SQL list of strings."""
    return f"[{', '.join(map(text, values))}]"
