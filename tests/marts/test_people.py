"""Persons, visits, page numbers: what dbt says, against the contract in plain loops over hostile visits."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from builders.warehouse import Row, Warehouse, event, order
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

STITCH = timedelta(days=30)
TICK = timedelta(microseconds=1)
ORIGIN = datetime(2026, 3, 28, 23, 59, 59, 999_000, tzinfo=UTC)
"""A moment before midnight, a day before clocks change in Europe."""


@dataclass
class Session:
    """A visit as it is drawn, and what the loops find out about it."""

    visitor: str
    events: list[Row]
    person: str = ""
    visit: int = 0
    id: str = field(init=False)
    start: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.start = self.events[0]["event_at"]
        self.id = f"{self.visitor}-{(self.start - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)}"

    @property
    def user(self) -> str | None:
        """The last user among the session's events."""
        return next((row["user_id"] for row in reversed(self.events) if row["user_id"]), None)


@dataclass
class World:
    """All that was drawn: sessions, and what happened outside of any."""

    sessions: list[Session] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    strays: list[Row] = field(default_factory=list)

    def rows(self) -> list[Row]:
        return [row for session in self.sessions for row in session.events] + self.orders + self.strays


# What is drawn: families of three devices and two users, each device a chain of visits.

pauses = st.sampled_from(
    [timedelta(hours=1), timedelta(days=1), timedelta(days=3), STITCH - TICK, STITCH, STITCH + TICK, 2 * STITCH]
)
users = st.sampled_from([None, None, None, "ann", "bob"])
views = st.tuples(
    st.sampled_from([timedelta(0), TICK, timedelta(seconds=1), timedelta(minutes=29)]),
    users,
    st.integers(0, 3),  # page
    st.sampled_from([None, 0, 1, 2, 3]),  # referring page
    st.booleans(),  # a click before it, which it names
    st.sampled_from(["navigate", "reload", "back_forward", "ajax", "screen", None]),
)
chains = st.lists(st.tuples(pauses, st.lists(views, min_size=1, max_size=4)), min_size=1, max_size=4)
# An order or an email's page view: of which device, near which of its visits, how far before or after.
asides = st.tuples(
    st.booleans(), st.integers(0, 2), st.integers(0, 3),
    st.sampled_from([-STITCH - TICK, -STITCH, -TICK, timedelta(0), TICK, timedelta(days=2)]), users,
)  # fmt: skip
families = st.tuples(st.lists(chains, min_size=3, max_size=3), st.lists(asides, max_size=4))


def populate(drawn: list[Any]) -> World:
    """Make the events of families; names carry the family's number, so that they never meet."""
    world = World()
    for number, (devices, beside) in enumerate(drawn):
        made = [chain_sessions(f"{number}d{device}", str(number), chain) for device, chain in enumerate(devices)]
        world.sessions += [session for sessions in made for session in sessions]
        for which, (is_order, device, visit, distance, user) in enumerate(beside):
            sessions = made[device]
            at = sessions[min(visit, len(sessions) - 1)].start + distance
            columns = {"user_id": user and f"{user}{number}", "event_at": at, "event_id": f"{number}aside{which}"}
            visitor = f"{number}d{device}"
            if is_order:
                day = at.date()
                found = order(f"{number}o{which}", "2026-03-01", visitor, "5", **columns)
                world.orders.append(found | {"session_date": day, "event_date": day, "created_at": at})
            else:
                world.strays.append(page_view(visitor, at, columns["user_id"], f"email{which}", number=None) | columns)
    return world


def page_view(visitor: str, at: datetime, user: str | None, page: str, number: int | None) -> Row:
    """Make a page view in session order; without a number it is an email's and in no session."""
    return event(
        event_id=f"{visitor}-{at.isoformat()}-{number}", visitor_id=visitor, event_at=at, user_id=user,
        schema="page_view", platform="email" if number is None else "ios", page_id=f"{visitor}{page}",
        url=f"https://shop.example/{page}?n={number}", session_date=at.date(), message_index=number,
        is_session_event=number is not None, session_event_number=number, is_repeat=False,
    )  # fmt: skip


def chain_sessions(visitor: str, family: str, chain: Any) -> list[Session]:
    """Make one device's sessions, one after the other."""
    sessions: list[Session] = []
    seen: set[str] = set()
    at = ORIGIN
    for pause, drawn in chain:
        at = (sessions[-1].start if sessions else at) + pause
        rows: list[Row] = []
        for step, user, page, referring, is_clicked, navigation in drawn:
            at += step if rows else timedelta(0)
            name = user and f"{user}{family}"
            if is_clicked:
                click = {"click_id": f"c{page}", "target": f"t{len(rows)}"}
                rows.append(page_view(visitor, at, name, "-", len(rows) + 1))
                rows[-1] |= {"schema": "click", "data": json.dumps(click), "is_repeat": None}
            rows.append(page_view(visitor, at, name, f"p{page}", len(rows) + 1))
            rows[-1] |= {
                "navigation": navigation, "is_repeat": f"p{page}" in seen,
                "referring_page_id": None if referring is None else f"{visitor}p{referring}",
                "referring_click_id": f"c{page}" if is_clicked else None,
            }  # fmt: skip
            seen.add(f"p{page}")
        session = Session(visitor, rows)
        for row in rows:
            row |= {"session_id": session.id, "session_date": session.start.date()}
        sessions.append(session)
    return sessions


# The second implementation.


def name_at(sessions: list[Session], at: datetime, visitor: str) -> str:
    """The person rule at a moment: the next session with a user within 30 days, else the latest earlier, else none."""
    named = [session for session in sessions if session.visitor == visitor and session.user]
    for session in named:
        if session.start >= at:
            if session.start - at <= STITCH:
                return session.user or ""
            break
    earlier = [session for session in named if session.start < at]
    return (earlier[-1].user if earlier else None) or visitor


def judge(world: World) -> None:
    """Give each session its person and visit number."""
    for session in world.sessions:
        session.person = session.user or name_at(world.sessions, session.start, session.visitor)
    visits: dict[str, int] = {}
    for session in sorted(world.sessions, key=lambda session: (session.start, session.id)):
        visits[session.person] = session.visit = visits.get(session.person, 0) + 1


def expected_page_views(world: World) -> dict[str, tuple[Any, ...]]:
    """Number page views: (person, number, seconds, landing, exit, referring url, click, back, reload) of each."""
    found: dict[str, tuple[Any, ...]] = {}
    for session in world.sessions:
        pages = [row for row in session.events if row["schema"] == "page_view"]
        counted = [row for row in pages if not row["is_repeat"]]
        clicks: dict[str, str] = {}
        for row in session.events:
            if row["schema"] == "click":
                data = json.loads(row["data"])
                clicks.setdefault(data["click_id"], data["target"])
        for row in pages:
            number = seconds = None
            if not row["is_repeat"]:
                number = counted.index(row) + 1
                following = counted[number : number + 1]
                seconds = (following[0]["event_at"] - row["event_at"]).total_seconds() if following else None
            url = next((page["url"] for page in counted if page["page_id"] == row["referring_page_id"]), None)
            found[row["event_id"]] = (
                session.person, number, seconds, row is pages[0], bool(counted) and row is counted[-1], url,
                clicks.get(row["referring_click_id"] or ""), row["navigation"] == "back_forward",
                row["navigation"] == "reload",
            )  # fmt: skip
    for row in world.strays:
        person = row["user_id"] or name_at(world.sessions, row["event_at"], row["visitor_id"])
        found[row["event_id"]] = (person, None, None, False, False, None, None, False, False)
    return found


def expected_visitors(world: World, orders: dict[str, str]) -> dict[str, tuple[Any, ...]]:
    """Sum up persons: sessions, devices, views, orders, seen from and to, user, kind, landing, ordered from and to."""
    found = {}
    for person in {session.person for session in world.sessions} | set(orders.values()):
        mine = sorted((s for s in world.sessions if s.person == person), key=lambda s: (s.start, s.id))
        bought = [row for row in world.orders if orders[row["event_id"]] == person]
        views = [row for s in mine for row in s.events if row["schema"] == "page_view"]
        first = next((row for row in mine[0].events if row["schema"] == "page_view"), None) if mine else None
        found[person] = (
            len(mine), len({s.visitor for s in mine}), sum(not row["is_repeat"] for row in views), len(bought),
            min([s.start for s in mine] + [row["event_at"] for row in bought]),
            max([s.events[-1]["event_at"] for s in mine] + [row["event_at"] for row in bought]),
            None if person[-2] == "d" else person,
            "customer" if bought else "returning" if len(mine) > 1 else "new", first and first["url"],
            min((row["event_at"] for row in bought), default=None),
            max((row["event_at"] for row in bought), default=None),
        )  # fmt: skip
    return found


def check(warehouse: Warehouse, drawn: list[Any]) -> None:
    """Build a world, and compare every session, page view, order and person."""
    world = populate(drawn)
    judge(world)
    warehouse.fill(events=world.rows())
    warehouse.run("+visitors", "+page_views")
    orders = {
        row["event_id"]: row["user_id"] or name_at(world.sessions, row["event_at"], row["visitor_id"])
        for row in world.orders
    }
    first_orders: dict[str, datetime] = {}
    for row in sorted(world.orders, key=lambda row: row["event_at"], reverse=True):
        first_orders[orders[row["event_id"]]] = row["event_at"]
    assert read(warehouse, "core.orders", "event_id", "person_id") == {key: (name,) for key, name in orders.items()}
    assert read(
        warehouse, "core.sessions", "session_id",
        "person_id", "user_id", "visit_number", "is_new_visitor", "page_view_count", "is_bounce", "visitor_kind",
    ) == {session.id: expected_session(session, first_orders) for session in world.sessions}  # fmt: skip
    assert read(
        warehouse, "core.page_views", "event_id", "person_id", "page_number", "seconds_on_page", "is_landing",
        "is_exit", "referring_url", "referring_click_target", "is_back_forward", "is_reload",
    ) == expected_page_views(world)  # fmt: skip
    assert read(
        warehouse, "core.visitors", "person_id", "session_count", "visitor_id_count", "page_view_count",
        "order_count", "first_seen_at", "last_seen_at", "user_id", "visitor_kind", "first_landing_url",
        "first_ordered_at", "last_ordered_at",
    ) == expected_visitors(world, orders)  # fmt: skip


def expected_session(session: Session, first_orders: dict[str, datetime]) -> tuple[Any, ...]:
    """What one session's row says."""
    count = sum(row["schema"] == "page_view" and not row["is_repeat"] for row in session.events)
    is_customer = first_orders.get(session.person, session.start) < session.start
    kind = "customer" if is_customer else "new" if session.visit == 1 else "returning"
    return (session.person, session.user, session.visit, session.visit == 1, count, count == 1, kind)


def read(warehouse: Warehouse, table: str, key: str, *columns: str) -> dict[str, tuple[Any, ...]]:
    """Read some columns of a table by its key, which must be unique."""
    rows = warehouse.query(f"select {key}, {', '.join(columns)} from {table}")
    found = {row[0]: row[1:] for row in rows}
    assert len(found) == len(rows)
    return found


unhurried: Any = {
    "deadline": None, "phases": [Phase.explicit, Phase.generate], "print_blob": True,
    "suppress_health_check": list(HealthCheck),
}  # fmt: skip


@settings(max_examples=2, **unhurried)
@given(drawn=st.lists(families, min_size=12, max_size=20))
def test_persons_visits_and_pages_are_those_of_plain_loops(warehouse: Warehouse, drawn: list[Any]) -> None:
    check(warehouse, drawn)


@pytest.mark.prove
@settings(max_examples=40, **unhurried)
@given(drawn=st.lists(families, min_size=12, max_size=30))
def test_persons_visits_and_pages_are_those_of_plain_loops_many_times(warehouse: Warehouse, drawn: list[Any]) -> None:
    check(warehouse, drawn)


def chain(*visits: tuple[int, str | None]) -> Any:
    """Make one device's visits: (days since the visit before, user)."""
    return [(timedelta(days=days), [(timedelta(0), user, 0, None, False, "navigate")]) for days, user in visits]


@pytest.fixture(scope="module")
def shared_device(warehouse: Warehouse) -> Iterator[dict[str, list[str]]]:
    """Devices that people share, log out of and log in to, all in one warehouse; persons by device, in order."""
    cases = [
        [chain((0, "ann"), (1, None), (1, "bob"), (1, None)), chain((0, None)), chain((0, "ann"))],
        [chain((0, None), (30, "ann")), chain((0, None), (31, "ann")), chain((0, "ann"), (1, None), (40, "bob"))],
    ]
    at_a_login = [(is_order, 0, 0, timedelta(0), None) for is_order in (True, False)]
    changing = [chain((0, "ann"), (1, "bob")), chain((0, None)), chain((0, None))]
    world = populate([*((devices, []) for devices in cases), (changing, at_a_login)])
    warehouse.fill(events=world.rows())
    warehouse.run("+visitors", "+page_views")
    found: dict[str, list[str]] = {}
    for visitor, person in warehouse.query("select visitor_id, person_id from core.sessions order by 1, started_at"):
        found.setdefault(visitor, []).append(person)
    for table in ("core.orders", "core.page_views"):
        found[table] = [name for (name,) in warehouse.query(f"select person_id from {table} where session_id is null")]
    yield found


def test_between_two_users_of_a_device_the_next_one_counts(shared_device: dict[str, list[str]]) -> None:
    assert shared_device["0d0"] == ["ann0", "bob0", "bob0", "bob0"]


def test_a_device_without_a_login_is_its_own_person(shared_device: dict[str, list[str]]) -> None:
    assert shared_device["0d1"] == ["0d1"]


def test_a_login_names_visits_up_to_thirty_days_before_it(shared_device: dict[str, list[str]]) -> None:
    assert (shared_device["1d0"], shared_device["1d1"]) == (["ann1", "ann1"], ["1d1", "ann1"])


def test_after_a_logout_the_last_user_counts_when_the_next_is_far(shared_device: dict[str, list[str]]) -> None:
    assert shared_device["1d2"] == ["ann1", "ann1", "bob1"]


def test_at_the_moment_of_a_login_it_is_the_one_who_logs_in(shared_device: dict[str, list[str]]) -> None:
    assert (shared_device["core.orders"], shared_device["core.page_views"]) == (["ann2"], ["ann2"])


def exclusions_file(bad_lines: int) -> Row:
    """Make what is known of a landed file of exclusions."""
    count = {"bad_lines": bad_lines, "messages": bad_lines, "valid": 0, "quarantined": bad_lines}
    return {
        "source_file": "exclusions/a.csv",
        "source": "exclusions",
        "file_id": 9,
        "status": "landed",
        "lines": 3,
    } | count


def test_references_and_exclusions_have_checks_that_can_fail(warehouse: Warehouse) -> None:
    """Nine of ten pages found are enough, eight are not; without a reference nothing is known."""
    read_checks = "select check_name, scope, check_value, status from intermediate.int_visit_checks order by 1, 2"
    warehouse.fill()
    warehouse.run("+int_visit_checks")
    assert warehouse.query(read_checks) == [
        ("exclusions_readable", "rows of exclusions", 0.0, "ok"),
        ("references_resolved", "referring clicks", None, "unknown"),
        ("references_resolved", "referring pages", None, "unknown"),
    ]
    view = [(timedelta(minutes=1), None, number % 4, number % 4, number > 1, "navigate") for number in range(10)]
    rows = populate([([[(timedelta(days=1), view)]] * 3, [])]).rows()
    naming = [row for row in rows if row.get("referring_page_id")]
    for is_enough in (True, False):
        for row in naming[: 1 if is_enough else 12]:
            row["referring_page_id"] = row["referring_click_id"] = "nowhere"
        warehouse.fill(events=rows, files=[exclusions_file(0 if is_enough else 2)])
        warehouse.run("+int_visit_checks")
        found = {scope: (value, status) for _, scope, value, status in warehouse.query(read_checks)}
        assert {status for _, status in found.values()} == {"ok" if is_enough else "warn"}
        assert found["rows of exclusions"][0] == (0 if is_enough else 2)
        assert found["referring pages"][0] == 1 - (1 if is_enough else 12) / len(naming)
