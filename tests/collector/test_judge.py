"""The demo's judge: it agrees with a warehouse that tells the truth, and with no other."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from collector.demo.judge import as_table, judge
from collector.demo.truth import BOTH, NEITHER, PIXEL, TRACKER, Truth, View

VISITS = [
    Truth(
        "buyer", "203.0.113.1", [View("p1", "/", BOTH), View("p2", "/cart", TRACKER)], {"o-1": "5.00"},
        {"platform": "desktop_web", "channel": "Email", "sessions": 1, "is_bot": False, "persons": 1,
         "navigations": ["navigate", "ajax"], "engaged_seconds": 15},
    ),
    Truth("blocked", "203.0.113.2", [View("p3", "/", PIXEL), View("p4", "/unseen", NEITHER, is_delivered=True)]),
    Truth("no_javascript", "203.0.113.3", [View("", "/", PIXEL)]),
]  # fmt: skip


def warehouse(home: Path, *changes: str) -> Path:
    """Publish the truth, and then something else."""
    (home / "warehouse").mkdir(parents=True)
    hits = home / "lake" / "pixel_hits" / "hit_date=2026-03-01"
    hits.mkdir(parents=True)
    with duckdb.connect(str(home / "warehouse" / "bloodhound.duckdb")) as con:
        for statement in (
            "create schema core", "create schema quality", "create schema executive",
            "create table core.page_views as select *, epoch_us(now()) as viewed_at, page_id as event_id"
            " from (values ('p1', 's1', 'shop', 'navigate', 15.0), ('p2', 's1', 'shop', 'ajax', null),"
            " ('x', 's2', 'access:shop', 'navigate', null))"
            " as t (page_id, session_id, app_id, navigation, engaged_seconds)",
            "create table executive.kpi_daily as select 2 as page_views",
            "create table quality.access_loss_daily as select '/unseen' as url_path, 1 as unreported",
            "create table core.sessions as select 's1' as session_id, 'desktop_web' as platform, 'Email' as channel,"
            " false as is_bot, 'person' as person_id",
            "create table core.events as select '203.0.113.1' as ip",
            "create table core.orders as select 'o-1' as order_id, 5.00::decimal(18, 4) as revenue, 's1' as session_id",
            "create table quality.ledger as select 0 as duplicates",
            "create table hits as select * from (values ('p1', '203.0.113.1'), ('p3', '203.0.113.2'),"
            " ('made-on-the-way', '203.0.113.3')) as t (page_id, ip)",
            *changes,
            f"copy hits to '{hits / 'a.parquet'}'",
            "drop table hits",
        ):  # fmt: skip
            con.execute(statement)
    return home


def differences(home: Path) -> list[str]:
    return [f"{row.name}: {difference}" for row in judge(VISITS, home) for difference in row.differences]


def test_a_warehouse_that_tells_the_truth_differs_in_nothing(tmp_path: Path) -> None:
    assert differences(warehouse(tmp_path)) == []
    assert as_table(judge(VISITS, tmp_path)).row_count == 6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("delete from hits where page_id = 'p1'", ["buyer: /: tracker alone instead of both"]),
        (
            "delete from core.page_views where page_id = 'p2'",
            [
                "buyer: /cart: nobody instead of tracker alone",
                "buyer: navigations: ['navigate'] instead of ['navigate', 'ajax']",
            ],
        ),
        ("insert into hits values ('p4', '203.0.113.2')", ["blocked: /unseen: pixel alone instead of nobody"]),
        ("delete from hits where ip = '203.0.113.3'", ["no_javascript: /: nobody instead of pixel alone"]),
        (
            "insert into core.page_views (page_id, session_id, app_id) values ('p9', 's9', 'shop')",
            ["nobody's: page p9 was seen by {'tracker'} and visited by nobody"],
        ),
        ("update core.sessions set channel = 'Direct'", ["buyer: channel: 'Direct' instead of 'Email'"]),
        ("update core.sessions set is_bot = true", ["buyer: is_bot: True instead of False"]),
        (
            "update core.page_views set navigation = 'reload' where page_id = 'p2'",
            ["buyer: navigations: ['navigate', 'reload'] instead of ['navigate', 'ajax']"],
        ),
        ("update core.page_views set engaged_seconds = 5", ["buyer: engaged_seconds: 5 instead of 15"]),
        ("delete from quality.access_loss_daily", ["the shop's log: /unseen: 0 unreported instead of 1"]),
        (
            "update executive.kpi_daily set page_views = 3",
            ["the shop's log: 3 page views in the KPIs instead of the 2 that trackers told of people"],
        ),
        ("update core.orders set session_id = null", ["all orders: order o-1 has no session"]),
    ],
)
def test_each_lie_is_told(tmp_path: Path, change: str, said: list[str]) -> None:
    assert differences(warehouse(tmp_path, change)) == said


@pytest.mark.parametrize("change", ["delete from core.orders", "update core.orders set revenue = 5.01"])
def test_an_order_that_is_missing_or_of_another_amount_is_told(tmp_path: Path, change: str) -> None:
    (told,) = differences(warehouse(tmp_path, change))
    assert told.startswith("all orders: orders: ")


def test_pages_of_no_witness_at_all_are_told(tmp_path: Path) -> None:
    empty: tuple[Any, ...] = ("delete from hits", "delete from core.page_views", "delete from core.sessions")
    assert len(differences(warehouse(tmp_path, *empty))) >= 4
