"""A real tracker in a real browser behind nginx, and what the browser did: nothing is counted that did not happen."""

import json
from collections.abc import Callable
from typing import Any

import duckdb
import pytest
from builders import House, Row, shared

from etl import pipeline

Query = Callable[[str], list[tuple[Any, ...]]]
BOTS = ("bot_headless_ua", "bot_rate", "bot_curl")
UNMEASURED = ("both_blocked",)
HOSTILE = "'; drop table"
"""The page id of a request that nobody's browser made."""
MAILS = 1
"""A view of a mail is measured too, and is none of a page."""


@pytest.fixture(scope="module")
def visits() -> list[Row]:
    """What the browser did, a row a visit: its pages, orders and events, whatever became of them."""
    return list(json.loads(shared("live/truth.json").read_text()))


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Query:
    """Run everything over what the servers logged; return a way to ask the warehouse."""
    house = House(tmp_path_factory.mktemp("live"))
    for folder, name in (("events", "collector.jsonl.gz"), ("pixel", "pixel.log"), ("access/shop", "access.log.gz")):
        house.put(f"{folder}/{name}", shared(f"live/{name}").read_bytes())
    house.digest()
    pipeline.build(house.settings)

    def query(sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
            return con.execute(sql).fetchall()

    return query


def pages_of(visits: list[Row], *left_out: str) -> dict[str, str]:
    """The pages of people by id, with how they were come to."""
    return {
        page["page"]: page["kind"] for visit in visits if visit["visit"] not in (*BOTS, *left_out)
        for page in visit["pages"]
    }  # fmt: skip


def arrived(visits: list[Row]) -> set[str]:
    """The pages whose view was answered by the collector."""
    return {event["page"] for visit in visits for event in visit["events"] if event["e"] == "pv" and event["ok"]}


def test_page_views_of_people_are_those_that_arrived(live: Query, visits: list[Row]) -> None:
    pages = pages_of(visits)
    found = live("select page_id from core.page_views where is_counted and platform in ('desktop_web', 'mobile_web')")
    assert len(pages) == 108
    assert sorted(page for (page,) in found) == sorted(arrived(visits) & pages.keys())
    assert live("select sum(page_views) from executive.kpi_daily") == [(len(found) + MAILS,)] == [(101,)]


def test_what_one_witness_missed_is_what_was_blocked_or_broken(live: Query, visits: list[Row]) -> None:
    seen = arrived(visits)
    people = pages_of(visits, *UNMEASURED).keys()
    unheard = [page for page in people if page not in seen]
    found = live("select sum(only_pixel), sum(only_event), sum(matched) from quality.loss_hourly")
    assert found == [(len(unheard), 5, len(people) - len(unheard) - 5)] == [(6, 5, 95)]


def test_orders_are_those_that_were_made(live: Query, visits: list[Row]) -> None:
    made = [(order["order"], float(order["revenue"])) for visit in visits for order in visit["orders"] or []]
    assert live("select order_id, revenue::double from core.orders order by 1") == sorted(made)
    assert live("select order_id from core.orders where session_id is null") == []


def test_one_person_has_two_devices(live: Query) -> None:
    found = live(
        "select person_id, count(distinct visitor_id) as devices from core.sessions group by 1 having devices > 1"
    )
    assert found == [("user-7", 2)]


def test_visits_are_told_apart(live: Query, visits: list[Row]) -> None:
    """GIVEN visits of people of whom anything came THEN each is a session, but where the rule says two or none."""
    heard = [visit for visit in visits if visit["visit"] not in BOTS and any(event["ok"] for event in visit["events"])]
    # A campaign and then an ad are two visits to the rule, and two sites without a common cookie are two visitors.
    twice = {"utm_mobile", "third_party"}
    expected = sum(2 if visit["visit"] in twice else 1 for visit in heard)
    assert live("select count(*) from core.sessions where is_counted") == [(expected,)]


def test_bots_are_those_that_are(live: Query, visits: list[Row]) -> None:
    pages = {page["page"] for visit in visits if visit["visit"] in BOTS for page in visit["pages"]}
    found = live("select page_id from core.page_views where is_bot and not is_access")
    assert {page for (page,) in found} - {HOSTILE} == pages


def test_later_views_of_a_document_are_ajax(live: Query, visits: list[Row]) -> None:
    # Back from the browser's cache nothing is loaded, and the tracker does not say that it came back.
    said = {"navigate": "navigate", "reload": "reload", "ajax": "ajax", "bfcache": "ajax"}
    found = dict(live("select page_id, navigation from core.page_views where navigation is not null and not is_access"))
    pages = pages_of(visits) | pages_of([visit for visit in visits if visit["visit"] == "bot_rate"])
    heard = {page: kind for page, kind in pages.items() if page in found}
    assert len(heard) > 90
    assert {page: found[page] for page in heard} == {page: said[kind] for page, kind in heard.items()}
    assert live("select navigation from core.page_views where platform = 'email'") == [("email",)]


def test_nothing_is_lost_in_streams_that_arrived(live: Query) -> None:
    """GIVEN indexes that the tracker gave to two events, or began again with each session THEN none is missing."""
    found = live("select sum(lost), sum(restarts), sum(contended) > 50, sum(expected) > 200 from quality.message_gaps")
    assert found == [(0, 0, True, True)]


def test_books_balance_and_what_was_refused_is_known(live: Query) -> None:
    assert live("select source_file from quality.ledger where balance <> 0") == []
    assert live("select reason, detail from quality.quarantine order by 1") == [
        ("bad_body", "the body is not JSON"), ("missing_key", "app_id is missing (aid of Snowplow)"),
    ]  # fmt: skip
    assert live("select sum(refused_at_edge) from quality.ledger") == [(3,)]
