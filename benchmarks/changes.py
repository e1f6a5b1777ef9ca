"""Ask how often the limits of a change hold the true change, over pairs of simulated days.

    python -m benchmarks.changes --pairs 1000 --write

Visitors come by chance and come back by chance, sessions have as many pages as chance gives them, some end in an order
and few orders are large. On the second day of each pair there are as many more visitors as the scenario says;
conversion and order value stay as they are. The project's own models say what changed: `int_kpis_measured` and
`int_kpis_compared`.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import duckdb
import numpy as np
import pyarrow as pa
import typer

from benchmarks.coverage import compiled_models, conclude

BEGIN, END = "<!-- changes: begin -->", "<!-- changes: end -->"
FIRST = date(1900, 1, 1)
VISITORS = (50, 500, 5_000)
GROWTH = (0.0, 0.3)
METRICS = ("visitors", "sessions", "page_views", "orders", "revenue", "conversion_rate", "average_order_value")
STEADY = ("conversion_rate", "average_order_value")
COMES_BACK, READS_ON, BUYS = 0.2, 0.75, 0.06
MEDIAN_ORDER, SPREAD_OF_ORDERS = 30.0, 0.8
LEAST, MOST = 0.92, 0.98
ENOUGH = 100
"""Of a scenario with fewer changes that have limits nothing is said: a shop of three orders a day has none of money."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def draw_day(visitors: float, rng: np.random.Generator) -> dict[str, Any]:
    """Draw a day, as `int_kpis_counted` has it."""
    people = int(rng.poisson(visitors))
    sessions = int(rng.geometric(1 - COMES_BACK, people).sum())
    pages = rng.geometric(1 - READS_ON, sessions)
    bought = int(rng.binomial(sessions, BUYS))
    revenue = np.round(rng.lognormal(np.log(MEDIAN_ORDER), SPREAD_OF_ORDERS, bought), 2)
    return {
        "visitors": people, "sessions": sessions, "page_views": int(pages.sum()), "orders": bought,
        "sessions_with_order": bought, "revenue": round(float(revenue.sum()), 2),
        "squared_session_pages": float((pages.astype(float) ** 2).sum()),
        "squared_revenue": float((revenue**2).sum()),
    }  # fmt: skip


def draw(pairs: int, seed: int) -> pa.Table:
    """Draw pairs of days that follow each other, of every scenario, with a day between the pairs."""
    rng = np.random.default_rng(seed)
    rows, day = [], FIRST
    for visitors in VISITORS:
        for growth in GROWTH:
            for _ in range(pairs):
                for number, expected in enumerate((visitors, visitors * (1 + growth))):
                    scenario = {"period_date": day + timedelta(number), "expected": visitors, "growth": growth}
                    rows.append(scenario | {"is_second": number == 1} | draw_day(expected, rng))
                day += timedelta(3)
    return pa.Table.from_pylist(rows)


def judge(pairs: int, seed: int) -> list[dict[str, Any]]:
    """Say of each scenario and metric how often the limits held the true change.

    Returns:
        Rows of expected (visitors), growth, metric, changes (that have limits) and held (a share of these).
    """
    names = ("int_kpis_measured", "int_kpis_compared")
    nothing = ("new_visitors", "bounces", "session_microseconds", "unrated_orders", "pixel_hits", "matched",
               "seen_count", "unseen_count", "unseen_variance", "page_views_without_witness",
               "unwitnessed_cells")  # fmt: skip
    with compiled_models(names) as models, duckdb.connect() as con:
        con.execute("attach ':memory:' as build; create schema build.intermediate")
        con.register("drawn", draw(pairs, seed))
        con.execute(
            f"""
            create table build.intermediate.int_kpis_counted as
            select
                'day' as grain, 'all' as dimension, 'all' as dimension_value, 1 as day_count, true as is_complete,
                false as is_sealed, *,
                {", ".join(f"0 as {name}" for name in nothing)}
            from drawn;
            create table build.intermediate.int_reporting_periods as select grain, period_date, true as is_complete
            from build.intermediate.int_kpis_counted
            """
        )
        for name in names:
            con.execute(f"create table build.intermediate.{name} as {models[name]}")
        rows = []
        for metric in METRICS:
            truth = "0" if metric in STEADY else "growth"
            found = con.execute(
                f"""
                select
                    expected, growth, '{metric}' as metric, count({metric}_change_low) as changes,
                    avg(({truth} between {metric}_change_low and {metric}_change_high)::integer) as held
                from build.intermediate.int_kpis_compared inner join drawn using (period_date)
                where is_second group by all order by 1, 2
                """
            )
            columns = [column[0] for column in found.description or ()]
            rows += [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
    return rows


def render(rows: list[dict[str, Any]]) -> str:
    """Write the table: a line a metric, a column a scenario."""
    heads = [f"{visitors:,}, {growth:+.0%}" for visitors in VISITORS for growth in GROWTH]
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d} by `python -m benchmarks.changes`: shares of the changes from one "
        "day to the next whose limits held the true one, by visitors a day and true growth.\n",
        f"| change of | {' | '.join(heads)} |", f"| --- |{' ---: |' * len(heads)}",
    ]  # fmt: skip
    for metric in METRICS:
        cells = ["-" if row["changes"] < ENOUGH else f"{row['held']:.1%}" for row in rows if row["metric"] == metric]
        lines.append(f"| {metric} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def is_broken(row: dict[str, Any]) -> bool:
    """Say whether limits hold too seldom, or, where there are more than a few cases, too often."""
    if row["changes"] < ENOUGH:
        return False
    return row["held"] < LEAST or (row["held"] > MOST and row["expected"] > VISITORS[0])


@app.command()
def main(
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of days of each scenario.")] = 1_000,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 1,
    write: Annotated[bool, typer.Option(help="Put the table into docs/reconciliation.md.")] = False,
) -> None:
    """Measure coverage of changes; exit 1 where it is not 95 % give or take three."""
    rows = judge(pairs, seed)
    conclude(render(rows), BEGIN, END, write=write, is_broken=any(is_broken(row) for row in rows))


if __name__ == "__main__":
    app()
