"""How much of what touches earn has usually come by their age: by hand, from the model that dbt compiles."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from etl.stages.build.plan import Node

CREDITS = pa.schema(
    [
        *((name, pa.string()) for name in ("conversion", "model", "order_id", "session_id")),
        ("revenue_credit", pa.decimal128(18, 4)),
        *((name, pa.timestamp("us", tz="UTC")) for name in ("touched_at", "ordered_at")),
    ]
)
START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def earned(touched: int, lag: int, orders: int, model: str = "linear", amount: int = 10) -> list[dict[str, Any]]:
    """Credit so many orders to touches of a day, made `lag` days later."""
    return [
        {
            "conversion": "order", "model": model, "order_id": f"{model}{touched}/{lag}/{number}", "session_id": "s",
            "revenue_credit": Decimal(amount), "touched_at": START + timedelta(touched),
            "ordered_at": START + timedelta(touched + lag),
        }
        for number in range(orders)
    ]  # fmt: skip


def maturities(node: Node, credited: list[dict[str, Any]], days: int) -> dict[int, tuple[float, float, float]]:
    """Run the model over credits, the lake's now being the end of so many days."""
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'; attach ':memory:' as build")
        con.execute("create schema build.intermediate; create schema build.marketing")
        con.register("credits", pa.Table.from_pylist(credited, schema=CREDITS))
        con.execute("create table build.marketing.attribution as from credits")
        con.execute(
            "create table build.intermediate.int_lake_now as "
            "select $first as first_received_at, $now as latest_received_at",
            {"first": START - timedelta(hours=12), "now": START + timedelta(days, hours=-12, minutes=-1)},
        )
        return {row[1]: row[2:] for row in con.execute(node.sql).fetchall() if row[0] == "linear"}


@pytest.fixture
def node(compiled: dict[str, Node]) -> Node:
    return compiled["int_touches_matured"]


def test_touches_that_are_not_of_age_do_not_make_the_others_look_mature(node: Node) -> None:
    """GIVEN half of an old touch's orders at once, half after ten days, and young touches THEN a half stays a half."""
    orders = [*earned(0, 0, 20), *earned(0, 10, 20), *earned(55, 0, 20), *earned(0, 3, 7, "first_touch")]
    found = maturities(node, orders, 60)
    assert set(found) == set(range(30))
    assert {tuple(round(share, 3) for share in found[age]) for age in range(10)} == {(0.5, 0.352, 0.648)}
    # By ten days all forty had come; that it is always so forty cannot say.
    one, low, high = found[10]
    assert (one, high) == (1, 1) and low == pytest.approx(40 / 43.8415, rel=1e-4)


def test_an_order_of_the_day_that_is_not_over_says_nothing(node: Node) -> None:
    """GIVEN a day that the data covers in part THEN its orders say nothing of any age: more may come that day."""
    orders = [*earned(0, 0, 20), *earned(0, 10, 20)]
    later = earned(60, 0, 500)
    assert maturities(node, orders + later, 60) == maturities(node, orders, 60) != {}


def test_large_orders_say_less_than_their_sum(node: Node) -> None:
    """GIVEN as much revenue in fewer, larger orders THEN the limits are wider; of fewer than ten nothing is said."""
    small, large = (
        maturities(node, [*earned(0, 0, orders, amount=amount), *earned(0, 10, orders, amount=amount)], 60)
        for orders, amount in ((40, 10), (10, 40))
    )
    assert small[0][0] == large[0][0] == 0.5
    assert large[0][1] < small[0][1] < small[0][2] < large[0][2]
    assert maturities(node, [*earned(0, 0, 4), *earned(0, 10, 4)], 60) == {}


def test_a_history_shorter_than_the_window_knows_no_maturity(node: Node) -> None:
    """GIVEN twenty days THEN what comes after the twentieth is unknown, and so is every share of the whole."""
    assert maturities(node, earned(0, 0, 50), 20) == {}
    assert maturities(node, [], 60) == {}
