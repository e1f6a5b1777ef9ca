"""Measure what one more day costs after ever longer histories: the promise is that it does not grow.

    python -m benchmarks.history --day-messages 20000 --histories 7 30 90 365 --out history.json

Each history is a home that holds the days before; then the same next day is added to each, and the
stages are run one by one, each in a process of its own. Ratios are to the shortest history.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from benchmarks.pipeline import (
    FIRST_DAY,
    README,
    STAGES,
    Measured,
    describe_machine,
    link_days,
    measure,
    python,
    screen,
    simulate_logs,
    write_between,
)

BEGIN, END = "<!-- history: begin -->", "<!-- history: end -->"
SHOWN = ("land", "parse", "sessionize", "build", "whole")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def prepare_home(logs: Path, scratch: Path, days: int, last: int) -> tuple[Path, Path]:
    """Run everything over the `days` days before day number `last`; return inbox and home."""
    inbox, home = scratch / "inbox", scratch / "home"
    link_days(logs, inbox, [FIRST_DAY + timedelta(days=number) for number in range(last - days, last)])
    for stage in STAGES:
        measure(python("etl", stage, "--inbox", inbox, "--home", home))
    return inbox, home


def measure_next_day(logs: Path, inbox: Path, home: Path, last: int) -> dict[str, Measured]:
    """Add day number `last` and run the stages."""
    link_days(logs, inbox, [FIRST_DAY + timedelta(days=last)])
    taken = {stage: measure(python("etl", stage, "--inbox", inbox, "--home", home)) for stage in STAGES}
    taken["whole"] = {
        "wall": sum(taken[stage]["wall"] for stage in STAGES),
        "cpu": sum(taken[stage]["cpu"] for stage in STAGES),
        "peak_mb": max(taken[stage]["peak_mb"] for stage in STAGES),
    }
    return taken


def render_markdown(results: Mapping[str, Any]) -> str:
    """Write CPU seconds by stage, wall seconds and memory, a line per length of history."""
    histories = sorted(results["histories"], key=int)
    head = ("days before", *(f"{stage}, CPU s" for stage in SHOWN), "whole, wall s", "peak MB", "CPU ÷ shortest",
            "memory ÷ shortest")  # fmt: skip
    rows = [head, tuple("---:" for _ in head)]

    def middle(days: str, stage: str, key: str) -> float:
        return median(repeat[stage][key] for repeat in results["histories"][days])

    for days in histories:
        ratios = [middle(days, "whole", key) / middle(histories[0], "whole", key) for key in ("cpu", "peak_mb")]
        rows.append(
            (
                days, *(f"{middle(days, stage, 'cpu'):.1f}" for stage in SHOWN),
                f"{middle(days, 'whole', 'wall'):.1f}", f"{middle(days, 'whole', 'peak_mb'):,.0f}",
                *(f"{ratio:.2f}" for ratio in ratios),
            )
        )  # fmt: skip
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    repeats = len(results["histories"][histories[0]])
    return (
        f"### One more day of {results['day_messages']:,} messages; median of {repeats}; at {results['commit']}\n\n"
        f"{lines}\n\n{results['machine']}; {results['versions']}.\n"
    )


@app.command()
def main(
    day_messages: Annotated[int, typer.Option(min=1, help="About how many messages a day.")] = 20_000,
    histories: Annotated[str, typer.Option(help="Days before the one that is measured, with commas.")] = "7,30,90,365",
    repeat: Annotated[int, typer.Option(min=1, help="Measure each history so often.")] = 1,
    out: Annotated[Path, typer.Option(help="JSON of all figures.")] = Path("history.json"),
    work: Annotated[Path | None, typer.Option(help="Folder for logs, kept there, and all that is written.")] = None,
    readme: Annotated[bool, typer.Option(help="Put the table into benchmarks/README.md.")] = False,
) -> None:
    """Measure one more day after each length of history."""
    lengths: Sequence[int] = sorted({int(word) for word in histories.split(",")})
    folder = (work or Path(tempfile.gettempdir()) / "bloodhound-benchmarks").absolute()
    longest = lengths[-1]
    with screen.status("simulating logs"):
        logs = simulate_logs(folder / "logs", day_messages * longest, longest)
    found: dict[str, list[dict[str, Measured]]] = {}
    for days in lengths:
        scratch = Path(tempfile.mkdtemp(dir=folder))
        try:
            with screen.status(f"{days} days before"):
                inbox, home = prepare_home(logs, scratch, days, longest)
            for number in range(repeat):
                copied = shutil.copytree(home, scratch / f"home-{number}")
                again = shutil.copytree(inbox, scratch / f"inbox-{number}")
                taken = measure_next_day(logs, again, copied, longest)
                found.setdefault(str(days), []).append(taken)
                shutil.rmtree(copied)
                shown = "  ".join(
                    f"{stage} {taken[stage]['cpu']:.1f} s, {taken[stage]['peak_mb']:,.0f} MB" for stage in SHOWN
                )
                screen.print(f"{days:4} days before: {shown}")
        finally:
            shutil.rmtree(scratch)
        results = {"day_messages": day_messages, "histories": found, **describe_machine()}
        out.write_text(json.dumps(results, indent=2) + "\n")
    if readme:
        write_between(render_markdown(json.loads(out.read_text())), BEGIN, END, README)


if __name__ == "__main__":
    app()
