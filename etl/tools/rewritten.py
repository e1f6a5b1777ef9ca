"""Rewritten: parts of what was parsed of lines that are gone, written anew in the order of their rows."""

from collections.abc import Callable

import duckdb
import msgspec

from etl.lake import sql
from etl.lake.catalogue import Lake, write_note
from etl.lake.datasets import PARQUET
from etl.lake.landed import PARSED
from etl.lake.manifests import Commit, Part, Reading
from etl.stages.runner import place
from etl.stages.stage import Output


def rewrite_parts(
    con: duckdb.DuckDBPyConnection, lake: Lake, commit: Commit[Reading], rows_of: Callable[[Part, str], str | None]
) -> None:
    """Write parts of a commit anew, then its manifest, and remove last what that no longer names.

    What decides their readers stays the same.

    Args:
        rows_of: says in SQL the rows of a part by those it has, a relation with their `file_row_number`; None where it
            stays as it is.
    """
    parts, old = [], []
    with lake.staging() as folder:
        for part in commit.parts:
            rows = rows_of(part, f"read_parquet({sql.text(lake.path(part.path))}, file_row_number = true)")
            if rows is None:
                parts.append(part)
                continue
            path = folder / f"{len(parts)}.parquet"
            con.execute(f"copy ({rows} order by file_row_number) to {sql.text(path)} ({PARQUET})")
            parts.append(place(lake, commit.name, Output(part.dataset, path, part.day, part.content, part.rows)))
            old.append(part)
        write_note(lake.manifest_path(PARSED, commit.name), msgspec.structs.replace(commit, parts=parts))
        for name in {part.path for part in old} - {part.path for part in parts}:
            lake.path(name).unlink(missing_ok=True)
