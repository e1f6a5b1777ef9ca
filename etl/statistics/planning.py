"""How much an experiment can tell: its power, the least lift that it finds, the visitors that it needs, guardrails.

All at a horizon fixed beforehand, two-sided at 5 %, by the normal approximation; from what was seen of both variants.
Source: the usual formula, as in Kohavi, Tang and Xu (2020), chapter 17: 16 variances over the squared
difference for 80 % of power, here with its exact constant.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scipy import special

ENOUGH = 0.8
"""Power at which an experiment is called large enough."""

EDGE = float(special.ndtri(0.975))
REACH = EDGE + float(special.ndtri(ENOUGH))
"""Standard errors that lie between nought and a lift that is found with enough power."""

ANY = "*"


@dataclass(frozen=True)
class Role:
    """What a metric is to an experiment.

    Args:
        role: goal, guardrail, or None if nobody declared it.
        minimal_lift: the least lift worth finding; of a guardrail the fall that would be too much.
    """

    role: str | None
    minimal_lift: float


def roles(declared: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], Role]:
    """Key declarations by experiment and metric (rows of the seed `experiment_metrics`)."""
    return {(row["experiment"], row["metric"]): Role(row["role"], row["minimal_lift"]) for row in declared}


def role_of(declared: Mapping[tuple[str, str], Role], experiment: str, metric: str) -> Role:
    """Find what was declared of a metric: of the experiment itself, else of all."""
    found = declared.get((experiment, metric)) or declared.get((ANY, metric))
    return found or Role(None, math.nan)


def power(error: float, lift: float) -> float:
    """Give the chance that a true lift is found, if lifts scatter with this standard error."""
    if not error > 0 or math.isnan(lift):
        return math.nan
    away = abs(lift) / error
    return float(special.ndtr(away - EDGE) + special.ndtr(-away - EDGE))


def guardrail(role: Role, low: float, high: float) -> str | None:
    """Judge a guardrail by the interval of its lift that holds whenever one looks; None for other metrics.

    `harmed`: it fell, for sure; `safe`: it did not fall by as much as would be too much; else `undecided`.
    """
    if role.role != "guardrail":
        return None
    if math.isnan(low):
        return "unknown"
    return "harmed" if high < 0 else "safe" if low > -role.minimal_lift else "undecided"


def plan(role: Role, error: float, visitors: int) -> dict[str, Any]:
    """Say what an experiment of so many visitors can tell of a metric.

    Args:
        error: standard error of the relative lift if there is none; nan where it is unknown.

    Returns:
        role, minimal_lift, detectable_lift, power (of the minimal lift), visitors_needed (for enough of it).
    """
    detectable = REACH * error if error > 0 else math.nan
    return {
        "role": role.role, "minimal_lift": role.minimal_lift, "detectable_lift": detectable,
        "power": power(error, role.minimal_lift),
        "visitors_needed": visitors * (detectable / role.minimal_lift) ** 2 if role.minimal_lift else math.nan,
    }  # fmt: skip
