"""Money in several currencies: what has no rate is not added, and where there is nothing else nothing is said."""

from decimal import Decimal

import pytest
from builders.warehouse import Row, Warehouse, order, visit


def sold(order_id: str, day: int, currency: str, visitor: str) -> list[Row]:
    """Make a visit from a campaign, and its order of ten."""
    session = visit(visitor, f"2026-03-0{day} 10:00", landing_utm_source=visitor, landing_utm_medium="email")
    bought = order(order_id, f"2026-03-0{day} 10:01", visitor, "10", currency=currency,
                   session_id=session[0]["session_id"], session_date=session[0]["session_date"])  # fmt: skip
    return [*session, bought]


@pytest.fixture(scope="module")
def currencies(warehouse: Warehouse) -> Warehouse:
    """Orders in a currency without a rate: alone on the first day, beside dollars on the second, none on the third."""
    warehouse.fill(
        events=[
            *sold("a", 1, "EUR", "ann"), *sold("b", 2, "EUR", "ben"), *sold("c", 2, "USD", "cid"),
            *visit("dan", "2026-03-03 10:00"),
        ]
    )  # fmt: skip
    warehouse.build()
    return warehouse


def test_revenue_of_nothing_but_unrated_orders_is_unknown(currencies: Warehouse) -> None:
    rows = currencies.query("""
        select day(date), orders, revenue, average_order_value, revenue_per_visitor, is_revenue_complete
        from executive.kpi_daily order by date
    """)
    assert rows == [(1, 1, None, None, None, False), (2, 2, 10, 5, 5, False), (3, 0, 0, None, 0, True)]
    rows = currencies.query(
        "select revenue_previous, revenue_change, orders_previous from executive.kpi_daily order by date"
    )
    assert rows == [(None, None, None), (None, None, 1), (10, None, 2)], "what is not whole is compared with nothing"
    rows = currencies.query("select orders, revenue, is_revenue_complete from executive.kpi_monthly")
    assert rows == [(3, 10, False)]


def test_no_table_says_nought_where_nothing_is_known(currencies: Warehouse) -> None:
    """GIVEN an order without a rate THEN its session, person, touch, path and cohort have no revenue from it."""
    sessions = currencies.query("select visitor_id, revenue from core.sessions order by 1")
    assert sessions == [("ann", None), ("ben", None), ("cid", 10), ("dan", 0)]
    assert currencies.query("select person_id, revenue from core.visitors order by 1") == sessions
    credited = currencies.query("select distinct order_id, revenue_credit from marketing.attribution order by 1")
    assert credited == [("a", None), ("b", None), ("c", 10)]
    performance = currencies.query("""
        select source, conversions, revenue, is_revenue_complete from marketing.channel_performance
        where model = 'linear' order by 1
    """)
    assert performance == [
        ("(direct)", 0, 0, True), ("ann", 1, None, False), ("ben", 1, None, False), ("cid", 1, 10, True)
    ]  # fmt: skip
    by_order = currencies.query("""
        select day(date), source, conversions, revenue from marketing.channel_performance_by_order
        where model = 'linear' and conversions > 0 order by 1, 2
    """)
    assert by_order == [(1, "ann", 1, None), (2, "ben", 1, None), (2, "cid", 1, 10)]
    assert currencies.query("select distinct channel, last, revenue from marketing.assists") == [("Email", 3, 10)]
    assert currencies.query("select conversions, revenue from marketing.paths") == [(3, Decimal(10))]
    retained = currencies.query("""
        select orders, revenue, revenue_to_date from product.retention order by cohort_week, week_date
    """)
    assert retained == [(1, None, None), (0, 0, None), (2, 10, 10)]


def test_check_names_file_and_setting(currencies: Warehouse) -> None:
    rows = currencies.query(
        """select scope, value, status, hint from quality.checks where "check" = 'currency_rates'"""
    )
    (hint,) = {hint for scope, _, _, hint in rows if scope == "orders"}
    assert [row[:3] for row in sorted(rows)] == [
        ("declared conversions", 0, "ok"), ("orders", 2, "error"), ("spend", 0, "ok")
    ]  # fmt: skip
    for word in ("EUR", "dbt_project/seeds/currency_rates.csv", "reporting_currency", "conf/bloodhound.toml"):
        assert word in hint


def test_an_order_without_an_amount_adds_nothing_in_any_table(warehouse: Warehouse) -> None:
    """GIVEN an order whose amount cannot be read THEN every table counts it, with no money and no doubt."""
    visited = visit("ann", "2026-03-01 10:00")
    warehouse.fill(
        events=[*visited, order("a", "2026-03-01 10:01", "ann", "a lot", session_id=visited[0]["session_id"])]
    )
    warehouse.build()
    for table, where in {
        "executive.kpi_daily": "true", "traffic.landings_daily": "true", "marketing.cohorts": "true",
        "product.retention": "true", "marketing.channel_performance_by_order": "model = 'linear'",
        "marketing.channel_performance": "model = 'linear'",
    }.items():  # fmt: skip
        assert warehouse.query(f"select revenue from {table} where {where}") == [(0,)], table
    assert warehouse.query("select distinct revenue from marketing.assists") == [(0,)]
    assert warehouse.query("select revenue from core.sessions") == [(0,)]
    warned = warehouse.query("""select status from quality.checks where "check" = 'orders_with_revenue'""")
    assert warned == [("warn",)]
