"""How far a task is, for whoever watches it from another process, and for its log."""

import time
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from etl.settings import Settings
from etl.stages.stage import Advance

TOLD_SECONDS = 0.5
LOGGED_SECONDS = 10


class Progress(msgspec.Struct):
    """A task and the last that it said of itself."""

    task: str
    said: str


def progress_path(home: Path) -> Path:
    """Name the note of a home; it holds what passes, and nobody misses it."""
    return home / "progress.json"


def telling(settings: Settings, task: str) -> Advance:
    """Return what a task calls with each piece done: a note is written twice a second, a line logged every ten."""
    path, log = progress_path(settings.home), structlog.get_logger("bloodhound")
    begun = told = logged = time.monotonic()
    pieces = 0

    def write(said: str) -> None:
        partial = path.with_name(f".{path.name}")
        with suppress(OSError):
            partial.write_bytes(msgspec.json.encode(Progress(task, said)))
            partial.replace(path)

    def advance(word: str, amount: int) -> None:
        nonlocal told, logged, pieces
        del amount
        pieces, now = pieces + 1, time.monotonic()
        if now - told >= TOLD_SECONDS:
            told = now
            write(word)
        if now - logged >= LOGGED_SECONDS:
            logged = now
            log.info("progress", task=task, said=word, pieces=pieces, seconds=round(now - begun, 1))

    write("")
    return advance


def read_progress(home: Path, task: str) -> str:
    """Say what a task has said last of itself; nothing if it said nothing, or another task has."""
    try:
        found = msgspec.json.decode(progress_path(home).read_bytes(), type=Progress)
    except (OSError, msgspec.DecodeError):
        return ""
    return found.said if found.task == task else ""
