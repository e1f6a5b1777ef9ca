"""What a stage is: what it says of itself, what it is given, and what it gives back."""

import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from etl.engines.engine import HERE, Engine
from etl.lake.catalogue import Lake
from etl.lake.fingerprint import Fingerprint
from etl.lake.manifests import Commit, Part

Facts = TypeVar("Facts")
Advance = Callable[[str, int], None]
"""Told a word about what was done and how much of the total it was."""

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def is_day(unit: str) -> bool:
    """Say whether a unit is an ISO day."""
    return DAY.fullmatch(unit) is not None


def silent(_word: str, _amount: int) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Output:
    """A file that a stage has made, in the staging folder: of which dataset, day, and with what content.

    Attributes:
        content: what decides whoever reads it, where that is less than all it was made of.
        name: its name in the lake without ending, where others know it by that; else made of its unit and bytes.
        source: a folder between the dataset and its partition.
    """

    dataset: str
    path: Path
    day: str | None = None
    content: str | None = None
    rows: int | None = None
    name: str | None = None
    source: str | None = None


def copy_of(lake: Lake, part: Part, path: Path, dataset: str, day: str) -> Output:
    """Give back sealed rows as they are, in a file of their own."""
    shutil.copyfile(lake.path(part.path), path)
    return Output(dataset, path, day=day, content=part.content)


@dataclass(frozen=True)
class Made(Generic[Facts]):
    """What a stage has made of some units.

    Attributes:
        counts: by unit, what became of its rows.
        kept: parts of the commits before that go on to hold.
    """

    facts: Facts
    outputs: Sequence[Output] = ()
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    kept: Sequence[Part] = ()


@dataclass(frozen=True)
class Work(Generic[Facts]):
    """What a stage is given to make some units.

    Attributes:
        folder: where it writes; nothing else of the home may be written.
        fingerprints: what each unit is made under now.
        before: the commits that held these units.
        days: days that somebody wants done again, though nothing in them changed.
        advance: told of each piece done.
        engine: where tasks run that the work is cut into.
    """

    lake: Lake
    units: Sequence[str]
    fingerprints: Mapping[str, Fingerprint]
    folder: Path
    before: Sequence[Commit[Facts]]
    days: Sequence[date] = ()
    advance: Advance = silent
    engine: Engine = HERE


class Stage(ABC, Generic[Facts]):
    """A stage: pure of its inputs, but for `lake` and the folder it is lent.

    Attributes:
        facts: the structure of what its commits remember beside counts.
        gives: the datasets whose files it makes.
        hands_on: the dataset whose part of one unit is an input of the next, where units follow each other.
        is_concurrent: its units may be made several at a time, by threads of this process.
        is_spread: its work is done by tasks on the engine: as many groups are in the making as that can take.
    """

    name: ClassVar[str]
    facts: type[Facts]
    gives: ClassVar[tuple[str, ...]] = ()
    hands_on: ClassVar[str | None] = None
    is_concurrent: ClassVar[bool] = False
    is_spread: ClassVar[bool] = False

    @abstractmethod
    def wanted(self, lake: Lake) -> Mapping[str, Fingerprint]:
        """Say what each unit would be made of now, from manifests and settings alone."""

    @abstractmethod
    def make(self, work: Work[Facts]) -> Made[Facts]:
        """Make some units together, into the folder that `work` lends."""

    def definition(self, lake: Lake) -> object:
        """Say what of its fingerprints is meaning and not data: its version and the settings it reads."""
        del lake
        return None

    def groups(self, lake: Lake, units: Sequence[str]) -> Iterable[Sequence[str]]:
        """Cut stale units into those that are made together: each by itself, unless a stage says otherwise."""
        del lake
        return ([unit] for unit in units)

    def of_days(self, lake: Lake, days: Collection[date]) -> Collection[str]:
        """Name the units to make again for these days; the days themselves, unless a stage says otherwise."""
        del lake
        return {day.isoformat() for day in days}

    def days_of(self, commit: Commit[Facts]) -> Iterable[str]:
        """Name the days that a commit concerns, ISO: those of its parts, unless a stage says otherwise."""
        return {part.day for part in commit.parts if part.day}

    def following(self, unit: str) -> str | None:
        """Name the unit that one hands on to."""
        del unit
        return None

    def preceding(self, unit: str) -> str | None:
        """Name the unit that hands on to this one."""
        del unit
        return None

    def is_lost(self, lake: Lake, commit: Commit[Facts]) -> bool:
        """Say whether what a commit made outside the lake is there no more."""
        del lake, commit
        return False

    def concerns(self, lake: Lake, units: Collection[str]) -> Iterable[str]:
        """Name the days, ISO, that stale units are known to concern: those that are days, unless a stage says so."""
        del lake
        return (unit for unit in units if is_day(unit))

    def review(self, lake: Lake) -> None:
        """Look at what has been committed before anything is called stale; under the lock."""
        del lake

    # What follows from these for every stage

    def commits(self, lake: Lake) -> list[Commit[Facts]]:
        """Read the commits that hold."""
        return lake.commits(self.name, self.facts)

    def parts(self, lake: Lake, dataset: str) -> list[tuple[Commit[Facts], Part]]:
        """List the parts of a dataset that this stage has made, with their commits."""
        return [(commit, part) for commit in self.commits(lake) for part in commit.parts if part.dataset == dataset]
