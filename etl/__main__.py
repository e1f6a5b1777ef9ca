"""`python -m etl`: every task of the DAGs as a command."""

import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import duckdb
import structlog
import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from etl import pipeline, upkeep
from etl.errors import BadUse, BloodhoundError
from etl.settings import Settings, load_settings
from etl.stages.land.inbox import find_files
from etl.stages.stage import Advance
from etl.tools import probe_look
from etl.tools import suspects as suspecting
from etl.warehouse import answers
from etl.warehouse import summary as summarising

app = typer.Typer(
    name="etl", help="Raw tracking logs to trusted marts, one stage at a time.", no_args_is_help=True,
    pretty_exceptions_enable=False, add_completion=False,
)  # fmt: skip
screen = Console(stderr=True)
INTERRUPTED = 130

Inbox = Annotated[Path | None, typer.Option(help="Folder of raw logs.")]
Home = Annotated[Path | None, typer.Option(help="Folder of everything written.")]
Day = Annotated[
    list[datetime] | None,
    typer.Option(formats=["%Y-%m-%d"], help="A day to do again; repeat for more."),
]

TASKS = {
    "land": pipeline.land, "parse": pipeline.parse, "sessionize": pipeline.sessionize,
    "build": pipeline.build, "reconcile": pipeline.reconcile,
}  # fmt: skip


@contextmanager
def showing(title: str) -> Iterator[Advance]:
    """Show how a stage gets on, if a person is looking."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task(title, total=None)
        yield lambda word, _amount: progress.update(task, advance=1, description=f"{title}: {word}")


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


def describe(result: dict[str, Any]) -> str:
    """Write a result's counts and days in one line."""
    parts = [f"{value:,} {key.replace('_', ' ')}" for key, value in result.items() if isinstance(value, int)]
    days = result.get("days")
    if days:
        parts.append(f"days {days[0]}" if len(days) == 1 else f"{len(days)} days, {days[0]} to {days[-1]}")
    if not any(value for value in result.values() if isinstance(value, int)) and not days:
        return "nothing new"
    return ", ".join(parts)


def stage_command(name: str) -> None:
    """Register one stage as a command."""

    def command(inbox: Inbox = None, home: Home = None, day: Day = None) -> None:
        run_stage(name, load_settings(inbox, home), day)

    command.__doc__ = (TASKS[name].__doc__ or "").partition("\n")[0]
    app.command(name)(command)


for stage in TASKS:
    stage_command(stage)
upkeep.register(app)


@app.command()
def run(inbox: Inbox = None, home: Home = None, day: Day = None) -> None:
    """Do all stages in this process: the same functions in the same order as the DAGs."""
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


@app.command()
def verify(
    deep: Annotated[bool, typer.Option("--deep", help="Hash every file.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Make ready what the next run makes again.")] = False,
    inbox: Inbox = None,
    home: Home = None,
) -> None:
    """Compare the home with what was written; exit 1 with the names of the files that differ."""
    made = pipeline.verify(load_settings(inbox, home), deep=deep, repair=repair)
    for damage in made["found"]:
        print(f"{damage} ({damage.remedy})")
    for damage in made["lost"]:
        print(damage)
    if not made["found"]:
        print("verify: every file is what was written")
    elif repair and not made["lost"]:
        print("verify: the next run makes it again: python -m etl run")
    else:
        raise typer.Exit(1)


@app.command()
def trace(
    what: Annotated[str, typer.Argument(help="An event's id, or a line as events/2026-03-01.jsonl:12.")],
    home: Home = None,
) -> None:
    """Tell the whole story of one message: landed where, decoded how, accepted or not and why, counted where."""
    from etl.tools import trace as tracing  # noqa: PLC0415

    for line in tracing.trace(load_settings(None, home), what):
        print(line)


@app.command()
def probe(
    look: Annotated[bool, typer.Option("--look", help="Say what became of the probes sent from this home.")] = False,
    collector: Annotated[str | None, typer.Option(help="Send to this collector over the network: https://t.…")] = None,
    pixel: Annotated[str | None, typer.Option(help="The collector's pixel, if another host: https://px.…")] = None,
    page: Annotated[str | None, typer.Option(help="Open this page of your site in a browser, and look on.")] = None,
    pages: Annotated[int, typer.Option(help="So many of the pages that it links to, too.", min=0)] = 0,
    inbox: Inbox = None,
    home: Home = None,
) -> None:
    """Send known messages that count in no KPI, or look for those sent: exit 1 if one is missing or changed."""
    settings = load_settings(inbox, home)
    if page:
        from etl.tools import probe_page  # noqa: PLC0415  (starts a driver of browsers)

        visited = probe_page.probe_pages(page, pages)
        for line in visited["lines"]:
            print(line)
        if visited["faults"]:
            raise typer.Exit(1)
        return
    if not look:
        sent = pipeline.send_probe(settings, collector=collector, pixel=pixel)
        where = " and ".join(sent["files"]) or " and ".join(filter(None, (collector, pixel)))
        print(f"probe {sent['run']}: {len(sent['messages'])} messages in {where}")
        if any(answer != "200" for answer in sent.get("answers", {}).values()):
            print(f"answers: {sent['answers']}")
            raise typer.Exit(1)
        return
    open_runs = [run for run in probe_look.look_for_probes(settings) if run["is_open"]]
    for run in open_runs:
        for line in probe_look.describe(run):
            print(line)
    if any(run["state"] not in ("found", "late") for run in open_runs):
        raise typer.Exit(1)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="Any file of an inbox, or messages; - for messages on standard input.")],
) -> None:
    """Say what would become of a file, or of each message, and why. Exit 1 if anything would not be read."""
    from etl.tools import check as checking  # noqa: PLC0415

    if str(file) != "-" and not file.is_file():
        raise BadUse(f"{file} is no file", "Name one, or - for standard input")
    settings = load_settings()
    is_piped = str(file) == "-"
    verdicts = checking.check(sys.stdin.buffer.read(), settings) if is_piped else checking.check_file(file, settings)
    if not verdicts:
        raise BadUse(f"there is nothing in {file}", "Give lines, batches or messages")
    for verdict in verdicts:
        print(verdict)
    if any(verdict.outcome not in {"accepted", "duplicate", "nothing", "landed"} for verdict in verdicts):
        raise typer.Exit(1)


@app.command()
def plan() -> None:
    """Show the tracking plan as a page of Markdown."""
    from etl.vocabulary import tracking_plan as planning  # noqa: PLC0415

    print(planning.describe(planning.load_plan(load_settings().tracking_plan)), end="")


@app.command()
def summary(home: Home = None) -> None:
    """Say what came in, what came out and how much was lost."""
    for line in summarising.lines(load_settings(None, home)):
        print(line)


@app.command()
def report(
    home: Home = None,
    out: Annotated[Path | None, typer.Option(help="The file; default: report/index.html in the home.")] = None,
) -> None:
    """Make the page of the published warehouse: one HTML file that opens anywhere and loads nothing."""
    made = pipeline.report(load_settings(None, home), out=out)
    print(f"report: {made['page']}, {made['bytes']:,} bytes")


@app.command()
def columns() -> None:
    """Show every mart's columns, types and meanings as a page of Markdown."""
    from etl.warehouse.page import definitions  # noqa: PLC0415

    print(definitions.dictionary(), end="")


@app.command()
def mail(
    home: Home = None,
    out: Annotated[Path | None, typer.Option(help="The file; default: report/mail.eml in the home.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Send it though this day has been sent.")] = False,
) -> None:
    """Write the daily summary as a mail, and send it if BLOODHOUND_SMTP_HOST is set."""
    made = pipeline.mail(load_settings(None, home), out=out, again=again)
    print(f"mail: {made['file']}, sent to {made['sent']}")


@app.command()
def export(
    mart: Annotated[str, typer.Argument(help="A table of the warehouse, as executive.kpi_daily.")],
    form: Annotated[str, typer.Option("--format", help="csv or xlsx.")] = "csv",
    out: Annotated[Path | None, typer.Option(help="The file; default: exports/ in the home.")] = None,
    home: Home = None,
) -> None:
    """Write a mart for a spreadsheet; no cell of it can be a formula."""
    made = answers.export(load_settings(None, home), mart, form=form, out=out)
    print(f"export: {made['rows']:,} rows, {made['file']}")


@app.command()
def query(
    metric: Annotated[list[str] | None, typer.Argument(help="Metrics; none lists them all.")] = None,
    by: Annotated[list[str] | None, typer.Option(help="A dimension, date, week or month; repeat for more.")] = None,
    where: Annotated[list[str] | None, typer.Option(help="As channel=Email; repeat for more.")] = None,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, itself too.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated, with every digit.")] = False,
    sql: Annotated[bool, typer.Option("--sql", help="Only show the SQL.")] = False,
    home: Home = None,
) -> None:
    """Ask for metrics by name: the same figures as in the marts, by any dimension."""
    from etl.warehouse import metrics as asking  # noqa: PLC0415

    settings = load_settings(None, home)
    if not metric:
        known = answers.list_metrics(settings)
        for dimensions in dict.fromkeys(tuple(one.dimensions) for one in known):
            alike = [(one.name, one.description) for one in known if tuple(one.dimensions) == dimensions]
            print(f"By {', '.join([*asking.PERIODS, *dimensions])}:")
            print_table(["metric", "meaning"], alike)
        return
    conditions = []
    for text in where or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise BadUse(f"--where is {text!r}", "Write it as channel=Email")
        conditions.append((name, value))
    answer = answers.query(
        settings, metric, by=by or (), where=conditions,
        first=first.date() if first else None, last=last.date() if last else None,
    )  # fmt: skip
    if sql:
        print(answer.sql)
    elif as_csv:
        from etl.warehouse.export import write_rows  # noqa: PLC0415  (loads the writer of spreadsheets)

        write_rows(sys.stdout, answer.columns, answer.rows)
    else:
        print_table(answer.columns, [[asking.shown(value) for value in row] for row in answer.rows], len(metric))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> None:
    """Print a table whose last so many columns are numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place >= len(columns) - numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    out = Console() if sys.stdout.isatty() else Console(width=200)
    out.print(table)


@app.command()
def docs(
    home: Home = None,
    out: Annotated[Path | None, typer.Option(help="The folder; default: docs in the home.")] = None,
) -> None:
    """Make the pages of every model and column, of the marts' columns, and of the tracking plan."""
    made = answers.docs(load_settings(None, home), out=out)
    print(f"docs: {made['page']}, {made['bytes']:,} bytes; beside it {' and '.join(made['beside'])}")


@app.command()
def suspects(
    home: Home = None,
    out: Annotated[Path | None, typer.Option(help="Where the lists go; default: `suspects` in the home.")] = None,
) -> None:
    """Write the suspects as an exclusions file and as networks to block, for a human to judge."""
    settings = load_settings(None, home)
    made = suspecting.write_block_lists(settings, out or settings.home / "suspects")
    print(f"suspects: {made['suspects']:,} in block_list.csv, {made['addresses']:,} in blocks.csv, in {made['folder']}")


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="The inbox to fill.")],
    messages: Annotated[int, typer.Option(help="About how many messages.")] = 60_000,
    days: Annotated[int, typer.Option(help="Over how many days.")] = 3,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 7,
    start: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day.")] = None,
    compress: Annotated[str, typer.Option(help="zst, gz or none.")] = "zst",
    loss: Annotated[float, typer.Option(help="Share of messages lost on the way.")] = 0.01,
    pixel_loss: Annotated[float, typer.Option(help="Share of pixel hits lost.")] = 0.01,
    incident: Annotated[
        list[str] | None, typer.Option(help="An extra loss, as loss=1,start=2026-03-05,host=t1.shop.example; repeat.")
    ] = None,
    truth: Annotated[Path | None, typer.Option(help="Where the truth goes; default: beside the inbox.")] = None,
) -> None:
    """Make believable logs with the truth beside them."""
    from etl.simulate import FIRST_DAY, Incident  # noqa: PLC0415  (numpy is slow to import)
    from etl.simulate import simulate as make  # noqa: PLC0415

    if compress not in {"zst", "gz", "none"}:
        raise BadUse(f"--compress is {compress!r}", "It is zst, gz or none")
    with showing("simulate") as advance:
        made = make(
            out, truth=truth, messages=messages, days=days, seed=seed, compress=compress, loss=loss,
            pixel_loss=pixel_loss, start=start.date() if start else FIRST_DAY,
            incidents=tuple(Incident.read(text) for text in incident or ()),
            progress=lambda done, total: advance(f"{done} of {total}", 1),
        )  # fmt: skip
    print(f"simulate: {describe(made)}")


def keep_quiet() -> None:
    """Write structured lines to standard error, from the level that BLOODHOUND_LOG_LEVEL names; else warnings."""
    level = logging.getLevelNamesMapping().get(
        os.environ.get("BLOODHOUND_LOG_LEVEL", "WARNING").upper(), logging.WARNING
    )
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def main() -> None:
    """Run a command; one clear line and an exit code when it cannot be done."""
    keep_quiet()
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except BloodhoundError as error:
        complain(str(error), error.exit_code)
    except typer.TyperException as error:
        complain(error.format_message(), BadUse.exit_code)
    except typer.Abort:
        complain("stopped; the next run goes on from here", INTERRUPTED)
    except KeyboardInterrupt:
        complain("stopped; the next run goes on from here", INTERRUPTED)
    except duckdb.OutOfMemoryException as error:
        complain(
            f"more memory is needed than memory_limit allows ({str(error).splitlines()[0]})."
            " Raise it: BLOODHOUND_MEMORY_LIMIT=4GB, or in conf/bloodhound.toml",
            1,
        )
    except duckdb.Error as error:
        complain(f"DuckDB says: {str(error).splitlines()[0]}", 1)
    except OSError as error:
        complain(f"{error.strerror or error}: {error.filename or ''}", 1)


def complain(message: str, code: int) -> NoReturn:
    """Say in one line what is wrong, and leave."""
    screen.print(f"bloodhound: {' '.join(message.split())}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
