"""Documents that are viewed again: nothing was loaded for their later views, whenever these come and in what files."""

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from builders import House, Row, lines, moment, seconds
from builders.snowplow import PV, entity, loaded, posted
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from etl.tools.trace import trace

MONTH = timedelta(days=30)


def viewed(name: str, at: str, visitor: str | None = "v", load: Row | None = None, **keys: Any) -> Row:
    """Receive a page view of a document, at the moment at which it happened."""
    said = PV | {"eid": name, "duid": visitor, "dtm": None, "stm": None} | (load or {})
    when = moment(at)
    return posted(said, request_id=f"r-{name}", received_at=float(seconds(when)), **keys)


def navigations(house: House) -> dict[str, str | None]:
    return {row["event_id"]: row["navigation"] for row in house.events()}


def test_later_views_of_a_document_are_ajax(house: House) -> None:
    """GIVEN views of a document, in another session too, and of others THEN the first was loaded, the rest were not."""
    reload = loaded(1, "reload")
    rows = [
        viewed("0", "10:00", "a", reload), viewed("1", "10:05", "a", reload), viewed("2", "11:00", "a", reload),
        viewed("3", "10:01", "a", loaded(2)), viewed("4", "10:02", "a"), viewed("5", "10:03", "b", reload),
    ]  # fmt: skip
    house.put("events/a.jsonl", lines([rows[1], rows[1], rows[0], *rows[2:]]))
    house.digest()
    assert navigations(house) == {"0": "reload", "1": "ajax", "2": "ajax", "3": "navigate", "4": None, "5": "reload"}


ORDERS = [(order, as_one) for order in permutations(range(4)) for as_one in (False, True)]


@pytest.mark.parametrize(("order", "as_one"), [ORDERS[1], ORDERS[20], ORDERS[-2], ORDERS[-1]])
def test_a_document_left_open_over_midnight_was_loaded_once(house: House, order: tuple[int, ...], as_one: bool) -> None:
    """GIVEN a document viewed on three days, in files that come in some order, in one run or in four THEN it is one."""
    load = loaded(1, "reload")
    views = [
        viewed("a", "2026-03-01 23:50", load=load), viewed("b", "2026-03-02 00:10", load=load),
        viewed("c", "2026-03-04 09:00", load=load), viewed("d", "2026-03-04 09:05", load=loaded(2)),
    ]  # fmt: skip
    for number in order:
        house.put(f"events/{number}.jsonl", lines([views[number]]))
        if not as_one:
            house.digest()
    house.digest()
    assert navigations(house) == {"a": "reload", "b": "ajax", "c": "ajax", "d": "navigate"}


def test_a_document_that_is_read_again_after_more_than_a_month_is_told_as_another(house: House) -> None:
    """Each view within the limit of lateness of the one before it is a later one, however long that goes on."""
    days = {"a": "2026-03-01", "b": "2026-03-31", "c": "2026-04-30", "d": "2026-05-31"}
    house.put("events/a.jsonl", lines(viewed(name, f"{day} 10:00", load=loaded(1)) for name, day in days.items()))
    house.digest()
    assert navigations(house) == {"a": "navigate", "b": "ajax", "c": "ajax", "d": "navigate"}


def test_the_first_view_that_a_late_file_brings_makes_the_next_days_one_a_later(house: House) -> None:
    """And a day on which the document was not viewed stays as it is."""
    house.put(
        "events/b.jsonl", lines([viewed("b", "2026-03-02 00:10", load=loaded(1)), viewed("x", "2026-03-03 10:00")])
    )
    house.digest()
    (third,) = {path for path in house.files("events") if "2026-03-03" in str(path)}
    before = third.stat().st_mtime_ns
    assert navigations(house)["b"] == "navigate"
    house.put("events/a.jsonl", lines([viewed("a", "2026-03-01 23:50", load=loaded(1))]))
    house.digest()
    assert navigations(house) == {"a": "navigate", "b": "ajax", "x": None}
    assert third.stat().st_mtime_ns == before


def test_a_refused_or_prefetched_view_loads_nothing_for_others(house: House) -> None:
    """A duplicate of the later view that came first, and a document that was only fetched ahead, are no views."""
    load = loaded(1, "reload")
    rows = [
        viewed("a", "2026-03-01 23:50", load=load, sec_purpose="prefetch"),
        viewed("b", "2026-03-02 00:10", load=load), viewed("b", "2026-03-02 00:20", load=load),
    ]  # fmt: skip
    house.put("events/a.jsonl", lines(rows))
    house.digest()
    assert navigations(house)["b"] == "reload"


def test_views_of_nobody_are_of_one_document_where_their_user_agent_is_one(house: House) -> None:
    """Many people's documents take about as long to load: without a visitor the user agent is all that tells."""
    rows = [
        viewed("a", "23:50", None, loaded(1), privacy="anonymous", user_agent="A" * 30),
        viewed("b", "24:10", None, loaded(1), privacy="anonymous", user_agent="B" * 30),
        viewed("c", "24:20", None, loaded(1), privacy="anonymous", user_agent="A" * 30),
    ]
    house.put("events/a.jsonl", lines(rows))
    house.digest()
    assert navigations(house) == {"a": "navigate", "b": "navigate", "c": "ajax"}


def test_a_repeat_that_is_a_later_view_is_both(house: House) -> None:
    load = loaded(1, "navigate", entity("web_page", {"id": "p"}))
    house.put("events/a.jsonl", lines([viewed("a", "23:50", load=load), viewed("b", "24:10", load=load)]))
    house.digest()
    found = {row["event_id"]: (row["page_id"], row["is_repeat"], row["navigation"]) for row in house.events()}
    assert found == {"a": ("p", False, "navigate"), "b": ("p", True, "ajax")}
    assert [line for line in trace(house.settings, "b") if line.startswith(("verdict", "page", "navigation"))] == [
        "verdict    accepted", "page view  a repeat of events/a.jsonl line 1, message 0, not counted",
        "navigation ajax: its document was loaded for events/a.jsonl line 1, message 0",
    ]  # fmt: skip


STEPS = [0, 1, 60, 86_399, 86_400, 3 * 86_400, 30 * 86_400, 30 * 86_400 + 1]
"""Seconds from one view to the next."""
drawn_views = st.tuples(
    st.sampled_from(STEPS), st.sampled_from(["v", "w", None]), st.integers(1, 2),
    st.integers(0, 2),  # which run brings it
)  # fmt: skip


@settings(
    max_examples=2, deadline=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(drawn=st.lists(drawn_views, min_size=30, max_size=50))
def test_later_views_are_those_of_a_plain_loop(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, str | None, int, int]]
) -> None:
    house, when = House(tmp_path_factory.mktemp("documents")), moment("12:00")
    latest: dict[tuple[str | None, int], datetime] = {}
    expected: dict[str, str] = {}
    runs: dict[int, list[Row]] = {0: [], 1: [], 2: []}
    for number, (step, visitor, document, run) in enumerate(drawn):
        when += timedelta(seconds=step)
        # Ids are in the order of time, which they decide where two views share a moment.
        name, before = f"{number:03}", latest.get((visitor, document))
        expected[name] = "ajax" if before is not None and when - before <= MONTH else "navigate"
        latest[visitor, document] = when
        privacy = {"privacy": "anonymous"} if visitor is None else {}
        runs[run].append(viewed(name, f"{when:%Y-%m-%d %H:%M:%S}", visitor, loaded(document), **privacy))
    for run, rows in runs.items():
        house.put(f"events/{run}.jsonl", lines(reversed(rows)))
        house.digest()
    assert navigations(house) == expected
