"""What takes long to make and follows from the program alone, kept in the user's cache for all homes.

What lies there is run: SQL of the build, scripts of the page. So the folder must belong to this user, and nobody else
may write it; where there is none such, everything is made each time.
"""

import hashlib
import os
import stat
from collections.abc import Callable
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


def kept(kind: str, key: str, make: Callable[[], str]) -> str:
    """Give the text that `make` makes, from the cache where it is there.

    Args:
        key: a digest of all that the text follows from, the versions of what makes it among it.
    """
    folder = cache_folder(kind)
    if folder is None:
        return make()
    path = folder / key
    if (known := read(path)) is not None:
        return known
    text = make()
    content = text.encode()
    # A full disk is no reason not to give what was made.
    with suppress(OSError):
        files.write_bytes(path, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
        forget_oldest(folder, "*")
    return text


def read(path: Path) -> str | None:
    """Read a text that was kept; None when it is not there, or no longer what was written."""
    try:
        stated, _, content = path.read_bytes().partition(b"\n")
        os.utime(path)
    except OSError:
        return None
    return content.decode() if hashlib.sha256(content).hexdigest().encode() == stated else None


def forget_oldest(folder: Path, pattern: str) -> None:
    """Remove what was used least lately, beyond what is kept."""
    found = [(path.stat().st_mtime, path) for path in folder.glob(pattern) if path.is_file()]
    for _, old in sorted(found)[:-MOST]:
        old.unlink(missing_ok=True)
