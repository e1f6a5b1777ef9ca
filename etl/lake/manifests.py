"""Manifests as types: what a stage has committed, and the facts that each stage keeps of its work.

A commit names the units it holds, each with its fingerprint and counts, and the files it is made of, each by
size and SHA-256. A file that no commit names does not exist.
"""

from datetime import date
from typing import Generic, TypeVar

import msgspec

from etl.lake.fingerprint import Fingerprint, digest

UNKNOWN_DAY = "__HIVE_DEFAULT_PARTITION__"


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """One immutable file of a dataset.

    `path` is relative to the lake; `day` is the value of the dataset's partition (an ISO day or `UNKNOWN_DAY`), none
    where it has none. `content` names what decides whoever reads the part, where that is less than the commit's
    fingerprint; `rows` is None where nobody counted.
    """

    dataset: str
    path: str
    size: int
    sha256: str
    day: str | None = None
    content: str | None = None
    rows: int | None = None


class Unit(msgspec.Struct, frozen=True):
    """One unit of a commit: what it was made under, and its counts by name."""

    fingerprint: Fingerprint
    counts: dict[str, int] = {}


class Nothing(msgspec.Struct, frozen=True):
    """The facts of a stage that has none to keep."""


Facts = TypeVar("Facts")


class Commit(msgspec.Struct, Generic[Facts], frozen=True):
    """What one making of a stage has committed.

    `sequence` grows with each commit of a stage: where two name a unit, the later one holds it.
    """

    stage: str
    name: str
    sequence: int
    units: dict[str, Unit]
    parts: list[Part]
    facts: Facts

    def identity(self, part: Part) -> str:
        """Name what a reader of a part depends on."""
        return part.content or digest_of(self)

    def day_parts(self, dataset: str) -> dict[str, list[Part]]:
        """List a dataset's parts by day."""
        found: dict[str, list[Part]] = {}
        for part in self.parts:
            if part.dataset == dataset and part.day is not None:
                found.setdefault(part.day, []).append(part)
        return found


def digest_of(commit: "Commit[Facts]") -> str:
    """Name what a commit was made of, by the fingerprints of its units."""
    if len(commit.units) == 1:
        return next(iter(commit.units.values())).fingerprint.data
    return digest(sorted((name, unit.fingerprint.data) for name, unit in commit.units.items()))


class Content(msgspec.Struct, frozen=True, omit_defaults=True):
    """One content that an inbox file had when it was landed.

    `status`: `landed`; `truncated` (what could be read has landed); `unreadable`, `bomb`, `growing` (nothing has);
    `ignored` (it is not read, for the reason that `detail` gives);
    `superseded` (a longer content of that name begins with it); `replaced`, `withdrawn` (statements that hold no more).
    `expired`: its lines have gone as `keep_days` says, and what was made of them holds; `rows` says how many there were
    by received day, `first_lines` the number of the first of each. `sealed` says from which line on (those after a
    number) a line may not be of a day before another: pairs in order, made when they landed.
    `begins_with` numbers contents of other names with which it begins: a log that was rotated.
    `is_nameless` says that addresses have gone from what was made of them too, `is_payloadless` that payloads have gone
    from quarantine.
    `erased` counts the messages that were erased of it, and `tombstones` names which lines.
    `days` are the received days of its lines, as ISO days or `UNKNOWN_DAY`; `limits` and `read_as` name the settings by
    which a bomb and a file of an unknown format were refused.
    """

    file_id: int
    status: str
    sha256: str | None = None
    detail: str | None = None
    lines: int = 0
    bytes: int = 0
    days: list[str] = []
    limits: list[int] = []
    read_as: str | None = None
    erased: int = 0
    tombstones: str = ""
    rows: dict[str, int] = {}
    first_lines: dict[str, int] = {}
    sealed: list[tuple[int, str]] = []
    is_nameless: bool = False
    is_payloadless: bool = False
    begins_with: list[int] = []


class Landing(msgspec.Struct, frozen=True):
    """An inbox file: where it came from, and every content that it has had."""

    source_file: str
    source: str
    contents: list[Content]


class Reading(msgspec.Struct, frozen=True):
    """A group of landed files, parsed.

    `plan` is the digest of each schema that its messages name; `readers` the versions of the libraries that read its
    distinct values (user agents, hosts); `rules` names the parser's version and settings; `unrouted` says by file what
    most of its requests are for that hold no message.
    """

    source: str
    plan: dict[str, str]
    readers: dict[str, str]
    rules: str
    unrouted: dict[str, str] = {}


class Comparison(msgspec.Struct, frozen=True):
    """All messages, compared: what the messages of each commit of parse are known by, by its name.

    `rules` names the version and settings of deduplication.
    """

    rules: str
    inputs: dict[str, str]


class Day(msgspec.Struct, frozen=True):
    """A day of canonical events: the days on which the sessions of its events start."""

    session_dates: list[date]


class Build(msgspec.Struct, frozen=True):
    """A build of the marts: what it was made of, by kind, so that the next one knows what has changed.

    `place` is the home in which it was made: what dbt builds names the lake's files by their paths. `sealed` names what
    decided the rows of days whose events are gone.
    """

    definition: str
    days: dict[str, str]
    session_dates: dict[str, list[str]]
    models: int
    tests: int
    rebuilt: list[str] | None
    place: str = ""
    sealed: str = ""


class Publication(msgspec.Struct, frozen=True):
    """A published warehouse: the immutable files that it reads, and those that the one before reads.

    `place` is the warehouse's own path as it was published: its views name files beside it.
    """

    now: list[str]
    before: list[str]
    place: str = ""
