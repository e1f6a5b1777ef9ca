"""What takes long to make and follows from the program alone, kept in the user's cache for all homes.

What lies there is run: SQL of the build. So the folder must belong to this user, and nobody else
may write it; where there is none such, everything is made each time.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

from etl.lake import files

MOST = 40
"""So many of a kind are kept, those used last."""


def cache_folder(kind: str) -> Path | None:
    """Make the folder of a kind in the user's cache; None where the user has none that is theirs alone."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "bloodhound" / kind
    if folder.is_absolute():
        with suppress(OSError):
            files.make_folder(folder, 0o700)
            found = folder.stat()
            is_ours = found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            if is_ours and os.access(folder, os.W_OK):
                return folder
    return None


def forget_oldest(folder: Path, pattern: str) -> None:
    """Remove what was used least lately, beyond what is kept."""
    found = [(path.stat().st_mtime, path) for path in folder.glob(pattern) if path.is_file()]
    for _, old in sorted(found)[:-MOST]:
        old.unlink(missing_ok=True)
