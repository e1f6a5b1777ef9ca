"""Who may read a home: its owner, and the group that a setting names; whole addresses and payloads its owner alone."""

import grp
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etl.errors import BadUse
from etl.lake.datasets import DATASETS
from etl.settings import Settings

CLOSED = ("lake", "warehouse", "history")
"""The folders of a home that hold rows. The home itself may hold the inbox too, which others write to."""
OWNER, GROUP = 0o700, 0o2750
"""Modes of folders; what is made below one of the group's is the group's."""


def group_of(settings: Settings) -> int | None:
    """Find the readers' group; None where nobody but the owner reads.

    Raises:
        BadUse: there is no such group.
    """
    if not settings.readers_group:
        return None
    try:
        return grp.getgrnam(settings.readers_group).gr_gid
    except KeyError as error:
        raise BadUse(
            f"there is no group {settings.readers_group!r}, which readers_group names", "Make it, or name another"
        ) from error


@contextmanager
def keeping_private(settings: Settings) -> Iterator[None]:
    """Let whatever is written meanwhile be read by nobody but the owner and the readers' group."""
    group = group_of(settings)
    before = os.umask(0o077 if group is None else 0o027)
    try:
        yield
    finally:
        os.umask(before)


def close(settings: Settings) -> None:
    """Close the folders that hold rows, and those of whole addresses and payloads to all but their owner.

    Raises:
        BadUse: the readers' group cannot be given them.
    """
    group = group_of(settings)
    for name in CLOSED:
        folder = settings.home / name
        folder.mkdir(parents=True, exist_ok=True)
        if group is None:
            folder.chmod(OWNER)
        elif (folder.stat().st_gid, folder.stat().st_mode & 0o7777) != (group, GROUP):
            open_to(folder, group)
    for path in private_folders(settings):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(OWNER)


def private_folders(settings: Settings) -> list[Path]:
    """Name the folders that are for their owner alone, whoever may read the rest."""
    datasets = [settings.lake / dataset.place for dataset in DATASETS.values() if dataset.is_private]
    return [*datasets, settings.home / "warehouse" / "build", settings.home / "history"]


def open_to(folder: Path, group: int) -> None:
    """Give a folder, and all that is in it, to the readers' group."""
    try:
        for path in [folder, *folder.rglob("*")]:
            if not path.is_symlink():
                os.chown(path, -1, group)
                path.chmod(GROUP if path.is_dir() else 0o640)
    except PermissionError as error:
        raise BadUse(
            f"{folder} cannot be given to the group that readers_group names", "Become a member of it"
        ) from error
