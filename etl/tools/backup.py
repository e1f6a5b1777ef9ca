"""Backup and restore: what cannot be made again, and what the last publication said, so that a restore can be judged.

A backup is a folder of files by their hash (`objects/`) and one list of what they are (`backup.json`), which is written
last. Files of the lake are immutable, so that a second backup into the folder copies only what is new; what the new
list does not name goes.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from etl.errors import BadUse, Damaged
from etl.lake import erasures, figures, files, sealed
from etl.lake.catalogue import Lake, read_note, write_note
from etl.lake.landed import PARSED, STAGE, holds_all_there_is, without_raw
from etl.lake.manifests import Commit, Landing, Reading
from etl.lake.published import published
from etl.settings import settings_file

LIST = "backup.json"
KNOWN = "backups.json"
SECRETS = ("key", erasures.NAME)
"""For their owner alone."""
SETTINGS = "settings.toml"
"""Under this name the settings that were read lie in a backup, and in the home that it is restored to."""


class Kept(msgspec.Struct, frozen=True):
    """A file of the home, as it lies in a backup."""

    sha256: str
    size: int


class Said(msgspec.Struct, frozen=True):
    """What the last publication was made of (status by file and number of its content), and what it adds up to."""

    contents: dict[str, dict[str, str]]
    figures: dict[str, figures.Table]


class Backup(msgspec.Struct, frozen=True):
    """What a backup holds: files by their path below the home, and what the last publication said."""

    files: dict[str, Kept]
    said: Said | None


@dataclass(frozen=True)
class Restored:
    """What was taken from a backup.

    Attributes:
        waiting: commits of landing that came after the publication: they wait until it has been compared.
        mixed: inbox files of which the publication knew another state than the backup holds.
    """

    backup: Backup
    waiting: dict[str, bytes]
    mixed: list[str]


class Known(msgspec.Struct, frozen=True):
    """The folders of the backups that were taken of a home."""

    folders: list[str]


def known(lake: Lake) -> list[str]:
    """List the folders of backups that are there, as far as this machine can tell."""
    noted = read_note(lake.history(KNOWN), Known)
    return [folder for folder in (noted.folders if noted else ()) if Path(folder, LIST).exists()]


def kept_files(lake: Lake) -> Iterator[tuple[Path, str | None]]:
    """List what cannot be made again, with its hash where it is known: landed lines, the history, the key.

    Where lines are gone, what was parsed of them; where events are, what is kept of their days.
    """
    gone = without_raw(lake)
    parsed = [commit for commit in lake.commits(PARSED, Reading) if holds_all_there_is(commit, gone)]
    commits: list[Commit[Any]] = [*lake.commits(STAGE, Landing), *parsed, *sealed.commits(lake)]
    for commit in commits:
        yield lake.manifest_path(commit.stage, commit.name), None
        yield from ((lake.path(part.path), part.sha256) for part in commit.parts)
    for path in sorted(lake.history().rglob("*")):
        # Which backups there are is known to the machine, and no part of them.
        if path.is_file() and path.name != KNOWN and not path.name.startswith((".", "pending-")):
            yield path, None
    for name in SECRETS:
        path = lake.settings.home / name
        if path.exists():
            yield path, None


def take(lake: Lake, folder: Path) -> dict[str, int]:
    """Bring a backup up to date; return how many files and bytes it holds, and how many of them are new.

    Under the lock: what the files say and what was published belong together.

    Raises:
        BadUse: the folder holds something else.
        Damaged: landed lines are not what was written; the backup stays as it was.
    """
    objects = folder / "objects"
    if not (folder / LIST).exists() and folder.is_dir() and any(folder.iterdir()):
        raise BadUse(f"{folder} holds something that is no backup", "Name an empty folder, or one of a backup")
    files.make_folder(objects)
    folder.chmod(0o700)
    held: dict[str, Kept] = {}
    new = 0
    named = {path.relative_to(lake.settings.home).as_posix(): (path, sha256) for path, sha256 in kept_files(lake)}
    if settings_file().is_file():
        named[SETTINGS] = settings_file(), None
    for name, (path, sha256) in named.items():
        kept = Kept(files.sha256_of(path), path.stat().st_size)
        if sha256 not in {None, kept.sha256}:
            raise Damaged(f"{path} is not what was written", "Mend it first: python -m etl verify --repair")
        target = objects / kept.sha256
        if not target.exists() or target.stat().st_size != kept.size:
            copy(path, target)
            new += 1
        held[name] = kept
    write_note(folder / LIST, Backup(held, last_said(lake)))
    write_note(lake.history(KNOWN), Known(sorted({*known(lake), str(folder.absolute())})))
    wanted = {kept.sha256 for kept in held.values()}
    for path in objects.iterdir():
        if path.name not in wanted:
            path.unlink()
    return {"files": len(held), "bytes": sum(kept.size for kept in held.values()), "new": new}


def copy(source: Path, target: Path) -> None:
    """Copy a file whole or not at all."""
    partial = target.with_name(f".{target.name}")
    try:
        files.make_folder(target.parent)
        shutil.copyfile(source, partial)
        files.move_into_place(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def last_said(lake: Lake) -> Said | None:
    """Read what the last publication was made of and adds up to; None where nothing is published."""
    if not lake.settings.warehouse.exists():
        return None
    with published(lake.settings) as con:
        contents: dict[str, dict[str, str]] = {}
        for name, number, status in con.execute("select source_file, content, status from quality.ledger").fetchall():
            contents.setdefault(name, {})[str(number)] = status
        return Said(contents, figures.read_figures(con))


def read(folder: Path) -> Backup:
    """Read what a backup holds.

    Raises:
        BadUse: there is none.
        Damaged: a file of it is not what was written.
    """
    backup = read_note(folder / LIST, Backup)
    if backup is None:
        raise BadUse(f"there is no backup in {folder}", "Name the folder of one: it holds backup.json")
    for kept in backup.files.values():
        path = folder / "objects" / kept.sha256
        if not path.exists() or path.stat().st_size != kept.size or files.sha256_of(path) != kept.sha256:
            raise Damaged(f"{path} is not what was written", "Restore from another backup")
    return backup


def put_back(lake: Lake, folder: Path) -> Restored:
    """Put the files of a backup into an empty home, but for what had landed and was not published yet.

    Raises:
        BadUse: the home is not empty, or there is no backup.
        Damaged: a file of the backup is not what was written.
    """
    backup = read(folder)
    if lake.path("manifests").is_dir() and any(lake.path("manifests").glob("*/*.json")):
        raise BadUse(f"{lake.settings.home} holds a lake already", "Restore into a home that does not exist")
    waiting, mixed = {}, []
    for name, kept in backup.files.items():
        source, target = folder / "objects" / kept.sha256, lake.settings.home / name
        if name.startswith(f"lake/manifests/{STAGE}/"):
            commit = msgspec.json.decode(source.read_bytes(), type=Commit[Landing])
            state = "known" if backup.said is None else state_of(commit.facts, backup.said)
            if state == "new":
                waiting[name] = source.read_bytes()
                continue
            if state == "other":
                mixed.append(commit.facts.source_file)
        if name == erasures.NAME:
            theirs = msgspec.json.decode(source.read_bytes(), type=erasures.Erasures)
            erasures.write(lake, erasures.merged(erasures.read(lake), theirs))
            continue
        copy(source, target)
        if name in SECRETS:
            target.chmod(0o600)
    return Restored(backup, waiting, mixed)


def state_of(landing: Landing, said: Said) -> str:
    """Say whether a publication knew an inbox file as it is (`known`), not at all (`new`), or otherwise (`other`)."""
    known = said.contents.get(landing.source_file, {})
    now = {str(content.file_id): content.status for content in landing.contents}
    if not known:
        return "new"
    return "known" if now == known else "other"


def put_rest(lake: Lake, restored: Restored) -> None:
    """Put back what had landed after the publication: the next run takes it."""
    for name, content in restored.waiting.items():
        files.write_bytes(lake.settings.home / name, content)
