"""Stray days: days of receipt on which nearly nothing was received, far from all others. Some clock was wrong.

One line that says it was received in 2099 would stretch every calendar and be "now". A day is stray if no day of its
source within a year holds, with its neighbours, a hundred lines or a hundredth of the source; a sole group of days
never is. More data may take that back.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.lake.catalogue import Lake
from etl.lake.landed import HELD, STAGE, content_name, file_name
from etl.lake.manifests import UNKNOWN_DAY, Landing, Part
from etl.vocabulary.columns import STRAYS

REACH_DAYS = 366
MANY_LINES = 100
MANY_OF_SOURCE = 0.01
SOURCES = ("events", "access", "pixel")
"""Sources whose lines say when they were received."""


@dataclass(frozen=True, order=True)
class Stray:
    """Lines of a file that were received on a stray day; `line_number` is that of the first."""

    source: str
    day: str
    source_file: str
    line_number: int
    lines: int


def find_strays(lake: Lake) -> list[Stray]:
    """List the stray days of each source, with the files that hold them."""
    held = [*held_lines(lake)]
    lines: dict[str, Counter[str]] = {source: Counter() for source in SOURCES}
    for one in held:
        lines[one.source][one.day] += one.lines
    strays = {source: stray_days(counted) for source, counted in lines.items()}
    return sorted(
        Stray(one.source, one.day, one.source_file, one.first_line(), one.lines)
        for one in held if one.day in strays[one.source]
    )  # fmt: skip


@dataclass(frozen=True)
class Held:
    """Lines of an inbox file that count, of one received day."""

    source: str
    day: str
    source_file: str
    lines: int
    first_line: Callable[[], int]


def held_lines(lake: Lake) -> Iterator[Held]:
    """List the lines that count and have a day, by file and day; those too that were not to be kept for longer."""
    for commit in lake.commits(STAGE, Landing):
        source, name = commit.facts.source, commit.facts.source_file
        if source not in SOURCES:
            continue
        held = {file_name(content.file_id) for content in commit.facts.contents if content.status in HELD}
        for part in commit.parts:
            if content_name(part) in held and part.day != UNKNOWN_DAY:
                yield Held(source, str(part.day), name, rows_of(lake, part), partial(first_line_of, lake, part))
        for content in commit.facts.contents:
            for day, rows in content.rows.items():
                yield Held(source, day, name, rows, partial(int, content.first_lines[day]))


def stray_days(lines: Mapping[str, int]) -> set[str]:
    """Say which days are stray, by how many lines each holds."""
    counts = {date.fromisoformat(day).toordinal(): count for day, count in lines.items()}
    days = sorted(counts)
    if all(after - before <= REACH_DAYS for before, after in pairwise(days)):
        return set()
    enough = min(MANY_LINES, MANY_OF_SOURCE * sum(counts.values()))
    near = {day + step for day in days for step in (-1, 0, 1)}
    dense = sorted(day for day in near if sum(counts.get(day + step, 0) for step in (-1, 0, 1)) >= enough)
    return {date.fromordinal(day).isoformat() for day in days if not is_near(dense, day)}


def is_near(dense: list[int], day: int) -> bool:
    """Say whether a day that holds enough lies within reach of a day; one that holds it itself has such neighbours."""
    return bisect_left(dense, day - REACH_DAYS) < bisect_left(dense, day + REACH_DAYS + 1)


def rows_of(lake: Lake, part: Part) -> int:
    """Say how many lines a raw file holds; homes of before did not write it down."""
    return counted_rows(str(lake.path(part.path))) if part.rows is None else part.rows


@lru_cache(maxsize=100_000)
def counted_rows(path: str) -> int:
    """Count the rows of a file that never changes."""
    return int(pq.read_metadata(path).num_rows)


def first_line_of(lake: Lake, part: Part) -> int:
    """Read the number of the first line of a raw file."""
    return first_line(str(lake.path(part.path)))


@lru_cache(maxsize=1000)
def first_line(path: str) -> int:
    """Read the number of the first line of a raw file that never changes."""
    return int(pc.min(pq.read_table(Path(path), columns=["line_number"], partitioning=None)["line_number"]).as_py())


def strays_table(lake: Lake) -> pa.Table:
    """Write the stray days as rows (columns of `STRAYS`)."""
    rows = [
        {
            "source": stray.source, "received_date": date.fromisoformat(stray.day), "source_file": stray.source_file,
            "line_number": stray.line_number, "lines": stray.lines,
        }
        for stray in find_strays(lake)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=STRAYS)
