"""Draw how time and memory grow with the messages: each stage at sizes that double.

    python -m benchmarks.growth --sizes 125000,250000,500000,1000000,2000000

Each size is a home of its own, each stage a process of its own. Figures go into `growth.json`, the picture into
`growth.svg`, both beside this file; sizes that are not measured now stay in the JSON and in the picture.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
import vl_convert

from benchmarks.pipeline import (
    FIRST_DAY,
    README,
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

FIGURES, PICTURE = README.with_name("growth.json"), README.with_name("growth.svg")
BEGIN, END = "<!-- growth: begin -->", "<!-- growth: end -->"
DAYS = 3
SHOWN = {"land": "land", "parse": "parse", "sessionize": "sessionize", "build": "build and publish"}
COLOURS = ["#4e79a7", "#e15759", "#59a14f", "#b07aa1"]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def measure_size(logs: Path, scratch: Path) -> dict[str, Any]:
    """Run the stages over the first days of the logs; return what each took, and how many messages there were."""
    inbox, home = scratch / "inbox", scratch / "home"
    link_days(logs, inbox, [FIRST_DAY + timedelta(days=number) for number in range(DAYS)])
    stages: dict[str, Measured] = {
        stage: measure(python("etl", stage, "--inbox", inbox, "--home", home)) for stage in STAGES
    }
    return {"messages": count_events(home), "stages": stages}


def rows(sizes: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """List the measured figures, the smallest size first."""
    for size in sorted(sizes.values(), key=lambda entry: entry["messages"]):
        for stage, taken in size["stages"].items():
            yield {
                "messages": size["messages"], "stage": SHOWN[stage], "cpu": taken["cpu"], "peak_mb": taken["peak_mb"],
            }  # fmt: skip


def draw(sizes: Mapping[str, Any]) -> str:
    """Draw CPU seconds and peak memory by stage against messages, as SVG."""

    def panel(field: str, title: str) -> dict[str, Any]:
        return {
            "width": 330, "height": 260, "mark": {"type": "line", "point": True},
            "encoding": {
                "x": {"field": "messages", "type": "quantitative", "title": "messages", "scale": {"zero": True},
                      "axis": {"format": "~s"}},
                "y": {"field": field, "type": "quantitative", "title": title},
                "color": {
                    "field": "stage", "type": "nominal", "title": None,
                    "scale": {"domain": list(SHOWN.values()), "range": COLOURS},
                },
            },
        }  # fmt: skip

    return vl_convert.vegalite_to_svg(
        {
            "data": {"values": list(rows(sizes))},
            "background": "white",
            "hconcat": [panel("cpu", "CPU seconds"), panel("peak_mb", "peak memory, MB")],
        },
        vl_version="6.4",
    )


def render_markdown(results: Mapping[str, Any]) -> str:
    """Write CPU seconds and peak memory by stage, a line per size."""
    head = ["messages", *(f"{title}, CPU s (MB)" for title in SHOWN.values()), "CPU µs a message"]
    lines = [head, ["---:" for _ in head]]
    for size in sorted(results["sizes"].values(), key=lambda entry: entry["messages"]):
        total = sum(taken["cpu"] for taken in size["stages"].values())
        stages = (f"{size['stages'][stage]['cpu']:.1f} ({size['stages'][stage]['peak_mb']:,.0f})" for stage in SHOWN)
        lines.append([f"{size['messages']:,}", *stages, f"{total / size['messages'] * 1e6:.0f}"])
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    machine = f"{results['machine']}; {results['versions']}; at {results['commit']}."
    return f"![Growth of time and memory with the messages]({PICTURE.name})\n\n{table}\n\n{machine}\n"


@app.command()
def main(
    sizes: Annotated[str, typer.Option(help="About how many messages, with commas.")] = "125000,250000,500000,1000000",
    work: Annotated[Path | None, typer.Option(help="Folder for logs, kept there, and all that is written.")] = None,
) -> None:
    """Measure each size, draw all that are known, and put the table into benchmarks/README.md."""
    folder = (work or Path(tempfile.gettempdir()) / "bloodhound-benchmarks").absolute()
    results: dict[str, Any] = json.loads(FIGURES.read_text()) if FIGURES.exists() else {"sizes": {}}
    for size in sorted({int(word) for word in sizes.split(",")}):
        with screen.status(f"{size:,} messages"):
            logs = simulate_logs(folder / "logs", size, DAYS)
            scratch = Path(tempfile.mkdtemp(dir=folder))
            try:
                results["sizes"][str(size)] = measure_size(logs, scratch)
            finally:
                shutil.rmtree(scratch)
        results |= describe_machine()
        FIGURES.write_text(json.dumps(results, indent=2) + "\n")
        PICTURE.write_text(draw(results["sizes"]))
        screen.print(render_markdown({**results, "sizes": {str(size): results["sizes"][str(size)]}}))
    write_between(render_markdown(results), BEGIN, END, README)


if __name__ == "__main__":
    app()
