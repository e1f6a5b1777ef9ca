"""Sealed rows: what is kept of days whose events are gone, as manifests say it.

A commit of the stage `seal` for each month holds rows of tables, a file a table; one more, the edge, says which days
they stand for, and holds what the first day whose events are there needs of the days before. None of it can be made
again. Whoever reads events, messages or hits leaves out the days before the edge: they may be there while a run that
was killed has not let go of them yet, or be parsed again of a file that is still there.
"""

from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

import msgspec

from etl.lake import sql
from etl.lake.catalogue import Lake
from etl.lake.fingerprint import digest
from etl.lake.manifests import Commit, Part

STAGE, EDGE, DATASET = "seal", "edge", "sealed"
SPEAKERS = "speakers"
"""Whose messages each sealed session holds, user by user; and who spoke outside of sessions, by day."""


class Kept(msgspec.Struct, frozen=True):
    """What a commit of sealed rows says.

    The edge says: events are gone of the days before `gone_before`; the rows of tables stand for the days before
    `rows_before`, some days later, since pages and hits are paired over days; copies of messages are decided for good
    before `decided_before`, since a copy may have come so late. `erased` names what erasures took out of the rows. A
    month repeats what the edge said when it was written, for whoever finds the edge damaged.
    """

    gone_before: str = ""
    rows_before: str = ""
    decided_before: str = ""
    erased: str = ""


NOTHING = Kept()


def commits(lake: Lake) -> list[Commit[Kept]]:
    """Read the commits of sealed rows."""
    return lake.commits(STAGE, Kept)


def edge(lake: Lake) -> Kept:
    """Say which days are gone; none while there is no edge."""
    return next((commit.facts for commit in commits(lake) if commit.name == EDGE), NOTHING)


def is_gone(part: Part, gone_before: str) -> bool:
    """Say whether a part is of a day whose events are gone."""
    return part.day is not None and part.day < gone_before


def table_of(part: Part) -> str:
    """Name the table of a part of sealed rows."""
    return Path(part.path).parts[1]


def parts_of(lake: Lake, table: str) -> list[Part]:
    """List the parts of a table."""
    return [part for commit in commits(lake) for part in commit.parts if table_of(part) == table]


def by_table(lake: Lake) -> dict[str, list[Part]]:
    """List the parts of all tables."""
    found: dict[str, list[Part]] = {}
    for commit in commits(lake):
        for part in commit.parts:
            found.setdefault(table_of(part), []).append(part)
    return found


def scan(lake: Lake, parts: Iterable[Part]) -> str:
    """Say in SQL the rows of parts of one table; versions between may have given it other columns."""
    return f"read_parquet([{sql.texts(lake.files(parts))}], hive_partitioning = false, union_by_name = true)"


def erased(lake: Lake) -> str:
    """Name what erasures have taken out of sealed rows; nothing while there are none."""
    return digest(sorted((commit.name, commit.facts.erased) for commit in commits(lake) if commit.facts.erased))


def days(lake: Lake) -> Iterator[str]:
    """List the days that sealed rows stand for, by the months of which there are any."""
    before = edge(lake).rows_before
    for commit in commits(lake):
        if commit.name != EDGE:
            year, month = map(int, commit.name.split("-"))
            found = (date(year, month, day + 1).isoformat() for day in range(monthrange(year, month)[1]))
            yield from (day for day in found if day < before)
