"""Renew: rows that cannot be parsed again, in the columns of this version."""

import msgspec
import pyarrow.parquet as pq

from etl.lake.catalogue import Lake, write_note
from etl.lake.datasets import DATASETS
from etl.lake.landed import PARSED, holds_all_there_is, without_raw
from etl.lake.manifests import Commit, Part, Reading
from etl.stages.parse.carry import as_now
from etl.stages.parse.stage import Parse
from etl.stages.runner import place
from etl.stages.stage import Output


def renew(lake: Lake) -> None:
    """Bring what was parsed of lines that are gone to the columns of now, where these are not those of the lake.

    What decides its readers is the same as before; a column that the version before did not know is null.
    """
    changed = {name for name in Parse.gives if not is_known(lake, name)}
    gone = without_raw(lake) if changed else set()
    for commit in lake.commits(PARSED, Reading) if gone else ():
        if holds_all_there_is(commit, gone):
            rewrite(
                lake, commit, [part for part in commit.parts if part.dataset in changed and not is_of_now(lake, part)]
            )


def is_known(lake: Lake, dataset: str) -> bool:
    """Say whether the lake has the columns that a dataset has now."""
    path = lake.empty(dataset)
    return path.exists() and bool(pq.read_schema(path) == DATASETS[dataset].columns)


def is_of_now(lake: Lake, part: Part) -> bool:
    """Say whether a file has the columns that its dataset has now."""
    dataset = DATASETS[part.dataset]
    names = [name for name in dataset.columns.names if name != dataset.partition]
    return list(pq.read_schema(lake.path(part.path)).names) == names


def rewrite(lake: Lake, commit: Commit[Reading], old: list[Part]) -> None:
    """Write some parts of a commit anew, and the commit that names them."""
    if not old:
        return
    made: dict[str, Part] = {}
    with lake.staging() as folder:
        for number, part in enumerate(old):
            path = folder / f"{number}.parquet"
            rows = as_now(part.dataset, pq.read_table(lake.path(part.path), partitioning=None))
            pq.write_table(rows, path, compression="zstd", compression_level=1)
            output = Output(part.dataset, path, day=part.day, content=part.content, rows=part.rows)
            made[part.path] = place(lake, commit.name, output)
        parts = [made.get(part.path, part) for part in commit.parts]
        write_note(lake.manifest_path(PARSED, commit.name), msgspec.structs.replace(commit, parts=parts))
        for name in made.keys() - {part.path for part in parts}:
            lake.path(name).unlink(missing_ok=True)
