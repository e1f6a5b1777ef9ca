"""Measure what reconciliation costs of the whole pipeline: at most a tenth, is the promise.

    python -m benchmarks.reconcile --messages 1000000 --readme

Its part is the `reconcile` command, and of the build the models and tests that nothing but the schema
`quality` needs. dbt runs in one process, so its CPU is divided by the seconds that its log gives each node.
"""

import re
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.pipeline import (
    FIRST_DAY,
    PROJECT,
    STAGES,
    Measured,
    count_events,
    describe_machine,
    link_days,
    measure,
    python,
    screen,
    simulate_logs,
    write_between,
)

BEGIN, END = "<!-- reconcile: begin -->", "<!-- reconcile: end -->"
MODELS = PROJECT / "dbt_project" / "models"
NODE = re.compile(r" of \d+ (?:OK|PASS|WARN)\S* (?P<words>.+?) \.* *\[.* in (?P<seconds>[\d.]+)s\]")
LOOKS_AT_PEOPLE = {"bot_impact", "suspects", "restatements"}
"""In the schema `quality`, but about bots and publications: they reconcile nothing."""

DAY_SECONDS = 86_400

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def models_of_reconciliation(folder: Path = MODELS) -> set[str]:
    """Name the models of `quality`, and those that only they read, directly or through others; no marts of others."""
    texts = {path.stem: path.read_text() for path in folder.rglob("*") if path.suffix in (".sql", ".py")}
    readers = {
        name: {other for other, text in texts.items() if re.search(rf"ref\(['\"]{name}['\"]\)", text)} for name in texts
    }
    inner = {name for name in texts if name.startswith(("stg_", "int_"))}
    found = {path.stem for path in (folder / "quality").rglob("*.sql")} - LOOKS_AT_PEOPLE - inner
    while more := {name for name, by in readers.items() if name in inner and by and by <= found} - found:
        found |= more
    return found


def seconds_by_model(log: str, names: set[str]) -> dict[str, float]:
    """Add up what dbt's log says of each model and its tests; what is no model's (seeds) is at "other"."""
    taken: dict[str, float] = {}
    for found in NODE.finditer(log):
        words = found["words"].split()
        node = next((word.rpartition(".")[2] for word in words if word.rpartition(".")[2] in names), None)
        if node is None:
            # A test is named for its kind and its model; of `loss_daily` and `access_loss_daily` the longer.
            node = max((name for name in names if f"_{name}_" in words[0]), key=len, default="other")
        taken[node] = taken.get(node, 0) + float(found["seconds"])
    return taken


def seconds_of_nodes(log: str) -> float:
    """Say how long dbt was at its nodes: its start-up comes before, and publication after."""
    times = [datetime.strptime(found, "%H:%M:%S.%f") for found in re.findall(r"^([\d:.]{15}) .* of \d+ ", log, re.M)]
    return (times[-1] - times[0]).total_seconds() % DAY_SECONDS


def measure_stages(logs: Path, scratch: Path, days: int) -> tuple[dict[str, Measured], str, int]:
    """Run every stage in a process of its own; return what each took, dbt's log, and the messages."""
    inbox, home = scratch / "inbox", scratch / "home"
    link_days(logs, inbox, [FIRST_DAY + timedelta(days=number) for number in range(days)])
    taken = {
        stage: measure(python("etl", stage, "--inbox", inbox, "--home", home))
        for stage in dict.fromkeys((*STAGES, "reconcile"))
    }
    log = (home / "warehouse" / "build" / "logs" / "dbt.log").read_text()
    return taken, log, count_events(home)


def render(taken: Mapping[str, Measured], seconds: Mapping[str, float], spent: float, events: int) -> str:
    """Write the share, and the models that cost most.

    Args:
        spent: wall seconds that dbt was at its nodes; the rest of the build is start-up and publication.
    """
    mine = models_of_reconciliation()
    of_dbt = sum(value for name, value in seconds.items() if name in mine) / sum(seconds.values())
    build, own = taken["build"]["cpu"], taken["reconcile"]["cpu"]
    whole = sum(measured["cpu"] for measured in taken.values())
    dearest = sorted(((value, name) for name, value in seconds.items() if name in mine), reverse=True)[:5]
    stages = ", ".join(f"{name} {measured['cpu']:.1f}" for name, measured in taken.items())
    machine = describe_machine()
    bare = of_dbt * build * min(spent / taken["build"]["wall"], 1)
    return (
        f"### {events:,} messages; {datetime.now(UTC):%Y-%m-%d}; at {machine['commit']}\n\n"
        "| CPU s | of the build | `reconcile` | together | whole pipeline | share |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: |\n"
        f"| its models and tests | {bare:.1f} | {own:.1f} | {bare + own:.1f} | {whole:.1f}"
        f" | {(bare + own) / whole:.1%} |\n"
        f"| with their part of dbt's start-up and of publication | {of_dbt * build:.1f} | {own:.1f}"
        f" | {of_dbt * build + own:.1f} | {whole:.1f} | {(of_dbt * build + own) / whole:.1%} |\n\n"
        f"Stages: {stages}. Of dbt's nodes {of_dbt:.0%}, the dearest with their tests:"
        f" {', '.join(f'{name} {value:.1f} s' for value, name in dearest)}.\n\n"
        f"{machine['machine']}; {machine['versions']}.\n"
    )


@app.command()
def main(
    messages: Annotated[int, typer.Option(min=1, help="About how many messages.")] = 1_000_000,
    days: Annotated[int, typer.Option(min=1, help="Over how many days.")] = 3,
    work: Annotated[Path | None, typer.Option(help="Folder for logs, kept there, and all that is written.")] = None,
    readme: Annotated[bool, typer.Option(help="Put the table into benchmarks/README.md.")] = False,
) -> None:
    """Measure the share of reconciliation once."""
    folder = (work or Path(tempfile.gettempdir()) / "bloodhound-benchmarks").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with screen.status("simulating logs"):
        logs = simulate_logs(folder / "logs", messages, days)
    scratch = Path(tempfile.mkdtemp(dir=folder))
    try:
        taken, log, events = measure_stages(logs, scratch, days)
    finally:
        shutil.rmtree(scratch)
    names = {path.stem for path in MODELS.rglob("*") if path.suffix in (".sql", ".py")}
    text = render(taken, seconds_by_model(log, names), seconds_of_nodes(log), events)
    screen.print(text, markup=False)
    if readme:
        write_between(text, BEGIN, END)


if __name__ == "__main__":
    app()
