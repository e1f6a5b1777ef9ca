"""Sessions and repeats, through real files: land, parse, sessionize."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from builders import House, burst, each, event, events, moment

from etl import pipeline
from etl.stages.sessionize import task as sessionize
from etl.vocabulary import bot_rules

SESSION_CASES: dict[str, tuple[list[str], list[str]]] = {
    # name: (events, the start of each one's session in the order given; "-" for none)
    "events within thirty minutes are one session": (
        ["10:00 /a", "10:20 /b", "10:45 /c"], ["10:00", "10:00", "10:00"]),
    "exactly thirty minutes are no split": (["10:00 /a", "10:30 /b"], ["10:00", "10:00"]),
    "a microsecond more than thirty minutes is a split": (
        ["10:00 /a", "10:30:00.000001 /b"], ["10:00", "10:30"]),
    "thirty idle minutes are counted from the last event": (
        ["10:00 /a", "10:30 /b", "11:00 /c", "11:31 /d"], ["10:00", "10:00", "10:00", "11:31"]),
    "any session event keeps a session open": (
        ["10:00 /a", "10:25 click", "10:50 custom.scroll", "11:15 /b"], ["10:00"] * 4),
    "events out of order are put in order": (["10:40 /c", "10:00 /a", "10:20 /b"], ["10:00"] * 3),
    "a campaign that comes first continues its session": (
        ["10:00 /a", "10:05 /b?utm_source=news"], ["10:00", "10:00"]),
    "another campaign starts a session": (
        ["10:00 /a?utm_source=news", "10:05 /b", "10:10 /c?utm_source=ads"], ["10:00", "10:00", "10:10"]),
    "the same campaign again is no split": (
        ["10:00 /a?utm_source=news", "10:05 /b?utm_source=news"], ["10:00", "10:00"]),
    "each of the values is a campaign of its own": (
        ["10:00 /?utm_source=a", "10:01 /?utm_source=a&utm_medium=b",
         "10:02 /?utm_source=a&utm_medium=b&utm_campaign=c",
         "10:03 /?utm_source=a&utm_medium=b&utm_campaign=c&gclid=d",
         "10:04 /?utm_source=a&utm_medium=b&utm_campaign=c&msclkid=d",
         "10:05 /?utm_source=a&utm_medium=b&utm_campaign=c&fbclid=d", "10:06 /?fbclid=d&utm_source=a&gclid="],
        ["10:00", "10:01", "10:02", "10:03", "10:04", "10:05", "10:06"]),
    "every click id of the seed is a campaign": (
        ["10:00 /?gbraid=d", "10:01 /?wbraid=d", "10:02 /?twclid=d"], ["10:00", "10:01", "10:02"]),
    "capitals of source and medium are no other campaign, those of the campaign are": (
        ["10:00 /?utm_source=a&utm_medium=b&utm_campaign=c", "10:01 /?utm_source=A&utm_medium=B&utm_campaign=c",
         "10:02 /?utm_source=a&utm_medium=b&utm_campaign=C"], ["10:00", "10:00", "10:02"]),
    "a campaign may stand in the fragment": (
        ["10:00 /#utm_source=a", "10:01 /?utm_source=a#b", "10:02 /#utm_source=b"], ["10:00", "10:00", "10:02"]),
    "term and content are no campaign": (
        ["10:00 /a?utm_source=x&utm_term=1", "10:05 /b?utm_source=x&utm_term=2&utm_content=3"], ["10:00", "10:00"]),
    "an empty value is absent": (
        ["10:00 /a?utm_source=x", "10:05 /b?utm_source=x&gclid=", "10:06 /b?utm_source="], ["10:00"] * 3),
    "values are compared decoded": (
        ["10:00 /a?utm_source=a%20b", "10:05 /b?utm_source=a+b", "10:06 /b?utm_source=%61%20b"], ["10:00"] * 3),
    "the campaign before counts, not the one before that": (
        ["10:00 /?gclid=a", "10:01 /?gclid=b", "10:02 /?gclid=a"], ["10:00", "10:01", "10:02"]),
    "a campaign is forgotten when the session ends": (
        ["10:00 /?gclid=a", "11:00 /x", "11:05 /?gclid=b"], ["10:00", "11:00", "11:00"]),
    "only page views bring campaigns": (
        ["10:00 /?gclid=a", "10:01 click"], ["10:00", "10:00"]),
    "repeats bring campaigns too": (
        ["10:00 /?gclid=a #p", "10:05 /?gclid=b #q", "10:10 /?gclid=a #p"], ["10:00", "10:05", "10:10"]),
    "no split within the millisecond a session starts": (
        ["10:00:00.000100 /?gclid=a", "10:00:00.000900 /?gclid=b", "10:00:00.001000 /?gclid=c"],
        ["10:00", "10:00", "10:00:00.001"]),
    "a campaign not split off is the session's latest": (
        ["10:00:00.0001 /?gclid=a", "10:00:00.0009 /?gclid=b", "10:05 /?gclid=b", "10:06 /?gclid=a"],
        ["10:00", "10:00", "10:00", "10:06"]),
    "one split in a millisecond": (
        ["10:00 /?gclid=a", "10:05:00.0001 /?gclid=b", "10:05:00.0002 /?gclid=a", "10:05:00.0003 /?gclid=b"],
        ["10:00", "10:05", "10:05", "10:05"]),
    "a backend event belongs to the open session": (
        ["10:00 /a", "10:20 custom.x @backend", "10:30 custom.x @api", "10:30:00.000001 custom.mail @email"],
        ["10:00", "10:00", "10:00", "-"]),
    "a backend event neither opens nor extends a session": (
        ["09:59 custom.x @backend", "10:00 /a", "10:29 custom.x @backend", "10:31 /b"],
        ["-", "10:00", "10:00", "10:31"]),
    "a backend event belongs to the latest of two open sessions": (
        ["10:00 /?gclid=a", "10:05 /?gclid=b", "10:05 custom.x @backend", "10:04 custom.x @api"],
        ["10:00", "10:05", "10:05", "10:00"]),
    "a tagged page view of an email neither opens nor splits": (
        ["10:00 /?gclid=a", "10:05 /?gclid=b @email", "10:06 /?gclid=a"], ["10:00", "10:00", "10:00"]),
    "sessions run across midnight": (["23:50 /a", "24:10 /b", "24:40 /c", "25:11 /d"], ["23:50"] * 3 + ["25:11"]),
    "exactly thirty minutes across midnight": (["23:30 /a", "24:00 /b"], ["23:30", "23:30"]),
    "thirty minutes and a little across midnight": (["23:30 /a", "24:00:00.000001 /b"], ["23:30", "24:00"]),
    "a campaign is remembered across midnight": (
        ["23:50 /?gclid=a", "24:05 /?gclid=a", "24:06 /?gclid=b"], ["23:50", "23:50", "24:06"]),
    "a session without a campaign takes one after midnight": (["23:50 /a", "24:05 /?gclid=b"], ["23:50", "23:50"]),
    "a session runs over two midnights": (
        [f"{minute // 60}:{minute % 60:02} /p" for minute in range(23 * 60, 50 * 60, 25)], ["23:00"] * 65),
    "a backend event after midnight finds its session": (
        ["23:50 /a", "24:15 custom.x @backend", "24:21 custom.x @backend"], ["23:50", "23:50", "-"]),
    "a backend event before midnight finds a session that goes on": (
        ["23:45 /a", "23:55 custom.x @backend", "24:10 /b", "24:40 custom.x @backend"], ["23:45"] * 4),
    "apps have sessions": (["10:00 /a @ios", "10:31 /b @android"], ["10:00", "10:31"]),
    "platforms share a visitor's session": (["10:00 /a @ios", "10:10 /b @mobile_web"], ["10:00", "10:00"]),
}  # fmt: skip


def session_starts(rows: list[dict[str, Any]]) -> list[str]:
    """Write each event's session as its start, in order of message index."""
    return [row["session_id"] or "-" for row in sorted(rows, key=lambda row: row["message_index"])]


def session_id(visitor: str, start: str) -> str:
    if start == "-":
        return "-"
    return f"{visitor}-{int((moment(start) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))}"


@pytest.fixture(scope="module")
def all_cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """Digest all cases at once, a visitor each."""
    house = House(tmp_path_factory.mktemp("cases"))
    house.put(
        "events/a.jsonl", b"".join(each(events(*cases, visitor=name)) for name, (cases, _) in SESSION_CASES.items())
    )
    house.digest()
    found: dict[str, list[dict[str, Any]]] = {}
    for row in house.events():
        found.setdefault(row["visitor_id"], []).append(row)
    return found


@pytest.mark.parametrize("name", SESSION_CASES)
def test_session(name: str, all_cases: dict[str, list[dict[str, Any]]]) -> None:
    _, starts = SESSION_CASES[name]
    assert session_starts(all_cases[name]) == [session_id(name, start) for start in starts]


def test_a_session_belongs_to_the_day_it_starts(all_cases: dict[str, list[dict[str, Any]]]) -> None:
    rows = all_cases["sessions run across midnight"]
    assert [str(row["session_date"]) for row in rows] == ["2026-03-01"] * 3 + ["2026-03-02"]
    assert [str(row["event_date"]) for row in rows] == ["2026-03-01"] + ["2026-03-02"] * 3
    assert [row["session_event_number"] for row in rows] == [1, 2, 3, 1]


def test_an_event_without_session_belongs_to_its_own_day(all_cases: dict[str, list[dict[str, Any]]]) -> None:
    rows = all_cases["a backend event after midnight finds its session"]
    assert [str(row["session_date"]) for row in rows] == ["2026-03-01", "2026-03-01", "2026-03-02"]
    assert [row["is_session_event"] for row in rows] == [True, False, False]
    assert [row["session_event_number"] for row in rows] == [1, None, None]


def test_late_event_bridges_two_sessions(house: House) -> None:
    before = house.take(*events("10:00 /a", "10:50 /b", "11:15 /c"))
    assert session_starts(before) == [session_id("v", "10:00")] + [session_id("v", "10:50")] * 2
    after = house.take(*events("10:25 /late", first=3), name="events/late.jsonl")
    assert session_starts(after) == [session_id("v", "10:00")] * 4
    assert [row["session_event_number"] for row in after] == [1, 2, 3, 4]


def test_late_first_event_moves_the_start_and_the_days_after_it(house: House) -> None:
    house.take(*events("24:05 /a", "24:30 /b", "25:45 /c"))
    after = house.take(*events("23:40 /late", first=3), name="events/late.jsonl")
    assert session_starts(after) == [session_id("v", start) for start in ("23:40", "23:40", "25:45", "23:40")]
    assert [str(row["session_date"]) for row in after] == ["2026-03-01"] * 3 + ["2026-03-02"]


def test_late_event_after_two_midnights_travels_as_far_as_the_session(house: House) -> None:
    minutes = range(24 * 60 + 5, 73 * 60, 25)
    house.take(*events(*(f"{minute // 60}:{minute % 60:02} /p" for minute in minutes)))
    assert len(house.files("open_sessions")) == 2
    after = house.take(*events("23:45 /late", first=999), name="events/late.jsonl")
    assert {row["session_id"] for row in after} == {session_id("v", "23:45")}
    assert [row["session_event_number"] for row in after] == list(range(1, len(minutes) + 2))


def test_change_that_does_not_reach_midnight_leaves_the_next_day_alone(house: House) -> None:
    house.take(*events("10:00 /a", "23:50 /b", "24:10 /c"))
    before = written(house)
    house.take(*events("10:10 /late", first=3), name="events/late.jsonl")
    after = written(house)
    assert [day for day in after if after[day] != before[day]] == ["2026-03-01"]


def test_day_before_that_leaves_nothing_open_leaves_the_next_day_alone(house: House) -> None:
    house.take(*events("34:00 /a"))
    before = written(house)
    house.take(*events("10:00 /late", first=3), name="events/late.jsonl")
    assert written(house)["2026-03-02"] == before["2026-03-02"]


def test_day_that_is_no_more_leaves_nothing_open(house: House) -> None:
    """Other settings refuse the only message before midnight, and the session begins after it."""
    house.take(*events("23:50 /a", data={"text": "x" * 4000}), *events("24:10 /b", first=1))
    house.keys = {"max_message_bytes": 2000}
    house.digest()
    assert [row["session_id"] for row in house.events()] == [session_id("v", "24:10")]
    assert written(house).keys() == {"2026-03-02"}


def written(house: House) -> dict[str, tuple[int, int]]:
    """Say when each day was written."""
    manifests = sorted((house.settings.lake / "manifests/sessionize").iterdir())
    return {path.stem: (path.stat().st_ino, path.stat().st_mtime_ns) for path in manifests}


def test_events_are_ordered_by_stream_index_and_id_where_times_are_equal(house: House) -> None:
    moments = [
        event("10:00 /4?gclid=x", 1, id="a", stream_id="s2", index=1),
        event("10:00 /2?gclid=x", 2, id="b", stream_id="s1", index=10),
        event("10:00 /1?gclid=x", 3, id="z", stream_id="s1", index=9),
        event("10:00 /3?gclid=x", 4, id="c", stream_id="s1", index=10),
    ]
    rows = house.take(*moments)
    numbered = {row["session_event_number"]: row["url_path"] for row in rows}
    assert numbered == {1: "/1", 2: "/2", 3: "/3", 4: "/4"}


@pytest.mark.parametrize("most", [0, 1_000_000])
def test_a_days_file_is_sorted_by_visitor_and_time_as_far_as_memory_goes(
    house: House, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(sessionize, "MOST_SORTED_EVENTS", most)
    messages = [
        event(f"{10 + number % 7}:{number % 60:02} /", number, f"v{number * 7919 % 100}") for number in range(300)
    ]
    house.take(*messages)
    with duckdb.connect() as con:
        [file] = house.files("events")
        rows = con.execute(f"select visitor_id, event_at from '{file}'").fetchall()
    assert len(rows) == 300
    assert (rows == sorted(rows)) is (most > 0)


def test_repeat_is_the_later_view_of_the_same_page_and_visitor(house: House) -> None:
    cases = events("10:00 /a #p", "10:10 /a #p", "10:20 /b #q", "12:00 /a #p", "24:10 /a #p", "10:15 click #p")
    others = events("09:00 /a #p", visitor="w")
    rows = house.take(*cases, *others)
    repeats = {row["event_id"]: row["is_repeat"] for row in rows}
    assert repeats == {"v-0": False, "v-1": True, "v-2": False, "v-3": True, "v-4": True, "v-5": None, "w-0": False}


def test_late_earlier_view_makes_the_known_one_a_repeat(house: House) -> None:
    house.take(*events("24:10 /a #p"))
    rows = house.take(*events("23:00 /a #p", first=1), name="events/late.jsonl")
    assert [(row["event_id"], row["is_repeat"]) for row in rows] == [("v-1", False), ("v-0", True)]


def test_another_gap_or_rate_redoes_what_it_must(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a changed setting leaves is what a fresh home says under it; the setting before brings back what was."""
    messages = [
        *events("23:40 /a", "23:55 /b", "24:20 /c", "24:31 /d", "25:02 /e"),
        *events("10:00 /a?gclid=a", "10:11 /b", "47:50 /c", "48:05 custom.x @backend", visitor="w"),
        *burst(10, timedelta(seconds=50), visitor="fast"),
    ]
    old = House(tmp_path / "old")
    before = old.take(*messages)
    for gap, views in ((10, 30), (45, 10), (30, 30)):
        monkeypatch.setitem(bot_rules.RULES, "rate", {"windows": [{"seconds": 60, "page_views": views}]})
        monkeypatch.setattr(bot_rules, "WINDOWS", ((60_000_000, views),))
        old.keys = {"session_gap_minutes": gap}
        assert pipeline.pending(old.settings).keys() >= {"sessionize", "build"}
        old.digest()
        new = House(tmp_path / f"new{gap}", {"session_gap_minutes": gap})
        assert old.events() == new.take(*messages)
        assert sum(row["is_bot"] for row in old.events()) == (10 if views == 10 else 0)
        assert "sessionize" not in pipeline.pending(old.settings)
    assert old.events() == before


def test_an_event_may_come_late_in_any_place(house: House) -> None:
    """The same visit for many visitors, of each of whom another event is late; some by two, with what lies between."""
    cases = ["23:10 /a", "23:40 /b?gclid=a", "23:40 click", "23:59:59.999 /c?gclid=b", "24:10 custom.x @backend",
             "24:20 /d?gclid=b", "24:50 /a", "25:20 custom.x", "25:51 /e", "25:51 /e?gclid=c"]  # fmt: skip
    pairs = [{first, second} for first in range(len(cases)) for second in range(first, len(cases))]
    made = {f"v{number}": events(*cases, visitor=f"v{number}") for number in range(len(pairs))}
    late = [messages[place] for messages, places in zip(made.values(), pairs, strict=True) for place in places]
    for run in (False, True):
        batch = [message for messages in made.values() for message in messages if (message in late) is run]
        house.put(f"events/{run}.jsonl", each(batch))
        house.digest()
    found: dict[str, list[Any]] = {}
    for row in house.events():
        found.setdefault(row["visitor_id"], []).append(
            (row["message_index"], (row["session_id"] or "-").removeprefix(row["visitor_id"]),
             row["session_event_number"], row["is_repeat"])
        )  # fmt: skip
    assert len(found) == len(pairs)
    assert {tuple(rows) for rows in found.values()} == {tuple(found["v0"])}
    starts = [start and session_id("v", start)[1:] for start in ("23:10", "23:59:59.999", "25:51")]
    assert sorted({session for _, session, _, _ in found["v0"]}) == sorted(starts)
