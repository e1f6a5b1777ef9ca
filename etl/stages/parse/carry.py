"""Carry: the parsed rows of files whose lines are there no more, when what they share a commit with is made again."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.lake.catalogue import Lake
from etl.lake.datasets import DATASETS
from etl.lake.fingerprint import digest
from etl.lake.landed import LandedFile
from etl.lake.manifests import Commit, Part, Reading
from etl.stages.stage import Output

BY_FILE = ("messages", "keys", "pixel_hits", "quarantine")
"""The datasets of parse whose rows say of which file they are; the others hold distinct values."""


def carry(
    lake: Lake, before: Iterable[Commit[Reading]], files: Collection[LandedFile], folder: Path
) -> Iterator[Output]:
    """Write again what was parsed of some files; the distinct values of all are kept with them."""
    numbers = pa.array([file.file_id for file in files], pa.int64())
    for commit in before:
        for part in commit.parts:
            path = folder / f"carried-{digest(part.path)}.parquet"
            is_of = (lambda table: pc.is_in(table["file_id"], numbers)) if part.dataset in BY_FILE else None
            rows = pq.read_table(lake.path(part.path), partitioning=None)
            rows = rows.filter(is_of(rows)) if is_of else rows
            if len(rows):
                yield carried(commit, part, rows, path, numbers.to_pylist())


def as_now(dataset: str, rows: pa.Table) -> pa.Table:
    """Bring rows that another version wrote to the columns of now; what that did not know is null."""
    fields = [field for field in DATASETS[dataset].columns if field.name != DATASETS[dataset].partition]
    return pa.table(
        [
            rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(len(rows), field.type)
            for field in fields
        ],
        schema=pa.schema(fields),
    )


def carried(commit: Commit[Reading], part: Part, rows: pa.Table, path: Path, numbers: Iterable[int]) -> Output:
    """Write rows of a part as a file of their own, known by what they were part of."""
    pq.write_table(as_now(part.dataset, rows), path, compression="zstd", compression_level=1)
    content = None if part.dataset == "quarantine" else digest(commit.identity(part), sorted(numbers))
    return Output(part.dataset, path, day=part.day, content=content)
