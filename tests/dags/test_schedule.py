"""When a run begins."""

import asyncio
import importlib
from pathlib import Path
from typing import Any

import pytest
from builders import House, each, events

from etl.settings import Settings, load_settings


@pytest.mark.parametrize(
    ("chosen", "now", "first"),
    [
        ("", "2026-03-02T00:00:05", "2026-03-03T00:00"),
        ("daily", "2026-03-02T23:00:05", "2026-03-03T00:00"),
        ("hourly", "2026-03-02T23:00:05", "2026-03-03T00:00"),
        ("hourly", "2026-03-02T10:59:59", "2026-03-02T11:00"),
        ("30 4 * * 1", "2026-03-02T04:31:00", "2026-03-09T04:30"),
    ],
)
def test_a_new_airflow_waits_for_the_next_time_to_come(
    airflow: Path, monkeypatch: pytest.MonkeyPatch, chosen: str, now: str, first: str
) -> None:
    monkeypatch.setenv("BLOODHOUND_SCHEDULE", chosen)
    trigger = importlib.import_module("airflow.timetables.trigger")
    encoders = importlib.import_module("airflow.serialization.encoders")
    decoders = importlib.import_module("airflow.serialization.decoders")
    schedule = importlib.import_module("dags.schedule").chosen_schedule()
    timetable = decoders.decode_timetable(encoders.encode_timetable(schedule))
    restriction = importlib.import_module("airflow.timetables.base").TimeRestriction(None, None, catchup=False)
    monkeypatch.setattr(trigger, "utcnow", lambda: importlib.import_module("pendulum").parse(now))

    found = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)

    assert found.run_after.isoformat()[:16] == first


def test_on_arrival_follows_the_inbox_by_the_triggerer(airflow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOODHOUND_SCHEDULE", "on_arrival")
    (inbox,) = importlib.import_module("dags.schedule").chosen_schedule()
    module, _, name = inbox.watchers[0].trigger.serialize()[0].rpartition(".")

    assert inbox.name == "inbox"
    assert getattr(importlib.import_module(module), name) is type(inbox.watchers[0].trigger)


def test_the_watcher_tells_of_what_came_once_and_not_before_it_lies_still(
    airflow: Path, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrivals = importlib.import_module("dags.arrivals")
    listing, looks = arrivals.listing, 0
    house.put("events/a.jsonl", each(events("10:00 /a")))

    def look(settings: Settings) -> frozenset[tuple[str, int, int]]:
        """Look while somebody still writes, the first three times."""
        nonlocal looks
        looks += 1
        if looks <= 3:
            house.put("events/slow.jsonl", b"\n" * looks)
        return listing(settings)

    async def watch() -> list[tuple[dict[str, Any], int]]:
        watching = arrivals.InboxTrigger().run()
        told = [((await anext(watching)).payload, looks)]
        waiting = asyncio.create_task(anext(watching))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        house.put("events/b.jsonl", each(events("11:00 /b")))
        told.append(((await asyncio.wait_for(waiting, 10)).payload, looks))
        return told

    monkeypatch.setattr(arrivals, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(arrivals, "listing", look)
    monkeypatch.setenv("BLOODHOUND_INBOX", str(house.settings.inbox))
    monkeypatch.setenv("BLOODHOUND_HOME", str(house.settings.home))
    (first, first_look), (second, second_look) = asyncio.run(watch())

    assert (first, first_look) == ({"files": 2}, 4)
    assert second == {"files": 3}
    assert second_look > first_look + 3


def test_an_inbox_that_is_gone_is_told_by_the_run_that_fails_of_it(airflow: Path, tmp_path: Path) -> None:
    arrivals = importlib.import_module("dags.arrivals")
    settings = load_settings(tmp_path / "gone", tmp_path / "home")

    assert arrivals.listing(settings) == frozenset()
    assert arrivals.has_work(settings)
