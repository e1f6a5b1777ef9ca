"""The inbox: a row for every file in it. The folder says what a file is; its name says nothing."""

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from etl.lake.landed import DOT_FILE, EMPTY

SOURCES = ("events", "pixel", "access", "spend", "exclusions")


@dataclass(frozen=True)
class InboxFile:
    """A file found in the inbox; `name` is its path below the inbox, with `/`.

    `ignored` says why it is not read, where that is known before it is opened; such a file may have no source.
    """

    name: str
    source: str
    path: Path
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    ignored: str | None = None

    @property
    def stamp(self) -> tuple[int, int, int, int]:
        """What changes when its content does: size, times and number."""
        return self.size, self.mtime_ns, self.ctime_ns, self.inode


def find_files(inbox: Path, sources: Collection[str] = SOURCES) -> list[InboxFile]:
    """List everything in the inbox that is no folder, in order of name; of sources not asked for nothing is said.

    Links are not followed. A folder that cannot be read stands for what is in it.
    """
    found = []
    unreadable: list[OSError] = []
    for folder, folders, names in os.walk(inbox, onerror=unreadable.append):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        found += [look_at(inbox, Path(folder, name)) for name in (*names, *links)]
    for error in unreadable:
        path = Path(os.fsdecode(error.filename))
        if path != inbox:
            found.append(look_at(inbox, path, f"a folder that cannot be read: {error.strerror}"))
    wanted = set(sources)
    return sorted(
        (file for file in found if file is not None and (file.source in wanted or not file.source)),
        key=lambda file: file.name,
    )


def look_at(inbox: Path, path: Path, ignored: str | None = None) -> InboxFile | None:
    """Say what is known of a file before it is opened; None when it is there no more."""
    try:
        info = path.lstat()
    except OSError:
        return None
    parts = path.relative_to(inbox).parts
    source = parts[0] if len(parts) > 1 and parts[0] in SOURCES else ""
    return InboxFile(
        os.fsencode("/".join(parts)).decode("utf-8", "backslashreplace"), source, path, info.st_size, info.st_mtime_ns,
        info.st_ctime_ns, info.st_ino, ignored or next(reasons(parts, source, info), None),
    )  # fmt: skip


def reasons(parts: tuple[str, ...], source: str, info: os.stat_result) -> Iterator[str]:
    """Say why a file is not read, the most telling first."""
    if any(part.startswith(".") for part in parts):
        yield DOT_FILE
    if stat.S_ISLNK(info.st_mode):
        yield "a link, which is not followed"
    if not stat.S_ISREG(info.st_mode):
        yield "no regular file"
    if not source:
        yield f"in none of the folders {', '.join(SOURCES)}"
    if not info.st_size:
        yield EMPTY
