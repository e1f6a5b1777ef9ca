"""Slices: what is decoded at once, cut along the row groups of raw files so that its size is bounded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from etl.lake.landed import LandedFile

SLICE_BYTES = 384 * 2**20


@dataclass(frozen=True)
class Piece:
    """Rows of one raw Parquet file: all, or the lines from `first` to `last`."""

    path: Path
    file: LandedFile
    size: int
    first: int | None = None
    last: int | None = None


def group_files(files: Sequence[LandedFile], sources: Sequence[str]) -> Iterator[list[LandedFile]]:
    """Group files of one source up to a slice's size; a large file is a group of its own."""
    for source in sources:
        group: list[LandedFile] = []
        size = 0
        for file in files:
            if file.source != source:
                continue
            if group and size + file.content.bytes > SLICE_BYTES:
                yield group
                group, size = [], 0
            group.append(file)
            size += file.content.bytes
        if group:
            yield group


def plan_slices(files: Sequence[LandedFile]) -> Iterator[list[Piece]]:
    """Cut a group of files into pieces, and put these together up to a slice's size."""
    group: list[Piece] = []
    size = 0
    for file in files:
        for path in file.parts.values():
            for piece in cut_file(path, file):
                if group and size + piece.size > SLICE_BYTES:
                    yield group
                    group, size = [], 0
                group.append(piece)
                size += piece.size
    if group:
        yield group


def cut_file(path: Path, file: LandedFile) -> Iterator[Piece]:
    """Cut one raw file where its row groups add up to a slice."""
    metadata = pq.ParquetFile(path).metadata
    sizes = [metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups)]
    if sum(sizes) <= SLICE_BYTES:
        yield Piece(path, file, sum(sizes))
        return
    first: int | None = None
    size = 0
    for index, group_size in enumerate(sizes):
        numbers = metadata.row_group(index).column(0).statistics
        first = numbers.min if first is None else first
        size += group_size
        if size >= SLICE_BYTES // 2 or index == len(sizes) - 1:
            yield Piece(path, file, size, first, numbers.max)
            first, size = None, 0


def halve(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Cut a slice in two, down to single lines.

    Raises:
        duckdb.OutOfMemoryException: it is a single line.
    """
    middle = len(pieces) // 2
    if middle:
        return [list(pieces[:middle]), list(pieces[middle:])]
    (piece,) = pieces
    metadata = pq.ParquetFile(piece.path).metadata
    numbers = [metadata.row_group(index).column(0).statistics for index in range(metadata.num_row_groups)]
    first = min(found.min for found in numbers) if piece.first is None else piece.first
    last = max(found.max for found in numbers) if piece.last is None else piece.last
    if first == last:
        raise duckdb.OutOfMemoryException(f"{piece.file.source_file}, line {first}, takes more than memory_limit")
    half = (first + last) // 2
    return [
        [replace(piece, size=piece.size // 2, first=low, last=high)] for low, high in ((first, half), (half + 1, last))
    ]
