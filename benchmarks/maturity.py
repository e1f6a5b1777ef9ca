"""Ask how often the limits of a touch's maturity hold the true share, over simulated histories of touches and orders.

    python -m benchmarks.maturity --histories 400 --write

Each history is so many days of touches that earn orders after hours to weeks, few of them large, seen up to a last
day: what younger touches will still earn is not in it. The project's own model, `int_touches_matured`, says how much
has usually come by each age; the truth is the distribution that the delays were drawn from. Histories are told apart as
attribution models are, so that one run of the model judges many.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import duckdb
import numpy as np
import pyarrow as pa
import typer

from benchmarks.coverage import compiled_models, conclude

BEGIN, END = "<!-- maturity: begin -->", "<!-- maturity: end -->"
FIRST = date(2026, 1, 1)
WINDOW = 30
AGES = (0, 1, 3, 7, 14, 21)
SCENARIOS = ((60, 3), (60, 20), (120, 5), (120, 50))
"""Days of history, and orders a day."""

DECAY = 0.25
"""Of what is still to come, so much comes on each further day; on the touch's own day twice as much."""

MEDIAN_ORDER, SPREAD_OF_ORDERS = 30.0, 0.8
LEAST, MOST = 0.92, 0.98

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def delays() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Give the chance of each delay in days, 0 to the window."""
    left, chances = 1.0, []
    for lag in range(WINDOW + 1):
        part = left if lag == WINDOW else left * (2 * DECAY if lag == 0 else DECAY / 2)
        chances.append(part)
        left -= part
    return np.array(chances)


def draw(days: int, orders: float, histories: int, rng: np.random.Generator) -> pa.Table:
    """Draw histories as rows of `attribution`, each history a model, without what comes after the last day."""
    chances = delays()
    columns: dict[str, list[Any]] = {name: [] for name in ("model", "touched", "lag", "revenue")}
    for number in range(histories):
        count = int(rng.poisson(orders * days))
        touched = rng.integers(0, days, count)
        lag = rng.choice(WINDOW + 1, size=count, p=chances)
        kept = touched + lag < days
        revenue = np.round(rng.lognormal(np.log(MEDIAN_ORDER), SPREAD_OF_ORDERS, count), 2)
        columns["model"] += [f"{days}/{orders}/{number}"] * int(kept.sum())
        for name, values in (("touched", touched), ("lag", lag), ("revenue", revenue)):
            columns[name] += values[kept].tolist()
    return pa.table(columns)


def judge(histories: int, seed: int) -> list[dict[str, Any]]:
    """Say of each scenario and age how often the limits held the true share.

    Returns:
        Rows of days, orders, age, truth, known (histories that have limits), held (a share of these), mean (maturity).
    """
    rng = np.random.default_rng(seed)
    truths = np.cumsum(delays())
    rows = []
    with compiled_models(("int_touches_matured",)) as models:
        for days, orders in SCENARIOS:
            with duckdb.connect() as con:
                con.execute("set timezone = 'UTC'; attach ':memory:' as build")
                con.execute("create schema build.intermediate; create schema build.marketing")
                con.register("drawn", draw(days, orders, histories, rng))
                last = FIRST + timedelta(days - 1)
                con.execute(
                    f"""
                    create table build.marketing.attribution as
                    select
                        'order' as conversion, model, row_number() over () as order_id, 's' as session_id,
                        cast(revenue as decimal(18, 4)) as revenue_credit,
                        timestamptz '{FIRST} 12:00:00+00' + to_days(touched::integer) as touched_at,
                        timestamptz '{FIRST} 12:00:00+00' + to_days((touched + lag)::integer) as ordered_at
                    from drawn;
                    create table build.intermediate.int_lake_now as
                    select timestamptz '{FIRST} 00:00:00+00' as first_received_at,
                        timestamptz '{last} 23:59:59+00' as latest_received_at
                    """
                )
                found = con.sql(models["int_touches_matured"]).to_arrow_table().to_pylist()
            for age in AGES:
                told = [row for row in found if row["age_days"] == age]
                truth = float(truths[age])
                held = sum(row["maturity_low"] <= truth <= row["maturity_high"] for row in told)
                rows.append({
                    "days": days, "orders": orders, "age": age, "truth": truth, "known": len(told),
                    "held": held / len(told) if told else None,
                    "mean": sum(row["maturity"] for row in told) / len(told) if told else None,
                })  # fmt: skip
    return rows


def render(rows: list[dict[str, Any]]) -> str:
    """Write the table: a line an age, a column a scenario."""
    heads = [f"{days} days, {orders} orders a day" for days, orders in SCENARIOS]
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d} by `python -m benchmarks.maturity`: shares of simulated histories "
        "whose limits of `maturity` held the true share of a touch's revenue that has come by an age; in brackets the "
        "mean of `maturity`.\n",
        f"| age in days | truth | {' | '.join(heads)} |", f"| ---: | ---: |{' ---: |' * len(heads)}",
    ]  # fmt: skip
    for age in AGES:
        of_age = [row for row in rows if row["age"] == age]
        cells = ["-" if row["held"] is None else f"{row['held']:.1%} ({row['mean']:.1%})" for row in of_age]
        lines.append(f"| {age} | {of_age[0]['truth']:.1%} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def is_broken(row: dict[str, Any]) -> bool:
    """Say whether limits hold too seldom, or, where there are more than a few cases, too often."""
    if row["held"] is None:
        return False
    return row["held"] < LEAST or (row["held"] > MOST and row["orders"] * row["days"] > SCENARIOS[0][0] * 10)


@app.command()
def main(
    histories: Annotated[int, typer.Option(min=1, help="Of each scenario.")] = 400,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 1,
    write: Annotated[bool, typer.Option(help="Put the table into docs/reconciliation.md.")] = False,
) -> None:
    """Measure coverage of maturities; exit 1 where it is not 95 % give or take three."""
    rows = judge(histories, seed)
    conclude(render(rows), BEGIN, END, write=write, is_broken=any(is_broken(row) for row in rows))


if __name__ == "__main__":
    app()
