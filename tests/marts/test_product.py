"""The product managers' tables: features, funnels, cohorts, experiments."""

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from builders.warehouse import Row, Warehouse, event, moment, order, visit
from scipy import stats


def does(visitor: str, at: str, schema: str, session: list[Row] | None = None, **columns: Any) -> Row:
    """Make an event of a schema with fields, in a session if one is given."""
    data = columns.pop("data", {})
    when = moment(at)
    return event(
        event_id=f"{visitor}-{schema}-{at}-{json.dumps(data)}",
        schema=schema,
        visitor_id=visitor,
        event_at=when,
        session_id=session[0]["session_id"] if session else None,
        session_date=session[0]["session_date"] if session else when.date(),
        is_session_event=bool(session),
        data=json.dumps(data),
        **columns,
    )


def uses(visitor: str, at: str, feature: str, session: list[Row] | None = None, **columns: Any) -> Row:
    return does(visitor, at, "feature_use", session, data={"feature": feature}, **columns)


def sees(visitor: str, at: str, variant: str, session: list[Row] | None = None, **columns: Any) -> Row:
    return does(visitor, at, "experiment_exposure", session, data={"experiment": "x", "variant": variant}, **columns)


# Weeks begin on 2, 9 and 16 March 2026. Ann uses the map in two weeks, Ben in the first, a bot often, Cid never.
ANN_1 = visit("ann", "2026-03-03 10:00", "/a /b /c", every=60)
ANN_2 = visit("ann", "2026-03-05 10:00", user="u-ann")
ANN_3 = visit("ann", "2026-03-10 10:00")
BEN_1 = visit("ben", "2026-03-08 23:50", "/a /b", every=1200)
CID_1 = visit("cid", "2026-03-11 10:00")
CID_2 = visit("cid", "2026-03-18 10:00")
ROBOT = visit("robot", "2026-03-03 11:00", is_bot=True, bot_reason="rate")
for row, page_type in zip(ANN_1, ("home", "deal", "cart"), strict=True):
    row["page_type"] = page_type
BEN_1[0]["page_type"], BEN_1[1]["page_type"] = "cart", "deal"
USES = [
    *(uses("ann", at, "map", ANN_1) for at in ("2026-03-03 10:00", "2026-03-03 10:01")),
    uses("ann", "2026-03-05 10:00", "map", ANN_2),
    uses("ann", "2026-03-10 10:00", "map", ANN_3),
    # After midnight, but of a session that started in the week before.
    uses("ben", "2026-03-09 00:10", "map", BEN_1),
    uses("robot", "2026-03-03 11:00", "map", ROBOT, is_bot=True),
    uses("ann", "2026-03-03 10:02", " ", ANN_1),
]
SHOWN = [
    # Ann logs in later: both devices are one person, of the first variant seen.
    sees("ann", "2026-03-03 10:00", "control", ANN_1),
    sees("ann", "2026-03-05 10:00", "treatment", ANN_2),
    sees("ben", "2026-03-08 23:50", "treatment", BEN_1),
    sees("cid", "2026-03-11 10:00", "treatment", CID_1),
    sees("robot", "2026-03-03 11:00", "control", ROBOT, is_bot=True),
]
BOUGHT = [
    order("o0", "2026-03-02 10:00", "ann", "40", user_id="u-ann"),
    order("o1", "2026-03-03 10:02:30", "ann", "10", session_id=ANN_1[0]["session_id"]),
    order("o2", "2026-03-12 10:00", "cid", "30"),
    order("o3", "2026-03-18 10:00:30", "cid", "50", session_id=CID_2[0]["session_id"]),
]
DEEDS = [*ANN_1, *ANN_2, *ANN_3, *BEN_1, *CID_1, *CID_2, *ROBOT, *USES, *SHOWN, *BOUGHT]
MESSAGE = ("event_id", "schema", "event_at", "visitor_id", "data", "event_date")


@pytest.fixture(scope="module")
def product(warehouse: Warehouse) -> Warehouse:
    """Build the product tables with their tests; two exposures to the treatment were refused."""
    refused = {"source_file": "events/a.jsonl", "reason": "malformed_key", "received_at": moment("2026-03-03 10:00")}
    data = {"experiment": "x", "variant": "treatment"}
    newest = {"schema": "experiment_exposure", "visitor_id": "dan", "data": data}
    oldest = {"type": "exp", "uid": "eve", "d": {"e": "x", "v": "treatment"}}
    payloads = [
        json.dumps(newest),
        json.dumps(oldest),
        '{"schema":"experiment_exposure", cut',
        json.dumps({"a": '"exp"'}),
    ]
    warehouse.fill(
        events=DEEDS,
        messages=[{name: row[name] for name in MESSAGE} for row in (*SHOWN, SHOWN[0])],
        quarantine=[refused | {"payload": payload} for payload in payloads],
    )
    warehouse.build("+models/product")
    return warehouse


def test_feature_is_adopted_used_and_kept(product: Warehouse) -> None:
    """GIVEN Ann in two weeks and Ben in one THEN adoption, frequency and retention are those one counts by hand."""
    rows = product.query("""
        select week_date, active_persons, user_count, adoption_rate, uses, uses_per_user, days_per_user, new_users,
            returning_users, retention_rate, users_to_date, adoption_to_date_rate, is_complete
        from product.feature_usage where feature = 'map' order by week_date
    """)
    assert rows == [
        (date(2026, 3, 2), 2, 2, 1.0, 4, 2.0, 1.5, 2, 0, None, 2, 1.0, False),
        (date(2026, 3, 9), 2, 1, 0.5, 1, 1.0, 1.0, 0, 1, 0.5, 2, 2 / 3, True),
        (date(2026, 3, 16), 1, 0, 0.0, 0, None, None, 0, 0, 0.0, 2, 2 / 3, False),
    ]
    assert product.query("select distinct feature from product.feature_usage") == [("map",)]


def test_funnel_counts_steps_in_their_order(product: Warehouse) -> None:
    """GIVEN Ann through deal and cart to an order without checkout, Ben's cart before his deal THEN order counts."""
    rows = product.query("""
        select date, step, sessions, step_rate, funnel_rate, median_seconds from product.funnel
        where date in ('2026-03-03', '2026-03-08') order by date, step_number
    """)
    assert rows == [
        (date(2026, 3, 3), "visit", 1, None, 1.0, None),
        (date(2026, 3, 3), "deal", 1, 1.0, 1.0, 60.0),
        (date(2026, 3, 3), "cart", 1, 1.0, 1.0, 60.0),
        (date(2026, 3, 3), "checkout", 0, 0.0, 0.0, None),
        (date(2026, 3, 3), "order", 0, None, 0.0, None),
        (date(2026, 3, 8), "visit", 1, None, 1.0, None),
        (date(2026, 3, 8), "deal", 1, 1.0, 1.0, 1200.0),
        (date(2026, 3, 8), "cart", 0, 0.0, 0.0, None),
        (date(2026, 3, 8), "checkout", 0, None, 0.0, None),
        (date(2026, 3, 8), "order", 0, None, 0.0, None),
    ]


def test_cohorts_come_back_or_not(product: Warehouse) -> None:
    """GIVEN people first seen in two weeks THEN each cohort has every later week, with its money to date."""
    rows = product.query("""
        select cohort_week, weeks_since, persons, retained_persons, retention_rate, orders, revenue, revenue_to_date
        from product.retention order by 1, 2
    """)
    assert rows == [
        (date(2026, 3, 2), 0, 2, 2, 1.0, 2, 50, 50),
        (date(2026, 3, 2), 1, 2, 1, 0.5, 0, 0, 50),
        (date(2026, 3, 2), 2, 2, 0, 0.0, 0, 0, 50),
        (date(2026, 3, 9), 0, 1, 1, 1.0, 1, 30, 30),
        (date(2026, 3, 9), 1, 1, 1, 1.0, 1, Decimal(50), 80),
    ]


def test_experiment_is_of_persons_from_their_first_exposure(product: Warehouse) -> None:
    """GIVEN Ann in both variants, one order before, a bot THEN she is the control's, and only later orders count."""
    rows = product.query("""
        select metric, visitors, control_visitors, value, control_value, multiple_exposure_share,
            has_multiple_exposures, verdict
        from product.experiment_lift where variant = 'treatment' and control = 'control' order by metric
    """)
    assert [row[:5] for row in rows] == [
        ("average_order_value", 2, 1, 40.0, 10.0),
        ("conversion_rate", 2, 1, 0.5, 1.0),
        ("orders_per_session", 2, 1, 2 / 3, 1 / 3),
        ("orders_per_visitor", 2, 1, 1.0, 1.0),
        ("revenue_per_visitor", 2, 1, 40.0, 10.0),
        ("sessions_per_visitor", 2, 1, 1.5, 3.0),
    ]
    assert {row[5:] for row in rows} == {(1 / 3, True, "unknown")}
    planned = product.query("""
        select metric, role, minimal_lift, guardrail, power, days_needed from product.experiment_lift
        where variant = 'treatment' and control = 'control' and role is not null order by metric
    """)
    assert planned == [
        ("conversion_rate", "goal", 0.05, None, None, None),
        ("revenue_per_visitor", "guardrail", 0.1, "unknown", None, None),
        ("sessions_per_visitor", "guardrail", 0.05, "unknown", None, None),
    ]
    assert product.query("""
        select numerator_before, persons from intermediate.int_experiments_measured
        where metric = 'revenue_per_visitor' and variant = 'control'
    """) == [(40.0, 1)]


def test_stages_count_refused_and_repeated_exposures(product: Warehouse) -> None:
    """GIVEN two refused exposures, a copy, a bot THEN each stage has the visitors it should have."""
    rows = product.query("""
        select variant, raw_visitors, landed_visitors, deduplicated_visitors, visitors, is_control
        from intermediate.int_experiment_arms order by variant
    """)
    assert rows == [("control", 2, 2, 2, 1, True), ("treatment", 5, 3, 3, 2, False)]


def crowd(variant: str, size: int, orders: int, bots: int = 0) -> list[Row]:
    """Make people who see a variant, the first of whom order and the last of whom are bots."""
    rows = []
    for number in range(size):
        visitor = f"{variant}{number}"
        at = moment("2026-03-01 08:00") + timedelta(seconds=number)
        is_bot = number >= size - bots
        session = visit(visitor, at.isoformat(" ")[:19], is_bot=is_bot, bot_reason="rate" if is_bot else None)
        rows += session
        rows.append(sees(visitor, at.isoformat(" ")[:19], variant, session, is_bot=is_bot))
        if number < orders:
            rows.append(order(f"o-{visitor}", "2026-03-01 12:00", visitor, "10", session_id=session[0]["session_id"]))
    return rows


def test_mismatch_overrides_the_verdict_and_names_the_bots(warehouse: Warehouse) -> None:
    """GIVEN 300 and 300 visitors of whom 120 of one variant are bots THEN the clear winner is none."""
    deeds = [*crowd("a", 300, 20), *crowd("b", 300, 150, bots=120)]
    exposures = [row for row in deeds if row["schema"] == "experiment_exposure"]
    warehouse.fill(events=deeds, messages=[{name: row[name] for name in MESSAGE} for row in exposures])
    warehouse.run("+experiment_lift")
    select = """
        select control, visitors, control_visitors, p_value < 1e-9, srm_deduplicated_p_value, srm_stage, verdict
        from product.experiment_lift where metric = 'conversion_rate'
    """
    assert warehouse.query(select) == [("a", 180, 300, True, 1.0, "bots out", "sample ratio mismatch")]
    # The same crowd when the operator says that the split was meant so.
    warehouse.execute("insert into seeds.experiments values ('x', 'a', 5, false), ('x', 'b', 3, true)")
    warehouse.run("int_experiment_arms+", fresh=False)
    # Before bots 300 and 300 instead of 375 and 225: chi-square is 15 + 25.
    assert warehouse.query(select) == [("b", 300, 180, True, pytest.approx(stats.chi2.sf(40, 1)), None, "lower")]
    ((duration, needed, visitors),) = warehouse.query(
        "select duration_days, days_needed, visitors_needed from product.experiment_lift "
        "where metric = 'conversion_rate'"
    )
    # Both arms fill in five minutes, a person a second; so they would go on.
    assert duration == pytest.approx(299 / 86400) and needed == pytest.approx(duration * visitors / 480)
    # A variant that the declaration does not know should have had nobody.
    warehouse.execute("update seeds.experiments set variant = 'c' where variant = 'a'")
    warehouse.run("int_experiment_arms+", fresh=False)
    verdicts = warehouse.query(
        "select variant, srm_stage, verdict from product.experiment_lift where metric = 'conversion_rate'"
    )
    assert sorted(verdicts) == [(variant, "raw", "sample ratio mismatch") for variant in "ac"]


def test_one_variant_alone_is_shown_and_not_judged(warehouse: Warehouse) -> None:
    """GIVEN an experiment of one variant THEN it has rows without a control."""
    warehouse.fill(events=crowd("a", 3, 1))
    warehouse.run("+experiment_lift")
    rows = warehouse.query("""
        select variant, control, visitors, value, lift, srm_p_value, verdict from product.experiment_lift
        where metric = 'conversion_rate'
    """)
    assert rows == [("a", None, 3, pytest.approx(1 / 3), None, None, "unknown")]


def test_what_an_arm_earned_is_unknown_while_an_order_of_it_has_no_rate(warehouse: Warehouse) -> None:
    """GIVEN an order in euros without a rate in one arm THEN money is unknown, never nought, and orders are counted."""
    deeds = [*crowd("a", 300, 60), *crowd("b", 300, 60)]
    sold = [row for row in deeds if row["schema"] == "order" and row["visitor_id"].startswith("b")]
    sold[0] |= {"data": json.dumps(json.loads(sold[0]["data"]) | {"currency": "EUR"})}
    warehouse.fill(events=deeds)
    warehouse.run("+experiment_lift")
    rows = warehouse.query("""
        select metric, value, control_value, lift, verdict from product.experiment_lift
        where metric in ('revenue_per_visitor', 'average_order_value', 'orders_per_visitor') order by metric
    """)
    assert rows == [
        ("average_order_value", None, pytest.approx(10), None, "unknown"),
        ("orders_per_visitor", pytest.approx(0.2), pytest.approx(0.2), pytest.approx(0), "undecided"),
        ("revenue_per_visitor", None, pytest.approx(2), None, "unknown"),
    ]
