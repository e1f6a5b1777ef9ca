"""The inbox: which of its files are logs, and of which source."""

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

SOURCES = {
    "events": ".jsonl",
    "pixel": ".log",
    "access": ".log",
    "spend": ".csv",
    "exclusions": ".csv",
}


@dataclass(frozen=True)
class InboxFile:
    """A file found in the inbox; `name` is its path below the inbox, with `/`."""

    name: str
    source: str
    path: Path
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @property
    def stamp(self) -> tuple[int, int, int, int]:
        """What changes when its content does: size, times and number."""
        return self.size, self.mtime_ns, self.ctime_ns, self.inode


def find_files(inbox: Path, sources: Collection[str] = tuple(SOURCES)) -> list[InboxFile]:
    """List the inbox's log files, of these sources, in order of name; links and special files are not followed."""
    found = []
    for source in sources:
        for folder, _, names in os.walk(inbox / source):
            below = Path(folder).relative_to(inbox).as_posix()
            for name in names:
                plain = name.removesuffix(".gz").removesuffix(".zst")
                if not plain.endswith(SOURCES[source]) or name.startswith("."):
                    continue
                path = Path(folder, name)
                info = os.lstat(path)
                if stat.S_ISREG(info.st_mode):
                    shown = os.fsencode(f"{below}/{name}").decode("utf-8", "backslashreplace")
                    found.append(
                        InboxFile(shown, source, path, info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)
                    )
    return sorted(found, key=lambda file: file.name)
