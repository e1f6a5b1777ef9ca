"""Commands that bring a home up to date: a stage, all stages, and what was refused once more."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any

import typer

from etl import pipeline
from etl.commands import Day, Home, Inbox, app, describe, screen, showing
from etl.commands.answers import report
from etl.errors import BadUse
from etl.settings import Settings, load_settings
from etl.stages.land.inbox import find_files

TASKS = {
    "land": pipeline.land, "parse": pipeline.parse, "sessionize": pipeline.sessionize,
    "build": pipeline.build, "reconcile": pipeline.reconcile,
}  # fmt: skip


def run_stage(name: str, settings: Settings, days: list[datetime] | None) -> dict[str, Any]:
    """Run one stage and print what it did in one line."""
    wanted: list[date] = [day.date() for day in days or ()]
    if name != "land":
        refuse_unknown_days(settings, wanted)
    with showing(name) as advance:
        result = TASKS[name](settings, days=wanted, advance=advance)
    print(f"{name}: {describe(result)}")
    for failure in result.get("failed", []):
        screen.print(
            f"{name}: {failure['file']} was not landed whole ({failure['reason']})",
            markup=False,
            style="yellow",
        )
    return result


def refuse_unknown_days(settings: Settings, days: Sequence[date]) -> None:
    """Refuse to redo a day of which nothing has landed.

    Raises:
        BadUse: the message names the day and the days there are.
    """
    known = pipeline.known_days(settings)
    for day in days:
        if day.isoformat() not in known:
            there = f"There is data of {known[0]} to {known[-1]}" if known else "Nothing has landed yet"
            raise BadUse(f"nothing is known of {day}", there)


def stage_command(name: str) -> None:
    """Register one stage as a command."""

    def command(inbox: Inbox = None, home: Home = None, day: Day = None) -> None:
        run_stage(name, load_settings(inbox, home), day)

    command.__doc__ = (TASKS[name].__doc__ or "").partition("\n")[0]
    app.command(name)(command)


for stage in TASKS:
    stage_command(stage)


@app.command()
def run(inbox: Inbox = None, home: Home = None, day: Day = None) -> None:
    """Do all stages in this process: the same functions in the same order as Airflow's DAG."""
    settings = load_settings(inbox, home)
    if not settings.inbox.is_dir():
        raise BadUse(f"the inbox {settings.inbox} does not exist", "Make it, or name another by --inbox")
    if not find_files(settings.inbox) and not settings.lake.is_dir():
        raise BadUse(f"the inbox {settings.inbox} holds no logs", "See README.md for what goes where")
    is_published = False
    try:
        for name in TASKS:
            if name == "land" or day or name in pipeline.pending(settings):
                run_stage(name, settings, day)
                is_published |= name == "build"
            elif name == "parse" and not pipeline.pending(settings):
                pipeline.require_whole(settings)
                print("nothing new")
                break
    finally:
        # A failed check is explained by the page of what was published.
        if is_published:
            report(home)


@app.command()
def replay(
    reason: Annotated[list[str] | None, typer.Option(help="A reason of quarantine; repeat for more.")] = None,
    inbox: Inbox = None,
    home: Home = None,
) -> None:
    """Put quarantined messages through again, once the code or the tracking plan is mended."""
    settings = load_settings(inbox, home)
    with showing("replay") as advance:
        result = pipeline.replay(settings, reasons=reason or (), advance=advance)
    print(f"replay: {describe(result)}")
    for name in TASKS:
        if name in pipeline.pending(settings):
            run_stage(name, settings, None)
