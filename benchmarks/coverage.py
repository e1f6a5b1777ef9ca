"""Ask how often the limits of the KPI tables hold the truth, over thousands of simulated days whose truth is known.

    python -m benchmarks.coverage --days 2100 --write

The project's own models estimate: `int_pages_estimated` and `int_kpis_measured`, as dbt compiles them, over days of
which each witness lost pages by chance. A scenario is a size, a loss and how the loss is spread; its days follow each
other, so that the weeks of the same tables are judged too. The table stands in docs/reconciliation.md.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import duckdb
import numpy as np
import pyarrow as pa
import typer
from rich.console import Console

from benchmarks.pipeline import PROJECT, write_between

PAGE = PROJECT / "docs" / "reconciliation.md"
BEGIN, END = "<!-- coverage: begin -->", "<!-- coverage: end -->"
MONDAY = date(1900, 1, 1)
WEEK = 7

SIZES = (100, 1_000, 10_000, 100_000)
RATES = (0.001, 0.01, 0.05, 0.2)
HIDDEN = (0.05, 0.15, 0.3)
LEAST, MOST = 0.92, 0.985
FEW_UNSEEN = 10
"""With fewer pages expected unseen the limits, whole numbers, cannot but hold too often."""
PLATFORM_SHARE = {"desktop_web": 0.7, "mobile_web": 0.3}

screen = Console()
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Scenario:
    """Days of one kind.

    Attributes:
        views: page views of a day, on both web platforms together.
        rates: of each platform, the share that the tracker loses and that the pixel loses, independently.
        hidden: the share that one blocker hides from both, rounded down to whole pages of a platform.
    """

    name: str
    views: int
    rates: dict[str, tuple[float, float]]
    hidden: float = 0.0

    @property
    def unseen(self) -> float:
        """Pages of a day that chance alone is expected to hide from both."""
        visible = self.views * (1 - self.hidden)
        return sum(visible * PLATFORM_SHARE[name] * lost * missed for name, (lost, missed) in self.rates.items())


def scenarios() -> Iterator[Scenario]:
    """Every size with every loss: the same on both platforms, eight times on one, and with a blocker on top."""
    for views in SIZES:
        for rate in RATES:
            yield Scenario(f"{rate:.1%}", views, {name: (rate, rate) for name in PLATFORM_SHARE})
            steep = min(8 * rate, 0.6)
            rates = {"desktop_web": (rate, rate), "mobile_web": (steep, steep)}
            yield Scenario(f"{rate:.1%}, mobile {steep:.1%}", views, rates)
        for hidden in HIDDEN:
            rates = {name: (0.02, 0.01) for name in PLATFORM_SHARE}
            yield Scenario(f"{hidden:.0%} hidden from both", views, rates, hidden)


def simulate(scenario: Scenario, days: int, first: date, rng: np.random.Generator) -> tuple[list[date], dict[str, Any]]:
    """Draw what the witnesses saw: columns of `int_pages_counted`, a row a day and platform; and the days."""
    dates = [first + timedelta(number) for number in range(days)]
    columns: dict[str, list[Any]] = {name: [] for name in ("platform", "pixel_hits", "event_page_views", "matched")}
    desktop = rng.binomial(scenario.views, PLATFORM_SHARE["desktop_web"], size=days)
    for platform, views in (("desktop_web", desktop), ("mobile_web", scenario.views - desktop)):
        lost, missed = scenario.rates[platform]
        visible = views - np.floor(views * scenario.hidden).astype(int)
        both = rng.binomial(visible, (1 - lost) * (1 - missed))
        rest = visible - both
        # Of those that not both saw: by the pixel alone, and of the others by the tracker alone.
        unseen_by_both = 1 - (1 - lost) * (1 - missed)
        only_pixel = rng.binomial(rest, lost * (1 - missed) / unseen_by_both)
        others = unseen_by_both - lost * (1 - missed)
        only_event = rng.binomial(rest - only_pixel, (1 - lost) * missed / others if others else 0.0)
        columns["platform"] += [platform] * days
        columns["pixel_hits"] += (both + only_pixel).tolist()
        columns["event_page_views"] += (both + only_event).tolist()
        columns["matched"] += both.tolist()
    return dates, {"reporting_date": dates * 2} | columns


@contextmanager
def compiled_models(names: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Let dbt compile models; nothing of a lake is read for it."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # noqa: PLC0415  (slow to import)
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    project = str(PROJECT / "dbt_project")
    with tempfile.TemporaryDirectory() as root:
        kept = dict(os.environ)
        os.environ |= {
            "BLOODHOUND_BUILD_DB": f"{root}/build.duckdb", "DBT_TARGET_PATH": root, "DBT_LOG_PATH": root,
        }  # fmt: skip
        try:
            folders = ["--project-dir", project, "--profiles-dir", project, "--quiet", "--log-level", "none"]
            result = dbtRunner().invoke(["compile", *folders, "--select", *names])
        finally:
            DuckDBConnectionManager.close_all_connections()
            os.environ.clear()
            os.environ.update(kept)
        if not result.success:
            raise RuntimeError(str(result.exception))
        yield {node.node.name: node.node.compiled_code for node in result.result}  # type: ignore[union-attr]


def estimate(con: duckdb.DuckDBPyConnection, models: dict[str, str], pages: pa.Table) -> None:
    """Run the models over what the witnesses saw; what has nothing to do with pages is null."""
    con.execute("attach ':memory:' as build; create schema build.intermediate")
    con.register("pages", pages)
    con.execute(
        """
        create table build.intermediate.int_pages_counted as
        select
            *, 'shop' as app_id, '(unknown)' as country, '(unknown)' as channel, event_page_views as page_views,
            0 as page_views_without_witness
        from pages
        """
    )
    con.execute(f"create table build.intermediate.int_pages_estimated as {models['int_pages_estimated']}")
    others = ("visitors", "new_visitors", "sessions", "bounces", "orders", "sessions_with_order", "unrated_orders",
              "session_microseconds", "day_count", "squared_session_pages", "squared_revenue")  # fmt: skip
    con.execute(
        f"""
        create table build.intermediate.int_kpis_counted as
        select
            *, true as is_complete, false as is_sealed, 0.0 as revenue,
            {", ".join(f"0 as {name}" for name in others)}
        from build.intermediate.int_pages_estimated
        where dimension = 'all'
        """
    )
    con.execute(f"create table estimates as {models['int_kpis_measured']}")


def judge(days: int, seed: int) -> pa.Table:
    """Simulate every scenario and say how often the truth lay within the limits.

    Returns:
        A row a scenario and grain: name, views, unseen (expected), hidden, grain, periods, held (within low and high),
        held_bound (within low and page_views_dependent_high), bias (of the estimate, as a share of the truth).
    """
    rng = np.random.default_rng(seed)
    length = days // WEEK * WEEK
    first, drawn, truths = MONDAY, [], []
    for scenario in scenarios():
        dates, columns = simulate(scenario, length, first, rng)
        drawn.append(pa.table(columns))
        truths.append({
            "scenario": scenario.name, "views": scenario.views, "unseen": scenario.unseen, "hidden": scenario.hidden,
            "first": dates[0], "last": dates[-1],
        })  # fmt: skip
        first = dates[-1] + timedelta(1)
    with compiled_models(("int_pages_estimated", "int_kpis_measured")) as models, duckdb.connect() as con:
        estimate(con, models, pa.concat_tables(drawn))
        con.register("truths", pa.Table.from_pylist(truths))
        return con.sql(
            f"""
            with judged as (
                select truths.*, estimates.*, truths.views * if(grain = 'week', {WEEK}, 1) as truth
                from estimates inner join truths on period_date between truths.first and truths.last
                where grain in ('day', 'week')
            )
            select
                scenario, views, grain, any_value(unseen) * if(grain = 'week', {WEEK}, 1) as unseen,
                any_value(hidden) as hidden, count(*) as periods,
                avg((truth between page_views_low and page_views_high)::integer) as held,
                avg((truth between page_views_low and page_views_dependent_high)::integer) as held_bound,
                avg(page_views_estimated / truth - 1) as bias
            from judged group by scenario, views, grain order by min(period_date), grain
            """
        ).to_arrow_table()


def broken(row: dict[str, Any]) -> str | None:
    """Say what a scenario's coverage breaks, if anything."""
    if row["hidden"]:
        return "the bound" if row["held_bound"] < LEAST else None
    if row["held"] < LEAST:
        return "too narrow"
    return "too wide" if row["unseen"] >= FEW_UNSEEN and row["held"] > MOST else None


def render(rows: list[dict[str, Any]]) -> str:
    """Write the table: a line a kind of loss and grain, a column a size."""
    sizes = " | ".join(f"{size:,}" for size in SIZES)
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d} by `python -m benchmarks.coverage`: shares of the periods whose "
        "truth lay within the limits, by page views a day. In brackets the bound `page_views_dependent_high`, where a "
        "blocker hides pages from both witnesses.\n",
        f"| lost by each witness | period | {sizes} |", f"| --- | --- |{' ---: |' * len(SIZES)}",
    ]  # fmt: skip
    for scenario in dict.fromkeys(row["scenario"] for row in rows):
        for grain in ("day", "week"):
            cells = [
                f"{row['held']:.1%}" + (f" ({row['held_bound']:.1%})" if row["hidden"] else "")
                for row in rows
                if (row["scenario"], row["grain"]) == (scenario, grain)
            ]
            lines.append(f"| {scenario} | {grain} | {' | '.join(cells)} |")
    bias = max((row for row in rows if not row["hidden"]), key=lambda row: abs(row["bias"]))
    lines.append(
        f"\nThe greatest bias of the estimate without a blocker: {bias['bias']:+.3%} ({bias['scenario']}, "
        f"{bias['views']:,} a day)."
    )
    return "\n".join(lines) + "\n"


def conclude(text: str, begin: str, end: str, *, write: bool, is_broken: bool) -> None:
    """Print what was measured, put it into the docs if asked to, and exit: 1 where it is not what is promised."""
    screen.print(text, markup=False, soft_wrap=True)
    if write:
        write_between(text, begin, end, PAGE)
    raise typer.Exit(1 if is_broken else 0)


@app.command()
def main(
    days: Annotated[int, typer.Option(min=WEEK, help="Days of each scenario.")] = 2_100,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 1,
    write: Annotated[bool, typer.Option(help="Put the table into docs/reconciliation.md.")] = False,
) -> None:
    """Measure coverage; exit 1 where it is not what is promised."""
    rows = judge(days, seed).to_pylist()
    wrong = [(row, why) for row in rows if (why := broken(row))]
    for row, why in wrong:
        screen.print(f"{why}: {row['scenario']}, {row['views']:,} a day, {row['grain']}: {row['held']:.1%}")
    conclude(render(rows), BEGIN, END, write=write, is_broken=bool(wrong))


if __name__ == "__main__":
    app()
