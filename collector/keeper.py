"""What goes on beside nginx: the disk is watched, hours are delivered, blocks end."""

import signal
import threading
from datetime import UTC, datetime

import structlog

from collector.blocking import read_blocks, write_blocks
from collector.guard import watch_disk
from collector.processes import reload_tracker
from collector.rotation import rotate
from collector.settings import CollectorSettings
from etl.errors import BloodhoundError

ROTATE_SECONDS = 20


def keep(settings: CollectorSettings) -> None:
    """Watch until TERM; what fails is said and tried again, and nothing stops the watch on the disk."""
    log = structlog.get_logger("bloodhound")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    mover = threading.Thread(target=go_on_moving, args=(settings, ended))
    mover.start()
    was_full = False
    while not ended.wait(settings.guard_seconds):
        try:
            is_full = watch_disk(settings)
        except OSError as error:
            log.error("the disk cannot be looked at", reason=str(error))
            continue
        if is_full != was_full:
            log.warning("requests are refused: the disk is nearly full" if is_full else "requests are taken again")
        was_full = is_full
    mover.join()


def go_on_moving(settings: CollectorSettings, ended: threading.Event) -> None:
    """Deliver and end blocks, again and again."""
    log = structlog.get_logger("bloodhound")
    while True:
        now = datetime.now(UTC)
        try:
            for path in rotate(settings, now):
                log.info("delivered", file=str(path), bytes=path.stat().st_size)
            if write_blocks(settings, read_blocks(settings), now):
                reload_tracker(settings)
        except (OSError, BloodhoundError) as error:
            log.error("not delivered, to be tried again", reason=str(error))
        if ended.wait(min(ROTATE_SECONDS, settings.rotate_seconds / 2)):
            return
