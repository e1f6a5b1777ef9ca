"""The statistics of experiments: against published figures, other libraries, and chance."""

import math
from typing import Any

import numpy as np
import pytest
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
