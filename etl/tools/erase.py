"""Erase: people taken out of landed lines, now and whenever they come again; what follows is made anew by the stages.

A line that is a person's alone becomes a tombstone (number, length, keyed hash); of a batch that holds others' messages
too, the person's become `null` and the rest of the line stays as it came. Who is meant stands in a list of keyed
hashes, so that a file that comes later, from an inbox or a backup, is searched before anything reads it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
import msgspec
import pyarrow as pa

from etl.formats.persons import read_request, spellings, values_of
from etl.lake import engine, erasures, sql
from etl.lake.catalogue import Lake, read_note, write_note
from etl.lake.erasures import Wanted
from etl.lake.landed import ERASED, STAGE, WITHOUT_LINES, LandedFile, file_name
from etl.lake.manifests import Commit, Content, Landing, Reading
from etl.stages.parse.decode import DECODERS, register_lines
from etl.stages.parse.logs import LOGS, describe_logs
from etl.stages.parse.slices import plan_slices
from etl.tools.parsed_rows import ParsedRows
from etl.tools.sealed_rows import SealedRows
from etl.tools.tombstones import Places, landed_file, rewrite

BATCHES = "events"
LINES_AT_ONCE = 10_000
PLAIN_BYTES = 8
"""A shorter identifier stands in any text by chance; it is looked for as a whole value."""


class Searched(msgspec.Struct, frozen=True):
    """Which contents have been searched under which list, each with its tombstones of then."""

    under: str
    contents: dict[str, str]


@dataclass
class Found:
    """What was taken out of one landed content; without a file, of what is kept of days whose events are gone."""

    source_file: str
    lines: int = 0
    messages: int = 0
    sessions: int = 0


@dataclass
class Search:
    """One search of landed contents.

    Attributes:
        hints: spellings of identifiers, where somebody has just named them: other lines need not be opened.
        needles: those of them that are too long to stand in a text by chance.
    """

    lake: Lake
    wanted: Wanted
    hints: Sequence[str] = ()
    needles: Sequence[str] = ()
    found: list[Found] = field(default_factory=list)

    def run(self) -> list[Found]:
        """Search what has not been searched under the list of now; rewrite what holds somebody."""
        listed = erasures.read(self.lake)
        under = erasures.name_of(listed)
        note = self.lake.path("manifests", "searched.json")
        known = read_note(note, Searched)
        done = dict(known.contents) if known and known.under == under else {}
        if not done and (sessions := SealedRows(self.lake, self.wanted, self.holds, self.hints).erase()):
            self.found.append(Found("", sessions=sessions))
        commits = self.lake.commits(STAGE, Landing)
        waiting = [
            (commit, content)
            for commit in commits for content in commit.facts.contents
            if content.sha256 is not None and done.get(file_name(content.file_id)) != content.tombstones
        ]  # fmt: skip
        if not waiting:
            return self.found
        parsed = held_by_parse(self.lake)
        by_column = self.by_column(parsed)
        gone = [(commit, content) for commit, content in waiting if content.status in WITHOUT_LINES]
        told = ParsedRows(self.lake, by_column, self.holds, self.hints).erase(gone) if gone else []
        self.found += [Found(*one) for one in told]
        for commit, places in self.look(waiting, parsed, by_column):
            made = rewrite(self.lake, commit, places, next(iter(self.wanted.entries)))
            self.note(commit, made, places)
        now = {
            file_name(content.file_id): content.tombstones
            for commit in self.lake.commits(STAGE, Landing) for content in commit.facts.contents
            if content.sha256 is not None
        }  # fmt: skip
        write_note(note, Searched(under, now))
        return self.found

    def look(
        self,
        waiting: Sequence[tuple[Commit[Landing], Content]],
        parsed: Mapping[str, Commit[Reading]],
        by_column: Mapping[int, Places],
    ) -> Iterator[tuple[Commit[Landing], dict[str, Places]]]:
        """Find what is to go of each inbox file, by content."""
        by_commit: dict[str, tuple[Commit[Landing], list[Content]]] = {}
        for commit, content in waiting:
            by_commit.setdefault(commit.name, (commit, []))[1].append(content)
        for commit, contents in by_commit.values():
            places: dict[str, Places] = {}
            for content in contents:
                file = landed_file(self.lake, commit.facts, content, commit.parts)
                if not file.parts:
                    continue
                told = by_column.get(content.file_id, {})
                if file_name(content.file_id) not in parsed and file.source in DECODERS:
                    told = self.decoded(file)
                found = merge(self.by_text(file, told), told)
                if found:
                    places[file_name(content.file_id)] = found
            if places:
                yield commit, places

    def by_column(self, parsed: Mapping[str, Commit[Reading]]) -> dict[int, Places]:
        """Find messages and pixel hits of who is wanted among those that are parsed."""
        commits = {commit.name: commit for commit in parsed.values()}.values()
        found: dict[int, Places] = {}
        with self.lake.workbench() as con:
            for dataset, columns in (("messages", MESSAGE_PERSON), ("pixel_hits", HIT_PERSON)):
                parts = [part for commit in commits for part in commit.parts if part.dataset == dataset]
                rows = f"(select {columns} {self.lake.scan(dataset, parts)})"
                for number, line, place in self.matching(con, rows):
                    add(found.setdefault(number, {}), line, place)
        return found

    def decoded(self, file: LandedFile) -> Places:
        """Find a new file's messages, or hits, of who is wanted, by the parser that will read them."""
        found: Places = {}
        settings = self.lake.settings
        for pieces in plan_slices([file]):
            with self.lake.staging() as folder, engine.engine(settings, folder) as con:
                register_lines(con, pieces)
                if file.source in LOGS:
                    describe_logs(con, settings, [file])
                DECODERS[file.source](con, settings)
                columns = DECODED_HIT if file.source == "pixel" else DECODED_MESSAGE
                for _, line, place in self.matching(con, f"(select {columns})"):
                    add(found, line, place)
        return found

    def matching(self, con: duckdb.DuckDBPyConnection, rows: str) -> list[tuple[int, int, int | None]]:
        """Find the rows (file_id, line_number, position) of who is wanted."""
        con.execute(
            "create or replace temp table named (kind varchar, value varchar, since_us bigint, until_us bigint)"
        )
        for kind in ("visitor_id", "user_id", "ip"):
            values = con.execute(f"select distinct {kind} from {rows} where {kind} is not null").fetchall()
            named: list[tuple[str, str, int | None, int | None]] = [
                (kind, value, None, None) for (value,) in values if self.wanted.holds(value)
            ]
            if kind == "visitor_id":
                named += [(kind, value, *span) for (value,) in values for span in self.wanted.times(value)]
            if named:
                con.executemany("insert into named values (?, ?, ?, ?)", named)
        return con.execute(
            " union ".join(
                f"select file_id, line_number, position from {rows} as told inner join named"
                f" on named.kind = '{kind}' and told.{kind} = named.value"
                " and (named.since_us is null or told.event_us between named.since_us and named.until_us)"
                for kind in ("visitor_id", "user_id", "ip")
            )
        ).fetchall()

    def by_text(self, file: LandedFile, told: Places) -> Places:
        """Find the lines, and of batches the messages, that hold an identifier anywhere."""
        found: Places = {}
        with self.lake.workbench() as con:
            query = f"select line_number, line from {sql.scan_named(file.parts.values())} where {NOT_ERASED}"
            if self.hints:
                con.register("needles", pa.table({"needle": pa.array([one.encode() for one in self.hints])}))
                con.register("told", pa.table({"line_number": pa.array(sorted(told), pa.int64())}))
                query += (
                    " and (line_number in (from told) or exists (from needles where"
                    " contains(cast(line as varchar), cast(needle as varchar))))"
                )
            rows = con.execute(query)
            while some := rows.fetchmany(LINES_AT_ONCE):
                for number, line in some:
                    places = self.of_line(file.source, bytes(line).decode("utf-8", "surrogateescape"), told.get(number))
                    if places is None or places:
                        found[number] = places
        return found

    def of_line(self, source: str, line: str, told: set[int] | None) -> set[int] | None:
        """Say which messages of a line are to go: their places, or all of it (None).

        Args:
            told: the places that its columns tell.
        """
        request = read_request(line) if source == BATCHES else None
        if request is None or not request.messages:
            return None if self.holds(line) else set()
        if self.holds(request.beside):
            return None
        places = (told or set()) | {place for place, text in enumerate(request.messages) if self.holds(text)}
        return None if len(places) == len(request.messages) else places

    def holds(self, text: str) -> bool:
        """Say whether a text holds an identifier of who is wanted."""
        return any(needle in text for needle in self.needles) or any(
            self.wanted.holds(value) for value in values_of(text)
        )

    def note(self, commit: Commit[Landing], made: Commit[Landing], places: Mapping[str, Places]) -> None:
        """Note what was taken out of an inbox file."""
        messages = {file_name(content.file_id): content.erased for content in made.facts.contents}
        before = {file_name(content.file_id): content.erased for content in commit.facts.contents}
        for name, lines in places.items():
            self.found.append(Found(commit.facts.source_file, len(lines), messages[name] - before.get(name, 0)))


MESSAGE_PERSON = "file_id, line_number, position, visitor_id, user_id, ip, epoch_us(event_at) as event_us from"
HIT_PERSON = (
    "file_id, line_number, cast(null as integer) as position, visitor_id, cast(null as varchar) as user_id, ip,"
    " epoch_us(hit_at) as event_us from"
)
DECODED_MESSAGE = (
    "file_id, line_number, position, visitor_id, user_id, ip, event_us from decoded where line_number is not null"
)
DECODED_HIT = f"{HIT_PERSON} hits"
NOT_ERASED = f"(line_sha256 is null or not regexp_full_match(line_sha256, '{ERASED}[0-9a-f]+'))"


def add(places: Places, line: int, place: int | None) -> None:
    """Note that a message of a line is to go, or the line."""
    known = places.get(line, set())
    places[line] = None if place is None or known is None else known | {place}


def merge(one: Places, other: Places) -> Places:
    """Put together what two looks found; what the text said of a line counts, for it knows the whole of it."""
    return other | one


def held_by_parse(lake: Lake) -> dict[str, Commit[Reading]]:
    """Find the parsed contents by name."""
    return {name: commit for name, (commit, _) in lake.units("parse", Reading).items()}


def search_new(lake: Lake) -> list[Found]:
    """Search what has landed and was not searched yet; nothing while nobody has asked to be forgotten."""
    listed = erasures.read(lake)
    if not listed.entries:
        return []
    return Search(lake, erasures.wanted(listed)).run()


def search_named(lake: Lake, values: Sequence[str]) -> list[Found]:
    """Search all that has landed for who has just been named."""
    listed = erasures.read(lake)
    hints = sorted(set().union(*map(spellings, values)))
    needles = [hint for value in values if len(value.encode()) >= PLAIN_BYTES for hint in sorted(spellings(value))]
    return Search(lake, erasures.wanted(listed, values), hints, needles).run()
