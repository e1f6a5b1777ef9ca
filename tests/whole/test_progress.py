"""How far a task is: told to whoever watches from another process, and to its log."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from builders import House, each, events

from etl import pipeline, progress


@pytest.fixture
def talkative() -> Iterator[None]:
    """Let lines of the level that Airflow shows come through."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    yield
    structlog.configure(**before)


@pytest.mark.usefixtures("talkative")
def test_what_a_task_says_last_is_read_by_others(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "TOLD_SECONDS", 0)
    monkeypatch.setattr(progress, "LOGGED_SECONDS", 0)
    home = house.settings.home
    assert progress.read_progress(home, "land") == ""
    house.put("events/a.jsonl", each(events("10:00 /a")))
    home.mkdir()
    with structlog.testing.capture_logs() as logged:
        pipeline.land(house.settings, advance=progress.telling(house.settings, "land"))
    assert progress.read_progress(home, "land") == "events/a.jsonl"
    assert [line["said"] for line in logged if line["event"] == "progress"] == ["events/a.jsonl"]
    # What a task said of an earlier run is not what the next says of itself.
    progress.telling(house.settings, "parse")
    assert (progress.read_progress(home, "land"), progress.read_progress(home, "parse")) == ("", "")


def test_a_task_goes_on_where_nothing_can_be_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "TOLD_SECONDS", 0)
    progress.telling(house.settings, "land")("a", 1)
    assert not house.settings.home.exists()
