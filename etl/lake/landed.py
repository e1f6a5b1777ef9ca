"""What has landed: the contents of inbox files, as the stages after landing see them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from etl.errors import Damaged
from etl.lake import sealed
from etl.lake.catalogue import Lake
from etl.lake.fingerprint import Fingerprint
from etl.lake.manifests import Commit, Content, Landing, Part, Unit

STAGE = "land"
PARSED = "parse"
"""The stage whose rows take the place of lines that are gone."""
HELD = ("landed", "truncated")
"""What counts: a content whose lines, or so many as could be read, are in the lake."""
LOST = "lost"
"""A content whose lines counted, and are in the lake no more: what was made of them holds."""

EXPIRED = "expired"
"""The same, because they were not to be kept for longer."""
WITHOUT_LINES = (LOST, EXPIRED)

DOT_FILE, EMPTY = "a dot file", "an empty file"
EXPECTED = (DOT_FILE, EMPTY)
"""Why a file is ignored without anybody being told."""


@dataclass(frozen=True)
class LandedFile:
    """A content that counts, with the Parquet files of its raw lines by received day."""

    source_file: str
    source: str
    content: Content
    lake: Lake
    raw: dict[str, str]

    @property
    def parts(self) -> dict[str, Path]:
        """Where its raw lines are, by received day."""
        return {day: self.lake.path(path) for day, path in self.raw.items()}

    @property
    def file_id(self) -> int:
        """The number of this content under this name."""
        return self.content.file_id

    @property
    def is_lost(self) -> bool:
        """Whether its lines cannot be read any more."""
        return self.content.status in WITHOUT_LINES


ERASED = "erased:"
"""How `line_sha256` of the dataset raw begins for a line of which something was erased."""


def tombstone(name: str, places: Collection[int] = ()) -> str:
    """Write what stands in `line_sha256` of a line that is erased: the keyed hash of the line as it came.

    Args:
        places: of a line that is others' too, which messages of its batch are erased; none where all of it is.
    """
    told = ":" + ",".join(map(str, sorted(places))) if places else ""
    return f"{ERASED}{name}{told}"


def content_name(part: Part) -> str:
    """Name the content that a raw file holds lines of; after an erasure its own name goes on behind that."""
    # Of each file of a home, many times a run: no pathlib.
    return part.path[part.path.rfind("/") + 1 :].removesuffix(".parquet").partition("-")[0]


def file_name(file_id: int) -> str:
    """Write a file's number as the name of its units and raw files: 16 hexadecimal digits."""
    return f"{file_id & 0xFFFF_FFFF_FFFF_FFFF:016x}"


def landings(lake: Lake) -> list[Landing]:
    """Read what is known of every inbox file, in order of name."""
    return sorted((commit.facts for commit in lake.commits(STAGE, Landing)), key=lambda found: found.source_file)


def landed_files(lake: Lake, source: str | None = None) -> dict[str, LandedFile]:
    """Find the contents that count, of one source or of all, by the name of their number, in order of file name."""
    found: dict[str, LandedFile] = {}
    for commit in sorted(lake.commits(STAGE, Landing), key=lambda entry: entry.facts.source_file):
        facts = commit.facts
        if source is not None and facts.source != source:
            continue
        paths: dict[str, dict[str, str]] = {}
        for part in commit.parts:
            paths.setdefault(content_name(part), {})[str(part.day)] = part.path
        for content in facts.contents:
            name = file_name(content.file_id)
            if content.status in HELD or content.status in WITHOUT_LINES:
                found[name] = LandedFile(facts.source_file, facts.source, content, lake, paths.get(name, {}))
    return found


def without_raw(lake: Lake) -> set[str]:
    """Name the contents whose lines counted and are in the lake no more."""
    return {name for name, file in landed_files(lake).items() if file.is_lost}


def holds_all_there_is(commit: Commit[Any], gone: set[str]) -> bool:
    """Say whether a commit cannot be made again: parsed of lines that are there no more, or kept when events went."""
    return commit.stage == sealed.STAGE or (commit.stage == PARSED and not gone.isdisjoint(commit.units))


def without_lines(contents: Sequence[Content], parts: Sequence[Part]) -> list[Content]:
    """Call lost what counts and of which raw files are missing: one for each received day."""
    there = {(content_name(part), part.day) for part in parts}
    return [
        msgspec.structs.replace(content, status=LOST, detail="its raw lines are gone, and the inbox has them no more")
        if content.status in HELD and not {(file_name(content.file_id), day) for day in content.days} <= there
        else content
        for content in contents
    ]


def expected(
    files: Mapping[str, LandedFile], now: Fingerprint, held: Mapping[str, tuple[Commit[Any], Unit]]
) -> dict[str, Fingerprint]:
    """Say what stages that read lines want of files: of those whose lines are gone, what they have.

    Raises:
        Damaged: they have nothing of a file whose lines were not to be kept.
    """
    if missing := unread(files, held):
        raise Damaged(missing, "Put lake/manifests/parse and its files back from a backup")
    return {
        name: held[name][1].fingerprint if file.is_lost else marked(now, file)
        for name, file in files.items()
        if not file.is_lost or name in held
    }


def unread(files: Mapping[str, LandedFile], held: Collection[str]) -> str | None:
    """Say of which files nothing is left, neither lines, which were not to be kept, nor what was read of them."""
    missing = [file.source_file for name, file in files.items() if file.content.status == EXPIRED and name not in held]
    if not missing:
        return None
    return f"what was read of {missing[0]} is gone, like its lines, which were not to be kept ({len(missing)} files)"


def marked(now: Fingerprint, file: LandedFile) -> Fingerprint:
    """Say in a fingerprint what was erased of a file: its number names what had landed."""
    left = file.content.tombstones
    return Fingerprint(f"{now.data}+{left}", now.description) if left else now


def left_of(fingerprint: Fingerprint) -> str:
    """Read from a fingerprint what was erased of a file when it was read."""
    return fingerprint.data.partition("+")[2]


def read_text(file: LandedFile) -> str:
    """Read a small landed file back as text; bytes that are not UTF-8 are replaced."""
    lines: list[tuple[int, bytes]] = []
    for path in file.parts.values():
        table = pq.read_table(path, columns=["line_number", "line"], partitioning=None)
        lines += zip(table["line_number"].to_pylist(), table["line"].to_pylist(), strict=True)
    return "\n".join(line.decode(errors="replace") for _, line in sorted(lines))
