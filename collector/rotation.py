"""Hours that are over, on their way into the inbox: closed, compressed, delivered, and gone only then.

nginx names its files by the hour (or less) and needs no signal. A file is one of three things, said by where it lies
and what it is called, so that a kill at any moment leaves nothing to remember:

    live/<witness>/<instance>-<witness>-<hour>.<ending>     nginx may still write it
    closed/<name>                                           its hour and a grace are over; it has its name for ever
    closed/<name>@<size>                                    so much of it is in the inbox

Should a process that hung write one more line after its hour, the file is longer than it says, and is delivered again:
of two contents of one name, where one begins with the other, the lake takes the longer.
"""

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backports import zstd

from collector.rendering import WITNESSES
from collector.settings import CollectorSettings
from etl.lake import files

FOLDERS = {"tracker": "events", "pixel": "pixel"}
"""Where in the inbox each witness is heard."""

LIVE = re.compile(r".+-(?P<begin>\d{4}-\d\d-\d\dT\d{2,6}[+-]\d{4})\.(jsonl|log)")
DELIVERED = re.compile(r"(?P<name>.+)@(?P<size>\d+)")


def rotate(settings: CollectorSettings, now: datetime) -> list[Path]:
    """Deliver what is over; return the files that the inbox was given.

    Args:
        now: with a time zone.
    """
    delivered = []
    for witness in WITNESSES:
        for path in over(settings, witness, now):
            close(settings, witness, path)
        for path in sorted(closed_folder(settings, witness).iterdir()):
            found = DELIVERED.fullmatch(path.name)
            if not found:
                delivered.append(deliver(settings, witness, path))
            elif path.stat().st_size != int(found["size"]):
                delivered.append(deliver(settings, witness, path.rename(path.with_name(found["name"]))))
            else:
                forget_when_old(settings, path, now)
    return delivered


def over(settings: CollectorSettings, witness: str, now: datetime) -> Iterator[Path]:
    """Find the files whose hour and grace are over."""
    for path in sorted(settings.live(witness).iterdir()):
        found = LIVE.fullmatch(path.name)
        # A clock that nginx could not read has no hour: its last line is as good.
        begun = datetime.fromisoformat(found["begin"]) if found else datetime.fromtimestamp(path.stat().st_mtime, UTC)
        if begun + timedelta(seconds=settings.rotate_seconds + settings.grace_seconds) <= now:
            yield path


def closed_folder(settings: CollectorSettings, witness: str) -> Path:
    """Where hours wait that are over."""
    return settings.folder / "closed" / witness


def close(settings: CollectorSettings, witness: str, path: Path) -> None:
    """Give a file the name that it keeps for ever; another if one of an hour that came twice has that."""
    folder = closed_folder(settings, witness)
    number, name = 0, path.name
    while taken(settings, witness, name):
        number += 1
        name = f"{path.stem}.{number}{path.suffix}"
    path.rename(folder / name)
    files.sync_folder(folder)


def taken(settings: CollectorSettings, witness: str, name: str) -> bool:
    """Tell whether a name was given before, as far as can be seen."""
    folder = closed_folder(settings, witness)
    return (folder / name).exists() or any(folder.glob(f"{name}@*")) or target(settings, witness, name).exists()


def target(settings: CollectorSettings, witness: str, name: str) -> Path:
    """Name the file of the inbox."""
    return settings.inbox / FOLDERS[witness] / f"{name}.zst"


def deliver(settings: CollectorSettings, witness: str, path: Path) -> Path:
    """Compress a closed file into the inbox: hidden until it is whole and on disk."""
    place = target(settings, witness, path.name)
    files.make_folder(place.parent)
    partial = place.with_name(f".{place.name}.partial")
    try:
        with path.open("rb") as source, zstd.open(partial, "wb") as compressed:
            shutil.copyfileobj(source, compressed, 2**20)
            size = source.tell()
        files.move_into_place(partial, place)
    finally:
        partial.unlink(missing_ok=True)
    path.rename(path.with_name(f"{path.name}@{size}"))
    return place


def forget_when_old(settings: CollectorSettings, path: Path, now: datetime) -> None:
    """Remove a file that was delivered; the rename that said so stamped it."""
    since = datetime.fromtimestamp(path.stat().st_ctime, UTC)
    if since + timedelta(minutes=settings.keep_minutes) <= now:
        path.unlink()
