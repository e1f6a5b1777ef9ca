"""Ask what whole runs say of kinds of sites that are quiet, and of planted incidents: what is named, and rightly?

    python -m benchmarks.incidents quiet --write
    python -m benchmarks.incidents planted --write

Every check may raise an alarm here, in homes that the simulator fills and every stage runs over. An incident is planted
on the last day of a lake that has run without it: what the next run names is judged by what was planted.
"""

import logging
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import duckdb
import structlog
import typer

from benchmarks.coverage import conclude, screen
from benchmarks.pipeline import link_days
from etl import pipeline
from etl.settings import Settings
from etl.simulate import FIRST_DAY, Incident, Plan, simulate, world
from etl.simulate.scene import TRACKER_NAMES
from etl.stages.reconcile.stage import read_incidents

QUIET_BEGIN, QUIET_END = "<!-- quiet: begin -->", "<!-- quiet: end -->"
BEGIN, END = "<!-- incidents: begin -->", "<!-- incidents: end -->"
VISIT = 16
"""Messages of a simulated visit, about."""

MONTH = 30
MOST_ERRORS = 0.1
"""Days of errors in thirty quiet days of a site."""

RIGHTLY = 0.9
LAST = date(2026, 3, 13)
"""The day of the incidents: in its second week a silence is an error."""

DAYS = (LAST - FIRST_DAY).days + 1
MESSAGES = 8_000 * DAYS

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def site(visits: float, days: int = MONTH, **plan: Any) -> Plan:
    """A site of so many visits on a day on which it is open."""
    shape = Plan(days=days, details=False, **plan)
    open_days = sum(shape.is_open(day) for day in range(days))
    return Plan(messages=round(visits * VISIT * open_days), days=days, details=False, **plan)


OFFICE: dict[str, Any] = {"open_hours": (9, 17), "closed_weekdays": (5, 6)}
QUIET = {
    "5 visits a day": site(5),
    "20 visits a day, a blog": site(20, converting=0.0),
    "60 visits a day": site(60),
    "200 visits a day, a shop": site(200),
    "2,000 visits a day": site(2_000),
    "50,000 visits a day": site(50_000, 3),
    "40 a weekday, in office hours": site(40, **OFFICE),
    "400 a weekday, in office hours": site(400, **OFFICE),
    "300 each Tuesday, nothing else": site(300, closed_weekdays=(0, 2, 3, 4, 5, 6)),
    "300 on two days a fortnight": site(300, rhythm=(2, 14)),
    "200 visits a day, mostly of one page": site(200, brief=0.8, converting=0.0),
    "200 a day, refunds, consent, four dialects": site(200, refunds=0.1, refused=0.4, v1=0.1, v2=0.2, snowplow=0.3),
}


@dataclass(frozen=True)
class Planted:
    """An incident and how it should be named.

    Attributes:
        losses: what the simulator plants, without its times.
        platforms: whom it hits.
        word: what the text has to name: a tracker, host, browser or hours; nothing where the platform says it all.
        hours: of the day, first and after the last.
        checks: any of which may name it.
    """

    losses: tuple[str, ...]
    platforms: tuple[str, ...]
    word: str = ""
    hours: tuple[int, int] = (0, 24)
    checks: tuple[str, ...] = ("event_loss", "message_gaps", "silence")

    def incidents(self) -> tuple[Incident, ...]:
        """Plant it on the last day."""
        start = datetime(LAST.year, LAST.month, LAST.day, tzinfo=UTC)
        first, last = (f"{start + timedelta(hours=hour):%Y-%m-%dT%H:%M}" for hour in self.hours)
        return tuple(Incident.read(f"{loss},start={first},end={last}") for loss in self.losses)


WEB, ALL = ("desktop_web", "mobile_web"), world.PLATFORMS
T1, T2 = world.COLLECTORS
PIXEL = ("pixel_loss",)
PLANTED = {
    "tracker bh-js/3.1.0 loses 80 %": Planted(("loss=0.8,tracker=bh-js/3.1.0",), WEB, "bh-js/3.1.0"),
    "tracker bh-js/3.0.2 loses all": Planted(("loss=1,tracker=bh-js/3.0.2",), WEB, "bh-js/3.0.2"),
    "tracker bh-js/3.1.1-rc1 loses 90 %": Planted(("loss=0.9,tracker=bh-js/3.1.1-rc1",), WEB, "bh-js/3.1.1-rc1"),
    "tracker bh-ios/2.4.0 loses half": Planted(("loss=0.5,tracker=bh-ios/2.4.0",), ("ios",), "bh-ios/2.4.0"),
    "tracker bh-android/2.2.0 loses 60 %": Planted(
        ("loss=0.6,tracker=bh-android/2.2.0",), ("android",), "bh-android/2.2.0"
    ),
    "one of two collectors loses all": Planted((f"loss=1,host={T1}",), ALL, T1),
    "one of two collectors loses all from 8 to 16": Planted((f"loss=1,host={T2}",), ALL, T2, (8, 16)),
    "one of two collectors loses half": Planted((f"loss=0.5,host={T2}",), ALL, T2),
    "iOS loses all": Planted(("loss=1,platform=ios",), ("ios",)),
    "Android loses all": Planted(("loss=1,platform=android",), ("android",)),
    "Android loses a third": Planted(("loss=0.33,platform=android",), ("android",)),
    "mobile web loses a fifth": Planted(("loss=0.2,platform=mobile_web",), ("mobile_web",)),
    "desktop web loses all from 10 to 14": Planted(
        ("loss=1,platform=desktop_web",), ("desktop_web",), "10 to 14", (10, 14)
    ),
    "Firefox loses 90 %": Planted(("loss=0.9,browser=Firefox",), WEB, "Firefox"),
    "Edge loses all": Planted(("loss=1,browser=Edg",), WEB, "Edge"),
    "all trackers lose all from 15 to 18": Planted(("loss=1",), ALL, "15 to 18", (15, 18)),
    "tracker and pixel lose all from 12 to 18": Planted(("loss=1,pixel=1",), ALL, "all clients", (12, 18)),
    "all of the web loses 15 %": Planted(("loss=0.15,platform=desktop_web", "loss=0.15,platform=mobile_web"), WEB),
    "the pixel of mobile web loses 80 %": Planted(("pixel=0.8,platform=mobile_web",), ("mobile_web",), checks=PIXEL),
    "the pixel loses all from 6 to 22": Planted(("pixel=1",), WEB, "6 to 22", (6, 22), checks=PIXEL),
}
BROWSERS = ("Chrome", "Safari", "Firefox", "Edge", "Samsung", "Opera", "Facebook")
CLOCK = "o'clock"


@contextmanager
def scratch() -> Iterator[Settings]:
    """Lend an empty home and its inbox."""
    with tempfile.TemporaryDirectory(prefix="incidents-") as root:
        yield Settings(inbox=Path(root) / "inbox", home=Path(root) / "home")


def run(home: Settings) -> None:
    """Run every stage that makes the checks."""
    for stage in (pipeline.land, pipeline.parse, pipeline.sessionize, pipeline.build):
        stage(home)


def watch(plan: Plan) -> dict[str, Any]:
    """Run over a site where nothing happens.

    Returns:
        months (of thirty days), errors and warnings (days of a check, app and platform), wrong (errors by check).
    """
    with scratch() as home:
        simulate(home.inbox, plan)
        run(home)
        with duckdb.connect(str(home.warehouse), read_only=True) as con:
            found = con.execute(
                "select \"check\", status from quality.checks where status in ('warn', 'error')"
            ).fetchall()
    wrong = Counter(check for check, status in found if status == "error")
    return {
        "months": plan.days / MONTH, "errors": wrong.total(), "warnings": len(found) - wrong.total(),
        "wrong": dict(wrong),
    }  # fmt: skip


def find(planted: Planted, before: Settings, quiet: Path) -> dict[str, Any]:
    """Plant an incident on the last day of a lake, and see what the next run names.

    Args:
        before: a home of the days before it.
        quiet: their inbox.

    Returns:
        is_named, is_right, and texts: what was in error.
    """
    with scratch() as home:
        logs = home.home.parent / "logs"
        simulate(logs, Plan(messages=MESSAGES, days=DAYS, details=False, incidents=planted.incidents()))
        require_same(quiet, logs)
        shutil.copytree(before.home, home.home)
        link_days(quiet, home.inbox, earlier_days())
        link_days(logs, home.inbox, [LAST - timedelta(1), LAST])
        run(home)
        found = [incident for incident in read_incidents(home) if LAST.isoformat() in incident["error_dates"]]
        early = [incident for incident in read_incidents(home) if incident["error_dates"][:1] < [LAST.isoformat()]]
    named = [row for row in found if row["key"][0] in planted.checks and row["key"][2] in planted.platforms]
    told = " | ".join(row["text"] for row in found)
    others = [name for name in (*TRACKER_NAMES, *world.COLLECTORS, *BROWSERS) if name not in planted.word]
    is_misled = (
        bool(early)
        or len(named) < len(found)
        or any(name in told for name in others)
        or (CLOCK in told and planted.hours == (0, 24))
    )
    return {"is_named": bool(named), "is_right": bool(named) and planted.word in told and not is_misled, "texts": told}


def earlier_days() -> list[date]:
    """List the days that run before the incidents' two: some visits of the last but one go on into the last."""
    return [FIRST_DAY + timedelta(number) for number in range(DAYS - 2)]


def require_same(quiet: Path, logs: Path) -> None:
    """Refuse logs whose days before the incident are not those that have run.

    Raises:
        RuntimeError: a file differs.
    """
    days = {day.isoformat() for day in earlier_days()}
    for path in quiet.rglob("*"):
        is_earlier = path.is_file() and any(day in path.name for day in days)
        if is_earlier and path.read_bytes() != (logs / path.relative_to(quiet)).read_bytes():
            raise RuntimeError(f"{path.name} differs though nothing was planted then")


def plant(names: list[str]) -> list[dict[str, Any]]:
    """Plant each incident in a home of its own; see `find`."""
    rows = []
    with scratch() as before:
        logs = before.home.parent / "logs"
        simulate(logs, Plan(messages=MESSAGES, days=DAYS, details=False))
        link_days(logs, before.inbox, earlier_days())
        run(before)
        for name in names:
            rows.append({"name": name} | find(PLANTED[name], before, logs))
            screen.print(rows[-1], markup=False, soft_wrap=True)
    return rows


def render_quiet(rows: list[dict[str, Any]]) -> str:
    """Write the table of quiet sites."""
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d} by `python -m benchmarks.incidents quiet`: whole runs over "
        "simulated sites, days on which any check of an app and platform was an error or warned, in thirty days.\n",
        "| site | days | errors | warnings |", "| --- | ---: | ---: | ---: |",
        *(
            f"| {row['name']} | {row['months'] * MONTH:.0f} | {row['errors'] / row['months']:.2f} |"
            f" {row['warnings'] / row['months']:.2f} |"
            for row in rows
        ),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def render(rows: list[dict[str, Any]]) -> str:
    """Write the table of incidents."""
    said = {True: "yes", False: "no"}
    right = sum(row["is_right"] for row in rows)
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d} by `python -m benchmarks.incidents planted`: planted on the "
        "thirteenth day of a shop of 500 visits a day, named as an error by the next run, and by its right name: "
        f"{right} of {len(rows)}.\n",
        "| planted | named | rightly |", "| --- | --- | --- |",
        *(f"| {row['name']} | {said[row['is_named']]} | {said[row['is_right']]} |" for row in rows),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


@app.command()
def quiet(
    only: Annotated[str, typer.Option(help="Sites whose name holds this.")] = "",
    write: Annotated[bool, typer.Option(help="Put the table into docs/reconciliation.md.")] = False,
) -> None:
    """Watch quiet sites; exit 1 where one of them has an error more than once in 300 days."""
    rows = []
    for name, plan in QUIET.items():
        if only in name:
            rows.append({"name": name} | watch(plan))
            screen.print(rows[-1], markup=False, soft_wrap=True)
    is_broken = any(row["errors"] / row["months"] > MOST_ERRORS for row in rows)
    conclude(render_quiet(rows), QUIET_BEGIN, QUIET_END, write=write, is_broken=is_broken)


@app.command()
def planted(
    only: Annotated[str, typer.Option(help="Incidents whose name holds this.")] = "",
    write: Annotated[bool, typer.Option(help="Put the table into docs/reconciliation.md.")] = False,
) -> None:
    """Plant incidents; exit 1 where the next run misses one, or calls more than one of ten by a wrong name."""
    rows = plant([name for name in PLANTED if only in name])
    is_broken = any(not row["is_named"] for row in rows) or sum(row["is_right"] for row in rows) < RIGHTLY * len(rows)
    conclude(render(rows), BEGIN, END, write=write, is_broken=is_broken)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    app()
