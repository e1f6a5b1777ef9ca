"""The lake's folders: where everything lies, how it is read, and how it is written whole or not at all.

A stage writes its files into a staging folder, moves them into place, and last of all writes a
manifest. Files that no manifest names do not exist: readers go by manifests, and `sweep` removes
what an interrupted run left.
"""

import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from etl.errors import Locked
from etl.settings import Settings
from etl.vocabulary import columns as schemas

UNKNOWN_DAY = "__HIVE_DEFAULT_PARTITION__"
ROW_GROUP_ROWS = 122_880
PARQUET = f"format parquet, compression zstd, compression_level 1, row_group_size {ROW_GROUP_ROWS}"
# Sorted by visitor: with small groups a visitor's events, or a few visitors', are all that is read.
EVENTS_PARQUET = "format parquet, compression zstd, compression_level 1, row_group_size 32768"

DATASETS = {
    "events": schemas.EVENTS,
    "messages": schemas.MESSAGES,
    "pixel_hits": schemas.PIXEL_HITS,
    "quarantine": schemas.QUARANTINE,
    "files": schemas.FILES,
    "event_counts": schemas.EVENT_COUNTS,
    "spend": schemas.SPEND,
    "conversions": schemas.CONVERSIONS,
    "thresholds": schemas.THRESHOLDS,
    "restatements": schemas.RESTATEMENTS,
}


SETTLED_NS = 1_000_000_000
LISTED: dict[str, tuple[int, dict[str, dict[str, Any]]]] = {}
"""By folder: when it had last changed as it was listed, and its manifests. A year's are ten thousand files."""


def lake_path(settings: Settings, *parts: str) -> Path:
    """Name a file or folder of the lake."""
    return settings.lake.joinpath(*parts)


def initialise(settings: Settings) -> None:
    """Make the lake's folders and the zero-row file of each dataset.

    Raw lines, and what was just read of them, hold full addresses: those folders are closed to other users.
    """
    for name in ("raw", "messages", "pixel_hits"):
        folder = lake_path(settings, name)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    for name, schema in DATASETS.items():
        path = lake_path(settings, "schemas", f"{name}.parquet")
        if not path.exists() or pq.read_schema(path) != schema:
            write_table(path, schema.empty_table())
    sweep(settings)


def sweep(settings: Settings) -> None:
    """Remove what an interrupted run left half written."""
    shutil.rmtree(lake_path(settings, "staging"), ignore_errors=True)


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """Hold the home for one writer.

    Raises:
        Locked: another run holds it.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.home / ".lock", timeout=0)
    try:
        with lock:
            yield
    except Timeout as error:
        raise Locked(
            f"another run is writing to {settings.home}",
            "Wait for it to end, or give this one another --home",
        ) from error


@contextmanager
def staging(settings: Settings) -> Iterator[Path]:
    """Lend a folder on the lake's own disk, so that moving a file out of it is atomic."""
    folder = lake_path(settings, "staging", uuid.uuid4().hex)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def move_into_place(source: Path, target: Path) -> None:
    """Give a finished file its name, replacing what had it; safe against a power cut."""
    with source.open("rb") as file:
        os.fsync(file.fileno())
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


def write_table(path: Path, table: pa.Table) -> None:
    """Write a small Parquet file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        pq.write_table(table, partial, compression="zstd")
        move_into_place(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_manifest(path: Path, content: dict[str, Any]) -> None:
    """Commit: write a small JSON file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        partial.write_bytes(orjson.dumps(content, option=orjson.OPT_SORT_KEYS))
        move_into_place(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_manifest(path: Path) -> dict[str, Any] | None:
    """Read one manifest; None when it was never written."""
    try:
        return orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None


def manifests(settings: Settings, kind: str) -> dict[str, dict[str, Any]]:
    """Read all manifests of a kind (`files`, `batches`, `days`), by name, in order of name; not to be changed."""
    folder = lake_path(settings, "manifests", kind)
    try:
        changed_ns = folder.stat().st_mtime_ns
    except FileNotFoundError:
        return {}
    listed_ns, known = LISTED.get(str(folder), (None, {}))
    if listed_ns == changed_ns:
        return dict(known)
    begun_ns = time.time_ns()
    with os.scandir(folder) as entries:
        found = {entry.name: entry for entry in entries if entry.name.endswith(".json")}
    read = {}
    for name in sorted(found):
        info = found[name].stat()
        read[name.removesuffix(".json")] = read_unchanged(found[name].path, info.st_mtime_ns, info.st_ino, info.st_size)
    # Manifests come by renaming and go by unlinking, which gives their folder another time, but not within one tick
    # of the file system's clock: a listing of a folder that has just changed is not believed twice.
    if begun_ns - changed_ns > SETTLED_NS:
        LISTED[str(folder)] = changed_ns, read
    else:
        LISTED.pop(str(folder), None)
    return dict(read)


@lru_cache(maxsize=200_000)
def read_unchanged(path: str, *_stamp: int) -> dict[str, Any]:
    """Read a manifest once: each writing gives its file another number and time."""
    with open(path, "rb") as file:
        return orjson.loads(file.read())


def manifest_path(settings: Settings, kind: str, name: str) -> Path:
    """Name a manifest."""
    return lake_path(settings, "manifests", kind, f"{name}.json")


@contextmanager
def engine(settings: Settings, folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB with the settings' limits, spilling into `folder`."""
    with duckdb.connect(
        config={
            "threads": settings.threads,
            "memory_limit": settings.memory_limit,
            "temp_directory": str(folder / "spill"),
            "preserve_insertion_order": False,
            "enable_external_access": True,
            "autoload_known_extensions": False,
            "autoinstall_known_extensions": False,
        }
    ) as connection:
        connection.execute("set timezone = 'UTC'")
        # Joins run as written, the small side on the right: with two sides of nearly equal size the
        # optimiser now and then built its hash table of the wide one, and ran out of memory.
        connection.execute("set disabled_optimizers = 'join_order,build_side_probe_side'")
        yield connection


def scan(paths: Iterable[Path], empty: Path | None = None) -> str:
    """Say `read_parquet([…])` of these files in SQL; the dataset's zero-row file when there are none.

    Args:
        paths: files, named by this project only (never by a client).
        empty: a zero-row file to read when `paths` is empty.
    """
    names = [str(path) for path in paths] or [str(empty)]
    listed = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
    return f"read_parquet([{listed}], hive_partitioning = false, union_by_name = false)"


def partition_day(path: Path) -> date | None:
    """Read the day from `…/event_date=2026-03-01/…`; None for the unknown day."""
    value = path.parent.name.partition("=")[2]
    return None if value == UNKNOWN_DAY else date.fromisoformat(value)
