"""The one door to the published warehouse: a DuckDB file that anyone may open for reading, at any time."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb

from etl.errors import BadUse, Damaged

if TYPE_CHECKING:
    from etl.settings import Settings

STORED_AS: dict[str, str | bool | int | float | list[str]] = {"storage_compatibility_version": "v1.2.0"}
"""How files that other tools open are written: those bring a DuckDB of their own, often one of version 1."""


def require_published(settings: "Settings") -> None:
    """Refuse to read what is not there.

    Raises:
        BadUse: nothing has been published yet.
    """
    if not settings.warehouse.exists():
        raise BadUse(f"there is no warehouse at {settings.warehouse}", "Run `build` first")


@contextmanager
def published(settings: "Settings") -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the published warehouse for reading.

    Raises:
        BadUse: nothing has been published yet.
        Damaged: it was published for another folder, whose files it would read.
    """
    require_published(settings)
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        con.execute("set timezone = 'UTC'")
        require_here(con, settings)
        yield con


def shown_in(con: duckdb.DuckDBPyConnection, settings: "Settings") -> tuple[str, str]:
    """Say in which currency and by whose days the figures of a published warehouse are: not what is set now."""
    with suppress(duckdb.CatalogException, duckdb.BinderException):  # Published by a version that did not say.
        for currency, zone in con.execute("select reporting_currency, reporting_timezone from lake.place").fetchall():
            return str(currency), str(zone)
    return settings.reporting_currency, settings.reporting_timezone


def require_here(con: duckdb.DuckDBPyConnection, settings: "Settings") -> None:
    """Refuse to read a warehouse that was moved or copied since: its views name the files of where it was published.

    Raises:
        Damaged: it was published elsewhere.
    """
    try:
        con.execute("from lake.place").fetchall()
    except duckdb.CatalogException:
        # Published by a version before, which did not say.
        return
    except duckdb.InvalidInputException as error:
        raise Damaged(
            f"{settings.home} was moved or copied since it was published",
            f"Publish it again: python -m etl run --home {settings.home}",
        ) from error


def published_at(settings: "Settings") -> datetime:
    """Say when the warehouse was published, UTC."""
    return datetime.fromtimestamp(settings.warehouse.stat().st_mtime, UTC)
