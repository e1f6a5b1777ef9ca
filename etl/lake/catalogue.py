"""The lake: its folders, its lock, and the catalogue of what holds now.

A stage writes its files into a staging folder, moves them into place, and last of all writes a manifest. Files that
no manifest names do not exist: all readers go by this catalogue.
"""

import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import msgspec
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from etl.errors import Damaged, Locked
from etl.lake import access, engine, files, key, sql
from etl.lake.datasets import DATASETS
from etl.lake.manifests import Commit, Part, Unit
from etl.settings import Settings

SETTLED_NS = 1_000_000_000
LISTED: dict[str, tuple[int, list["tuple[str, tuple[int, int, int]]"]]] = {}
"""By folder: when it had last changed as it was listed, and its manifests. A year's are ten thousand files."""
HOLDING: dict[str, tuple[list["tuple[str, tuple[int, int, int]]"], type[Any], list[Commit[Any]]]] = {}
"""By folder: a listing, and what holds of it. A run asks some two hundred times."""

BETWEEN_SECONDS = 3600.0
BEGUN: set[Path] = set()
"""Homes to which this process has written. A backup may slip in between two stages of a run, which waits for it then:
it would else end in the middle, for having been there first."""

Facts = TypeVar("Facts")
Structure = TypeVar("Structure", bound=msgspec.Struct)


@dataclass(frozen=True)
class Lake:
    """The folder of Parquet datasets of one home, with the settings under which it is written."""

    settings: Settings

    @cached_property
    def root(self) -> Path:
        """The lake's folder."""
        return self.settings.lake

    def path(self, *parts: str) -> Path:
        """Name a file or folder of the lake."""
        return self.root.joinpath(*parts)

    def history(self, *parts: str) -> Path:
        """Name a file of what cannot be made again: what was published, told, mailed and probed, and when."""
        return self.settings.home.joinpath("history", *parts)

    def empty(self, dataset: str) -> Path:
        """Name the zero-row file that has a dataset's columns."""
        return self.path("schemas", f"{dataset}.parquet")

    def manifest_path(self, stage: str, name: str) -> Path:
        """Name the manifest of a commit."""
        return self.path("manifests", stage, f"{name}.json")

    # What holds now

    def commits(self, stage: str, facts: type[Facts]) -> list[Commit[Facts]]:
        """Read the commits of a stage that hold, in order of name; one of whose units a later one holds any does not.

        Raises:
            Damaged: a manifest cannot be read.
        """
        folder, listed = str(self.path("manifests", stage)), self._listed(stage)
        known_listed, known_facts, holding = HOLDING.get(folder, (None, None, []))
        if known_listed is listed and known_facts is facts:
            return [*holding]
        found = [read_unchanged(path, facts, *stamp) for path, stamp in listed]  # type: ignore[arg-type]
        latest: dict[str, int] = {}
        for commit in found:
            for unit in commit.units:
                latest[unit] = max(latest.get(unit, 0), commit.sequence)
        holding = [commit for commit in found if all(latest[unit] == commit.sequence for unit in commit.units)]
        HOLDING[folder] = listed, facts, holding
        return [*holding]

    def _listed(self, stage: str) -> list[tuple[str, tuple[int, int, int]]]:
        """List a stage's manifests (path; time, number and size), from memory while its folder is at rest."""
        folder = self.path("manifests", stage)
        try:
            changed_ns = folder.stat().st_mtime_ns
        except FileNotFoundError:
            return []
        listed_ns, known = LISTED.get(str(folder), (None, []))
        if listed_ns == changed_ns:
            return known
        begun_ns = time.time_ns()
        with os.scandir(folder) as entries:
            named = sorted(
                (entry for entry in entries if entry.name.endswith(".json") and not entry.name.startswith(".")),
                key=lambda entry: entry.name,
            )
        found = []
        for entry in named:
            info = entry.stat()
            found.append((entry.path, (info.st_mtime_ns, info.st_ino, info.st_size)))
        # Manifests come by renaming and go by unlinking, which gives their folder another time, but not within one
        # tick of the file system's clock: a listing of a folder that has just changed is not believed twice.
        if begun_ns - changed_ns > SETTLED_NS:
            LISTED[str(folder)] = changed_ns, found
        else:
            LISTED.pop(str(folder), None)
        return found

    def units(self, stage: str, facts: type[Any]) -> dict[str, tuple[Commit[Any], Unit]]:
        """Find the commit that holds each unit of a stage."""
        return {
            name: (commit, unit)
            for commit in sorted(self.commits(stage, facts), key=lambda commit: commit.sequence)
            for name, unit in commit.units.items()
        }

    def files(self, parts: Iterable[Part]) -> list[Path]:
        """Name the files of parts."""
        return [self.root / part.path for part in parts]

    def scan(self, dataset: str, parts: Iterable[Part]) -> str:
        """Say in SQL the rows of a dataset's parts; none, but with its columns, when there are none."""
        return sql.scan(self.files(parts), self.empty(dataset))

    # Writing

    def initialise(self) -> None:
        """Make the lake's folders and the zero-row file of each dataset.

        Raw lines, and what was just read of them, hold full addresses: those folders are closed to all but their owner.
        """
        access.close(self.settings)
        key.make_key(self.settings)
        for dataset in DATASETS.values():
            path = self.empty(dataset.name)
            if not path.exists() or pq.read_schema(path) != dataset.columns:
                files.write_table(path, dataset.columns.empty_table())

    @contextmanager
    def writing(self, patience_seconds: float = 0) -> Iterator[None]:
        """Hold the home for one writer.

        Args:
            patience_seconds: how long to wait for another run's stage to end; who has begun to write waits anyway.

        Raises:
            Locked: another run holds it.
        """
        home = self.settings.home
        home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(home / ".lock", timeout=max(patience_seconds, BETWEEN_SECONDS if home in BEGUN else 0))
        try:
            with lock, access.keeping_private(self.settings):
                BEGUN.add(home)
                yield
        except Timeout as error:
            raise Locked(
                f"another run is writing to {self.settings.home}",
                "Wait for it to end, or give this one another --home",
            ) from error

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Lend a folder on the lake's own disk, so that moving a file out of it is atomic.

        While it is there, files may lie in place that no manifest names yet: one that was left behind, by a kill or
        by an error, says that there is something to sweep.
        """
        folder = self.path("staging", uuid.uuid4().hex)
        folder.mkdir(parents=True)
        try:
            yield folder
        except BaseException:
            for entry in list(folder.iterdir()):
                shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def workbench(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open an in-memory DuckDB within the settings' limits, for reading alone; what it spills goes with it."""
        folder = self.path("spill", uuid.uuid4().hex)
        try:
            with engine.engine(self.settings, folder) as con:
                yield con
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@lru_cache(maxsize=200_000)
def read_unchanged(path: str, facts: type[Any], *_stamp: int) -> Commit[Any]:
    """Read a manifest once: each writing gives its file another number and time."""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=Commit[facts])  # type: ignore[valid-type]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Damaged(
            f"the manifest {path} cannot be read: {error}", "Mend it: python -m etl verify --repair"
        ) from error


def read_note(path: Path, kind: type[Structure]) -> Structure | None:
    """Read a small JSON file; None when it was never written.

    Raises:
        Damaged: it cannot be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Damaged(f"{path} cannot be read: {error}", "Restore it, or remove it") from error


def write_note(path: Path, content: msgspec.Struct | Mapping[str, Any]) -> None:
    """Write a small JSON file whole."""
    files.write_bytes(path, msgspec.json.encode(content, order="sorted"))
