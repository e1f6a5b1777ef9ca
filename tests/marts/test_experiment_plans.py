"""What an experiment can tell: power, the least lift that it finds, guardrails; figures of others, and of chance."""

import math

import numpy as np
import pyarrow as pa
import pytest

from etl.statistics import planning
from etl.statistics.experiments import compare, error_without_lift, from_sums
from etl.statistics.planning import Role


def test_visitors_needed_are_the_published_ones() -> None:
    """GIVEN the textbook's case, 5 % of visitors who buy and a lift of 5 % THEN it takes about 121,600 a side.

    Kohavi, Tang and Xu (2020), and "seven rules of thumb" (2014): 16 p (1 - p) / (p lift)^2 = 121,600.
    """
    arm = from_sums(10_000, 500, 500)
    found = planning.plan(Role("goal", 0.05), error_without_lift(arm, arm), 20_000)
    assert found["visitors_needed"] / 2 == pytest.approx(121_600, rel=0.02)
    # With as many the lift is found in 80 of 100, and is the least that is.
    enough = planning.plan(Role("goal", 0.05), error_without_lift(arm, arm) / math.sqrt(121_600 / 10_000), 243_200)
    assert enough["power"] == pytest.approx(0.8, abs=0.01) and enough["detectable_lift"] == pytest.approx(
        0.05, rel=0.02
    )


def test_power_is_how_often_a_true_lift_is_found() -> None:
    """GIVEN 3,000 experiments with a true lift of 20 % THEN as many are found as the power says."""
    chance = np.random.default_rng(3)
    visitors, rate, lift = 5_000, 0.05, 0.2
    bought = [chance.binomial(visitors, share, 3_000) for share in (rate, rate * (1 + lift))]
    found, said = 0, []
    for control, variant in zip(*bought, strict=True):
        sides = [from_sums(visitors, float(count), float(count)) for count in (control, variant)]
        error = error_without_lift(*sides)
        found += abs(sides[1].value / sides[0].value - 1) / error > planning.EDGE
        said.append(planning.power(error, lift))
    assert found / 3_000 == pytest.approx(np.mean(said), abs=0.03)
    assert 0.4 < found / 3_000 < 0.9
    assert planning.power(0.1, 0.0) == pytest.approx(0.05) and math.isnan(planning.power(0.0, 0.1))


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(-0.03, 0.04, "safe"), (-0.06, 0.04, "undecided"), (-0.2, -0.01, "harmed"), (-0.04, -0.01, "harmed"),
     (math.nan, math.nan, "unknown")],
)  # fmt: skip
def test_guardrail_is_safe_if_it_did_not_fall_by_too_much(low: float, high: float, said: str) -> None:
    assert planning.guardrail(Role("guardrail", 0.05), low, high) == said
    assert planning.guardrail(Role("goal", 0.05), low, high) is None


def test_declarations_of_an_experiment_come_before_those_of_all() -> None:
    """GIVEN a metric declared for all and for one THEN that one has its own, the others the common, the rest none."""
    split = {f"{stage}visitors": 1_000 for stage in ("raw_", "landed_", "deduplicated_", "")} | {"multiply_exposed": 0}
    arms = [
        {"experiment": name, "variant": variant, "weight": 1.0, "is_control": variant == "a"} | split
        for name in ("x", "y") for variant in "ab"
    ]  # fmt: skip
    figures = [
        {"experiment": name, "variant": variant, "metric": metric, "numerator": float(bought), "denominator": 1.0,
         "numerator_before": 0.0, "persons": persons}
        for name in ("x", "y") for variant in "ab" for metric in ("conversion_rate", "orders_per_visitor")
        for bought, persons in ((0, 900), (1, 100))
    ]  # fmt: skip
    declared = [
        {"experiment": "*", "metric": "conversion_rate", "role": "goal", "minimal_lift": 0.1},
        {"experiment": "y", "metric": "conversion_rate", "role": "guardrail", "minimal_lift": 0.5},
    ]
    table: pa.Table = compare(arms, figures, declared)
    rows = {(row["experiment"], row["metric"]): row for row in table.to_pylist()}
    columns = ("role", "minimal_lift", "guardrail")
    assert [tuple(rows[key][name] for name in columns) for key in sorted(rows)] == [
        ("goal", 0.1, None), (None, None, None), ("guardrail", 0.5, "safe"), (None, None, None)
    ]  # fmt: skip
    # What it could find is said of every metric: 2.80 errors of sqrt(2 * 0.09009 / 1000) / 0.1.
    assert {round(row["detectable_lift"], 4) for row in rows.values()} == {0.3761}
    assert rows["x", "orders_per_visitor"]["power"] is None and 0 < rows["x", "conversion_rate"]["power"] < 0.2
