"""The runner: one shape for all stages.

A stage says what it wants (unit → fingerprint, from manifests alone) and makes units; all else is here: what is
stale (wanted differs from committed), what is gone (committed and no longer wanted), staging, placing, syncing, the
manifest, what a killed run left, one log line a commit. So `pending`, days to do again, what one task hands to the
next, and "nothing new" are answers of one function each, for every stage alike.
"""

import re
import shutil
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import structlog

from etl.lake import files
from etl.lake.catalogue import Lake, write_note
from etl.lake.datasets import DATASETS
from etl.lake.fingerprint import Fingerprint, digest
from etl.lake.manifests import Commit, Part, Unit

Facts = TypeVar("Facts")
Advance = Callable[[str, int], None]
"""Told a word about what was done and how much of the total it was."""

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
FILE_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,63}")


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
    """

    lake: Lake
    units: Sequence[str]
    fingerprints: Mapping[str, Fingerprint]
    folder: Path
    before: Sequence[Commit[Facts]]
    days: Sequence[date] = ()
    advance: Advance = silent


class Stage(ABC, Generic[Facts]):
    """A stage: pure of its inputs, but for `lake` and the folder it is lent.

    Attributes:
        facts: the structure of what its commits remember beside counts.
        gives: the datasets whose files it makes.
        hands_on: the dataset whose part of one unit is an input of the next, where units follow each other.
        is_concurrent: its units may be made several at a time.
    """

    name: ClassVar[str]
    facts: type[Facts]
    gives: ClassVar[tuple[str, ...]] = ()
    hands_on: ClassVar[str | None] = None
    is_concurrent: ClassVar[bool] = False

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


@dataclass(frozen=True)
class Outcome(Generic[Facts]):
    """What a run of a stage did: commits made, and commits that are no more."""

    made: list[Commit[Facts]]
    gone: list[Commit[Facts]]

    def count(self, name: str) -> int:
        """Add up one count over all units made."""
        return sum(unit.counts.get(name, 0) for commit in self.made for unit in commit.units.values())


@dataclass(frozen=True)
class Staleness:
    """What a stage has to do: units to make, and units that are no more."""

    stale: list[str]
    gone: list[str]

    def __bool__(self) -> bool:
        return bool(self.stale or self.gone)


def handed(stage: Stage[Any], unit: str, held: Mapping[str, tuple[Commit[Any], Unit]]) -> str:
    """Name what the unit before hands on to one; nothing where it hands on nothing."""
    before = stage.preceding(unit)
    if stage.hands_on is None or before is None or before not in held:
        return ""
    commit, _ = held[before]
    found = sorted(commit.identity(part) for part in commit.parts if part.dataset == stage.hands_on)
    return digest(*found) if found else ""


def chained(
    stage: Stage[Any], unit: str, wanted: Fingerprint, held: Mapping[str, tuple[Commit[Any], Unit]]
) -> Fingerprint:
    """Add what the unit before hands on to a fingerprint."""
    if stage.hands_on is None:
        return wanted
    return Fingerprint(digest(wanted.data, handed(stage, unit, held)), wanted.description)


def staleness(lake: Lake, stage: Stage[Any]) -> Staleness:
    """Compare what a stage wants with what it has committed; reads manifests alone, and takes no lock."""
    return compare(lake, stage, stage.wanted(lake), lake.units(stage.name, stage.facts))


def compare(
    lake: Lake, stage: Stage[Any], wanted: Mapping[str, Fingerprint], held: Mapping[str, tuple[Commit[Any], Unit]]
) -> Staleness:
    """Say which units are to be made, and which are no more; what is no more hands on nothing."""
    gone = [unit for unit in held if unit not in wanted]
    left = {unit: found for unit, found in held.items() if unit in wanted}
    stale = [
        unit
        for unit, fingerprint in wanted.items()
        if unit not in left
        or left[unit][1].fingerprint != chained(stage, unit, fingerprint, left)
        or stage.is_lost(lake, left[unit][0])
    ]
    return Staleness(stale, gone)


def run(
    lake: Lake, stage: Stage[Facts], *, days: Collection[date] = (), units: Collection[str] = (),
    advance: Advance = silent,
) -> Outcome[Facts]:  # fmt: skip
    """Bring a stage up to date; return what it committed and what it took away.

    Args:
        days: days to do again though nothing in them changed.
        units: units to make again though nothing in them changed.
    """
    stage.review(lake)
    wanted, held = stage.wanted(lake), lake.units(stage.name, stage.facts)
    found = compare(lake, stage, wanted, held)
    again = ({*units, *stage.of_days(lake, days)} if days else {*units}) & wanted.keys()
    waiting = {*found.stale, *again}
    gone = drop(lake, stage, found.gone)
    # Units that share a commit with one that is made again are made again with it, unless they are no more.
    waiting |= {
        unit for name in [*waiting, *found.gone] if name in held for unit in held[name][0].units if unit in wanted
    }
    driver = Driver(lake, stage, wanted, tuple(days), advance)
    if stage.hands_on is None:
        groups = list(stage.groups(lake, [unit for unit in wanted if unit in waiting]))
        if stage.is_concurrent:
            with ThreadPoolExecutor(max_workers=lake.settings.threads) as pool:
                return Outcome(list(pool.map(driver.make, groups)), gone)
        return Outcome([driver.make(group) for group in groups], gone)
    made = []
    while waiting:
        unit = min(waiting)
        waiting.remove(unit)
        made.append(driver.make([unit]))
        waiting |= driver.affected(unit)
    return Outcome(made, gone)


def drop(lake: Lake, stage: Stage[Facts], gone: Sequence[str]) -> list[Commit[Facts]]:
    """Take away the commits of which every unit is gone, manifest first; the others are made again without them."""
    names = set(gone)
    dropped = [commit for commit in stage.commits(lake) if commit.units.keys() <= names]
    if not dropped:
        return []
    with lake.staging():
        for commit in dropped:
            lake.manifest_path(stage.name, commit.name).unlink(missing_ok=True)
            remove_parts(lake, commit.parts, ())
            log_line(stage, commit, "gone", 0.0)
    return dropped


def remove_parts(lake: Lake, parts: Iterable[Part], kept: Iterable[Part]) -> None:
    """Remove files that hold no more, but those that readers may have open."""
    paths = {part.path for part in kept}
    for part in parts:
        if part.path not in paths and not DATASETS[part.dataset].is_kept:
            lake.path(part.path).unlink(missing_ok=True)


class Driver(Generic[Facts]):
    """Makes groups of units of one stage and commits them, one after the other or several at a time."""

    def __init__(
        self, lake: Lake, stage: Stage[Facts], wanted: Mapping[str, Fingerprint], days: Sequence[date], advance: Advance
    ) -> None:
        self.lake, self.stage, self.wanted, self.days, self.advance = lake, stage, wanted, days, advance
        self.held: dict[str, tuple[Commit[Facts], Unit]] = dict(lake.units(stage.name, stage.facts))
        self.sequence = max((commit.sequence for commit, _ in self.held.values()), default=0)
        self.turn = threading.Lock()

    def make(self, units: Sequence[str]) -> Commit[Facts]:
        """Make units and commit them: files in place first, the manifest, and then what they replace goes."""
        begun = time.perf_counter()
        before = list({id(self.held[unit][0]): self.held[unit][0] for unit in units if unit in self.held}.values())
        fingerprints = {unit: chained(self.stage, unit, self.wanted[unit], self.held) for unit in units}
        with self.lake.staging() as folder:
            made = self.stage.make(Work(self.lake, units, fingerprints, folder, before, self.days, self.advance))
            name = commit_name(units)
            parts = [*made.kept, *(place(self.lake, name, output) for output in made.outputs)]
            with self.turn:
                self.sequence += 1
                commit = Commit(
                    stage=self.stage.name, name=name, sequence=self.sequence, parts=parts, facts=made.facts,
                    units={
                        unit: Unit(fingerprint, dict(made.counts.get(unit, {})))
                        for unit, fingerprint in fingerprints.items()
                    },
                )  # fmt: skip
                write_note(self.lake.manifest_path(self.stage.name, name), commit)
                self.held |= {unit: (commit, commit.units[unit]) for unit in units}
            for old in before:
                if old.name != name:
                    self.lake.manifest_path(self.stage.name, old.name).unlink(missing_ok=True)
                remove_parts(self.lake, old.parts, parts)
        log_line(self.stage, commit, "made", time.perf_counter() - begun)
        return commit

    def affected(self, unit: str) -> set[str]:
        """Name the unit to make after one, if what is handed on to it has changed."""
        after = self.stage.following(unit)
        if after is None or after not in self.wanted:
            return set()
        wanted = chained(self.stage, after, self.wanted[after], self.held)
        is_fresh = after in self.held and self.held[after][1].fingerprint == wanted
        return set() if is_fresh else {after}


def commit_name(units: Sequence[str]) -> str:
    """Name a commit by its unit, where that can be a file's name, else by a digest of its units."""
    if len(units) == 1 and FILE_NAME.fullmatch(units[0]):
        return units[0]
    return digest(*sorted(units))


def place(lake: Lake, commit: str, output: Output) -> Part:
    """Move a finished file to where its dataset lies; return what a manifest says of it."""
    dataset = DATASETS[output.dataset]
    sha256, size = files.sha256_of(output.path), output.path.stat().st_size
    folder = Path(dataset.place, output.source or "")
    if dataset.partition is not None:
        folder /= f"{dataset.partition}={output.day}"
    path = folder / f"{output.name or f'{commit}-{sha256[:8]}'}.parquet"
    files.move_into_place(output.path, lake.path(str(path)))
    return Part(
        dataset=output.dataset, path=path.as_posix(), size=size, sha256=sha256, day=output.day,
        content=output.content, rows=output.rows,
    )  # fmt: skip


def log_line(stage: Stage[Any], commit: Commit[Any], event: str, seconds: float) -> None:
    """Say of one commit what was done, in one structured line."""
    counts: dict[str, int] = {}
    for unit in commit.units.values():
        for name, count in unit.counts.items():
            counts[name] = counts.get(name, 0) + count
    structlog.get_logger("bloodhound").info(
        event, stage=stage.name, commit=commit.name, units=len(commit.units), seconds=round(seconds, 3),
        **{"files": len(commit.parts), "bytes": sum(part.size for part in commit.parts)} | counts,
    )  # fmt: skip


def sweep(lake: Lake, stages: Iterable[Stage[Any]]) -> int:
    """Remove what killed runs left: staging, and files in place that no manifest names; return how many files.

    Looks only where a run left its staging folder: whoever places files holds one until they are committed.
    """
    staging, spill = lake.path("staging"), lake.path("spill")
    shutil.rmtree(spill, ignore_errors=True)
    if not staging.exists() or not any(staging.iterdir()):
        return 0
    makers = list(stages)
    for stage in makers:
        # What a later commit replaced must not hold again when that one goes.
        holding = {commit.name for commit in stage.commits(lake)}
        for path in lake.path("manifests", stage.name).glob("*.json"):
            if path.stem not in holding:
                path.unlink()
    named = {part.path for stage in makers for commit in stage.commits(lake) for part in commit.parts}
    removed = 0
    for dataset in sorted({dataset for stage in makers for dataset in stage.gives}):
        if DATASETS[dataset].is_kept:
            continue
        for path in placed(lake.path(DATASETS[dataset].place)):
            if path.relative_to(lake.root).as_posix() not in named:
                path.unlink()
                removed += 1
    shutil.rmtree(staging)
    return removed


def placed(folder: Path) -> Iterator[Path]:
    """List the Parquet files below a folder."""
    return folder.rglob("*.parquet") if folder.is_dir() else iter(())
