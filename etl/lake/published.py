"""The one door to the published warehouse: a DuckDB file that anyone may open for reading, at any time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import duckdb

from etl.errors import BadUse
from etl.settings import Settings


def require_published(settings: Settings) -> None:
    """Refuse to read what is not there.

    Raises:
        BadUse: nothing has been published yet.
    """
    if not settings.warehouse.exists():
        raise BadUse(f"there is no warehouse at {settings.warehouse}", "Run `build` first")


@contextmanager
def published(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the published warehouse for reading.

    Raises:
        BadUse: nothing has been published yet.
    """
    require_published(settings)
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        con.execute("set timezone = 'UTC'")
        yield con


def published_at(settings: Settings) -> datetime:
    """Say when the warehouse was published, UTC."""
    return datetime.fromtimestamp(settings.warehouse.stat().st_mtime, UTC)
