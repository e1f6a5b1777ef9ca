"""The traffic marts: what was seen, where people came from, with what and when; each counted by hand."""

from datetime import date
from typing import Any

import duckdb
import pytest
from builders.warehouse import Warehouse, event, hits, moment, order, visit

from etl.settings import PROJECT

DAY = date(2026, 3, 10)
WITH = {"browser": "Firefox", "os": "Windows", "device": None, "country": "DE"}
ANN = visit("ann", "2026-03-10 10:00", "/ /a /a! /b", every=10, **WITH, landing_utm_source="news",
            landing_utm_medium="email")  # fmt: skip
PHONE = {"platform": "mobile_web", "browser": "Mobile Safari", "os": "iOS", "device": "iPhone"}
FROM = {"referrer": "https://blog.example/post", "referrer_host": "blog.example", "referrer_domain": "blog.example"}
BEN = visit("ben", "2026-03-10 10:30", "/a", **PHONE, **FROM)
# In Berlin it is the next day.
CID = visit("cid", "2026-03-10 23:30", "/a /b", every=60, **WITH)
BOT = visit("bot", "2026-03-10 11:00", "/a", browser="Googlebot", is_bot=True, bot_reason="declared")
NOBODY = event(
    event_id="n", schema="page_view", visitor_id=None, event_at=moment("2026-03-10 12:00"), page_id="n",
    url="https://shop.example/a", url_host="shop.example", url_path="/a", session_date=DAY, is_repeat=False,
    is_session_event=False,
)  # fmt: skip
EVENTS = [
    *ANN, *BEN, *CID, *BOT, NOBODY,
    order("o1", "2026-03-11 09:00", "ann", "30", session_id=ANN[0]["session_id"]),
    order("o2", "2026-03-11 23:40", "cid", "5", currency="XXX", session_id=CID[0]["session_id"]),
]  # fmt: skip
# All of Ann's pages and Ben's were seen twice; one page of Ann's by the pixel alone, and one more whose hit names it.
LOST = {"event_id": "x", "page_id": "x", "visitor_id": "ann", "event_at": moment("2026-03-10 10:01")}
TOLD = {"page_url": "https://shop.example/lost?x", "url_host": "shop.example", "url_path": "/lost"}
SEEN = [
    *hits(ANN[0], ANN[1], ANN[3], *BEN), *hits(event(**LOST)), *hits(event(**LOST | {"page_id": "y"}), **TOLD)
]  # fmt: skip


@pytest.fixture(scope="module")
def built(warehouse: Warehouse) -> Warehouse:
    warehouse.fill(events=EVENTS, pixel_hits=SEEN)
    warehouse.build("+models/traffic")
    return warehouse


def rows(built: Warehouse, table: str, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
    return built.query(f"select {columns} from traffic.{table} where {where} order by all")


def test_pages_are_counted_by_hand(built: Warehouse) -> None:
    """GIVEN visits with a repeat, a bot, nobody in particular THEN views, entries, exits and bounces are these."""
    columns = "platform, url_path, views, visitors, entries, exits, bounces, seconds_on_page, pixel_hits, matched"
    assert rows(built, "pages_daily", columns, "date = '2026-03-10'") == [
        ("desktop_web", "(unknown)", 0, 0, 0, 0, 0, None, 1, 0),
        ("desktop_web", "/", 1, 1, 1, 0, 0, 10.0, 1, 1),
        # Ann's and Cid's and nobody's; the repeat is none. Ann stays 20 s, Cid 60.
        ("desktop_web", "/a", 3, 2, 1, 0, 0, 80.0, 1, 1),
        ("desktop_web", "/b", 2, 2, 0, 2, 0, None, 1, 1),
        # What the pixel alone saw has the page that its hit names; without it nobody knows which, and it is not lost.
        ("desktop_web", "/lost", 0, 0, 0, 0, 0, None, 1, 0),
        ("mobile_web", "/a", 1, 1, 1, 1, 1, None, 1, 1),
    ]


def test_landings_bring_orders_whenever_they_are_made(built: Warehouse) -> None:
    """GIVEN an order on the day after THEN it is its landing page's; one without a rate is unknown and not nought."""
    assert rows(built, "landings_daily", "date, url_path, channel, sessions, bounces, orders, revenue") == [
        (DAY, "/", "Email", 1, 0, 1, 30),
        (DAY, "/a", "Direct", 1, 0, 1, None),
        (DAY, "/a", "Referral", 1, 1, 0, 0),
    ]


def test_referrers_are_hosts_of_others(built: Warehouse) -> None:
    assert rows(built, "referrers_daily", "referrer_host, source, medium, sessions, visitors") == [
        ("blog.example", "blog.example", "referral", 1, 1),
        (None, "(direct)", "(none)", 1, 1),
        (None, "news", "email", 1, 1),
    ]


def test_technology_has_a_class_of_device(built: Warehouse) -> None:
    columns = "platform, device_class, browser, os, sessions, visitors, page_views"
    assert rows(built, "technology_daily", columns) == [
        ("desktop_web", "(unknown)", None, None, 0, 0, 1),
        ("desktop_web", "desktop", "Firefox", "Windows", 2, 2, 5),
        ("mobile_web", "phone", "Mobile Safari", "iOS", 1, 1, 1),
    ]


def test_hours_are_of_the_day(built: Warehouse) -> None:
    columns = "date, hour, platform, sessions, page_views"
    assert rows(built, "hours", columns) == [
        (DAY, 10, "desktop_web", 1, 3), (DAY, 10, "mobile_web", 1, 1), (DAY, 12, "desktop_web", 0, 1),
        (DAY, 23, "desktop_web", 1, 2),
    ]  # fmt: skip


def test_what_is_left_out_is_told(built: Warehouse) -> None:
    assert rows(built, "bots_daily", "bot_reason, browser, is_excluded, sessions, page_views") == [
        ("declared", "Googlebot", False, 1, 1)
    ]


def test_kinds_of_visitors(built: Warehouse) -> None:
    assert rows(built, "visitors_daily", "country, visitor_kind, sessions, visitors") == [
        ("(unknown)", "new", 1, 1), ("DE", "new", 2, 2)
    ]  # fmt: skip


@pytest.mark.parametrize("table", ["pages_daily", "technology_daily", "hours"])
def test_page_views_are_those_of_the_kpis(built: Warehouse, table: str) -> None:
    """GIVEN any grouping THEN it adds up to the day's figure: one name, one number."""
    column = "views" if table == "pages_daily" else "page_views"
    kpis = built.query("select date, page_views from executive.kpi_daily where page_views > 0 order by 1")
    assert rows(built, table, f"date, sum({column})", "true group by date") == kpis


def test_hits_are_those_of_the_loss(built: Warehouse) -> None:
    loss = built.query("select sum(pixel_hits), sum(matched) from intermediate.int_pages_counted")
    assert rows(built, "pages_daily", "sum(pixel_hits), sum(matched)") == loss


def test_rows_say_how_much_of_their_day_app_and_platform_was_seen(built: Warehouse) -> None:
    """GIVEN a pixel on both platforms THEN each has its own share, and where none could come it is not known."""
    shares = {("desktop_web", 3 / 5), ("mobile_web", 1.0)}
    for table in (
        "pages_daily",
        "landings_daily",
        "referrers_daily",
        "technology_daily",
        "visitors_daily",
        "bots_daily",
    ):
        assert set(rows(built, table, "distinct platform, completeness")) <= shares
    assert set(rows(built, "hours", "distinct platform, completeness, day_of_week")) == {(*one, 2) for one in shares}
    assert built.query("select count(*) from traffic.pages_daily where completeness is null") == [(0,)]


SITE = {
    "app_id": "access:blog", "is_access": True, "url": None, "url_host": None, "url_domain": None, "tracker": "access",
}  # fmt: skip


def referred(page: str, host: str = "www.blog.example") -> dict[str, Any]:
    """Say that a page of a host sent somebody."""
    return {"referrer": f"https://{host}{page}", "referrer_host": host, "referrer_domain": host.removeprefix("www.")}


def read(visitor: str, start: str, second: dict[str, Any]) -> list[dict[str, Any]]:
    """Make a visit of two pages of a log without hosts, the second sent by something."""
    first, then = visit(visitor, start, "/post /next", **SITE)
    return [first, then | second]


def came_by(warehouse: Warehouse, *visits: list[dict[str, Any]], **variables: Any) -> list[tuple[Any, ...]]:
    warehouse.fill(events=[row for rows_of_one in visits for row in rows_of_one])
    warehouse.run("+referrers_daily", **variables)
    return rows(warehouse, "referrers_daily", "date, referrer_host, source, sum(sessions)", "true group by all")


BACK = visit("dan", "2026-03-10 15:00", "/post", **SITE, **referred("/", "blog.example"))
NEXT_DAY = visit("dan", "2026-03-11 15:00", "/post", **SITE, **referred("/", "blog.example"))
DIRECT = (None, "(direct)")


def test_a_site_does_not_refer_itself_where_its_log_names_no_host(warehouse: Warehouse) -> None:
    """GIVEN two visitors sent by a page that they had just been on THEN its host is the site's own, on that day."""
    found = came_by(
        warehouse,
        read("ann", "2026-03-10 10:00", referred("/post")), read("ben", "2026-03-10 11:00", referred("/post")),
        visit("cid", "2026-03-10 12:00", "/post", **SITE, **referred("/post", "other.example")), BACK, NEXT_DAY,
    )  # fmt: skip
    assert found == [
        (DAY, "other.example", "other.example", 1), (DAY, *DIRECT, 3),
        (date(2026, 3, 11), "blog.example", "blog.example", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "second",
    [
        # Another visitor's page, the visitor's own to come, the root that any host has, and no page of the site's.
        referred("/elsewhere"), referred("/next"), referred("/"), referred("/post?q", "www.google.com"),
    ],
)  # fmt: skip
def test_no_host_is_a_sites_own_by_chance(warehouse: Warehouse, second: dict[str, Any]) -> None:
    found = came_by(
        warehouse, read("ann", "2026-03-10 10:00", second), read("ben", "2026-03-10 11:00", second), BACK,
        visit("eve", "2026-03-10 16:00", "/elsewhere", **SITE),
        visit("fay", "2026-03-10 17:00", "/post", **SITE, **referred("/", "www.google.com")),
    )  # fmt: skip
    assert (DAY, "blog.example", "blog.example", 1) in found
    assert (DAY, "www.google.com", "google", 1) in found


def test_one_visitor_cannot_make_a_host_the_sites_own(warehouse: Warehouse) -> None:
    """GIVEN one who says three times what a page would THEN nothing follows; bots say nothing either."""
    forged = [read("ann", f"2026-03-10 1{hour}:00", referred("/post")) for hour in range(3)]
    bot = [
        row | {"is_bot": True, "bot_reason": "declared"} for row in read("bot", "2026-03-10 11:00", referred("/post"))
    ]
    assert (DAY, "blog.example", "blog.example", 1) in came_by(warehouse, *forged, bot, BACK)


def test_a_day_is_one_of_the_reporting_zone(warehouse: Warehouse) -> None:
    """GIVEN a visit at half past eleven in UTC THEN in Berlin it is the next day's first hour."""
    warehouse.fill(events=CID)
    warehouse.run("+hours", reporting_timezone="Europe/Berlin")
    assert rows(warehouse, "hours", "date, hour, sessions, page_views") == [(date(2026, 3, 11), 0, 1, 2)]


@pytest.mark.parametrize(
    ("os", "device", "platform", "expected"),
    [
        ("Windows", None, "desktop_web", "desktop"), ("Mac OS X", "Mac", "desktop_web", "desktop"),
        ("Ubuntu", None, None, "desktop"), ("iOS", "iPhone", "mobile_web", "phone"),
        ("iOS", "iPad", "mobile_web", "tablet"), ("iOS", None, "ios", "phone"),
        ("Android", "Samsung SM-G991B", "mobile_web", "phone"), ("Android", "SM-T510", "mobile_web", "tablet"),
        ("Android", "Generic Smartphone", "mobile_web", "phone"), ("Android", "Generic Tablet", None, "tablet"),
        ("Android", "Kindle Fire HD", None, "tablet"), ("Android", "Nexus 7", None, "tablet"),
        ("Android", "Nexus 5", None, "phone"), ("tvOS", "AppleTV", None, "tv"), ("Android", "BRAVIA 4K", None, "tv"),
        ("Android", "AFTT", None, "tv"), (None, "PlayStation 4", None, "console"), ("watchOS", None, None, "wearable"),
        (None, None, "mobile_web", "phone"), (None, None, "desktop_web", "(unknown)"),
        (None, "Spider", "desktop_web", "(unknown)"), ("Other", None, "backend", "(unknown)"),
    ],
)  # fmt: skip
def test_class_of_device(os: str | None, device: str | None, platform: str | None, expected: str) -> None:
    text = (PROJECT / "dbt_project" / "macros" / "traffic.sql").read_text()
    case = text.split("macro device_class() -%}")[1].split("{%- endmacro")[0]
    with duckdb.connect() as con:
        query = f"select {case} from (select $os::text as os, $device::text as device, $platform::text as platform)"
        assert con.execute(query, {"os": os, "device": device, "platform": platform}).fetchall() == [(expected,)]
