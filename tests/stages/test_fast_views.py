"""Page views that come faster than people read, through real files and by themselves."""

from datetime import timedelta
from typing import Any

import pytest
from builders import House, Message, burst, each, event, lines, moment, request
from builders.steps import Row, apply, refs

from etl.stages.fast_views.stage import FIND_FAST_VIEWS

RATE_CASES: dict[str, tuple[list[Message], int]] = {
    "thirty in exactly a minute": (burst(30, timedelta(seconds=60)), 30),
    "thirty in a little more than a minute": (burst(30, timedelta(seconds=60, microseconds=1)), 0),
    "twenty nine in a minute": (burst(29, timedelta(seconds=60)), 0),
    "thirty at once": ([event("10:00 /p", number) for number in range(30)], 30),
    "thirty across midnight": (burst(30, timedelta(seconds=60), "23:59:30"), 30),
    "thirty repeats": (burst(30, timedelta(seconds=60), page_id="same"), 30),
    "thirty in apps": (burst(30, timedelta(seconds=60), platform="ios"), 0),
    "thirty clicks": (burst(30, timedelta(seconds=60), schema="click"), 0),
    "only those inside the window": (
        [
            *burst(30, timedelta(seconds=60)),
            event("10:00:40 click", 90),
            event("10:05 /p", 91),
            event("09:59:59 /p", 92),
        ],
        31,
    ),
    "eight hundred and one in exactly a day": (burst(801, timedelta(days=1)), 801),
    "eight hundred and one in more than a day": (burst(801, timedelta(days=1, microseconds=1)), 0),
    "eight hundred in a day": (burst(800, timedelta(hours=23)), 0),
}


@pytest.fixture(scope="module")
def all_rates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Digest all bursts at once, a visitor each; return the events flagged, by visitor."""
    house = House(tmp_path_factory.mktemp("rates"))
    batches = []
    for name, (messages, _) in RATE_CASES.items():
        renamed = [message | {"visitor_id": name, "id": f"{name}-{number}"} for number, message in enumerate(messages)]
        batches += [request(renamed[first : first + 50], moment("60:00")) for first in range(0, len(renamed), 50)]
    house.put("events/a.jsonl", lines(batches))
    house.digest()
    flagged: dict[str, list[str]] = {name: [] for name in RATE_CASES}
    for row in house.events():
        assert row["is_bot"] == (row["bot_reason"] is not None)
        if row["is_bot"]:
            assert row["bot_reason"] == "rate"
            flagged[row["visitor_id"]].append(row["event_id"])
    return flagged


@pytest.mark.parametrize("name", RATE_CASES)
def test_rate(name: str, all_rates: dict[str, list[str]]) -> None:
    assert len(all_rates[name]) == RATE_CASES[name][1]


def test_late_page_view_makes_a_bot_of_those_before(house: House) -> None:
    house.take(*burst(29, timedelta(seconds=59), "23:59:30"))
    assert not any(row["is_bot"] for row in house.events())
    rows = house.take(event("24:00:30 /p", 50), name="events/late.jsonl")
    assert [row["bot_reason"] for row in rows] == ["rate"] * 30


def test_duplicates_do_not_make_a_bot(house: House) -> None:
    views = burst(29, timedelta(seconds=59))
    house.put("events/a.jsonl", each(views))
    house.put("events/b.jsonl", each(views))
    house.digest()
    assert [row["is_bot"] for row in house.events()] == [False] * 29


WINDOWS = [{"width_us": 10, "page_views": 3}, {"width_us": 1000, "page_views": 5}]


def fast(views: list[Any], rounds: int = 1, **given: list[Row]) -> list[Any]:
    """Find the fast views of 1 March among (visitor, µs after noon), with windows of 3 in 10 µs and 5 in 1000 µs."""
    messages = [
        {
            "visitor_id": visitor, "event_at": moment("12:00") + timedelta(microseconds=at), "schema": "page_view",
            "platform": "desktop_web", "file_id": -1, "message_ref": number,
        }
        for number, (visitor, at) in enumerate(views)
    ]  # fmt: skip
    tables = {"messages": messages, "copies": [], "windows": WINDOWS} | given
    found = apply(FIND_FAST_VIEWS, tables, rounds, day="2026-03-01", platforms=["desktop_web"])["fast_views"]
    return refs(found, "message_ref")


def test_views_inside_any_window_that_is_too_full_are_fast() -> None:
    assert fast([("v", at) for at in (0, 5, 10, 21, 25)]) == [0, 1, 2, 3, 4], "five in a thousand"
    assert fast([("v", at) for at in (0, 5, 10, 2000, 2005, 4000)]) == [0, 1, 2]
    assert fast([("v", at) for at in (0, 5, 11, 15)]) == [1, 2, 3]
    assert fast([("v", at) for at in (0, 0, 0, 0)]) == [0, 1, 2, 3]
    assert fast([("v", 0), ("v", 1), ("w", 2), ("v", 11)]) == []


def test_no_window_finds_nothing() -> None:
    assert fast([("v", 0)] * 9, windows=[]) == []


def test_refused_views_are_none_and_repeats_are_some() -> None:
    copies = [{"kind": kind, "file_id": -1, "message_ref": place} for place, kind in ((1, "duplicate"), (2, "repeat"))]
    assert fast([("v", 0), ("v", 1), ("v", 2)], copies=copies) == []
    assert fast([("v", 0), ("v", 1), ("v", 2), ("v", 3)], copies=copies) == [0, 2, 3]


def test_visitors_in_rounds_are_judged_the_same() -> None:
    views = [(f"v{number % 9}", number * (1 if number % 9 < 4 else 10_000_000)) for number in range(90)]
    whole = fast(views)
    assert 0 < len(whole) < len(views)
    assert fast(views, rounds=4) == whole


def test_a_day_says_what_is_its_own() -> None:
    half = timedelta(hours=12) / timedelta(microseconds=1)
    assert fast([("v", half - 2), ("v", half - 1), ("v", half), ("v", half + 1)]) == [0, 1]


def test_a_day_is_judged_again_with_its_neighbours_alone(house: House) -> None:
    """Five days with a page view each: another on the third concerns the second to the fourth."""
    house.take(*(event(f"{24 * day + 12}:00 /p", day) for day in range(5)))
    before = manifests(house)
    house.take(event("60:30 /p", 9), name="events/late.jsonl")
    after = manifests(house)
    assert [day for day in after if before[day] != after[day]] == ["2026-03-02", "2026-03-03", "2026-03-04"]


def manifests(house: House) -> dict[str, tuple[int, int]]:
    """Say when each day's manifest was written."""
    written = {path.stem: path.stat() for path in (house.settings.lake / "manifests/fast_views").iterdir()}
    return {day: (info.st_ino, info.st_mtime_ns) for day, info in sorted(written.items())}
