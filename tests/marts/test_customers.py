"""Marketing's questions about people: who assisted, which cohorts buy on, what a new customer costs; by hand."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from builders.warehouse import Row, Warehouse, event, moment, order, visit

from etl.vocabulary import columns as schemas

JANUARY, FEBRUARY, MARCH = (date(2026, month, 1) for month in (1, 2, 3))


def tagged(visitor: str, start: str, source: str, medium: str, campaign: str | None = None) -> list[Row]:
    return visit(visitor, start, landing_utm_source=source, landing_utm_medium=medium, landing_utm_campaign=campaign)


def paid(day: str, campaign: str, cost: str, currency: str = "USD") -> Row:
    row: dict[str, Any] = dict.fromkeys(schemas.SPEND.names)
    return row | {
        "date": moment(f"{day} 00:00").date(), "source": "google", "medium": "cpc", "campaign": campaign,
        "impressions": 100, "clicks": 10, "cost": Decimal(cost), "currency": currency, "source_file": "spend/a.csv",
        "line_number": 1, "file_id": 3,
    }  # fmt: skip


ANN = [
    *tagged("ann", "2026-01-30 10:00", "google", "cpc", "spring"),
    *tagged("ann", "2026-02-01 10:00", "news", "email"),
    *tagged("ann", "2026-02-02 10:00", "google", "cpc", "Spring"),
    order("o1", "2026-02-02 11:00", "ann", "30"),
    order("o2", "2026-03-03 11:00", "ann", "5"),
]
BEN = [*tagged("ben", "2026-02-05 10:00", "google", "cpc", "brand"), *visit("ben", "2026-02-06 10:00"),
       order("o3", "2026-02-06 10:30", "ben", "10")]  # fmt: skip


def refund(order_id: str, at: str, revenue: str) -> Row:
    return event(
        event_id=f"refund-{order_id}-{at}", schema="refund", platform="backend", visitor_id="shop", event_at=moment(at),
        session_date=moment(at).date(), is_session_event=False,
        data=json.dumps({"order_id": order_id, "revenue": revenue}),
    )  # fmt: skip


REFUNDS = [refund("o1", "2026-03-09 10:00", "10.5"), refund("o1", "2026-03-10 10:00", "2"),
           refund("nobody's", "2026-03-10 10:00", "2")]  # fmt: skip
CID = visit("cid", "2026-02-07 10:00")
SPEND = [paid("2026-02-02", "SPRING", "12"), paid("2026-03-02", "SPRING", "6"), paid("2026-03-02", "odd", "6", "XXX")]


@pytest.fixture(scope="module")
def built(warehouse: Warehouse) -> Warehouse:
    warehouse.fill(events=[*ANN, *BEN, *CID, *REFUNDS], spend=SPEND)
    select = ("assists", "cohorts", "new_customers", "orders", "channel_performance", "channel_performance_by_order")
    warehouse.build(*(f"+{name}" for name in select))
    return warehouse


def test_assists_and_last_touches(built: Warehouse) -> None:
    """GIVEN search, a mail, search again THEN search was last and assisted in nothing, the mail assisted."""
    rows = built.query(
        "select month, channel, assisted, last from marketing.assists where model = 'linear' order by all"
    )
    assert rows == [
        (FEBRUARY, "Direct", 0, 1), (FEBRUARY, "Email", 1, 0), (FEBRUARY, "Paid Search", 1, 1),
        # The mail came more than thirty days before.
        (MARCH, "Paid Search", 0, 1),
    ]  # fmt: skip


def test_revenue_is_what_each_model_credits(built: Warehouse) -> None:
    rows = built.query("select model, sum(revenue) from marketing.assists group by 1 order by 1")
    assert {revenue for _, revenue in rows} == {45} and len(rows) == 7
    (first,) = built.query(
        "select revenue from marketing.assists"
        " where model = 'last_touch' and month = '2026-02-01' and channel = 'Direct'"
    )
    assert first == (10,)


def test_what_touches_earned_is_told_with_how_much_usually_comes(built: Warehouse) -> None:
    """GIVEN three orders and 10 March THEN touches of February earned all they will; of March's nothing is said."""
    rows = built.query(
        "select distinct month(date), is_complete, maturity, maturity_low, maturity_high "
        "from marketing.channel_performance order by all"
    )
    # The first day of data begins at ten o'clock.
    assert rows == [(1, False, 1, 1, 1), (2, True, 1, 1, 1), (3, True, None, None, None)]
    by_order = built.query("select distinct maturity from marketing.channel_performance_by_order")
    assert by_order == [(1,)]


def test_cohorts_are_followed_through_months_without_orders(built: Warehouse) -> None:
    rows = built.query(
        "select first_month, first_channel, months_since, persons, orders, revenue from marketing.cohorts order by all"
    )
    assert rows == [
        (JANUARY, "Paid Search", 0, 1, 0, 0), (JANUARY, "Paid Search", 1, 1, 1, 30),
        (JANUARY, "Paid Search", 2, 1, 1, 5),
        (FEBRUARY, "Direct", 0, 1, 0, 0), (FEBRUARY, "Direct", 1, 1, 0, 0),
        (FEBRUARY, "Paid Search", 0, 1, 1, 10), (FEBRUARY, "Paid Search", 1, 1, 0, 0),
    ]  # fmt: skip


def test_new_customers_and_their_cost(built: Warehouse) -> None:
    """GIVEN links and spend that spell a campaign differently THEN they are one; cost without a rate is unknown."""
    rows = built.query(
        "select month, channel, campaign, persons, cost, cost_per_customer from marketing.new_customers order by all"
    )
    assert rows == [
        (FEBRUARY, "Paid Search", "SPRING", 1, 12, 12.0), (FEBRUARY, "Paid Search", "brand", 1, 0, 0.0),
        (MARCH, "Paid Search", "SPRING", 0, 6, None), (MARCH, "Paid Search", "odd", 0, None, None),
    ]  # fmt: skip


def test_orders_are_numbered_and_refunds_add_up(built: Warehouse) -> None:
    rows = built.query("select order_id, order_number, revenue, refunded, net_revenue from core.orders order by 1")
    assert rows == [
        ("o1", 1, 30, Decimal("12.5"), Decimal("17.5")), ("o2", 2, 5, 0, 5), ("o3", 1, 10, 0, 10),
    ]  # fmt: skip


def test_performance_is_dated_by_touch_and_by_order(built: Warehouse) -> None:
    """GIVEN an order in March of a touch in February THEN each table has it in its own month; totals are the same."""
    by = {
        table: built.query(
            f"select month(date), sum(conversions), sum(revenue), sum(sessions), sum(cost) from marketing.{table}"
            " where model = 'last_touch' group by 1 order by 1"
        )
        for table in ("channel_performance", "channel_performance_by_order")
    }
    assert by["channel_performance"] == [(1, 0, 0, 1, 0), (2, 3, 45, 5, 12), (3, 0, 0, 0, 6)]
    assert by["channel_performance_by_order"] == [(1, 0, 0, 1, 0), (2, 2, 40, 5, 12), (3, 1, 5, 0, 6)]
