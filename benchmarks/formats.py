"""Measure what older versions and Snowplow's protocol cost beside the newest version, and what validation costs.

    python -m benchmarks.formats --messages 500000 --repeat 3 --readme

The same people, visits and incidents are simulated in each mix. Land, parse and sessionize are one process
each, watched from outside; a message's CPU time is compared with the newest version's within a repeat.
Validation is measured inside one process: decoding with all checks, and with a tracking plan that asks
for nothing.
"""

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from benchmarks.pipeline import PROJECT, measure, python
from etl.formats import collector, messages
from etl.lake.catalogue import Lake
from etl.lake.engine import engine
from etl.lake.landed import landed_files
from etl.lake.manifests import Reading
from etl.settings import Settings
from etl.stages.parse.decode import register_lines
from etl.stages.parse.slices import plan_slices
from etl.vocabulary import tracking_plan

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- formats: begin -->", "<!-- formats: end -->"
STAGES = ("land", "parse", "sessionize")
MIXES = {
    "all version 3": {},
    "70 % version 3, 15 % version 2, 5 % version 1, 10 % Snowplow": {"v2": 0.15, "v1": 0.05, "snowplow": 0.10},
    "all version 2": {"v2": 1.0},
    "all version 1": {"v1": 1.0},
    "all Snowplow": {"snowplow": 1.0},
}
NEWEST = next(iter(MIXES))

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def simulate_logs(inbox: Path, count: int, shares: dict[str, float]) -> None:
    """Make the logs of a mix."""
    code = "import sys, json; from pathlib import Path; from etl.simulate import simulate; "
    call = f"simulate(Path(sys.argv[1]), messages={count}, days=2, seed=5, details=False, **json.loads(sys.argv[2]))"
    measure([sys.executable, "-c", code + call, inbox, json.dumps(shares)])


def measure_mix(inbox: Path, home: Path) -> dict[str, float]:
    """Take CPU microseconds a message of each stage."""
    taken = {stage: measure(python("etl", stage, "--inbox", inbox, "--home", home))["cpu"] for stage in STAGES}
    count = subprocess.run(
        [sys.executable, "-m", "benchmarks.formats", "count", str(home)], check=True, capture_output=True, cwd=PROJECT
    )
    messages = int(count.stdout)
    return {stage: seconds / messages * 1e6 for stage, seconds in taken.items()}


@app.command()
def count(home: Path) -> None:
    """Print how many messages a home has parsed."""
    lake = Lake(Settings(home=home))
    units = [unit for commit in lake.commits("parse", Reading) for unit in commit.units.values()]
    print(sum(unit.counts.get("valid", 0) + unit.counts.get("quarantined", 0) for unit in units))


@app.command()
def validation(inbox: Path, home: Path) -> None:
    """Print the CPU seconds of decoding a home's first slice, with the tracking plan and with an empty one."""
    settings = Settings(inbox=inbox, home=home)
    files = [file for file in landed_files(Lake(settings)).values() if file.source == "events"]
    pieces = next(iter(plan_slices(files)))
    whole = tracking_plan.load_plan(settings.tracking_plan)
    asking_nothing = {name: schema.model_copy(update={"fields": {}}) for name, schema in whole.items()}
    limits = messages.Limits(settings.max_message_bytes, settings.max_lateness_days)
    taken: dict[str, list[float]] = {"whole": [], "nothing": []}
    for _ in range(3):
        for name, asked in (("whole", whole), ("nothing", asking_nothing)):
            with tempfile.TemporaryDirectory(dir=home) as folder, engine(settings, Path(folder)) as con:
                register_lines(con, pieces)
                begun = cpu_seconds()
                collector.decode_requests(con, settings.batch_paths)
                collector.list_messages(con, settings.max_message_bytes, list(whole))
                messages.decode_messages(con, limits, asked)
                taken[name].append(cpu_seconds() - begun)
    print(json.dumps({name: median(seconds) for name, seconds in taken.items()}))


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@app.command()
def run(
    messages: Annotated[int, typer.Option(help="Messages of each mix.")] = 500_000,
    repeat: Annotated[int, typer.Option(help="Measurements; the median counts.")] = 3,
    readme: Annotated[bool, typer.Option("--readme", help="Put the table into README.md.")] = False,
) -> None:
    """Measure all mixes and print a table."""
    with tempfile.TemporaryDirectory(prefix="formats-") as name:
        work = Path(name)
        taken: dict[str, list[dict[str, float]]] = {mix: [] for mix in MIXES}
        for number, shares in enumerate(MIXES.values()):
            simulate_logs(work / str(number) / "inbox", messages, shares)
        for turn in range(repeat):
            for number, mix in enumerate(MIXES):
                taken[mix].append(measure_mix(work / str(number) / "inbox", work / str(number) / f"home-{turn}"))
        checked = subprocess.run(
            [sys.executable, "-m", "benchmarks.formats", "validation", str(work / "0" / "inbox"),
             str(work / "0" / "home-0")],
            check=True, capture_output=True, cwd=PROJECT,
        )  # fmt: skip
    table = write_table(taken, json.loads(checked.stdout), messages, repeat)
    print(table)
    if readme:
        text = README.read_text()
        README.write_text(f"{text[: text.index(BEGIN) + len(BEGIN)]}\n\n{table}\n\n{text[text.index(END) :]}")


def write_table(taken: dict[str, list[dict[str, float]]], checked: dict[str, float], messages: int, repeat: int) -> str:
    """Write the figures as Markdown: medians of microseconds, medians of ratios within a repeat."""
    lines = [
        f"About {messages:,} messages a mix; CPU µs a message, median of {repeat}.", "",
        "| log | land | parse | sessionize | all three | ÷ all version 3 |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]  # fmt: skip
    for mix, turns in taken.items():
        stages = [median(turn[stage] for turn in turns) for stage in STAGES]
        totals = [sum(turn.values()) for turn in turns]
        ratios = [total / sum(newest.values()) for total, newest in zip(totals, taken[NEWEST], strict=True)]
        cells = [f"{value:.1f}" for value in (*stages, median(totals))]
        lines.append(f"| {mix} | {' | '.join(cells)} | {median(ratios):.2f} |")
    share = 1 - checked["nothing"] / checked["whole"]
    lines += ["", f"The tracking plan's checks of `data` are {share:.0%} of decoding (version 3)."]
    return "\n".join(lines)


if __name__ == "__main__":
    app()
