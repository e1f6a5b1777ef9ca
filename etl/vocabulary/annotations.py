"""What happened, by day: a file of `date,text` and, where it lasted, `until`; the page shows it beside its figures."""

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from etl.errors import BadUse

LONGEST = 200
"""Characters of a text: it stands in a line below a chart."""


@dataclass(frozen=True)
class Annotation:
    """A text about the days from `first` to `last`."""

    first: date
    last: date
    text: str


def read_annotations(path: Path | None) -> list[Annotation]:
    """Read the file in the order of its days; without a file there are none.

    Raises:
        BadUse: the file is missing, or a line has no date, no text, or ends before it begins; the message names it.
    """
    if path is None:
        return []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            found = [annotation_of(row) for row in csv.DictReader(file)]
    except OSError as error:
        raise BadUse(f"there are no annotations at {path}", "Set `annotations` to their place") from error
    except (ValueError, csv.Error) as error:
        raise BadUse(f"{path.name}: {error}", "Write date,until,text in the first line, days as 2026-12-25") from error
    return sorted(found, key=lambda one: (one.first, one.last, one.text))


def annotation_of(row: dict[str, str]) -> Annotation:
    """Read a line.

    Raises:
        ValueError: something of it has no sense.
    """
    first = date.fromisoformat((row.get("date") or "").strip())
    until = (row.get("until") or "").strip()
    last = date.fromisoformat(until) if until else first
    text = (row.get("text") or "").strip()[:LONGEST]
    if last < first:
        raise ValueError(f"{first} until {last} ends before it begins")
    if not text:
        raise ValueError(f"{first} has no text")
    return Annotation(first, last, text)
