"""Days on which nobody needs to come: a file of `date,name` and, where it is one app's holiday alone, `app_id`."""

import csv
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa

from etl.errors import BadUse
from etl.vocabulary.columns import HOLIDAYS


def read_holidays(path: Path | None) -> pa.Table:
    """Read the calendar as rows (columns of `HOLIDAYS`); without a file there are none.

    Raises:
        BadUse: the file is missing or has a line without a date; the message names it.
    """
    return pa.Table.from_pylist(list(rows_of(path)) if path else [], schema=HOLIDAYS)


def rows_of(path: Path) -> Iterator[dict[str, date | str | None]]:
    """Read a line after the other; what is empty is absent."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                yield {
                    "date": date.fromisoformat((row.get("date") or "").strip()),
                    "name": row.get("name") or None,
                    "app_id": row.get("app_id") or None,
                }
    except OSError as error:
        raise BadUse(f"there is no calendar of holidays at {path}", "Set `holidays` to its place") from error
    except (ValueError, csv.Error) as error:
        raise BadUse(f"{path.name}: {error}", "Write date,name in the first line, and days as 2026-12-25") from error
