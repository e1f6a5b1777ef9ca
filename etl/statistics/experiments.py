"""The statistics of experiments, on what SQL has added up: lift, intervals, tests, and whether to trust the split.

Every figure is of persons. A metric is a ratio of sums over the persons of a variant; one per visitor divides
by one for each of them, and so is a mean. Lift is relative to the control's value.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pyarrow as pa
from scipy import special

from etl.statistics import planning

CONFIDENCE = 0.95
SRM_ALPHA = 0.001
"""Below this, the split of visitors is no chance; the usual threshold of experimentation platforms."""

SEQUENTIAL_TUNING = 5000
"""Number of visitors at which the always-valid interval is tightest; GrowthBook's default."""

STAGES = ("raw", "landed", "deduplicated", "bots out")

TESTED = pa.schema(
    [
        ("experiment", pa.string()),
        ("metric", pa.string()),
        ("variant", pa.string()),
        ("control", pa.string()),
        ("visitors", pa.int64()),
        ("control_visitors", pa.int64()),
        *((name, pa.float64()) for name in (
            "value", "control_value",
            "lift", "lift_low", "lift_high", "p_value",
            "always_valid_low", "always_valid_high", "always_valid_p_value",
            "cuped_lift", "cuped_lift_low", "cuped_lift_high", "cuped_p_value", "cuped_variance_reduction",
            "srm_p_value", "srm_raw_p_value", "srm_landed_p_value", "srm_deduplicated_p_value",
        )),
        ("srm_stage", pa.string()),
        ("multiple_exposure_share", pa.float64()),
        ("role", pa.string()),
        *((name, pa.float64()) for name in ("minimal_lift", "detectable_lift", "power", "visitors_needed")),
        ("guardrail", pa.string()),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """The persons of a variant: means, variances and covariances of numerator y, denominator x and y before, c."""

    n: int
    y: float
    x: float = 1.0
    c: float = 0.0
    yy: float = 0.0
    xx: float = 0.0
    cc: float = 0.0
    xy: float = 0.0
    yc: float = 0.0

    @property
    def value(self) -> float:
        """The metric: null, as a nan, where nothing was divided by."""
        return self.y / self.x if self.x else math.nan

    @property
    def variance(self) -> float:
        """The variance of the metric times n; by the delta method where it is a ratio."""
        ratio = self.value
        return (self.yy - 2 * ratio * self.xy + ratio**2 * self.xx) / self.x**2 if self.x else math.nan


@dataclass(frozen=True)
class Estimate:
    """A relative lift with its standard error and the degrees of freedom of its test."""

    lift: float
    error: float
    degrees: float


@dataclass(frozen=True)
class Tested:
    """A lift, its 95 % interval and two-sided p-value; nan where nothing can be said."""

    lift: float
    low: float
    high: float
    p_value: float


UNKNOWN = Tested(math.nan, math.nan, math.nan, math.nan)


def sample(figures: Iterable[tuple[float, float, float, int]]) -> Sample:
    """Add up (numerator, denominator, before, persons) to a sample.

    Sums are exact (`fsum`), so that the order of rows changes no digit; the second moments are around the mean.
    """
    rows = list(figures)
    n = sum(row[3] for row in rows)
    if not n:
        return Sample(0, math.nan, math.nan)
    means = [math.fsum(row[at] * row[3] for row in rows) / n for at in range(3)]

    def spread(first: int, second: int) -> float:
        products = ((row[first] - means[first]) * (row[second] - means[second]) * row[3] for row in rows)
        return math.fsum(products) / (n - 1) if n > 1 else math.nan

    y, x, c = means
    return Sample(n, y, x, c, spread(0, 0), spread(1, 1), spread(2, 2), spread(0, 1), spread(0, 2))


def from_sums(n: int, total: float, squares: float) -> Sample:
    """Make a sample of a mean from its sum and sum of squares."""
    return Sample(n, total / n, yy=(squares - total**2 / n) / (n - 1))


def welch(control: float, control_n: int, variant: float, variant_n: int) -> float:
    """Give Welch and Satterthwaite's degrees of freedom of a difference of two means with these variances."""
    first, second = control / control_n, variant / variant_n
    below = first**2 / (control_n - 1) + second**2 / (variant_n - 1)
    return (first + second) ** 2 / below if below else math.nan


def relative_lift(control: Sample, variant: Sample) -> Estimate | None:
    """Estimate variant / control - 1; its error by the delta method, variances unequal.

    None when the control's value is nought or unknown, or when nothing varies.
    """
    if min(control.n, variant.n) < 2 or not control.value or math.isnan(control.value) or math.isnan(variant.value):  # noqa: PLR2004  (a variance needs two)
        return None
    return estimate(variant.value / control.value - 1, control, control.variance, variant, variant.variance)


def estimate(
    lift: float, control: Sample, control_variance: float, variant: Sample, variant_variance: float
) -> Estimate | None:
    """Put a lift and the variances of its two sides together."""
    ratio = variant.value / control.value
    squared = (variant_variance / variant.n + ratio**2 * control_variance / control.n) / control.value**2
    if not squared > 0:
        return None
    return Estimate(lift, math.sqrt(squared), welch(control_variance, control.n, variant_variance, variant.n))


def error_without_lift(control: Sample, variant: Sample) -> float:
    """Give the standard error that the relative lift would have if there were none; nan where it is unknown."""
    if min(control.n, variant.n) < 2 or not control.value:  # noqa: PLR2004  (a variance needs two)
        return math.nan
    squared = control.variance / control.n + variant.variance / variant.n
    # A ratio that does not vary may have a variance of less than nought, by a rounding.
    return math.sqrt(squared) / abs(control.value) if squared > 0 else math.nan


def t_test(found: Estimate | None) -> Tested:
    """Test a lift once, at a horizon fixed beforehand (Welch's t)."""
    if found is None:
        return UNKNOWN
    width = float(special.stdtrit(found.degrees, (1 + CONFIDENCE) / 2)) * found.error
    p_value = 2 * float(special.stdtr(found.degrees, -abs(found.lift) / found.error))
    return Tested(found.lift, found.lift - width, found.lift + width, p_value)


def always_valid(found: Estimate | None, n: int) -> Tested:
    """Test a lift in a way that holds whenever and however often one looks.

    The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (arXiv:2103.06476): the
    interval is their equation 9, its tuning 161, the p-value the inverse of the e-value 155.
    """
    if found is None:
        return UNKNOWN
    alpha = 1 - CONFIDENCE
    rho_squared = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / SEQUENTIAL_TUNING
    grown = n * rho_squared + 1
    width = found.error * math.sqrt(2 * grown * math.log(math.sqrt(grown) / alpha) / (n * rho_squared))
    evidence = n * rho_squared * (found.lift / found.error) ** 2 / (2 * grown) - math.log(grown) / 2
    return Tested(found.lift, found.lift - width, found.lift + width, min(1.0, math.exp(-evidence)))


def cuped(control: Sample, variant: Sample) -> tuple[Estimate | None, float]:
    """Estimate a mean's lift with what persons did before the exposure taken out (CUPED), and how much variance went.

    Deng, Xu, Kohavi, Walker (2013); one coefficient for both sides, as in a regression. The share is nan when nothing
    was done before.
    """
    plain = relative_lift(control, variant)
    # Within each side: what the experiment itself changed is not mistaken for the past.
    spread = (control.n - 1) * control.cc + (variant.n - 1) * variant.cc
    if plain is None or not spread > 0:
        return None, math.nan
    theta = ((control.n - 1) * control.yc + (variant.n - 1) * variant.yc) / spread
    reduced = [side.yy - 2 * theta * side.yc + theta**2 * side.cc for side in (control, variant)]
    lift = plain.lift - theta * (variant.c - control.c) / control.value
    found = estimate(lift, control, reduced[0], variant, reduced[1])
    return found, 1 - (found.error / plain.error) ** 2 if found else math.nan


def proportions_p_value(control: Sample, variant: Sample) -> float:
    """Test two shares of persons against each other (pooled z, two-sided)."""
    if not min(control.n, variant.n):
        return math.nan
    n = control.n + variant.n
    pooled = (control.y * control.n + variant.y * variant.n) / n
    error = math.sqrt(max(0.0, pooled * (1 - pooled)) * (1 / control.n + 1 / variant.n))
    return 2 * float(special.ndtr(-abs(variant.y - control.y) / error)) if error else math.nan


def srm_p_value(visitors: Sequence[int], weights: Sequence[float]) -> float:
    """Test whether visitors are split by these weights (chi-square): sample ratio mismatch.

    nan when there is nothing to split. A variant of weight nought must have nobody.
    """
    total = sum(weights)
    if len(visitors) < 2 or not sum(visitors) or not total > 0:  # noqa: PLR2004  (a split needs two)
        return math.nan
    if any(count and not weight for count, weight in zip(visitors, weights, strict=True)):
        return 0.0
    pairs = [(count, weight) for count, weight in zip(visitors, weights, strict=True) if weight]
    if len(pairs) == 1:
        return math.nan
    expected = [weight / total * sum(visitors) for _, weight in pairs]
    distance = sum((count - mean) ** 2 / mean for (count, _), mean in zip(pairs, expected, strict=True))
    return float(special.chdtrc(len(pairs) - 1, distance))


def srm_stage(p_values: Sequence[float]) -> str | None:
    """Name the stage from which on the split is off up to the end; None when at the end it is not.

    Args:
        p_values: of the stages in order.
    """
    found = None
    for stage, p_value in zip(reversed(STAGES), reversed(p_values), strict=True):
        if not p_value < SRM_ALPHA:
            break
        found = stage
    return found


def compare(
    arms: Iterable[Mapping[str, Any]], figures: Iterable[Mapping[str, Any]], declared: Iterable[Mapping[str, Any]] = ()
) -> pa.Table:
    """Compare each variant with its experiment's control in each metric (columns of `TESTED`).

    Args:
        arms: rows of `int_experiment_arms`: experiment, variant, weight, is_control, visitors at each stage.
        figures: rows of `int_experiments_measured`: numerator, denominator, numerator_before and persons of each.
        declared: rows of `experiment_metrics`: what a metric is to an experiment.

    An experiment of one variant gives a row for it, without a control.
    """
    added: dict[tuple[str, str, str], list[tuple[float, float, float, int]]] = {}
    is_mean: dict[str, bool] = {}
    for row in figures:
        key = (row["experiment"], row["variant"], row["metric"])
        before = row["numerator_before"]
        added.setdefault(key, []).append((row["numerator"], row["denominator"], before or 0.0, row["persons"]))
        is_mean[row["metric"]] = before is not None
    samples = {key: sample(rows) for key, rows in added.items()}
    nobody, roles = Sample(0, math.nan, math.nan), planning.roles(declared)
    rows = []
    ordered = sorted(arms, key=lambda arm: (arm["experiment"], arm["variant"]))
    for experiment, group in groupby(ordered, key=lambda arm: arm["experiment"]):
        variants = list(group)
        split = split_of(variants)
        control = next(arm for arm in variants if arm["is_control"])
        for metric in sorted(is_mean):
            for arm in variants:
                if arm is control and len(variants) > 1:
                    continue
                treated = samples.get((experiment, arm["variant"], metric), nobody)
                base = nobody if arm is control else samples.get((experiment, control["variant"], metric), nobody)
                role = planning.role_of(roles, experiment, metric)
                tested = comparison(base, treated, is_mean[metric], is_share=metric == "conversion_rate")
                rows.append(
                    {
                        "experiment": experiment, "metric": metric, "variant": arm["variant"],
                        "control": None if arm is control else control["variant"],
                        "visitors": treated.n, "control_visitors": base.n,
                        "value": treated.value, "control_value": base.value,
                        **tested, **split, **planning.plan(role, error_without_lift(base, treated), base.n + treated.n),
                        "guardrail":
                            planning.guardrail(role, tested["always_valid_low"], tested["always_valid_high"]),
                    }
                )  # fmt: skip
    known = [{name: None if value != value else value for name, value in row.items()} for row in rows]  # noqa: PLR0124  (nan)
    return pa.Table.from_pylist(known, schema=TESTED)


def split_of(variants: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Judge the split of an experiment's visitors at every stage, and say how many saw several variants."""
    weights = [arm["weight"] for arm in variants]
    stages = ("raw_visitors", "landed_visitors", "deduplicated_visitors", "visitors")
    p_values = [srm_p_value([arm[stage] for arm in variants], weights) for stage in stages]
    visitors = sum(arm["visitors"] for arm in variants)
    return {
        "srm_raw_p_value": p_values[0], "srm_landed_p_value": p_values[1], "srm_deduplicated_p_value": p_values[2],
        "srm_p_value": p_values[3], "srm_stage": srm_stage(p_values),
        "multiple_exposure_share":
            sum(arm["multiply_exposed"] for arm in variants) / visitors if visitors else math.nan,
    }  # fmt: skip


def comparison(control: Sample, variant: Sample, is_mean: bool, is_share: bool) -> dict[str, float]:
    """Test one variant against the control in one metric, in every way."""
    found = relative_lift(control, variant)
    once, anytime = t_test(found), always_valid(found, control.n + variant.n)
    adjusted, reduction = cuped(control, variant) if is_mean else (None, math.nan)
    reduced = t_test(adjusted)
    # Without any variation a lift can still be told, though not how sure it is.
    lift = variant.value / control.value - 1 if control.n and control.value else math.nan
    return {
        "lift": lift, "lift_low": once.low, "lift_high": once.high,
        "p_value": proportions_p_value(control, variant) if is_share else once.p_value,
        "always_valid_low": anytime.low, "always_valid_high": anytime.high, "always_valid_p_value": anytime.p_value,
        "cuped_lift": reduced.lift, "cuped_lift_low": reduced.low, "cuped_lift_high": reduced.high,
        "cuped_p_value": reduced.p_value, "cuped_variance_reduction": reduction,
    }  # fmt: skip
