"""Measure the pipeline stage by stage, against the floor and against plain pandas.

    python -m benchmarks.pipeline --messages 1000000 5000000 --repeat 3 --out figures.json

Every measurement is one command in a process of its own, watched from outside: the seconds until
it ends, the CPU seconds and the largest resident memory of it and its children. Each repeat measures
the floor anew, and ratios are taken within a repeat, so that a busy machine slows both.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import duckdb
import typer
from rich.console import Console
from rich.table import Table

PROJECT = Path(__file__).resolve().parent.parent
README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
PACKAGES = ("duckdb", "pyarrow", "pandas", "dbt-core", "dbt-duckdb")

FIRST_DAY = date(2026, 3, 1)
STAGES = ("land", "parse", "sessionize", "build")
TITLES = {
    "floor": "floor: read JSON, write Parquet",
    "unpacked": "floor, a row per message",
    "land": "land", "parse": "parse", "sessionize": "sessionize", "build": "build and publish",
    "stages": "the four stages",
    "whole": "whole: `etl run`",
    "again": "again, nothing new",
    "next_day": "one more day: `etl run`",
    "next_build": "of it, build and publish",
    "pandas": "plain pandas",
}  # fmt: skip

Measured = dict[str, float]
"""`wall` and `cpu` in seconds, `peak_mb`, and `events` where the denominator is a count of its own."""

screen = Console(stderr=True)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def measure(command: Sequence[str | Path]) -> Measured:
    """Run a command to its end and say what it took; its children count.

    Raises:
        SystemExit: it failed; its output says why.
    """
    os.sync()  # What others left to write is not this command's work.
    with tempfile.TemporaryFile() as output:
        begun = time.perf_counter()
        process = subprocess.Popen([str(word) for word in command], cwd=PROJECT, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            tail = output.read().decode(errors="replace")[-2000:]
            raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{tail}")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss / 1024}


def python(module: str, *words: str | Path) -> list[str | Path]:
    """Name a module's command in this environment."""
    return [sys.executable, "-m", module, *words]


def simulate_logs(folder: Path, messages: int, days: int) -> Path:
    """Give an inbox of `days` days with about `messages` messages, and one day more; made once and kept."""
    inbox = folder / f"{messages}-{days}" / "inbox"
    done = inbox.parent / "done"
    if not done.exists():
        shutil.rmtree(inbox.parent, ignore_errors=True)
        arguments = f"messages={round(messages * (days + 1) / days)}, days={days + 1}, details=False"
        code = "import sys; from pathlib import Path; from etl.simulate import simulate; "
        measure([sys.executable, "-c", f"{code}simulate(Path(sys.argv[1]), {arguments})", inbox])
        done.touch()
    return inbox


def link_days(source: Path, target: Path, days: Iterable[date]) -> None:
    """Put the files of these days into another inbox."""
    names = {day.isoformat() for day in days}
    for path in source.rglob("*"):
        if path.is_file() and any(name in path.name for name in names):
            linked = target / path.relative_to(source)
            linked.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, linked)


def count_events(home: Path) -> int:
    """Count the messages of the collector's lines, valid or not; once they are published."""
    with duckdb.connect(str(home / "warehouse" / "bloodhound.duckdb"), read_only=True) as con:
        query = "select sum(messages) from quality.ledger where inbox_folder = 'events'"
        return int(con.execute(query).fetchall()[0][0])


def measure_once(logs: Path, scratch: Path, days: int, with_pandas: bool) -> dict[str, Measured]:
    """Measure everything once, on fresh folders below `scratch`."""
    inbox = scratch / "inbox"
    first = [FIRST_DAY + timedelta(days=number) for number in range(days)]
    link_days(logs, inbox, first)
    for path in inbox.rglob("*.*"):
        if path.is_file():
            path.read_bytes()  # So that whoever reads first does not pay for the disk.
    taken: dict[str, Measured] = {}

    def take(name: str, command: Sequence[str | Path]) -> None:
        with screen.status(TITLES[name]):
            taken[name] = measure(command)
        screen.print(f"  {TITLES[name]:34} {taken[name]['wall']:8.1f} s wall {taken[name]['cpu']:8.1f} s CPU")

    take("floor", python("benchmarks.floor", inbox, scratch / "floor.parquet"))
    take("unpacked", python("benchmarks.floor", inbox, scratch / "unpacked.parquet", "--unpacked"))
    staged = scratch / "staged"
    for stage in STAGES:
        take(stage, python("etl", stage, "--inbox", inbox, "--home", staged))
    taken["stages"] = {
        "wall": sum(taken[stage]["wall"] for stage in STAGES),
        "cpu": sum(taken[stage]["cpu"] for stage in STAGES),
        "peak_mb": max(taken[stage]["peak_mb"] for stage in STAGES),
    }
    events = count_events(staged)
    next_day = FIRST_DAY + timedelta(days=days)
    link_days(logs, inbox, [next_day])
    for stage in STAGES[:-1]:
        measure(python("etl", stage, "--inbox", inbox, "--home", staged))
    take("next_build", python("etl", "build", "--inbox", inbox, "--home", staged))
    next_events = count_events(staged) - events
    shutil.rmtree(staged)
    shutil.rmtree(inbox)
    link_days(logs, inbox, first)
    home = scratch / "home"
    run = python("etl", "run", "--inbox", inbox, "--home", home)
    take("whole", run)
    take("again", run)
    link_days(logs, inbox, [next_day])
    take("next_day", run)
    for name, measured in taken.items():
        measured["events"] = next_events if name.startswith("next") else events
    shutil.rmtree(home)
    if with_pandas:
        shutil.rmtree(inbox)
        link_days(logs, inbox, first)
        take("pandas", python("benchmarks.pandas_pipeline", inbox, scratch / "pandas"))
        taken["pandas"]["events"] = events
    return taken


def summarise(repeats: Sequence[Mapping[str, Measured]]) -> dict[str, dict[str, float | None]]:
    """Take medians over the repeats, of ratios too: each within its repeat.

    `wall_ratio` and `cpu_ratio` are to the floor, `unpacked_ratio` (CPU) to the floor with a row per
    message, `pandas_ratio` and `pandas_wall_ratio` say how many times more pandas takes.
    """

    def middle(name: str, key: str) -> float:
        return median(repeat[name][key] for repeat in repeats)

    def ratio(over: str, under: str, key: str) -> float | None:
        if not {over, under}.isdisjoint(("again", "next_day", "next_build")):
            return None
        if not all(over in repeat and under in repeat for repeat in repeats):
            return None
        return median(repeat[over][key] / repeat[under][key] for repeat in repeats)

    return {
        name: {
            "events": middle(name, "events"),
            "wall": middle(name, "wall"),
            "cpu": middle(name, "cpu"),
            "peak_mb": middle(name, "peak_mb"),
            "events_per_second": middle(name, "events") / middle(name, "wall") if name != "again" else None,
            "wall_ratio": ratio(name, "floor", "wall"),
            "cpu_ratio": ratio(name, "floor", "cpu"),
            "unpacked_ratio": ratio(name, "unpacked", "cpu"),
            "pandas_ratio": ratio("pandas", name, "cpu"),
            "pandas_wall_ratio": ratio("pandas", name, "wall"),
        }
        for name in TITLES
        if all(name in repeat for repeat in repeats)
    }


def describe_machine() -> dict[str, str]:
    """Say what was measured on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    versions = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in PACKAGES)]
    return {
        "machine": f"{os.cpu_count()} shared cores ({cpu}), {memory:.0f} GiB, {platform.system()}",
        "versions": ", ".join(versions),
        "commit": commit.stdout.strip(),
    }


HEAD = (
    "", "wall s", "CPU s", "peak MB", "events/s", "wall ÷ floor", "CPU ÷ floor", "CPU ÷ floor, a row per message",
    "pandas ÷ this, CPU (wall)",
)  # fmt: skip


def table_rows(figures: Mapping[str, Mapping[str, float | None]]) -> list[tuple[str, ...]]:
    """Write the figures of one size as text."""

    def number(value: float | None, digits: int = 1) -> str:
        return "" if value is None else f"{value:,.{digits}f}"

    rows: list[tuple[str, ...]] = []
    for name, title in TITLES.items():
        if name not in figures:
            continue
        one = figures[name]
        pandas = f"{number(one['pandas_ratio'])} ({number(one['pandas_wall_ratio'])})" if one["pandas_ratio"] else ""
        rows.append(
            (
                title, number(one["wall"]), number(one["cpu"]), number(one["peak_mb"], 0),
                number(one["events_per_second"], 0), number(one["wall_ratio"], 2), number(one["cpu_ratio"], 2),
                number(one["unpacked_ratio"], 2), pandas,
            )
        )  # fmt: skip
    return rows


def caption(size: Mapping[str, Any]) -> str:
    """Say in one line what a table shows."""
    events = f"{size['figures']['whole']['events']:,.0f} messages over {size['days']} days"
    next_day = size["figures"].get("next_day")
    more = f", then {next_day['events']:,.0f} of the next day" if next_day else ""
    return f"{events}{more}; median of {len(size['repeats'])}; at {size['commit']}"


def render_markdown(results: Mapping[str, Any]) -> str:
    """Write all results as Markdown."""
    parts = []
    for size in sorted(results.values(), key=lambda entry: entry["messages"]):
        rows = [HEAD, ("---", *["---:"] * (len(HEAD) - 1)), *table_rows(size["figures"])]
        lines = [f"| {' | '.join(row)} |" for row in rows]
        parts.append(f"### {caption(size)}\n\n" + "\n".join(lines) + f"\n\n{size['machine']}; {size['versions']}.\n")
    return "\n".join(parts)


def write_between(text: str, begin: str = BEGIN, end: str = END, path: Path = README) -> None:
    """Put a table between two markers of the README."""
    before, _, rest = path.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    path.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", encoding="utf-8")


def show(size: Mapping[str, Any]) -> None:
    """Print one size's figures."""
    table = Table(title=caption(size))
    for name in HEAD:
        table.add_column(name, justify="right" if name else "left", no_wrap=not name)
    for row in table_rows(size["figures"]):
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 150).print(table)


@app.command()
def main(
    messages: Annotated[list[int], typer.Option(min=1, help="About how many messages; more sizes may follow.")],
    more: Annotated[list[int] | None, typer.Argument(metavar="[SIZE]...", help="Further sizes.")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Measure everything so often.")] = 3,
    out: Annotated[Path, typer.Option(help="JSON of all figures; sizes that are not measured now stay in it.")] = Path(
        "figures.json"
    ),
    work: Annotated[
        Path | None, typer.Option(help="Folder for logs, which are kept there, and all that is written.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="Days of logs; one more is the next day.")] = 3,
    pandas_up_to: Annotated[
        int, typer.Option(help="Largest size that pandas is given; 5 million need some 20 GB.")
    ] = 1_000_000,
    readme: Annotated[bool, typer.Option(help="Put the tables into benchmarks/README.md.")] = False,
) -> None:
    """Measure the pipeline stage by stage, against the floor and against plain pandas."""
    folder = (work or Path(tempfile.gettempdir()) / "bloodhound-benchmarks").absolute()
    results: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    for size in [*messages, *(more or [])]:
        screen.print(f"{size:,} messages")
        with screen.status("simulating logs"):
            logs = simulate_logs(folder / "logs", size, days)
        repeats = []
        for number in range(repeat):
            screen.print(f" repeat {number + 1} of {repeat}")
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                repeats.append(measure_once(logs, Path(scratch), days, size <= pandas_up_to))
        results[str(size)] = {
            "messages": size, "days": days, **describe_machine(), "repeats": repeats, "figures": summarise(repeats),
        }  # fmt: skip
        out.write_text(json.dumps(results, indent=2) + "\n")
        show(results[str(size)])
    if readme:
        write_between(render_markdown(results))


if __name__ == "__main__":
    app()
