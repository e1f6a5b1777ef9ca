"""Sealed rows of who is erased: they go one by one, and all of a session of which one does. Counts by day stay."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import duckdb
import msgspec
import orjson

from etl.lake import sealed, sql
from etl.lake.catalogue import Lake, write_note
from etl.lake.erasures import Wanted
from etl.lake.fingerprint import Fingerprint, digest
from etl.lake.manifests import Commit, Part, Unit
from etl.lake.sealed import DATASET, Kept
from etl.stages.runner import place, remove_parts
from etl.stages.stage import Output
from etl.tools.parsed_rows import write_left

ROWS_AT_ONCE = 10_000
MOMENTS = ("event_at", "viewed_from", "refunded_at", "started_at", "first_at", "make_timestamptz(session_start_us)")
"""When a row was, in SQL: the first of these that its table knows."""


@dataclass(frozen=True)
class Row:
    """A sealed row, as far as it is anybody's."""

    number: int
    visitor: str | None
    session: str | None
    moment_us: int | None
    told: str


@dataclass(frozen=True)
class SealedRows:
    """The rows that are kept of days whose events are gone.

    Attributes:
        holds: says whether a text holds an identifier of who is wanted.
        hints: spellings of identifiers; where there are any, rows without one need not be looked at.
    """

    lake: Lake
    wanted: Wanted
    holds: Callable[[str], bool]
    hints: Sequence[str]

    def erase(self) -> int:
        """Take out the rows of who is wanted; return of how many sessions."""
        commits = sealed.commits(self.lake)
        sessions = {row.session for one in commits for part in one.parts for row in self.theirs(part) if row.session}
        for commit in commits:
            self.rewrite(commit, sessions)
        return len(sessions)

    def rewrite(self, commit: Commit[Kept], sessions: Collection[str]) -> None:
        """Write the files of a commit without these rows, and the commit that names what is left."""
        parts, old, gone = [], [], list[tuple[str, list[int]]]()
        with self.lake.staging() as folder, self.lake.workbench() as con:
            for part in commit.parts:
                numbers = sorted({row.number for row in self.theirs(part, sessions)})
                if not numbers:
                    parts.append(part)
                    continue
                old.append(part)
                gone.append((sealed.table_of(part), numbers))
                path = folder / f"{len(old)}.parquet"
                if write_left(con, self.lake.path(part.path), numbers, path):
                    content = part.content and digest(part.content, numbers)
                    output = Output(DATASET, path, day=part.day, content=content, source=sealed.table_of(part))
                    parts.append(place(self.lake, commit.name, output))
            if old:
                unit = Unit(Fingerprint(digest(sorted(part.sha256 for part in parts))))
                facts = msgspec.structs.replace(commit.facts, erased=digest(commit.facts.erased, gone))
                made = msgspec.structs.replace(commit, parts=parts, units={commit.name: unit}, facts=facts)
                write_note(self.lake.manifest_path(sealed.STAGE, commit.name), made)
                remove_parts(self.lake, old, parts)

    def theirs(self, part: Part, sessions: Collection[str] = ()) -> Iterator[Row]:
        """List the rows of a part that are of who is wanted, or of one of these sessions."""
        with self.lake.workbench() as con:
            for row in rows_of(con, f"read_parquet({sql.text(self.lake.path(part.path))}, file_row_number = true)"):
                if row.session in sessions or self.is_timed(row) or self.is_said(row):
                    yield row

    def is_timed(self, row: Row) -> bool:
        """Say whether a row is of a session that is theirs, of a device that others use too."""
        if row.session is not None:
            visitor, _, start_ms = row.session.rpartition("-")
            return any(since // 1000 == int(start_ms) for since, _ in self.wanted.times(visitor))
        if row.visitor is None or row.moment_us is None:
            return False
        return any(since <= row.moment_us <= until for since, until in self.wanted.times(row.visitor))

    def is_said(self, row: Row) -> bool:
        """Say whether a row holds an identifier in any of its values."""
        if self.hints and not any(hint in row.told for hint in self.hints):
            return False
        said = [value for value in orjson.loads(row.told).values() if isinstance(value, str)]
        if row.session is not None:
            said.append(row.session.rpartition("-")[0])
        return any(self.holds(value) for value in said)


def rows_of(con: duckdb.DuckDBPyConnection, rows: str) -> Iterator[Row]:
    """Read sealed rows of any table."""
    names = {name for name, *_ in con.execute(f"describe select * from {rows}").fetchall()}
    moments = [text for text in MOMENTS if text.rpartition("(")[2].rstrip(")") in names]
    asked = (
        "visitor_id" if "visitor_id" in names else "null", "session_id" if "session_id" in names else "null",
        f"epoch_us({moments[0]})" if moments else "null",
    )  # fmt: skip
    found = con.execute(f"select file_row_number, {', '.join(asked)}, cast(to_json(one) as varchar) from {rows} as one")
    while some := found.fetchmany(ROWS_AT_ONCE):
        yield from (Row(*one) for one in some)
