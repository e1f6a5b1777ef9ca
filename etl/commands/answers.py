"""Commands for who reads: what is published, as lines, a page, a mail, a table or a spreadsheet."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from etl import pipeline
from etl.commands import Home, app, print_table
from etl.errors import BadUse
from etl.settings import load_settings
from etl.warehouse import answers
from etl.warehouse import summary as summarising


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
    with_changes: Annotated[bool, typer.Option("--changes", help="Also from the period before, with limits.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated, with every digit.")] = False,
    sql: Annotated[bool, typer.Option("--sql", help="Only show the SQL.")] = False,
    home: Home = None,
) -> None:
    """Ask for metrics by name: the same figures as in the marts, by any dimension."""
    from etl.warehouse import metrics as asking  # noqa: PLC0415
    from etl.warehouse.periods import PERIODS  # noqa: PLC0415

    settings = load_settings(None, home)
    if not metric:
        known = answers.list_metrics(settings)
        for dimensions in dict.fromkeys(tuple(one.dimensions) for one in known):
            alike = sorted((one.name, one.description) for one in known if tuple(one.dimensions) == dimensions)
            print(f"By {', '.join([*PERIODS, *dimensions])}:")
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
        first=first.date() if first else None, last=last.date() if last else None, with_changes=with_changes,
    )  # fmt: skip
    if sql:
        print(answer.sql)
    elif as_csv:
        from etl.warehouse.export import write_rows  # noqa: PLC0415  (loads the writer of spreadsheets)

        write_rows(sys.stdout, answer.columns, answer.rows)
    else:
        rows = [[asking.shown(value, name) for name, value in zip(answer.columns, row, strict=True)]
                for row in answer.rows]  # fmt: skip
        print_table(answer.columns, rows, len(answer.columns) - len(by or ()))
        seen = "unknown, for there is no pixel log" if answer.completeness is None else f"{answer.completeness:.2%}"
        days = " to ".join(str(day) for day in (answer.first, answer.last) if day)
        print(f"Completeness of {f'these days, {days}' if answer.first and answer.last else 'these days'}: {seen}")
        if answer.unknown:
            print(f"Not known up to {answer.unknown}: the events of these days are gone (keep_days)")


@app.command()
def docs(
    home: Home = None,
    out: Annotated[Path | None, typer.Option(help="The folder; default: docs in the home.")] = None,
) -> None:
    """Make the pages of every model and column, of the marts' columns, and of the tracking plan."""
    made = answers.docs(load_settings(None, home), out=out)
    print(f"docs: {made['page']}, {made['bytes']:,} bytes; beside it {' and '.join(made['beside'])}")
