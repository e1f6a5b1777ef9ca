"""What the campaigns cost, and who is to be left out: the small files people upload by hand."""

import csv
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np

from etl.simulate import world
from etl.simulate.people import DEVICES, Crowd
from etl.simulate.plan import Plan
from etl.simulate.text import Ints

CLICKS_PER_VISIT = 1.12
"""Advertisers count more clicks than there are visits."""


def write_spend(folder: Path, plan: Plan, visits: Ints) -> dict[str, str]:
    """Write a spend file a day.

    Args:
        visits: human sessions by day and way to the site.

    Returns:
        the total of each currency.
    """
    folder.mkdir(parents=True, exist_ok=True)
    totals: dict[str, Decimal] = {}
    first = plan.currencies[0]
    for number in range(plan.days):
        rng = np.random.default_rng([plan.seed, number, 1])
        day = plan.start + timedelta(days=number)
        with (folder / f"spend-{day}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(
                (
                    "date",
                    "source",
                    "medium",
                    "campaign",
                    "impressions",
                    "clicks",
                    "cost",
                    "currency",
                )
            )
            for count, way in zip(visits[number].tolist(), world.TRAFFIC, strict=True):
                if not way.cost:
                    continue
                clicks = int(rng.poisson(count * CLICKS_PER_VISIT + 1))
                shown = int(clicks / way.clicked * rng.uniform(0.9, 1.1))
                cost = Decimal(round(clicks * way.cost * rng.uniform(0.92, 1.08) * 100)) / 100
                currency = way.currency if way.currency in plan.currencies else first
                writer.writerow(
                    (day, way.source, way.medium, way.campaign, shown, clicks, f"{cost:.2f}",
                     currency)
                )  # fmt: skip
                totals[currency] = totals.get(currency, Decimal(0)) + cost
            # Bought, but nobody came.
            writer.writerow((day, "yahoo_jp", "cpc", "テスト", int(rng.integers(50, 90)), 0, "3.10", first))
            totals[first] = totals.get(first, Decimal(0)) + Decimal("3.10")
    return {currency: f"{total:.2f}" for currency, total in sorted(totals.items())}


def write_exclusions(folder: Path, plan: Plan, crowd: Crowd) -> None:
    """Write a few exclusions: the office, a user, a visitor for some hours."""
    folder.mkdir(parents=True, exist_ok=True)
    people = np.array([0, 1]) * DEVICES
    user = crowd.user_ids(people)[0].as_py()
    visitor = crowd.visitor_ids(people)[1].as_py()
    with (folder / f"exclusions-{plan.start}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("kind", "value", "from", "to", "reason"))
        writer.writerow(("ip", "192.0.2.0/24", "", "", "our own office"))
        writer.writerow(("user", user, "", "", "test account"))
        writer.writerow(("visitor", visitor, f"{plan.start}T00:00:00Z", f"{plan.start}T12:00:00Z", "load test"))
