"""The product managers' tables, and the statistics of experiments."""

import json
import math
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from builders.warehouse import Row, Warehouse, event, moment, order, visit
from scipy import stats

from etl.statistics import experiments
from etl.statistics.experiments import (
    Sample,
    always_valid,
    cuped,
    from_sums,
    relative_lift,
    sample,
    srm_p_value,
    srm_stage,
    t_test,
)

# --- statistics -----------------------------------------------------------------------------------

CONVERTED, EXPOSED, CONTROL_CONVERTED, CONTROL_EXPOSED = 8502, 44700, 8279, 45489


def shares(converted: int, n: int) -> Sample:
    """Make a sample of people of whom some converted."""
    return sample([(1.0, 1.0, 0.0, converted), (0.0, 1.0, 0.0, n - converted)])


def test_two_proportions_agree_with_the_reference() -> None:
    """GIVEN 8502 of 44700 against 8279 of 45489 THEN z = 3.164 and p = 0.00155."""
    p_value = experiments.proportions_p_value(shares(CONTROL_CONVERTED, CONTROL_EXPOSED), shares(CONVERTED, EXPOSED))
    assert p_value == pytest.approx(0.00155, abs=5e-6)
    assert stats.norm.isf(p_value / 2) == pytest.approx(3.164, abs=5e-4)


def test_sample_ratio_agrees_with_the_reference() -> None:
    """GIVEN 44700 and 45489 that should be halves THEN chi-square = 6.90 and p = 0.0086."""
    p_value = srm_p_value([EXPOSED, CONTROL_EXPOSED], [1, 1])
    assert p_value == pytest.approx(0.0086, abs=5e-5)
    assert stats.chi2.isf(p_value, 1) == pytest.approx(6.90, abs=5e-3)


A = from_sums(3407, 1396.87, 52377.9767)
B = from_sums(3461, 2422.7, 134698.29)


def test_means_agree_with_the_reference() -> None:
    """GIVEN sums and squares of two arms THEN lift, interval and p-value are the published ones."""
    found = t_test(relative_lift(A, B))
    assert (found.lift, found.low, found.high) == pytest.approx((0.70732, -0.03526, 1.44989), abs=5e-6)
    assert found.p_value == pytest.approx(0.06191, abs=5e-6)


def test_always_valid_interval_agrees_with_growthbook() -> None:
    """GIVEN the same arms THEN the interval and p-value are those of gbstats 0.8.0 (SequentialTwoSidedTTest)."""
    found = always_valid(relative_lift(A, B), A.n + B.n)
    expected = (0.7073170731707317, -0.4444237691289097, 1.859057915470373, 0.6986728582483058)
    assert (found.lift, found.low, found.high, found.p_value) == pytest.approx(expected, rel=1e-9)


def test_ratio_agrees_with_growthbook() -> None:
    """GIVEN sums of numerators, denominators and products THEN the figures are those of gbstats 0.8.0."""

    def ratio(n: int, y: float, yy: float, x: float, xx: float, xy: float) -> Sample:
        return Sample(
            n, y / n, x / n, yy=(yy - y**2 / n) / (n - 1), xx=(xx - x**2 / n) / (n - 1), xy=(xy - x * y / n) / (n - 1)
        )

    found = t_test(
        relative_lift(ratio(1000, 3000, 25000, 1500, 4500, 9000), ratio(1100, 3600, 31000, 1600, 4800, 10200))
    )
    expected = (0.125, 0.03942414684818747, 0.21057585315181254, 0.004217487464372338)
    assert (found.lift, found.low, found.high, found.p_value) == pytest.approx(expected, rel=1e-9)


def of(y: Any, x: Any = None, c: Any = None) -> Sample:
    """Make a sample of people's figures."""
    ones = np.ones(len(y))
    columns = (y, ones if x is None else x, 0 * ones if c is None else c)
    return sample([(float(a), float(b), float(d), 1) for a, b, d in zip(*columns, strict=True)])


def test_delta_method_agrees_with_the_bootstrap() -> None:
    """GIVEN a ratio of two correlated figures WHEN people are drawn again 2000 times THEN the spread is the same."""
    chance = np.random.default_rng(3)
    sides = []
    for effect in (1.0, 1.1):
        sessions = chance.poisson(2.0, 3000) + 1.0
        sides.append((chance.poisson(0.4 * effect * sessions).astype(float), sessions))
    found = relative_lift(*(of(y, x) for y, x in sides))
    assert found is not None
    drawn = []
    for _ in range(2000):
        ratios = [y[rows].sum() / x[rows].sum() for y, x in sides for rows in [chance.integers(0, len(y), len(y))]]
        drawn.append(ratios[1] / ratios[0] - 1)
    assert found.error == pytest.approx(np.std(drawn), rel=0.06)


def test_cuped_is_a_regression_on_the_past() -> None:
    """GIVEN a past that explains most of the present THEN the lift is the regression's, and the variance shrinks."""
    chance = np.random.default_rng(5)
    past = [chance.gamma(2, 5, n) for n in (4000, 3000)]
    now = [before + chance.normal(1 + effect, 2, len(before)) for before, effect in zip(past, (0, 0.3), strict=True)]
    control, variant = (of(y, c=c) for y, c in zip(now, past, strict=True))
    found, reduction = cuped(control, variant)
    assert found is not None
    design = np.column_stack([np.ones(7000), np.repeat([0.0, 1.0], (4000, 3000)), np.concatenate(past)])
    _, difference, _ = np.linalg.lstsq(design, np.concatenate(now))[0]
    assert found.lift == pytest.approx(difference / np.mean(now[0]), rel=1e-9)
    assert reduction == pytest.approx(np.corrcoef(np.concatenate(past), np.concatenate(now))[0, 1] ** 2, rel=0.02)
    assert cuped(of(now[0]), of(now[1])) == (None, pytest.approx(math.nan, nan_ok=True))


def test_cuped_agrees_with_growthbook() -> None:
    """GIVEN sums of what was done before and after THEN the figures are those of gbstats 0.8.0.

    Its coefficient is of both arms as one, with the experiment's own effect in it: that is worth 5e-7 of the lift here.
    """

    def arm(n: int, y: float, yy: float, c: float, cc: float, yc: float) -> Sample:
        return Sample(
            n, y / n, c=c / n, yy=(yy - y**2 / n) / (n - 1), cc=(cc - c**2 / n) / (n - 1), yc=(yc - y * c / n) / (n - 1)
        )

    found, reduction = cuped(
        arm(3000, 1396.87, 52377.9767, 1016.87, 31527.9767, 33000.5),
        arm(3461, 1822.7, 84698.29, 1222.7, 41348.29, 44000.25),
    )
    tested = t_test(found)
    expected = (0.09866726759791371, -0.21884599046215447, 0.4161805256579819, 0.5424297717630924)
    assert (tested.lift, tested.low, tested.high, tested.p_value) == pytest.approx(expected, abs=3e-6)
    assert 0.5 < reduction < 0.7


def test_degrees_of_freedom_are_welchs() -> None:
    """GIVEN arms of other spread and size THEN degrees of freedom are those of scipy's unequal variances."""
    chance = np.random.default_rng(7)
    control, variant = chance.normal(10, 2, 40), chance.normal(10, 10, 15)
    found = relative_lift(of(control), of(variant))
    assert found is not None
    assert found.degrees == pytest.approx(stats.ttest_ind(control, variant, equal_var=False).df)
    assert found.degrees < 16


@pytest.mark.parametrize("metric", ["conversion", "revenue", "ratio"])
def test_true_effect_lies_in_its_interval(metric: str) -> None:
    """GIVEN 100 simulated experiments THEN the true lift is in the 95 % interval of at least 93."""
    inside = at_any_time = 0
    true_lift = 0.15
    for seed in range(100):
        chance = np.random.default_rng(seed)
        arms = []
        for effect in (0.0, true_lift):
            converts = (chance.random(4000) < 0.08 * (1 + effect)).astype(float)
            if metric == "conversion":
                arms.append(of(converts))
            elif metric == "revenue":
                arms.append(of(converts * chance.lognormal(3, 0.8, 4000).round(2)))
            else:
                sessions = chance.geometric(0.5, 4000).astype(float)
                arms.append(of(chance.binomial(sessions.astype(int), 0.08 * (1 + effect)).astype(float), sessions))
        found = relative_lift(arms[0], arms[1])
        once, anytime = t_test(found), always_valid(found, 8000)
        inside += once.low <= true_lift <= once.high
        at_any_time += anytime.low <= true_lift <= anytime.high
    assert 93 <= inside < 100
    assert at_any_time >= inside


def test_looking_every_day_fools_the_fixed_horizon_only() -> None:
    """GIVEN 100 experiments without effect WHEN one looks 40 times THEN only one interval is fooled often."""
    fooled = {"once": 0, "anytime": 0}
    for seed in range(100):
        chance = np.random.default_rng(seed)
        arms = [chance.normal(10, 5, 4000) for _ in range(2)]
        hits: dict[str, bool] = dict.fromkeys(fooled, False)
        for seen in range(100, 4001, 100):
            # Moments by hand: forty samples of thousands would take `fsum` too long.
            control, variant = (Sample(seen, arm[:seen].mean(), yy=arm[:seen].var(ddof=1)) for arm in arms)
            found = relative_lift(control, variant)
            for name, tested in (("once", t_test(found)), ("anytime", always_valid(found, 2 * seen))):
                hits[name] |= tested.p_value < 0.05
                assert (tested.p_value < 0.05) == (not tested.low <= 0 <= tested.high)
        for name, hit in hits.items():
            fooled[name] += hit
    assert fooled["once"] > 15
    assert fooled["anytime"] <= 5


def test_what_cannot_be_known_is_unknown() -> None:
    """GIVEN nobody, one person, no variation, a control of nought THEN there is no lift and nothing breaks."""
    nobody, one = sample([]), sample([(1.0, 1.0, 0.0, 1)])
    same, none = sample([(1.0, 1.0, 0.0, 50)]), sample([(0.0, 1.0, 0.0, 50)])
    some = shares(5, 50)
    for control, variant in ((nobody, some), (some, nobody), (one, some), (some, one), (same, same), (none, some)):
        assert relative_lift(control, variant) is None
    # Nobody of the variant converted: that is a lift of minus one, whose interval the delta method cannot give.
    found = experiments.comparison(some, none, is_mean=True, is_share=True)
    assert (found["lift"], round(found["p_value"], 3)) == (-1, 0.022)
    assert math.isnan(found["lift_low"])
    without_orders = sample([(0.0, 0.0, 0.0, 50)])
    assert relative_lift(without_orders, some) is None
    assert math.isnan(srm_p_value([5], [1]))
    assert math.isnan(srm_p_value([0, 0], [1, 1]))
    assert srm_p_value([5, 1], [1, 0]) == 0
    assert srm_p_value([500, 0], [1, 1]) < 1e-100
    assert srm_p_value([900, 100], [9, 1]) == 1


def test_mismatch_is_named_by_the_stage_it_enters() -> None:
    """GIVEN p-values of the four stages THEN the first of those that are off up to the end has the name."""
    off, well = 1e-9, 0.4
    assert srm_stage([off, off, off, off]) == "raw"
    assert srm_stage([well, off, off, off]) == "landed"
    assert srm_stage([off, well, well, off]) == "bots out"
    assert srm_stage([off, off, off, well]) is None
    assert srm_stage([math.nan, math.nan, math.nan, off]) == "bots out"


# --- marts ----------------------------------------------------------------------------------------


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
