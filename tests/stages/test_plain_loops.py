"""Sessions, repeats and fast views, compared with a second implementation: the contract in plain loops."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from builders import House, Message, burst, each, event, iso, moment
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from etl.stages.sessionize import task as sessionize

GAP = timedelta(minutes=30)
CAMPAIGN = ("utm_source", "utm_medium", "utm_campaign", "gclid", "msclkid", "fbclid", "wbraid")
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
    values = (values[0].lower(), values[1].lower(), *values[2:])
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
PAGES = ["/", "/", "/x", "/?gclid=a", "/?gclid=b", "/?utm_source=a", "/?utm_source=&gclid=a", "/?utm_medium=a",
         "/?wbraid=a", "/?utm_source=A"]  # fmt: skip
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
