"""Files written whole or not at all, and still there after a power cut: written, synced, named, and the name synced."""

import errno
import hashlib
import os
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_full(error: BaseException) -> bool:
    """Say whether an error is that of a full disk; Parquet's and DuckDB's writers and dbt say it in words only."""
    return getattr(error, "errno", None) in FULL or any(os.strerror(code) in str(error) for code in FULL)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder and those above it, so that a power cut cannot take their names."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(mode=mode, exist_ok=True)
        sync_folder(path.parent)


def move_into_place(source: Path, target: Path) -> None:
    """Give a finished file its name, replacing what had it."""
    with source.open("rb") as file:
        os.fsync(file.fileno())
    make_folder(target.parent)
    source.replace(target)
    sync_folder(target.parent)


def link_into_place(source: Path, target: Path) -> None:
    """Give a file that lies in place a second name, replacing what had it."""
    make_folder(target.parent)
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        os.link(source, partial)
        partial.replace(target)
        sync_folder(target.parent)
    finally:
        partial.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a small file whole."""
    make_folder(path.parent)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        partial.write_bytes(content)
        move_into_place(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_table(path: Path, table: pa.Table) -> None:
    """Write a small Parquet file whole."""
    make_folder(path.parent)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        pq.write_table(table, partial, compression="zstd")
        move_into_place(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Hash a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
