"""What the days of a dataset are made of, over all commits that hold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from etl.lake.manifests import Commit, Part


@dataclass
class DayParts:
    """A day's parts of one dataset, and what its readers depend on."""

    parts: list[Part] = field(default_factory=list)
    identities: list[str] = field(default_factory=list)


NO_PARTS = DayParts()


def by_day(commits: Iterable[Commit[Any]], dataset: str, since: str = "") -> dict[str, DayParts]:
    """List a dataset's parts by day, in order of day; identities in an order that does not depend on commits'.

    Args:
        since: the first day that is listed: of those before the events are gone.
    """
    found: dict[str, DayParts] = {}
    for commit in commits:
        for day, parts in commit.day_parts(dataset).items():
            if day < since:
                continue
            entry = found.setdefault(day, DayParts())
            entry.parts += parts
            entry.identities += [commit.identity(part) for part in parts]
    for entry in found.values():
        entry.identities.sort()
    return dict(sorted(found.items()))


def parts_of(days: Mapping[str, DayParts], wanted: Iterable[str]) -> list[Part]:
    """List the parts of some days."""
    return [part for day in wanted for part in days.get(day, NO_PARTS).parts]
