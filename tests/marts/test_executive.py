"""The executives' tables: each grain counted by itself, days of a time zone, what late data changed."""

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest
from builders.warehouse import Query, Row, Warehouse, event, hits, moment, order, visit
from pydantic import ValidationError

from etl.settings import Settings

# Berlin's clocks go forward on 29 March 2026 (a day of 23 hours) and back on 25 October (25 hours).
SPRING = [
    *visit("early", "2026-03-28 23:30"),
    *visit("late", "2026-03-29 21:59", "/a /b", every=120),
    *visit("next", "2026-03-29 22:30"),
]
AUTUMN = [*visit("early", "2026-10-24 22:00"), *visit("late", "2026-10-25 22:59"), *visit("next", "2026-10-25 23:00")]

# Event and hit may disagree on the platform: the hit's word counts.
ANN = visit("ann", "2026-04-01 10:00", platform="ios")
AMY = visit("amy", "2026-04-01 10:00", platform="ios")
BEN = visit("ben", "2026-04-01 10:00")
CID = visit("cid", "2026-04-01 10:00", platform="ios")
DAN = visit("dan", "2026-04-01 10:00")
DISAGREEING = [*hits(*ANN, *AMY, platform="mobile_web"), *hits(*BEN, platform="ios"), *hits(*DAN)]

# Eve's third page and a stranger's only page reached the pixel alone; the stranger's half an hour is over.
EVE = visit("eve", "2026-04-02 10:00", "/a /b", country="FR", landing_utm_source="news", landing_utm_medium="email")
EVE_AGAIN = visit("eve", "2026-04-03 10:00", country="FR")
SOLD = [
    order("o1", "2026-04-02 10:01:30", "eve", "30", session_id=EVE[0]["session_id"]),
    order("o2", "2026-04-03 18:00", "eve", "5"),
]


def lost(visitor: str, at: str) -> list[Row]:
    """Make the hit of a page view whose event was lost."""
    page = {"event_id": visitor + at, "page_id": visitor + at, "visitor_id": visitor}
    return hits(event(**page, event_at=moment(at)))


PAGES = [*SPRING, *AUTUMN, *ANN, *AMY, *BEN, *CID, *DAN, *EVE, *EVE_AGAIN, *SOLD]
SEEN = [*DISAGREEING, *hits(*EVE), *lost("eve", "2026-04-02 10:30"), *lost("eve", "2026-04-02 10:31:31")]


@pytest.fixture(scope="module")
def berlin(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the executives' tables for Berlin, with their tests, and keep a copy."""
    warehouse.fill(events=PAGES, pixel_hits=SEEN)
    warehouse.build("+models/executive", reporting_timezone="Europe/Berlin")
    kept = tmp_path_factory.mktemp("berlin") / "berlin.duckdb"
    shutil.copy(warehouse.database, kept)
    return kept


@pytest.fixture
def in_berlin(berlin: Path) -> Iterator[Query]:
    """Query what was built."""
    with duckdb.connect(str(berlin), read_only=True) as connection:
        yield lambda sql: connection.execute(sql).fetchall()


def test_days_of_23_and_25_hours_are_days(in_berlin: Query) -> None:
    """GIVEN visits just inside and outside the days on which clocks change THEN each counts on its local day."""
    rows = in_berlin("""
        select date, sessions, visitors, page_views from executive.kpi_daily
        where date between '2026-03-28' and '2026-03-30' or date between '2026-10-24' and '2026-10-26' order by date
    """)
    assert rows == [
        (date(2026, 3, 29), 2, 2, 2),
        (date(2026, 3, 30), 1, 1, 2),
        (date(2026, 10, 24), 0, 0, 0),
        (date(2026, 10, 25), 2, 2, 2),
        (date(2026, 10, 26), 1, 1, 1),
    ]


def test_page_is_counted_once_when_event_and_hit_disagree_on_its_platform(in_berlin: Query) -> None:
    """GIVEN two app views with web hits, a web view with an app's hit, one of each in accord THEN five are five."""
    rows = in_berlin("""
        select page_views, completeness, page_views_estimated from executive.kpi_daily where date = '2026-04-01'
    """)
    assert rows == [(5, 1.0, 5.0)]
    rows = in_berlin("""
        select platform, page_views, page_views_estimated from executive.kpi_daily_by_platform
        where date = '2026-04-01' and page_views > 0 or date = '2026-04-01' and platform = 'mobile_web' order by 1
    """)
    assert rows == [("desktop_web", 2, 2.0), ("ios", 3, None), ("mobile_web", 0, 2.0)]


def test_lost_page_counts_where_its_visitor_was(in_berlin: Query) -> None:
    """GIVEN a hit within the half hour after Eve's last page and one after it THEN only the first is hers."""
    rows = in_berlin("""
        select country, page_views, completeness, page_views_estimated
        from executive.kpi_daily_by_country where date = '2026-04-02' order by country
    """)
    assert rows == [("(unknown)", 0, 0.0, 1.0), ("FR", 2, 2 / 3, 3.0)]
    rows = in_berlin("""
        select channel, sessions, completeness, orders, revenue
        from executive.kpi_daily_by_channel where date = '2026-04-02' and completeness is not null order by channel
    """)
    assert rows == [("(unknown)", 0, 0.0, 0, 0), ("Email", 1, 2 / 3, 1, 30)]


def test_a_week_of_a_channel_is_its_days(in_berlin: Query) -> None:
    """GIVEN visits of a week THEN sessions and orders are its days', and a Sunday night in UTC is its Monday."""
    rows = in_berlin("""
        select channel, visitors, sessions, orders, day_count from executive.kpi_weekly_by_channel
        where date = '2026-03-30' and channel in ('Email', 'Direct') order by channel
    """)
    daily = in_berlin("""
        select channel, count(*), sum(sessions), sum(orders) from executive.kpi_daily_by_channel
        where date between '2026-03-30' and '2026-04-05' and channel in ('Email', 'Direct')
        group by all order by channel
    """)
    assert [(row[0], row[4], row[2], row[3]) for row in rows] == daily
    assert dict((row[0], row[1]) for row in rows) == {"Direct": 7, "Email": 1}


def test_a_period_is_witnessed_if_each_of_its_days_and_platforms_is(in_berlin: Query) -> None:
    """GIVEN pages of the web without a hit on one day THEN it is not witnessed, nor its week; an app is none of it."""
    days = "select {} from executive.kpi_daily where date between '2026-04-01' and '2026-04-03' order by date"
    assert in_berlin(days.format("is_witnessed, pixel_hits")) == [(True, 3), (True, 4), (False, 0)]
    # Nothing of the estimate can be compared with a day that nobody but the tracker saw.
    assert in_berlin(days.format("page_views_estimated_change is null, page_views_change")) == [
        (True, None), (False, -0.6), (True, -0.5)
    ]  # fmt: skip
    platforms = "select platform, is_witnessed from executive.kpi_daily_by_platform where date = '2026-04-01'"
    assert sorted(in_berlin(f"{platforms} and page_views > 0")) == [("desktop_web", True), ("ios", False)]
    weeks = "select is_witnessed, pixel_hits from executive.kpi_weekly where date = '2026-03-30'"
    assert in_berlin(weeks) == [(False, 7)]


def test_visitors_are_distinct_at_each_grain(in_berlin: Query) -> None:
    """GIVEN Eve on two days of a week THEN the week has her once, and its estimate is of its own totals."""
    rows = in_berlin("""
        select date, day_count, is_complete, visitors, sessions, page_views, completeness, page_views_estimated
        from executive.kpi_weekly where date = '2026-03-30'
    """)
    # 7 hits, 8 web pages (Eve's third visit has no hit), 5 seen by both: 10 seen by either, and on no day and platform
    # did each witness miss what the other saw. Next to them Ben, whose hit is an app's, and Cid. The 30th is Monday:
    # the pages of "late" and "next" are the web's too.
    assert rows == [(date(2026, 3, 30), 7, True, 7, 8, 10, 5 / 7, 10 + 2)]
    assert in_berlin(
        "select sum(visitors) from executive.kpi_daily where date between '2026-03-30' and '2026-04-05'"
    ) == [(8,)]
    months = in_berlin("select date, is_complete, visitors, sessions from executive.kpi_monthly where sessions > 0")
    assert sorted(months) == [
        (date(2026, 3, 1), False, 3, 3),
        (date(2026, 4, 1), True, 6, 7),
        (date(2026, 10, 1), False, 3, 3),
    ]


def test_silent_platform_is_nought_and_not_absent(in_berlin: Query) -> None:
    """GIVEN a platform seen on some days THEN it has a row on every day."""
    rows = in_berlin("""
        select platform, count(*), count(*) filter (where sessions = 0) from executive.kpi_daily_by_platform group by 1
    """)
    assert {(platform, days) for platform, days, _ in rows} == {
        (platform, 212) for platform in ("desktop_web", "mobile_web", "ios", "backend")
    }


CORRUPTIONS = {
    "assert_kpi_sessions_are_the_counted_sessions": (
        "update executive.kpi_weekly set sessions = sessions + 1 where date = '2026-03-30'",
        "update executive.kpi_daily set date = date - 28 where date = '2026-04-02'",
        "delete from executive.kpi_daily_by_country where date = '2026-04-02'",
    ),
    "assert_kpi_revenue_is_the_counted_orders_revenue": (
        "update executive.kpi_daily_by_channel set revenue = revenue - 0.01 where date = '2026-04-02'",
    ),
    "assert_kpi_visitors_are_counted_at_their_own_grain": (
        # The sum of the days, as somebody might build it.
        "update executive.kpi_monthly set visitors = 8 where date = '2026-04-01'",
        "update executive.kpi_weekly set visitors = 4 where date = '2026-03-30'",
    ),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_closure_sees_each_corruption(warehouse: Warehouse, berlin: Path, name: str) -> None:
    """GIVEN one wrong figure in a table of weeks, months or parts WHEN its test runs THEN it fails, else not."""
    warehouse.fill(events=PAGES, pixel_hits=SEEN)
    for corruption, expected in ((None, []), *((sql, [name]) for sql in CORRUPTIONS[name])):
        shutil.copy(berlin, warehouse.database)
        if corruption:
            warehouse.execute(corruption)
        failed = warehouse.test(name, reporting_timezone="Europe/Berlin")
        assert [node.name for node in failed] == expected, corruption


def test_reporting_time_zone_has_to_exist() -> None:
    assert Settings(reporting_timezone="Asia/Kolkata").reporting_timezone == "Asia/Kolkata"
    for name in ("Mars/Olympus", "UTC' or true --", ""):
        with pytest.raises(ValidationError, match="is no time zone"):
            Settings(reporting_timezone=name)
