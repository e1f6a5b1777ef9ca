"""The runner: one shape for all stages.

A stage says what it wants (unit → fingerprint, from manifests alone) and makes units; all else is here: staging,
placing, syncing, the manifest, what a killed run left, one log line a commit. What is stale (wanted differs from
committed) and what is gone (committed and no longer wanted) follows from it, so `pending`, days to do again, what one
task hands to the next, and "nothing new" are answers of one function each, for every stage alike.
"""

import re
import shutil
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Generic

import structlog

from etl.engines.engine import HERE, Engine
from etl.lake import files
from etl.lake.catalogue import Lake, write_note
from etl.lake.datasets import DATASETS
from etl.lake.fingerprint import Fingerprint, digest
from etl.lake.manifests import Commit, Part, Unit
from etl.stages.stage import Advance, Facts, Output, Stage, Work, silent
from etl.stages.staleness import chained, compare

FILE_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,63}")


@dataclass(frozen=True)
class Outcome(Generic[Facts]):
    """What a run of a stage did: commits made, and commits that are no more."""

    made: list[Commit[Facts]]
    gone: list[Commit[Facts]]

    def count(self, name: str) -> int:
        """Add up one count over all units made."""
        return sum(unit.counts.get(name, 0) for commit in self.made for unit in commit.units.values())


def run(
    lake: Lake, stage: Stage[Facts], *, days: Collection[date] = (), units: Collection[str] = (),
    advance: Advance = silent, engine: Engine = HERE,
) -> Outcome[Facts]:  # fmt: skip
    """Bring a stage up to date; return what it committed and what it took away.

    Args:
        days: days to do again though nothing in them changed.
        units: units to make again though nothing in them changed.
        engine: where the stage's tasks run.
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
    driver = Driver(lake, stage, wanted, tuple(days), advance, engine)
    if stage.hands_on is None:
        groups = list(stage.groups(lake, [unit for unit in wanted if unit in waiting]))
        at_once = engine.groups_at_once if stage.is_spread else lake.settings.threads if stage.is_concurrent else 1
        if at_once > 1:
            with ThreadPoolExecutor(max_workers=at_once) as pool:
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
        self, lake: Lake, stage: Stage[Facts], wanted: Mapping[str, Fingerprint], days: Sequence[date],
        advance: Advance, engine: Engine,
    ) -> None:  # fmt: skip
        self.lake, self.stage, self.wanted = lake, stage, wanted
        self.days, self.advance, self.engine = days, advance, engine
        self.held: dict[str, tuple[Commit[Facts], Unit]] = dict(lake.units(stage.name, stage.facts))
        self.sequence = max((commit.sequence for commit, _ in self.held.values()), default=0)
        self.turn = threading.Lock()

    def make(self, units: Sequence[str]) -> Commit[Facts]:
        """Make units and commit them: files in place first, the manifest, and then what they replace goes."""
        begun = time.perf_counter()
        before = list({id(self.held[unit][0]): self.held[unit][0] for unit in units if unit in self.held}.values())
        fingerprints = {unit: chained(self.stage, unit, self.wanted[unit], self.held) for unit in units}
        with self.lake.staging() as folder:
            made = self.stage.make(
                Work(self.lake, units, fingerprints, folder, before, self.days, self.advance, self.engine)
            )
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
