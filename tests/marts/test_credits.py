"""What each model gives three visits before an order, to the last digit."""

from decimal import Decimal

from builders.warehouse import Warehouse, order, visit
from pytest import approx


def test_each_model_shares_an_order_as_its_definition_says(warehouse: Warehouse) -> None:
    """GIVEN an order after a visit a day on three days THEN thirds, 40-20-40, halves a week; no row has no credit."""
    mail = {"landing_utm_source": "news", "landing_utm_medium": "email"}
    days = ("2026-03-02", "2026-03-03", "2026-03-04")
    warehouse.fill(
        events=[
            *(row for day in days for row in visit("v", f"{day} 10:00", **mail)),
            order("o1", "2026-03-04 10:30", "v"),
        ]
    )
    warehouse.run("+attribution")
    told = dict(
        warehouse.query("""
            select model, list(credit order by touched_at) from marketing.attribution group by 1 order by 1
        """)
    )
    third, whole = Decimal("0.333333333333333"), [Decimal(1)]
    # What rounding leaves over is the latest touch's.
    assert told["linear"] == [third, third, third + Decimal("0.000000000000001")]
    assert (told["first_touch"], told["last_touch"], told["last_non_direct"]) == (whole, whole, whole)
    assert told["position_based"] == [Decimal("0.4"), Decimal("0.2"), Decimal("0.4")]
    weights = [2 ** (-2 / 7), 2 ** (-1 / 7), 1]
    assert [float(credit) for credit in told["time_decay"]] == approx(
        [one / sum(weights) for one in weights], abs=1e-14
    )
    assert {model: len(credits_) for model, credits_ in told.items()} == {
        "first_touch": 1, "last_touch": 1, "last_non_direct": 1, "linear": 3, "markov": 3, "position_based": 3,
        "time_decay": 3,
    }  # fmt: skip


def test_the_last_that_is_not_direct_is_credited_and_of_direct_ones_the_last(warehouse: Warehouse) -> None:
    """GIVEN mail, search, then a direct visit; and two direct visits alone THEN search, and the second, have it all."""
    warehouse.fill(
        events=[
            *visit("v", "2026-03-02 10:00", landing_utm_source="news", landing_utm_medium="email"),
            *visit("v", "2026-03-03 10:00", landing_utm_source="google", landing_utm_medium="cpc"),
            *visit("v", "2026-03-04 10:00"),
            order("o1", "2026-03-04 10:30", "v"),
            *visit("w", "2026-03-03 10:00"),
            *visit("w", "2026-03-04 10:00"),
            order("o2", "2026-03-04 10:30", "w"),
        ]
    )
    warehouse.run("+attribution")
    assert warehouse.query("""
        select order_id, channel, cast(touched_at as date)::varchar, credit from marketing.attribution
        where model = 'last_non_direct' order by 1
    """) == [("o1", "Paid Search", "2026-03-03", 1), ("o2", "Direct", "2026-03-04", 1)]
