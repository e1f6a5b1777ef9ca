"""The executives' tables: each grain counted by itself, days of a time zone, what late data changed."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import House, each, events
from builders.warehouse import Query, Row, Warehouse, event, hits, moment, order, visit
from pydantic import ValidationError

from etl import pipeline as tasks
from etl.lake import files
from etl.lake.catalogue import Lake
from etl.settings import Settings
from etl.stages.publish import restatements
from etl.stages.publish import stage as publish
from etl.vocabulary import columns as schemas

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
    select = ("--select", "+models/executive", "--indirect-selection", "cautious")
    warehouse.build(*select, reporting_timezone="Europe/Berlin")
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


def test_visitors_are_distinct_at_each_grain(in_berlin: Query) -> None:
    """GIVEN Eve on two days of a week THEN the week has her once, and its estimate is of its own totals."""
    rows = in_berlin("""
        select date, day_count, is_complete, visitors, sessions, page_views, completeness, page_views_estimated
        from executive.kpi_weekly where date = '2026-03-30'
    """)
    # 7 hits, 7 web pages (Eve's third visit has no hit), 5 seen by both; next to them Ben, whose hit is an app's,
    # and Cid. The 30th is Monday: the pages of "late" and "next" are the web's too.
    assert rows == [(date(2026, 3, 30), 7, True, 7, 8, 10, 5 / 7, 8 * 9 / 6 - 1 + 2)]
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
    for corruption, expected in ((None, "pass"), *((sql, "fail") for sql in CORRUPTIONS[name])):
        shutil.copy(berlin, warehouse.database)
        if corruption:
            warehouse.execute(corruption)
        result = warehouse.invoke("test", "--select", name, reporting_timezone="Europe/Berlin")
        assert [node.status for node in result.result] == [expected], corruption


def test_reporting_time_zone_has_to_exist() -> None:
    assert Settings(reporting_timezone="Asia/Kolkata").reporting_timezone == "Asia/Kolkata"
    for name in ("Mars/Olympus", "UTC' or true --", ""):
        with pytest.raises(ValidationError, match="is no time zone"):
            Settings(reporting_timezone=name)


# --- restatements ---------------------------------------------------------------------------------

Publish = Callable[..., None]


@pytest.fixture
def home(tmp_path: Path) -> Lake:
    """A home whose lake is ready."""
    lake = Lake(Settings(inbox=tmp_path / "inbox", home=tmp_path / "home"))
    lake.initialise()
    lake.settings.warehouse.parent.mkdir(parents=True)
    return lake


def say(lake: Lake, *, definition: str = "p", die: str | None = None, **sessions: float | None) -> None:
    """Publish a warehouse that says so many sessions of each day ("d01" is 1 March), or die on the way."""
    warehouse = lake.settings.warehouse
    restatements.settle(lake)
    partial = warehouse.with_name(f".publishing-{len(list(warehouse.parent.iterdir()))}.duckdb")
    with duckdb.connect(str(partial)) as con:
        con.execute("set timezone = 'UTC'; create schema executive; create schema quality")
        columns = ", ".join(f"null::double as {metric}" for metric in restatements.METRICS if metric != "sessions")
        con.execute(
            "create table executive.kpi_daily as "
            f"select date '2026-03-01' as date, 0.0::double as sessions, {columns} limit 0"
        )
        for day, value in sessions.items():
            con.execute("insert into executive.kpi_daily (date, sessions) values (?, ?)", [f"2026-03-{day[1:]}", value])
        restatements.record(con, lake, partial, definition)
    if die == "before the rename":
        return
    partial.replace(warehouse)
    if die == "after the rename":
        return
    restatements.settle(lake)


def said(lake: Lake) -> list[tuple[Any, ...]]:
    """Read what the history says of sessions, each publication by its number."""
    with duckdb.connect() as con:
        return con.execute(
            """
            select dense_rank() over (order by published_at), day(date), previous_value, value, reason
            from read_parquet(?) where metric = 'sessions' order by all
            """,
            [str(restatements.history_path(lake))],
        ).fetchall()


def test_only_what_changed_is_added(home: Lake) -> None:
    """GIVEN four publications WHEN nothing, one day, a definition changes THEN the history tells them apart."""
    say(home, d01=10, d02=20)
    say(home, d01=10, d02=20)
    say(home, d01=11, d02=20 * (1 + 1e-13), d03=5)
    say(home, d01=12, d02=20, d03=5, definition="another")
    assert said(home) == [
        (1, 1, None, 10, "first"),
        (1, 2, None, 20, "first"),
        (2, 1, 10, 11, "data"),
        (2, 3, None, 5, "first"),
        (3, 1, 11, 12, "definition"),
    ]
    written = pq.read_schema(restatements.history_path(home))
    assert (written.names, written.types) == (schemas.RESTATEMENTS.names, schemas.RESTATEMENTS.types)


def test_what_becomes_unknown_and_what_comes_back_is_said(home: Lake) -> None:
    """GIVEN a day that goes and comes again, and a figure that becomes unknown THEN each is a row."""
    say(home, d01=10, d02=20)
    say(home, d01=10)
    say(home, d01=None, d02=20)
    assert said(home)[2:] == [(2, 2, 20, None, "data"), (3, 1, 10, None, "data"), (3, 2, None, 20, "data")]


@pytest.mark.parametrize(("die", "publications"), [("before the rename", 2), ("after the rename", 3)])
def test_killed_publication_is_in_the_history_if_readers_saw_it(home: Lake, die: str, publications: int) -> None:
    """GIVEN a publication killed before or after its warehouse got its name THEN it is in the history only after."""
    say(home, d01=10)
    say(home, d01=11, die=die)
    say(home, d01=12)
    assert [row[:4] for row in said(home)][-1] == (publications, 1, 11 if publications == 3 else 10, 12)
    assert [path.name for path in restatements.history_path(home).parent.iterdir()] == ["restatements.parquet"]


def test_clock_that_goes_back_keeps_the_order(home: Lake) -> None:
    """GIVEN a history from the future THEN the next publication still comes after it."""
    future = datetime.now(UTC) + timedelta(days=400)
    row = {"published_at": future, "date": date(2026, 3, 1), "metric": "sessions", "value": 9.0, "definition": "d"}
    files.write_table(restatements.history_path(home), pa.Table.from_pylist([row], schema=schemas.RESTATEMENTS))
    say(home, d01=10)
    assert [row[2:4] for row in said(home)] == [(None, 9), (9, 10)]


def test_history_outlives_the_warehouse(house: House) -> None:
    """GIVEN a published home WHEN it is published again, even after a loss THEN the history is the same."""
    house.put("events/a.jsonl", each(events("10:00 /a", "10:05 /b")))
    house.digest()
    tasks.build(house.settings)

    def history() -> list[tuple[Any, ...]]:
        with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
            return con.execute("select * from quality.restatements order by all").fetchall()

    def again() -> None:
        with tasks.writing(house.settings) as lake, lake.staging() as folder:
            publish.publish(lake, folder, "what the figures mean")

    first = history()
    assert len(first) == len(restatements.METRICS)
    again()
    assert history() == first
    shutil.rmtree(house.settings.warehouse.parent / "build" / "target", ignore_errors=True)
    house.settings.warehouse.unlink()
    again()
    assert history() == first
    exported = house.settings.lake / "marts" / "quality" / "restatements.parquet"
    assert pq.read_table(exported).num_rows == len(first)
