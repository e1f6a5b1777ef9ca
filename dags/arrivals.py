"""The watcher of the inbox, in Airflow's triggerer: a run begins when files have come and lie still."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from etl import pipeline
from etl.errors import BloodhoundError
from etl.settings import Settings, load_settings

LOOK_SECONDS = 5


def listing(settings: Settings) -> frozenset[tuple[str, int, int]]:
    """List the files of the inbox with what tells that one has changed; a missing inbox has none."""
    found = set()
    for path in settings.inbox.rglob("*"):
        try:
            if path.is_file():
                found.add((str(path), path.stat().st_size, path.stat().st_mtime_ns))
        except FileNotFoundError:
            # Moved away between two looks.
            continue
    return frozenset(found)


def has_work(settings: Settings) -> bool:
    """Tell whether a run would find something to do."""
    try:
        return not pipeline.is_up_to_date(settings)
    except BloodhoundError:
        # The run says it where people look.
        return True


class InboxTrigger(BaseEventTrigger):
    """Fire when the inbox has changed, was the same at two looks, and the lake does not have it yet."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Say how to make it again; the inbox is the setting's."""
        return ("dags.arrivals.InboxTrigger", {})

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look for ever; what lay there at the start is new if the lake does not know it."""
        settings = load_settings()
        told = before = None
        while True:
            now = await asyncio.to_thread(listing, settings)
            if now == before and now != told:
                told = now
                if await asyncio.to_thread(has_work, settings):
                    yield TriggerEvent({"files": len(now)})  # type: ignore[no-untyped-call]
            before = now
            await asyncio.sleep(LOOK_SECONDS)
