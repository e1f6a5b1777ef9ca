"""Erase from what was parsed of lines that are gone: its rows are all there is, and go one by one."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import orjson
import pyarrow as pa

from etl.lake import sql
from etl.lake.catalogue import Lake, write_note
from etl.lake.datasets import PARQUET
from etl.lake.fingerprint import digest
from etl.lake.landed import PARSED, STAGE, file_name
from etl.lake.manifests import Commit, Content, Landing, Part, Reading, Unit
from etl.stages.runner import place
from etl.stages.stage import Output
from etl.tools.tombstones import Places

ROWS_AT_ONCE = 10_000
PLACED = {
    "messages": "file_id, message_ref >> 24, message_ref & 16777215",
    "keys": "file_id, message_ref >> 24, message_ref & 16777215",
    "pixel_hits": "file_id, line_number, 0",
    "quarantine": "file_id, line_number, coalesce(position, 0)",
    "agents": "0, 0, 0",
    "hosts": "0, 0, 0",
}  # fmt: skip
"""Where a row of each dataset came from, in SQL: the number of its content, a line, a place there."""
COUNTED = {"messages": "valid", "quarantine": "quarantined", "pixel_hits": "hits"}
"""The datasets whose rows the books count, and as what."""

From = tuple[int, int, int]


@dataclass(frozen=True)
class Gone:
    """A row that goes: of which dataset, and where it came from."""

    dataset: str
    origin: From


@dataclass
class ParsedRows:
    """The rows of contents whose lines are gone.

    Attributes:
        told: what the columns tell of who is wanted, by number of the content: lines, and places in them.
        holds: says whether a text holds an identifier of who is wanted.
        hints: spellings of identifiers; where there are any, rows without one need not be looked at.
    """

    lake: Lake
    told: Mapping[int, Places]
    holds: Callable[[str], bool]
    hints: Sequence[str]

    def erase(self, contents: Sequence[tuple[Commit[Landing], Content]]) -> list[tuple[str, int, int]]:
        """Take out rows of some contents; return of which file how many lines and messages went.

        The manifest of parse changes first, then that of landing, which counts it.
        """
        wanted = {content.file_id: (commit, content) for commit, content in contents}
        names, gone = {file_name(number) for number in wanted}, set[Gone]()
        for commit in self.lake.commits(PARSED, Reading):
            if not names.isdisjoint(commit.units):
                gone |= self.rewrite(commit, wanted)
        return [
            note(self.lake, *found, [row for row in gone if row.origin[0] == number])
            for number, found in sorted(wanted.items())
            if any(row.origin[0] == number for row in gone)
        ]

    def rewrite(self, commit: Commit[Reading], wanted: Collection[int]) -> set[Gone]:
        """Write the parts of a commit without the rows that go, and the commit with other counts."""
        gone, parts, old = set[Gone](), [], []
        with self.lake.staging() as folder, self.lake.workbench() as con:
            for part in sorted(commit.parts, key=lambda one: list(PLACED).index(one.dataset)):
                rows = self.rows_of(con, part, wanted, {row.origin for row in gone if row.dataset == "messages"})
                if not rows:
                    parts.append(part)
                    continue
                gone |= {Gone(part.dataset, origin) for origin in rows.values()}
                old.append(part)
                path = folder / f"{len(old)}.parquet"
                left = write_left(con, self.lake.path(part.path), rows, path)
                content = part.content and digest(part.content, sorted(rows))
                if left:
                    parts.append(place(self.lake, commit.name, Output(part.dataset, path, part.day, content)))
        if old:
            units = {name: less(unit, [row for row in gone if file_name(row.origin[0]) == name])
                     for name, unit in commit.units.items()}  # fmt: skip
            made = msgspec.structs.replace(commit, parts=parts, units=units)
            write_note(self.lake.manifest_path(PARSED, commit.name), made)
            for name in {part.path for part in old} - {part.path for part in parts}:
                self.lake.path(name).unlink(missing_ok=True)
        return gone

    def rows_of(
        self, con: duckdb.DuckDBPyConnection, part: Part, wanted: Collection[int], messages: Collection[From]
    ) -> dict[int, From]:  # fmt: skip
        """Find the rows of a part that go, by their number in the file: where each came from."""
        con.register("needles", pa.table({"needle": pa.array(list(self.hints), pa.string())}))
        reader = con.execute(
            f"""
            select file_row_number, {PLACED[part.dataset]}, cast(to_json(one) as varchar)
            from read_parquet({sql.text(self.lake.path(part.path))}, file_row_number = true) as one
            """
        )
        found: dict[int, From] = {}
        while some := reader.fetchmany(ROWS_AT_ONCE):
            for row, number, line, at, told in some:
                origin = (number, line, at)
                is_theirs = not number or number in wanted
                if is_theirs and (origin in messages or self.is_told(part.dataset, origin) or self.is_said(told)):
                    found[row] = origin
        return found

    def is_told(self, dataset: str, origin: From) -> bool:
        """Say whether a row's columns are those of who is wanted."""
        number, line, at = origin
        places = self.told.get(number, {}).get(line, set())
        return dataset in {"messages", "pixel_hits"} and (places is None or at in places)

    def is_said(self, told: str) -> bool:
        """Say whether a row, written as JSON, holds an identifier of who is wanted in any of its values."""
        if self.hints and not any(hint in told for hint in self.hints):
            return False
        return any(self.holds(value) for value in orjson.loads(told).values() if isinstance(value, str))


def write_left(con: duckdb.DuckDBPyConnection, source: Path, rows: Collection[int], target: Path) -> bool:
    """Write a part without some rows; say whether any is left."""
    con.register("rows_to_go", pa.table({"file_row_number": pa.array(sorted(rows), pa.int64())}))
    (written,) = con.execute(
        f"copy (select * exclude (file_row_number) from read_parquet({sql.text(source)}, file_row_number = true)"
        f" anti join rows_to_go using (file_row_number) order by file_row_number) to {sql.text(target)} ({PARQUET})"
    ).fetchall()
    return bool(written[0])


def less(unit: Unit, rows: Sequence[Gone]) -> Unit:
    """Count in a unit of parse what is left of it."""
    counts: dict[str, Any] = dict(unit.counts)
    for row in rows:
        if name := COUNTED.get(row.dataset):
            counts[name] = counts.get(name, 0) - 1
    return msgspec.structs.replace(unit, counts=counts)


def note(lake: Lake, commit: Commit[Landing], content: Content, rows: Sequence[Gone]) -> tuple[str, int, int]:
    """Say of a content what was taken out of it, in the manifest of now: others of its file may have changed."""
    (now,) = [one for one in lake.commits(STAGE, Landing) if one.name == commit.name]
    messages = sum(row.dataset in {"messages", "quarantine"} for row in rows)
    changed = msgspec.structs.replace(
        content, erased=content.erased + messages, tombstones=digest(content.tombstones, sorted(map(repr, rows)))
    )
    contents = [changed if one.file_id == content.file_id else one for one in now.facts.contents]
    facts = msgspec.structs.replace(now.facts, contents=contents)
    write_note(lake.manifest_path(STAGE, commit.name), msgspec.structs.replace(now, facts=facts))
    return commit.facts.source_file, len({row.origin[1] for row in rows}), messages
