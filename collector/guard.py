"""Before the disk is full, requests are refused: a line without room would be lost, and its client told it was taken.

Refused requests are counted by lines of a few hundred bytes. When these have eaten half of the reserve, they are
written no more: clients that try again and again must not fill the disk for all others.
"""

import shutil
from pathlib import Path

from collector.settings import CollectorSettings

HYSTERESIS = 1.05
"""What must be free again, of a bound: else the answer would change with every file that comes and goes."""


def flag(settings: CollectorSettings) -> Path:
    """Name the file whose presence makes nginx answer 503."""
    return settings.run / "full"


def mute_flag(settings: CollectorSettings) -> Path:
    """Name the file whose presence makes nginx answer 503 and say nothing of it."""
    return settings.run / "mute"


def watch_disk(settings: CollectorSettings) -> bool:
    """Look once at the disk of the logs; return whether requests are refused from now on."""
    free = shutil.disk_usage(settings.folder).free
    reserve = settings.reserve_mb * 2**20
    for mark, bound in ((flag(settings), reserve), (mute_flag(settings), reserve / 2)):
        if free < bound:
            mark.touch()
        elif mark.exists() and free >= bound * HYSTERESIS:
            mark.unlink(missing_ok=True)
    return flag(settings).exists()
