"""Sessions, repeats and rate bots, through real files: land, parse, sessionize."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import pytest
from builders import House, Message, each, event, events, iso, lines, moment, request
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from etl import pipeline as tasks
from etl.stages.fast_views import stage as bots
from etl.stages.sessionize import stage as sessionize
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
    "each of the six values is a campaign of its own": (
        ["10:00 /?utm_source=a", "10:01 /?utm_source=a&utm_medium=b",
         "10:02 /?utm_source=a&utm_medium=b&utm_campaign=c",
         "10:03 /?utm_source=a&utm_medium=b&utm_campaign=c&gclid=d",
         "10:04 /?utm_source=a&utm_medium=b&utm_campaign=c&msclkid=d",
         "10:05 /?utm_source=a&utm_medium=b&utm_campaign=c&fbclid=d"],
        ["10:00", "10:01", "10:02", "10:03", "10:04", "10:05"]),
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
    others = {path: path.stat().st_mtime_ns for path in (house.settings.lake / "manifests/days").iterdir()}
    assert len(others) == 3
    after = house.take(*events("23:45 /late", first=999), name="events/late.jsonl")
    assert {row["session_id"] for row in after} == {session_id("v", "23:45")}
    assert [row["session_event_number"] for row in after] == list(range(1, len(minutes) + 2))


def test_change_that_does_not_reach_midnight_leaves_the_next_day_alone(house: House) -> None:
    house.take(*events("10:00 /a", "23:50 /b", "24:10 /c"))
    following = house.settings.lake / "events/event_date=2026-03-02/events.parquet"
    written = following.stat().st_ino
    house.take(*events("10:10 /late", first=3), name="events/late.jsonl")
    assert following.stat().st_ino == written


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
        file = sessionize.events_path(house.settings, date(2026, 3, 1))
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


def burst(count: int, over: timedelta, start: str = "10:00", visitor: str = "v", **keys: Any) -> list[Message]:
    """Make so many page views, the first and last `over` apart."""
    step = over / (count - 1)
    times = [moment(start) + number * step for number in range(count - 1)] + [moment(start) + over]
    return [event("10:00 /p", number, visitor, created_at=iso(when), **keys) for number, when in enumerate(times)]


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


# A second implementation: the contract in plain loops.

GAP = timedelta(minutes=30)
CAMPAIGN = ("utm_source", "utm_medium", "utm_campaign", "gclid", "msclkid", "fbclid")
NO_SESSION = {"backend", "api", "email"}


@dataclass
class Outcome:
    """What the contract says of one event."""

    session_id: str | None = None
    number: int | None = None
    is_repeat: bool | None = None
    is_bot: bool = False


def created(message: Message) -> datetime:
    return datetime.fromisoformat(message["created_at"])


def milliseconds(when: datetime) -> int:
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def campaign(message: Message) -> tuple[str, ...] | None:
    """Read a page view's campaign; None when it brings none."""
    found = parse_qs(urlsplit(message["page"]["url"]).query)
    values = tuple(found.get(key, [""])[0] for key in CAMPAIGN)
    return values if message["schema"] == "page_view" and any(values) else None


def expected_outcomes(messages: list[Message]) -> dict[str, Outcome]:
    """Judge one visitor's messages, by id."""
    ordered = sorted(messages, key=lambda m: (created(m), m["stream_id"], m["index"], m["id"]))
    outcomes = {message["id"]: Outcome() for message in ordered}
    sessions: list[dict[str, Any]] = []
    for message in ordered:
        if message["platform"] in NO_SESSION:
            continue
        when, tag = created(message), campaign(message)
        session = sessions[-1] if sessions else None
        starts = session is None or when - session["last"] > GAP
        if session and not starts and tag and session["campaign"] and tag != session["campaign"]:
            starts = milliseconds(when) != milliseconds(session["start"])
        if starts or session is None:
            session = {"start": when, "campaign": None, "count": 0}
            sessions.append(session)
        session |= {"last": when, "campaign": tag or session["campaign"], "count": session["count"] + 1}
        outcome = outcomes[message["id"]]
        outcome.session_id = f"{message['visitor_id']}-{milliseconds(session['start'])}"
        outcome.number = session["count"]
    for message in ordered:
        if message["platform"] in NO_SESSION:
            open_then = [s for s in sessions if s["start"] <= created(message) <= s["last"] + GAP]
            if open_then:
                outcomes[message["id"]].session_id = f"{message['visitor_id']}-{milliseconds(open_then[-1]['start'])}"
    judge_page_views(ordered, outcomes)
    return outcomes


def judge_page_views(ordered: list[Message], outcomes: dict[str, Outcome]) -> None:
    """Find one visitor's repeats and page views that came too fast."""
    seen: set[str] = set()
    for message in ordered:
        if message["schema"] == "page_view":
            outcomes[message["id"]].is_repeat = message["page"]["id"] in seen
            seen.add(message["page"]["id"])
    views = [m for m in ordered if m["schema"] == "page_view" and m["platform"] in {"desktop_web", "mobile_web"}]
    for width, many in ((timedelta(seconds=60), 30), (timedelta(days=1), 801)):
        for first in views:
            inside = [m for m in views if created(first) <= created(m) <= created(first) + width]
            if len(inside) >= many:
                for message in inside:
                    outcomes[message["id"]].is_bot = True


MICROSECOND, MILLISECOND, SECOND = timedelta(microseconds=1), timedelta(milliseconds=1), timedelta(seconds=1)
STEPS = [
    timedelta(0),
    timedelta(0),
    MICROSECOND,
    999 * MICROSECOND,
    MILLISECOND,
    10 * SECOND,
    20 * SECOND,
    timedelta(minutes=5),
    GAP - MILLISECOND,
    GAP - MICROSECOND,
    GAP,
    GAP,
    GAP + MICROSECOND,
    GAP + MILLISECOND,
    timedelta(hours=2),
    timedelta(hours=11),
]
PAGES = ["/", "/", "/x", "/?gclid=a", "/?gclid=b", "/?utm_source=a", "/?utm_source=&gclid=a", "/?utm_medium=a"]
STARTS = ["12:00", "23:29:59.999", "23:30", "23:59:59.999999", "24:00"]

moves = st.tuples(
    st.sampled_from(STEPS),
    st.sampled_from([*PAGES, "click", "custom.x"]),
    st.sampled_from(["desktop_web", "desktop_web", "mobile_web", "ios", "backend", "api", "email"]),
    st.integers(0, 3),  # page
    st.integers(0, 1),  # stream
    st.integers(0, 2),  # which run brings it
)
bursts = st.one_of(st.none(), st.none(), st.none(), st.tuples(st.integers(28, 32), st.sampled_from([-1, 0, 1])))
visits = st.tuples(st.sampled_from(STARTS), st.lists(moves, min_size=1, max_size=9), bursts)


def visitor_messages(visitor: str, visit: Any) -> list[tuple[int, Message]]:
    """Make one visitor's messages, each with the run that brings it."""
    start, made, fast = visit
    when, found = moment(start), []
    for number, (step, what, platform, page, stream, run) in enumerate(made):
        when += step
        message = event(
            f"10:00 {what} @{platform} #{visitor}-page{page}", number, visitor,
            created_at=iso(when), stream_id=f"s{stream}-{visitor}", index=number * 7 % 5,
        )  # fmt: skip
        found.append((run, message))
    if fast:
        count, spare = fast
        messages = burst(count, timedelta(seconds=60, microseconds=spare), start, visitor)
        found += [(number % 2, message | {"id": f"{visitor}-fast{number}"}) for number, message in enumerate(messages)]
    return found


def check_visits(root: Path, drawn: list[Any], round_events: int) -> None:
    """Digest visits in three runs, so many events at a time, and compare every event with the plain loops."""
    house = House(root)
    made = {f"v{number}": visitor_messages(f"v{number}", visit) for number, visit in enumerate(drawn)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessionize, "ROUND_EVENTS", round_events)
        for run in range(3):
            brought = [message for messages in made.values() for which, message in messages if which == run]
            house.put(f"events/{run}.jsonl", each(reversed(brought)))
            house.digest()
    outcomes: dict[str, Outcome] = {}
    for messages in made.values():
        outcomes |= expected_outcomes([message for _, message in messages])
    found = {
        row["event_id"]: Outcome(row["session_id"], row["session_event_number"], row["is_repeat"], row["is_bot"])
        for row in house.events()
    }
    assert found.keys() == outcomes.keys()
    for visitor, messages in made.items():
        names = [message["id"] for _, message in messages]
        case = "\n".join(f"{run} {message}" for run, message in messages)
        assert {name: found[name] for name in names} == {name: outcomes[name] for name in names}, f"{visitor}:\n{case}"


unhurried = {
    "deadline": None, "phases": [Phase.explicit, Phase.generate], "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
}  # fmt: skip


@settings(max_examples=3, **unhurried)
@given(drawn=st.lists(visits, min_size=30, max_size=60), round_events=st.sampled_from([40, 1_000_000]))
def test_sessions_repeats_and_bots_are_those_of_plain_loops(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[Any], round_events: int
) -> None:
    check_visits(tmp_path_factory.mktemp("visits"), drawn, round_events)


@pytest.mark.prove
@settings(max_examples=40, **unhurried)
@given(drawn=st.lists(visits, min_size=30, max_size=60), round_events=st.sampled_from([40, 1_000_000]))
def test_sessions_repeats_and_bots_are_those_of_plain_loops_many_times(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[Any], round_events: int
) -> None:
    check_visits(tmp_path_factory.mktemp("visits"), drawn, round_events)


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
        monkeypatch.setattr(bots, "WINDOWS", ((60_000_000, views),))
        old.keys = {"session_gap_minutes": gap}
        assert tasks.pending(old.settings).keys() >= {"sessionize", "build"}
        old.digest()
        new = House(tmp_path / f"new{gap}", {"session_gap_minutes": gap})
        assert old.events() == new.take(*messages)
        assert sum(row["is_bot"] for row in old.events()) == (10 if views == 10 else 0)
        assert "sessionize" not in tasks.pending(old.settings)
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
