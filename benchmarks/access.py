"""Measure an access log's way to numbers beside goaccess, and say whether both count the same.

    python -m benchmarks.access --log access.log --lines 1000000 --repeat 3 --readme

The log, a combined one, is repeated until it has so many lines, each time with other addresses: as many visitors as a
site of that size has, and not one that reads a hundred times. goaccess writes its HTML report; `etl run` makes the
warehouse, its tests and the page. Each repeat measures both, one after the other.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from benchmarks.pipeline import Measured, describe_machine, measure, python, screen, write_between
from benchmarks.readers import Count, goaccess, goaccess_command, goaccess_version, ours, plain
from etl.settings import load_settings

BEGIN, END = "<!-- access: begin -->", "<!-- access: end -->"
STAGES = ("land", "parse", "sessionize", "build")
TITLES = {
    "goaccess": "goaccess, HTML report", "land": "land", "parse": "parse", "sessionize": "sessionize",
    "build": "build and publish", "whole": "whole: `etl run`",
}  # fmt: skip
OCTETS = [octet for octet in range(1, 224) if octet not in {10, 100, 127, 169, 172, 192, 198}]
"""How addresses begin that are nobody's special ones."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def repeated(log: Path, lines: int) -> Iterator[bytes]:
    """Repeat a log's lines, each time with other addresses (IPv4, in front of the line)."""
    known = log.read_bytes().splitlines(keepends=True)
    for number in range(lines):
        copy, place = divmod(number, len(known))
        line = known[place]
        if copy:
            above, first = divmod(copy - 1, len(OCTETS))
            _, second, rest = line.split(b".", 2)
            line = b"%d.%d.%s" % (OCTETS[first], (int(second) + above) % 256, rest)
        yield line


def measure_once(log: Path, inbox: Path, scratch: Path) -> dict[str, Measured]:
    """Measure goaccess and each stage once, on a fresh home below `scratch`."""
    taken = {"goaccess": measure(goaccess_command(log, scratch / "report.html"))}
    staged, home = scratch / "staged", scratch / "home"
    for stage in STAGES:
        taken[stage] = measure(python("etl", stage, "--inbox", inbox, "--home", staged))
    taken["whole"] = measure(python("etl", "run", "--inbox", inbox, "--home", home))
    shutil.rmtree(home)
    for name, measured in taken.items():
        screen.print(f"  {TITLES[name]:24} {measured['wall']:8.1f} s wall {measured['cpu']:8.1f} s CPU")
    return taken


def summarise(repeats: Sequence[dict[str, Measured]]) -> dict[str, dict[str, float]]:
    """Take medians over the repeats; the ratio to goaccess is taken within each."""
    return {
        name: {key: median(repeat[name][key] for repeat in repeats) for key in ("wall", "cpu", "peak_mb")}
        | {"ratio": median(repeat[name]["cpu"] / repeat["goaccess"]["cpu"] for repeat in repeats)}
        for name in TITLES
    }


def render(result: dict[str, Any]) -> str:
    """Write figures and counts as Markdown."""
    lines = [
        f"### {result['lines']:,} lines of {result['addresses']:,} addresses; median of {len(result['repeats'])};"
        f" at {result['commit']}",
        "",
        "|  | wall s | CPU s | peak MB | CPU ÷ goaccess |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, one in result["figures"].items():
        lines.append(
            f"| {TITLES[name]} | {one['wall']:.1f} | {one['cpu']:.1f} | {one['peak_mb']:,.0f} | {one['ratio']:.2f} |"
        )
    statuses = sorted({status for count in result["counts"].values() for status in count["statuses"]})
    lines += ["", "| read by | lines | addresses | pages | " + " | ".join(statuses) + " |"]
    lines.append("| --- |" + " ---: |" * (3 + len(statuses)))
    for name, count in result["counts"].items():
        cells = [
            count["read"],
            count["addresses"],
            count["pages"],
            *(count["statuses"].get(one, 0) for one in statuses),
        ]
        lines.append(f"| {name} | " + " | ".join(f"{cell:,}" for cell in cells) + " |")
    return "\n".join([*lines, "", f"{result['machine']}; {result['goaccess']}; {result['versions']}.", ""])


def said(count: Count) -> dict[str, Any]:
    """Write a count as JSON has it."""
    statuses = {str(status): number for status, number in count.statuses.items()}
    return {"read": count.read, "addresses": count.addresses, "pages": count.pages, "statuses": statuses}


@app.command()
def main(
    log: Annotated[Path, typer.Option(help="A combined log of IPv4 addresses.", exists=True)],
    lines: Annotated[int, typer.Option(min=1, help="How many lines to make of it.")] = 1_000_000,
    repeat: Annotated[int, typer.Option(min=1, help="Measure everything so often.")] = 3,
    out: Annotated[Path, typer.Option(help="JSON of all figures.")] = Path("access.json"),
    work: Annotated[Path | None, typer.Option(help="Folder for the log and all that is written.")] = None,
    readme: Annotated[bool, typer.Option(help="Put the tables into benchmarks/README.md.")] = False,
) -> None:
    """Measure an access log's way to numbers beside goaccess, and say whether both count the same."""
    with tempfile.TemporaryDirectory(dir=work) as folder:
        scratch = Path(folder)
        inbox = scratch / "inbox"
        long = inbox / "access" / "access.log"
        long.parent.mkdir(parents=True)
        with long.open("wb") as file:
            file.writelines(repeated(log, lines))
        repeats = []
        for number in range(repeat):
            screen.print(f" repeat {number + 1} of {repeat}")
            shutil.rmtree(scratch / "staged", ignore_errors=True)
            repeats.append(measure_once(long, inbox, scratch))
        settings = load_settings(inbox, scratch / "staged")
        assets = tuple(settings.asset_extensions)
        counts = {
            "this project": ours(settings),
            "goaccess": goaccess(long, assets),
            "plain Python": plain(long, assets),
        }
        result = {
            "lines": lines, "addresses": counts["this project"].addresses, **describe_machine(),
            "goaccess": goaccess_version(), "repeats": repeats, "figures": summarise(repeats),
            "counts": {name: said(count) for name, count in counts.items()},
        }  # fmt: skip
    out.write_text(json.dumps(result, indent=2) + "\n")
    print(render(result))
    if readme:
        write_between(render(result), BEGIN, END)


if __name__ == "__main__":
    app()
