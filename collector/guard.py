"""Before the disk is full, requests are refused: nginx logs after it has answered, and a line without room is lost."""

import shutil
from pathlib import Path

from collector.settings import CollectorSettings

FLAG = "full"
HYSTERESIS = 1.05
"""What must be free again, of the reserve: else the answer would change with every file that comes and goes."""


def flag(settings: CollectorSettings) -> Path:
    """Name the file whose presence makes nginx answer 503."""
    return settings.run / FLAG


def watch_disk(settings: CollectorSettings) -> bool:
    """Look once at the disk of the logs; return whether requests are refused from now on."""
    free = shutil.disk_usage(settings.folder).free
    reserve = settings.reserve_mb * 2**20
    mark = flag(settings)
    if free < reserve:
        mark.touch()
    elif mark.exists() and free >= reserve * HYSTERESIS:
        mark.unlink(missing_ok=True)
    return mark.exists()
