"""The commands of `python -m etl`: what is common to all of them.

Each module of this room registers its commands with `app`; `etl/__main__.py` names them all.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

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

from etl.stages.stage import Advance

app = typer.Typer(
    name="etl", help="Raw tracking logs to trusted marts, one stage at a time.", no_args_is_help=True,
    pretty_exceptions_enable=False, add_completion=False,
)  # fmt: skip
screen = Console(stderr=True)

Inbox = Annotated[Path | None, typer.Option(help="Folder of raw logs.")]
Home = Annotated[Path | None, typer.Option(help="Folder of everything written.")]
Day = Annotated[
    list[datetime] | None,
    typer.Option(formats=["%Y-%m-%d"], help="A day to do again; repeat for more."),
]


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


def describe(result: dict[str, Any]) -> str:
    """Write a result's counts and days in one line."""
    parts = [f"{value:,} {key.replace('_', ' ')}" for key, value in result.items() if isinstance(value, int)]
    days = result.get("days")
    if days:
        parts.append(f"days {days[0]}" if len(days) == 1 else f"{len(days)} days, {days[0]} to {days[-1]}")
    if not any(value for value in result.values() if isinstance(value, int)) and not days:
        return "nothing new"
    return ", ".join(parts)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> None:
    """Print a table whose last so many columns are numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place >= len(columns) - numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    out = Console() if sys.stdout.isatty() else Console(width=200)
    out.print(table)
