"""Processes in families: each component leads a session, so that all it begot is known, dead or alive."""

import os
import time
from contextlib import suppress

import psutil

STOP_SECONDS = 8


def is_alive(pid: int, started: float) -> bool:
    """Tell whether this very process still runs: not a zombie, not another one with its number."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def family_of(pid: int, started: float) -> list[psutil.Process]:
    """Return a component and all it begot: each component leads a session, so orphans are known."""
    if psutil.pid_exists(pid) and not is_alive(pid, started) and not is_zombie(pid):
        # The number belongs to somebody else now, so the whole session has ended.
        return []
    family = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getsid(process.pid) == pid and not is_zombie(process.pid):
                family.append(process)
    return family


def is_zombie(pid: int) -> bool:
    """Tell whether a process has ended and nobody asked how."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def stop_families(leaders: list[tuple[int, float]]) -> None:
    """End components with all they begot: asked, asked again not to wait for tasks, killed."""
    family = [process for leader in leaders for process in family_of(*leader)]
    alive = {pid for pid, started in leaders if is_alive(pid, started)}
    orderly = [process for process in family if process.pid in alive] or family
    for act, whom in (
        (psutil.Process.terminate, orderly),
        (psutil.Process.terminate, family),
        (psutil.Process.kill, family),
    ):
        for process in whom:
            with suppress(psutil.NoSuchProcess):
                act(process)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            family = [process for leader in leaders for process in family_of(*leader)]
            if not family:
                return
            time.sleep(0.2)
