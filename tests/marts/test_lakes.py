"""Lakes that hold little, or are built again: what dbt makes of them."""

from datetime import date
from decimal import Decimal

import pytest
from builders.shop import ANNA_1, BEN, BOT, LEDGER, ORDERS, SHOP, SHOP_HITS
from builders.warehouse import Warehouse, hits, order, visit


def test_login_after_more_than_thirty_days_is_used_only_backwards(warehouse: Warehouse) -> None:
    """GIVEN logins before and after THEN the next in 30 days wins, else the latest before."""
    warehouse.fill(
        events=[
            *visit("far", "2026-03-01 10:00", user=None),
            *visit("far", "2026-04-01 10:00", user="late"),
            *visit("far", "2026-04-02 10:00", user=None),
            *visit("near", "2026-03-01 10:00", user="before"),
            *visit("near", "2026-03-02 10:00", user=None),
            *visit("near", "2026-04-01 10:00", user="after"),
        ]
    )
    warehouse.run("+int_persons_stitched")
    rows = warehouse.query("select session_id, person_id from intermediate.int_persons_stitched")
    persons = {(session.split("-")[0], session): person for session, person in rows}
    assert [persons[key] for key in sorted(persons)] == [
        "far",
        "late",
        "late",
        "before",
        "after",
        "after",
    ]


def test_a_page_view_without_a_session_takes_a_name_given_within_thirty_days(warehouse: Warehouse) -> None:
    """GIVEN mails opened before a login THEN one exactly 30 days before is that user's, one a second older is not."""
    opened = {"session_id": None, "session_date": None, "is_session_event": False, "platform": "email"}
    warehouse.fill(
        events=[
            *visit("in", "2026-03-01 10:00", **opened),
            *visit("in", "2026-03-31 10:00", user="anna"),
            *visit("out", "2026-03-01 09:59", **opened),
            *visit("out", "2026-03-31 10:00", user="ben"),
            *visit("nobody", "2026-03-01 10:00", **opened),
        ]
    )
    warehouse.run("+page_views")
    rows = warehouse.query("select visitor_id, person_id from core.page_views where session_id is null order by 1")
    assert rows == [("in", "anna"), ("nobody", "nobody"), ("out", "out")]


def test_an_order_of_a_bot_is_kept_and_not_counted(warehouse: Warehouse) -> None:
    warehouse.fill(
        events=[order("o1", "2026-03-01 10:00", "b", is_bot=True), order("o2", "2026-03-01 11:00", "v", is_bot=None)]
    )
    warehouse.run("+orders")
    rows = warehouse.query("select order_id, is_bot, is_counted from core.orders order by 1")
    assert rows == [("o1", True, False), ("o2", False, True)]


def test_empty_lake_builds(warehouse: Warehouse) -> None:
    """GIVEN no data at all THEN every mart is there, empty, and nothing is called ok."""
    warehouse.fill()
    warehouse.build()
    for table in ("core.sessions", "core.orders", "marketing.attribution", "executive.kpi_daily"):
        assert warehouse.query(f"select count(*) from {table}") == [(0,)]
    statuses = warehouse.query("""
        select distinct status from quality.checks
        where "check" in ('event_loss', 'ledger_balance', 'files_landed')
    """)
    assert statuses == [("unknown",)]


def test_a_name_given_to_another_content_warns_and_is_named(warehouse: Warehouse) -> None:
    """GIVEN a content whose name holds something else now THEN its file is named once, whatever else is there."""
    (file,) = LEDGER["files"]
    behind = [file | {"file_id": number, "is_left_behind": number < 3} for number in range(1, 4)]
    warehouse.fill(files=behind)
    warehouse.run("+checks")
    ((status, value, hint),) = warehouse.query(
        "select status, value, hint from quality.checks where \"check\" = 'file_name_reused'"
    )
    assert (status, value) == ("warn", 1)
    assert "events/a.jsonl; if the former was wrong" in hint


def test_files_that_are_not_read_are_named_and_the_refused_first(warehouse: Warehouse) -> None:
    """GIVEN more than can be named THEN three are, what was refused before what is ignored, and why."""
    (file,) = LEDGER["files"]
    told = {"events/a.zst": "unreadable", "events/b": "ignored", "events/z.gz": "truncated", "spend/c": "ignored"}
    rows = [
        file | {"source_file": name, "file_id": number, "status": status, "detail": "so it is", "is_unread": True}
        for number, (name, status) in enumerate(told.items(), 1)
    ]
    warehouse.fill(files=rows)
    warehouse.run("+checks")
    ((status, value, hint),) = warehouse.query(
        "select status, value, hint from quality.checks where \"check\" = 'files_landed'"
    )
    assert (status, value) == ("error", 4)
    assert "refused: events/a.zst: so it is; events/z.gz: so it is; events/b: so it is;" in hint
    assert "spend/c" not in hint


def test_one_event_without_pixel_log_builds(warehouse: Warehouse) -> None:
    """GIVEN a single page view THEN a day with one bounce, of unknown completeness."""
    warehouse.fill(events=visit("one", "2026-03-01 10:00"))
    warehouse.build()
    rows = warehouse.query("""
        select sessions, bounce_rate, page_views, completeness, page_views_estimated, revenue,
            average_order_value from executive.kpi_daily
    """)
    assert rows == [(1, 1.0, 1, None, None, 0, None)]
    assert warehouse.query("select distinct status from quality.loss_hourly") == [("unknown",)]


def test_day_of_bots_alone_has_no_rates(warehouse: Warehouse) -> None:
    """GIVEN bots only THEN the day is a row of zeros whose rates are unknown."""
    views = visit("bot", "2026-03-01 10:00", "/a /b", is_bot=True, bot_reason="rate")
    warehouse.fill(events=views, pixel_hits=hits(*views))
    warehouse.build()
    rows = warehouse.query("""
        select sessions, visitors, page_views, bounce_rate, conversion_rate, completeness
        from executive.kpi_daily
    """)
    assert rows == [(0, 0, 0, None, None, None)]


@pytest.mark.parametrize(
    ("count_access", "with_tracker", "expected"),
    [("auto", False, 1), ("auto", True, 1), ("always", True, 2), ("never", False, 0)],
)
def test_access_log_counts_as_set(warehouse: Warehouse, count_access: str, with_tracker: bool, expected: int) -> None:
    """GIVEN views from an access log THEN they count only while nothing better is there."""
    access = visit("log", "2026-03-01 10:00", app_id="access:site", is_access=True)
    tracker = visit("anna", "2026-03-01 11:00") if with_tracker else []
    warehouse.fill(events=[*access, *tracker])
    warehouse.run("+kpi_daily", "+loss_hourly", count_access=count_access)
    assert warehouse.query("select sessions, page_views from executive.kpi_daily") == [(expected, expected)]
    assert warehouse.query("select count(*) from quality.loss_hourly") == [(int(with_tracker),)]


def test_foreign_currency_without_a_rate_is_not_added(warehouse: Warehouse) -> None:
    """GIVEN an order in euros and no rate THEN its money is not added, and a check errors."""
    warehouse.fill(
        events=[
            *visit("anna", "2026-03-01 10:00"),
            order("usd", "2026-03-01 10:01", "anna", "10"),
            order("eur", "2026-03-01 10:02", "anna", "20", currency="EUR"),
            order("odd", "2026-03-01 10:03", "anna", "a lot"),
        ]
    )
    warehouse.run("+kpi_daily", "+checks")
    assert warehouse.query("select orders, revenue from executive.kpi_daily") == [(3, 10)]
    assert warehouse.query("""
        select status, value from quality.checks
        where "check" in ('currency_rates', 'orders_with_revenue') and scope = 'orders' order by 1
    """) == [("error", 1.0), ("warn", 1.0)]
    warehouse.execute("insert into seeds.currency_rates values ('EUR', 'USD', '2026-01-01', 1.25)")
    warehouse.run("int_orders_chosen+,+kpi_daily", fresh=False)
    assert warehouse.query("select orders, revenue from executive.kpi_daily") == [(3, 35)]


def test_the_rate_is_the_newest_that_was_valid_on_the_day(warehouse: Warehouse) -> None:
    """GIVEN rates of January and of the second THEN an order, and a cost, of the first has the one, of the second the
    other."""
    spent = {
        "source": "news", "medium": "email", "campaign": None, "impressions": 1, "clicks": 1, "cost": Decimal(4),
        "currency": "EUR", "source_file": "spend/a.csv", "file_id": 1,
    }  # fmt: skip
    warehouse.fill(
        events=[order(name, f"2026-03-0{day} 10:00", "v", "10", currency="EUR") for name, day in (("a", 1), ("b", 2))],
        spend=[spent | {"date": date(2026, 3, day), "line_number": day} for day in (1, 2)],
    )
    warehouse.run("+orders", "+spend")
    for since, rate in (("2026-01-01", 1.25), ("2026-03-02", 2), ("2026-03-03", 9)):
        warehouse.execute(f"insert into seeds.currency_rates values ('EUR', 'USD', '{since}', {rate})")
    warehouse.run("int_orders_chosen", "orders", "int_currency_rates_dated", "int_spend_chosen", "spend", fresh=False)
    orders = warehouse.query("select order_id, reporting_revenue from core.orders order by 1")
    assert orders == [("a", Decimal("12.5")), ("b", Decimal(20))]
    costs = warehouse.query("select reporting_cost from marketing.spend order by date")
    assert costs == [(Decimal(5),), (Decimal(8),)]


TABLES = """
    select table_schema || '.' || table_name from information_schema.tables
    where table_schema in ('core', 'traffic', 'marketing', 'executive', 'product', 'quality')
    order by 1
"""


def contents(warehouse: Warehouse) -> dict[str, list[str]]:
    """Read every published table, in an order of its own."""
    return {table: sorted(map(str, warehouse.query(f"select * from {table}"))) for (table,) in warehouse.query(TABLES)}


def test_rebuilding_the_changed_days_equals_rebuilding_everything(warehouse: Warehouse) -> None:
    """GIVEN a late login and a day that empties THEN both ways give the same marts."""
    gone = visit("gone", "2026-03-05 10:00")
    warehouse.fill(events=[*ANNA_1, *BEN, *BOT, *ORDERS, *gone], pixel_hits=SHOP_HITS, **LEDGER)
    warehouse.run()
    warehouse.fill(events=SHOP, pixel_hits=SHOP_HITS, **LEDGER)
    changed = ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-05"]
    warehouse.run(fresh=False, days=changed)
    by_days = contents(warehouse)
    warehouse.run(fresh=False, days=[])
    assert contents(warehouse) == by_days
    warehouse.run()
    assert contents(warehouse) == by_days
