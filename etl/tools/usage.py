"""Usage: what a home takes on disk, by what it is for, and what the next run will free."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from etl.lake.catalogue import Lake
from etl.lake.manifests import Publication
from etl.tools.let_go import leaving
from etl.tools.let_go import waiting as events_waiting
from etl.tools.retain import waiting

CLASSES: dict[str, tuple[str, ...]] = {
    "landed lines": ("lake/raw",),
    "messages and hits": ("lake/messages", "lake/pixel_hits", "lake/keys", "lake/agents", "lake/hosts"),
    "sealed days": ("lake/sealed",),
    "quarantine": ("lake/quarantine",),
    "events and marts by day": ("lake/versions", "lake/events", "lake/sessions", "lake/page_views"),
    "marts": ("lake/marts", "lake/orders.parquet", "lake/visitors.parquet", "lake/page_view_counts.parquet"),
    "warehouse": ("warehouse/bloodhound.duckdb", "warehouse/marts.duckdb"),
    "build": ("warehouse/build",),
    "history": ("history", "incidents"),
    "made for people": ("report", "exports", "docs", "suspects"),
}
"""What the folders of a home are for; a file that two of them name counts once, in the first."""
OTHER = "other"


@dataclass(frozen=True)
class Usage:
    """What one class takes.

    Attributes:
        freed: so many bytes of it go with the next run: they are not to be kept, or no reader that it knows of needs
            them.
    """

    name: str
    files: int
    bytes: int
    freed: int = 0


def usage(lake: Lake) -> list[Usage]:
    """Add up the files of a home by class; names of one file (hard links) count once, and the inbox not at all."""
    home, seen = lake.settings.home, set[tuple[int, int]]()
    found = []
    for name, places in CLASSES.items():
        sizes = [size for place in places for size in sizes_of(home / place, seen)]
        freed = FREED[name](lake) if name in FREED else 0
        found.append(Usage(name, len(sizes), sum(sizes), freed))
    others = [path for path in home.iterdir() if path.is_file() and not path.is_symlink()]
    lake_folders = [path for path in lake.root.iterdir() if path.is_dir()]
    rest = [size for path in (*others, *lake_folders) for size in sizes_of(path, seen)]
    return [*found, Usage(OTHER, len(rest), sum(rest))]


def sizes_of(place: Path, seen: set[tuple[int, int]]) -> Iterator[int]:
    """Yield the size of each file below a place that was not seen by another name."""
    paths = (
        [place] if place.is_file() else [Path(folder, name) for folder, _, names in os.walk(place) for name in names]
    )
    for path in paths:
        info = path.lstat()
        if (info.st_dev, info.st_ino) not in seen:
            seen.add((info.st_dev, info.st_ino))
            yield info.st_size


def superseded(lake: Lake) -> int:
    """Add up the files that only the publication before the last one reads."""
    total = 0
    for commit in lake.commits("publish", Publication):
        for name in set(commit.facts.before) - set(commit.facts.now):
            path = lake.path(name)
            total += path.stat().st_size if path.exists() else 0
    return total


def not_kept(lake: Lake) -> int:
    """Add up the raw lines that are not to be kept for longer."""
    return sum(part.size for one in waiting(lake) for part in one.parts)


def going(lake: Lake) -> int:
    """Add up the messages and hits that are not to be kept for longer."""
    first = events_waiting(lake)
    return sum(part.size for part in leaving(lake, first)) if first else 0


FREED: dict[str, Callable[[Lake], int]] = {
    "landed lines": not_kept, "messages and hits": going, "events and marts by day": superseded,
}  # fmt: skip
"""How much of a class goes with the next run."""
