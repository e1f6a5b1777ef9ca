"""Ask how often kinds of sites that are quiet by nature are called silent, and how long outages go unnamed.

    python -m benchmarks.alarms --write

Visits of an hour are drawn, twenty seeds a site, over thirteen weeks without an outage and six with one; the project's
own model, `silence`, judges them by the thresholds as shipped. `benchmarks.incidents` asks all checks.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import duckdb
import numpy as np
import pyarrow as pa
import typer

from benchmarks.coverage import compiled_models, conclude
from etl.settings import PROJECT
from etl.stages.build.sources import name_tables
from etl.vocabulary.thresholds import read_thresholds

BEGIN, END = "<!-- alarms: begin -->", "<!-- alarms: end -->"
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
DAY, WEEK = 24, 7 * 24
WEEKDAYS = 5
QUIET_HOURS, OUTAGE_HOURS = 13 * WEEK, 6 * WEEK
MOST_ERRORS = 0.1
"""Days of errors in thirty quiet days of a site."""

RIGHTLY = 0.9

Rate = Callable[[np.ndarray], np.ndarray]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def all_day(visits: float) -> Rate:
    """So many visits a day, more in the evening than at night."""
    return lambda hour: visits / DAY * (1 + 0.7 * np.sin((hour % DAY - 10) / DAY * 2 * np.pi))


def on_weekdays(visits: float, first: int = 0, last: int = DAY) -> Rate:
    """So many visits on each weekday between two hours, none at weekends."""

    def rate(hour: np.ndarray) -> np.ndarray:
        is_open = (hour // DAY % 7 < WEEKDAYS) & (hour % DAY >= first) & (hour % DAY < last)
        return np.where(is_open, visits / (last - first), 0.0)

    return rate


def on_days(rate: Rate, cycle: int, *days: int, factor: float = 1.0, otherwise: float = 0.0) -> Rate:
    """A rate times `factor` on some days of each cycle, times `otherwise` on the rest."""
    return lambda hour: rate(hour) * np.where(np.isin(hour // DAY % cycle, days), factor, otherwise)


def closed(rate: Rate, first: int, length: int) -> Rate:
    """A site but for some hours."""
    return lambda hour: np.where((hour >= first) & (hour < first + length), 0.0, rate(hour))


QUIET = {
    "5 visits a day": all_day(5),
    "20 visits a day, a blog": all_day(20),
    "60 visits a day": all_day(60),
    "200 visits a day, a shop": all_day(200),
    "2,000 visits a day": all_day(2_000),
    "50,000 visits a day": all_day(50_000),
    "40 a weekday, in office hours": on_weekdays(40, 9, 17),
    "40 a weekday, round the clock": on_weekdays(40),
    "400 a weekday, in office hours": on_weekdays(400, 9, 17),
    "30 a day, tenfold each Tuesday": on_days(all_day(30), 7, 1, factor=10, otherwise=1),
    "300 each Tuesday, nothing else": on_days(all_day(300), 7, 1),
    "300 on two days a fortnight": on_days(all_day(300), 14, 0, 1),
}
START = 3 * WEEK + 3 * DAY + 10
OUTAGES = {
    "20 visits a day, three days": (all_day(20), START, 3 * DAY),
    "200 visits a day, six hours": (all_day(200), START, 6),
    "2,000 visits a day, two hours": (all_day(2_000), START, 2),
    "50,000 visits a day, one hour": (all_day(50_000), START, 1),
    "40 a weekday in office hours, a day": (on_weekdays(40, 9, 17), START - 1, 8),
    "400 a weekday in office hours, half a day": (on_weekdays(400, 9, 17), START - 1, 4),
}
"""Rate, first hour of the outage, and its length."""


def draw(rate: Rate, hours: int, seeds: int) -> pa.Table:
    """Draw the visits of a site, a row an hour that has any; each seed is an app of its own."""
    number = np.arange(hours)
    rows = []
    for seed in range(seeds):
        counts = np.random.default_rng(seed).poisson(rate(number))
        for hour in number[counts > 0].tolist():
            at = MONDAY + timedelta(hours=hour)
            rows.append(
                {"hour": at, "event_date": at.date(), "app_id": f"site{seed:02}", "visit_count": int(counts[hour])}
            )
    return pa.Table.from_pylist(rows)


def judge(con: duckdb.DuckDBPyConnection, models: dict[str, str], visits: pa.Table, hours: int) -> None:
    """Let the model judge visits up to now, as the table `silence`."""
    con.register("visits", visits)
    con.execute(
        f"""
        create or replace table build.intermediate.int_messages_hourly as
        select *, 'desktop_web' as platform, null::varchar as collector_host, false as is_access, false as is_stray,
            visit_count * 5 as message_count
        from visits;
        create or replace table build.intermediate.int_lake_now as
        select timestamptz '{MONDAY}' as first_received_at,
            timestamptz '{MONDAY + timedelta(hours=hours)}' as latest_received_at;
        create or replace table silence as {models["silence"]}
        """
    )


def measure(seeds: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Count alarms of quiet sites and find outages.

    Returns:
        Rows of kind, errors and warnings (days of them in thirty quiet days of a site); and of kind, found (a share of
        the seeds), before (seeds with an error earlier), hours (from the outage's beginning to the first error, mean).
    """
    quiet, found = [], []
    with compiled_models(("silence", "stg_lake__thresholds")) as models, duckdb.connect() as con:
        con.execute("set timezone = 'UTC'; attach ':memory:' as build")
        con.execute("create schema build.intermediate; create schema build.staging")
        con.execute("use build")
        name_tables(con, {"thresholds": read_thresholds(PROJECT / "conf" / "thresholds.toml")})
        con.execute(
            f"""
            use memory;
            create table build.staging.stg_lake__thresholds as {models["stg_lake__thresholds"]};
            create table build.staging.stg_lake__holidays (holiday_date date, app_id varchar);
            create table build.staging.stg_lake__pixel_hits (hit_at timestamptz)
            """
        )
        for kind, rate in QUIET.items():
            judge(con, models, draw(rate, QUIET_HOURS, seeds), QUIET_HOURS)
            ((errors, warnings),) = con.execute(
                """
                select
                    count(distinct (app_id, cast(hour as date))) filter (where status = 'error'),
                    count(distinct (app_id, cast(hour as date))) filter (where status = 'warn')
                from silence
                """
            ).fetchall()
            sites = seeds * QUIET_HOURS / DAY / 30
            quiet.append({"kind": kind, "errors": errors / sites, "warnings": warnings / sites})
        for kind, (rate, first, length) in OUTAGES.items():
            judge(con, models, draw(closed(rate, first, length), OUTAGE_HOURS, seeds), OUTAGE_HOURS)
            start = MONDAY + timedelta(hours=first)
            ((named, before, hours),) = con.execute(
                """
                with firsts as (
                    select app_id, min(hour) filter (where hour >= $start) as named_at,
                        min(hour) < $start as was_before
                    from silence where status = 'error' group by app_id
                )
                select count(*) filter (where named_at < $start + $length * interval 1 hour),
                    count(*) filter (where was_before), avg(date_diff('hour', $start, named_at) + 1)
                from firsts
                """,
                {"start": start, "length": length},
            ).fetchall()
            found.append({"kind": kind, "found": named / seeds, "before": before, "hours": hours, "length": length})
    return quiet, found


def render(quiet: list[dict[str, Any]], found: list[dict[str, Any]], seeds: int) -> str:
    """Write both tables."""
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d} by `python -m benchmarks.alarms`: {seeds} seeds of each kind of "
        "site, days in thirty quiet ones on which the silence of a site warned or was an error.\n",
        "| site | errors | warnings |", "| --- | ---: | ---: |",
        *(f"| {row['kind']} | {row['errors']:.2f} | {row['warnings']:.2f} |" for row in quiet),
        "\nOutages in the fourth week: named while they last, so in the first run after, and after how many hours.\n",
        "| outage | named | false before | hours until named |", "| --- | ---: | ---: | ---: |",
        *(
            f"| {row['kind']} | {row['found']:.0%} | {row['before']} | {row['hours'] or 0:.1f} of {row['length']} |"
            for row in found
        ),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


@app.command()
def main(
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Of each site.")] = 20,
    write: Annotated[bool, typer.Option(help="Put the tables into docs/reconciliation.md.")] = False,
) -> None:
    """Measure alarms; exit 1 where a quiet site fails more than once in 300 days, or an outage is missed too often."""
    quiet, found = measure(seeds)
    is_broken = any(row["errors"] > MOST_ERRORS for row in quiet) or any(row["found"] < RIGHTLY for row in found)
    conclude(render(quiet, found, seeds), BEGIN, END, write=write, is_broken=is_broken)


if __name__ == "__main__":
    app()
