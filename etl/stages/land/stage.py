"""Land: every line of every inbox file, byte for byte, as Parquet by source and received day.

A file lands whole or not at all. What has landed is known by name and content, so that landing only adds: a file
that grew is landed anew in place of its beginning, and any other content under a known name lands beside it.
Spend and exclusions are statements: of those the content that is in the inbox now holds, and what it replaces, or
was taken out, keeps its lines and holds no more.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from etl.formats.recognise import FIRST_LINES, binary, chosen, looks_like, no_requests, recognise
from etl.lake import files
from etl.lake.catalogue import Lake
from etl.lake.fingerprint import Fingerprint, digest
from etl.lake.landed import EXPIRED, HELD, STAGE, content_name, file_name, without_lines
from etl.lake.manifests import Commit, Content, Landing, Part
from etl.lake.retention import sealed_before
from etl.settings import Settings
from etl.stages.land.inbox import InboxFile, find_files
from etl.stages.land.lines import read_chunks
from etl.stages.land.streams import DAMAGE, Bomb
from etl.stages.land.writer import DayWriter
from etl.stages.stage import Made, Output, Stage, Work
from etl.vocabulary import log_formats, tracker_exports

STATEMENTS = ("spend", "exclusions")
"""Sources of which what the inbox holds now is the input."""
STORED = (*HELD, "replaced", "withdrawn")
"""Contents whose lines are kept; those of a superseded one go on in a longer one."""
TRIED_AGAIN = ("unreadable", "growing")
LOGS = ("access", "pixel")
"""Sources whose files the register of formats describes."""
ABSENT = Fingerprint("absent")


class Land(Stage[Landing]):
    """A unit is an inbox file, by its path below the inbox; it is stale when size, times or number differ."""

    name = STAGE
    facts = Landing
    gives = ("raw",)
    is_concurrent = True

    def __init__(self) -> None:
        self.listing: dict[str, InboxFile] = {}
        self.moving: list[Content] = []

    def wanted(self, lake: Lake) -> Mapping[str, Fingerprint]:
        held = lake.units(self.name, self.facts)
        wanted = {}
        self.listing = {file.name: file for file in find_files(lake.settings.inbox)}
        for file in self.listing.values():
            decisive: list[object] = [file.stamp, file.ignored] if file.ignored else [file.stamp]
            if file.name in held:
                commit, _ = held[file.name]
                status = commit.facts.contents[-1].status
                if status in TRIED_AGAIN:
                    decisive.append(commit.sequence)
            wanted[file.name] = Fingerprint(digest(*decisive))
        for name, (commit, unit) in held.items():
            # Of what was not for us, and is not there any more, nothing is to be said.
            if name not in wanted and any(content.status != "ignored" for content in commit.facts.contents):
                wanted[name] = ABSENT if commit.facts.source in STATEMENTS else unit.fingerprint
        self.moving = [
            content for name, (commit, unit) in held.items()
            if commit.facts.source not in STATEMENTS
            and (name not in self.listing or wanted[name] != unit.fingerprint)
            for content in commit.facts.contents if content.status in HELD
        ]  # fmt: skip
        return wanted

    @staticmethod
    def is_as_it_was(file: InboxFile, commit: Commit[Landing]) -> bool:
        """Say whether a file that is read has the size, times and number under which it landed."""
        return Fingerprint(digest(file.stamp)) == commit.units[file.name].fingerprint

    def is_lost(self, lake: Lake, commit: Commit[Landing]) -> bool:
        """A file that was refused is looked at again when other settings or another register might have it."""
        content = commit.facts.contents[-1]
        if content.status == "bomb":
            return content.limits != limits(lake.settings)
        return content.read_as is not None and content.read_as != read_as(lake.settings)

    def of_days(self, lake: Lake, days: object) -> Sequence[str]:
        """Nothing is landed again for a day: what has landed holds."""
        del lake, days
        return ()

    def make(self, work: Work[Landing]) -> Made[Landing]:
        (name,) = work.units
        known = work.before[0] if work.before else None
        file = self.listing.get(name)
        if file is None:
            return withdraw(known)
        if file.ignored:
            return ignore(file, file.ignored, known)
        made = take_in(work.lake, land_file(work, file, known, self.moving), file, known)
        work.advance(file.name, file.size)
        return made


@dataclass(frozen=True)
class Landed:
    """What reading a file gave: its content, its raw files, and which contents landed before it begins with."""

    content: Content
    outputs: Sequence[Output] = ()
    begins_with: frozenset[int] = frozenset()


def land_file(
    work: Work[Landing], file: InboxFile, known: Commit[Landing] | None, moving: Sequence[Content] = ()
) -> Landed:  # fmt: skip
    """Read one file into the staging folder.

    Args:
        moving: contents of names that hold something else now, or nothing: this file may go on from one.
    """
    settings = work.lake.settings
    nothing = Content(file_id(file.name, ""), "unreadable")
    writer = DayWriter(work.folder, file.source)
    before = [content for content in known.facts.contents if content.status in HELD] if known else []
    digests = Beginnings({content.bytes for content in (*before, *moving)})
    status, detail = "landed", None
    try:
        for chunk in read_chunks(settings, file, digests):
            if not writer.lines and (
                refusal := refuse(settings, file.source, file.name, chunk.lines[:FIRST_LINES].to_pylist())
            ):
                return Landed(
                    msgspec.structs.replace(nothing, status="ignored", detail=refusal, read_as=read_as(settings))
                )
            writer.write(chunk)
    except Bomb as bomb:
        return Landed(msgspec.structs.replace(nothing, status="bomb", detail=str(bomb), limits=limits(settings)))
    except DAMAGE as error:
        cut = isinstance(error, EOFError)
        detail = "the compressed stream ends before its end marker" if cut else damage(error)
        if not writer.lines:
            return Landed(msgspec.structs.replace(nothing, detail=detail))
        status = "truncated"
    except OSError as error:
        if files.is_full(error):
            raise
        return Landed(msgspec.structs.replace(nothing, detail=error.strerror or str(error)))
    if has_changed(file):
        return Landed(msgspec.structs.replace(nothing, status="growing", detail="the file changed while it was read"))
    sha256 = digests.hexdigest()
    number = file_id(file.name, sha256)
    days = writer.close()
    content = Content(number, status, sha256=sha256, detail=detail, lines=writer.lines, bytes=writer.bytes, days=days)
    outputs = [
        Output(
            "raw", work.folder / f"{day}.parquet", day=day, rows=writer.rows[day], name=file_name(number),
            source=file.source,
        )
        for day in days
    ]  # fmt: skip
    begins = {old.file_id for old in (*before, *moving) if digests.beginnings.get(old.bytes) == old.sha256}
    own = {old.file_id for old in before}
    content = msgspec.structs.replace(content, begins_with=sorted(begins - own - {number}))
    return Landed(content, outputs, frozenset(begins & own))


def damage(error: Exception) -> str:
    """Say what is wrong with a compressed stream."""
    if "too much memory" in str(error):
        return "compressed by zstd --long with a window of more than 128 MiB; compress it again without --long"
    return f"damaged: {error}"


class Beginnings:
    """SHA-256 of a stream, and of its beginnings of some lengths, as a hashlib object takes bytes."""

    def __init__(self, lengths: set[int]) -> None:
        self.whole = hashlib.sha256()
        self.waiting = sorted(lengths, reverse=True)
        self.beginnings: dict[int, str] = {}
        self.length = 0

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        while self.waiting and self.waiting[-1] <= self.length + len(data):
            wanted = self.waiting.pop()
            beginning = self.whole.copy()
            beginning.update(data[: wanted - self.length])
            self.beginnings[wanted] = beginning.hexdigest()
        self.whole.update(data)
        self.length += len(data)

    def hexdigest(self) -> str:
        """Name all that was taken."""
        return self.whole.hexdigest()


def take_in(lake: Lake, landed: Landed, file: InboxFile, known: Commit[Landing] | None) -> Made[Landing]:
    """Put what was read beside what had landed under the name, or in its place."""
    new, outputs = landed.content, landed.outputs
    # An attempt that failed stands until the next one.
    before = [content for content in known.facts.contents if content.sha256 is not None] if known else []
    others = [content for content in before if content.file_id != new.file_id]
    settled = next((content for content in before if content.file_id == new.file_id and is_settled(content)), None)
    if settled and known:
        return Made(Landing(file.name, file.source, [*others, settled]), kept=known.parts)
    new = msgspec.structs.replace(new, sealed=seals_of(lake, new, before, landed.begins_with))
    if new.sha256 is None:
        others = before
    elif file.source in STATEMENTS:
        others = [no_more(content, "replaced") for content in others]
    else:
        others = [
            no_more(content, "superseded") if content.file_id in landed.begins_with else content for content in others
        ]
        if known and any(begins(lake, known, content, new) for content in others):
            new, outputs = no_more(new, "superseded"), ()
    stored = {file_name(content.file_id) for content in [*others, new] if content.status in STORED}
    parts = [part for part in known.parts if content_name(part) in stored] if known else []
    new, parts = still_erased(new, before, parts)
    contents = [*without_lines(others, known.parts if known else ()), new]
    there = {(content_name(part), part.day) for part in parts}
    outputs = [output for output in outputs if (output.name, output.day) not in there]
    is_new = new.status in HELD and not any(
        content.file_id == new.file_id and content.status == new.status for content in before
    )
    counts = {"files": int(new.status == "landed"), "lines": new.lines, "bytes": new.bytes} if is_new else {}
    return Made(Landing(file.name, file.source, contents), outputs, {file.name: counts}, kept=parts)


def is_settled(content: Content) -> bool:
    """Say whether a content stays what it is though it comes again: not to be kept, or withdrawn by somebody."""
    return content.status == EXPIRED or (content.status == "withdrawn" and content.detail is not None)


def seals_of(
    lake: Lake, new: Content, before: Sequence[Content], begins_with: Collection[int]
) -> list[tuple[int, str]]:  # fmt: skip
    """Say which lines of a content come too late for which days: all of it, or those that a longer one adds."""
    known = next((content for content in before if content.file_id == new.file_id), None)
    if known is not None:
        return known.sealed
    first = sealed_before(lake)
    beginnings = [content for content in before if content.file_id in begins_with]
    longest = max(beginnings, key=lambda content: content.lines, default=None)
    there = longest.sealed if longest else []
    if not first or (there and there[-1][1] == first):
        return there
    return [*there, (longest.lines if longest else 0, first)]


def still_erased(
    new: Content, before: Sequence[Content], parts: Sequence[Part]
) -> tuple[Content, list[Part]]:  # fmt: skip
    """Go on with what was erased of a content that came again; where lines of it are missing all of it lands anew."""
    old = next((content for content in before if content.file_id == new.file_id and content.tombstones), None)
    if old is None:
        return new, list(parts)
    name = file_name(new.file_id)
    if {str(part.day) for part in parts if content_name(part) == name} >= set(new.days):
        return msgspec.structs.replace(new, erased=old.erased, tombstones=old.tombstones), list(parts)
    return new, [part for part in parts if content_name(part) != name]


def begins(lake: Lake, known: Commit[Landing], longer: Content, shorter: Content) -> bool:
    """Say whether a content that has landed begins with a shorter one, by its raw lines."""
    if longer.status not in HELD or longer.bytes <= shorter.bytes:
        return False
    name = file_name(longer.file_id)
    paths = [lake.path(part.path) for part in known.parts if content_name(part) == name]
    tables = [pq.read_table(path, columns=["byte_offset", "line"], partitioning=None) for path in paths]
    found = hashlib.sha256()
    length = 0
    for chunk in pa.concat_tables(tables).sort_by("byte_offset").to_batches(max_chunksize=10_000):
        for offset, line in zip(chunk["byte_offset"].to_pylist(), chunk["line"].to_pylist(), strict=True):
            if length >= shorter.bytes:
                return found.hexdigest() == shorter.sha256
            if offset != length:
                # A line too long to be kept whole: what it was cannot be compared.
                return False
            found.update((line + b"\n")[: shorter.bytes - length])
            length += len(line) + 1
    return length >= shorter.bytes and found.hexdigest() == shorter.sha256


def withdraw(known: Commit[Landing] | None) -> Made[Landing]:
    """Note that a statement was taken out of the inbox; its lines are kept, and hold no more."""
    assert known is not None, "only what has landed can be absent"
    facts = known.facts
    contents = [no_more(content, "withdrawn") for content in facts.contents if content.sha256 is not None]
    return Made(msgspec.structs.replace(facts, contents=contents), kept=known.parts)


def no_more(content: Content, status: str) -> Content:
    """Say of a content that counted why it counts no more."""
    return msgspec.structs.replace(content, status=status) if content.status in HELD else content


def ignore(file: InboxFile, reason: str, known: Commit[Landing] | None) -> Made[Landing]:
    """Note that a file is not read, and why; what had landed under its name holds, unless it was a statement."""
    before = [content for content in known.facts.contents if content.sha256 is not None] if known else []
    if file.source in STATEMENTS:
        before = [no_more(content, "replaced") for content in before]
    contents = [*before, Content(file_id(file.name, ""), "ignored", detail=reason)]
    return Made(Landing(file.name, file.source, contents), kept=known.parts if known else ())


def refuse(settings: Settings, source: str, name: str, lines: Sequence[bytes]) -> str | None:
    """Say in one sentence why a file of this source is not read, by its first lines; None when it is."""
    if source in LOGS:
        if chosen(name, settings.log_formats) or recognise(lines):
            return None
    elif not binary(lines):
        said = no_requests(lines) if source == "events" else None
        return f"looks like {said}; not read; see docs/formats.md" if said else None
    return f"looks like {looks_like(lines)}; not read; see docs/formats.md"


def read_as(settings: Settings) -> str:
    """Name what decides which formats are read."""
    return digest(log_formats.digest(), tracker_exports.digest(), sorted(settings.log_formats.items()))


def has_changed(file: InboxFile) -> bool:
    """Say whether a file is not what it was when it was found."""
    try:
        now = file.path.stat()
    except OSError:
        return True
    return (now.st_size, now.st_mtime_ns) != (file.size, file.mtime_ns)


def limits(settings: Settings) -> list[int]:
    """The settings that make a bomb of a file."""
    return [settings.max_decompressed_bytes, settings.max_compression_ratio]


def file_id(name: str, sha256: str) -> int:
    """Number a landed content by its file's name and its bytes (64 bits, signed)."""
    value = hashlib.sha256(f"{name}\0{sha256}".encode()).digest()
    return int.from_bytes(value[:8], "big", signed=True)
