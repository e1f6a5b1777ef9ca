"""Rewritten: parts of what was made of lines that are gone, written anew in the order of their rows."""

from collections.abc import Callable, Collection
from typing import Any

import duckdb
import msgspec

from etl.lake import sql
from etl.lake.catalogue import Lake, write_note
from etl.lake.datasets import PARQUET
from etl.lake.landed import STAGE
from etl.lake.manifests import Commit, Landing, Part
from etl.lake.retention import Landed
from etl.stages.runner import place
from etl.stages.stage import Output


def rewrite_parts(
    con: duckdb.DuckDBPyConnection, lake: Lake, commit: Commit[Any], rows_of: Callable[[Part, str], str | None]
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
        write_note(lake.manifest_path(commit.stage, commit.name), msgspec.structs.replace(commit, parts=parts))
        for name in {part.path for part in old} - {part.path for part in parts}:
            lake.path(name).unlink(missing_ok=True)


def note(lake: Lake, found: Collection[Landed], **said: bool) -> None:
    """Say of contents what has gone from what was made of them, in the manifests of landing."""
    numbers = {one.content.file_id for one in found}
    names = {one.commit.name for one in found}
    for commit in lake.commits(STAGE, Landing) if found else ():
        if commit.name in names:
            contents = [
                msgspec.structs.replace(content, **said) if content.file_id in numbers else content
                for content in commit.facts.contents
            ]
            facts = msgspec.structs.replace(commit.facts, contents=contents)
            write_note(lake.manifest_path(STAGE, commit.name), msgspec.structs.replace(commit, facts=facts))
