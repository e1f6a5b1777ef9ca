"""Compare orders of rows and sizes of row groups of the canonical Parquet, by size, writing and typical scans.

    python -m benchmarks.layout --messages 1000000 --readme

One simulated day is landed, parsed and sessionized; its canonical file is then written anew in each layout, inside the
memory limit of the settings, and read as data scientists do. CPU seconds, so that a busy machine says the same.
"""

import json
import resource
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import duckdb
import pyarrow.parquet as pq
import typer

from benchmarks.pipeline import (
    FIRST_DAY,
    README,
    describe_machine,
    link_days,
    measure,
    python,
    screen,
    simulate_logs,
    write_between,
)
from etl.lake import sql
from etl.lake.catalogue import Lake
from etl.lake.engine import engine
from etl.lake.manifests import Day
from etl.settings import Settings

BEGIN, END = "<!-- layout: begin -->", "<!-- layout: end -->"
ORDERS = {
    "as joined": "", "event_at": "order by event_at", "visitor_id, event_at": "order by visitor_id, event_at",
    "schema, event_at": "order by schema, event_at", "schema, visitor_id, event_at":
    "order by schema, visitor_id, event_at",
}  # fmt: skip
ROWS = 32_768
"""Of a row group, as the pipeline writes it."""
GROUPS = (ROWS, 122_880, 524_288)
LAYOUTS = [(order, ROWS) for order in ORDERS] + [
    (order, rows) for order in ("visitor_id, event_at", "event_at") for rows in GROUPS if rows != ROWS
]
VISITORS = 5

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def cpu_seconds() -> float:
    """CPU seconds of this process so far, its threads included."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def canonical_day(logs: Path, folder: Path) -> Path:
    """Bring the first day of the logs to canonical events; return their file."""
    link_days(logs, folder / "inbox", [FIRST_DAY])
    for stage in ("land", "parse", "sessionize"):
        measure(python("etl", stage, "--inbox", folder / "inbox", "--home", folder / "home"))
    lake = Lake(Settings(home=folder / "home"))
    (commit,) = (commit for commit in lake.commits("sessionize", Day) if FIRST_DAY.isoformat() in commit.units)
    (events,) = lake.files(commit.day_parts("events")[FIRST_DAY.isoformat()])
    return events


def scans(con: duckdb.DuckDBPyConnection, events: Path) -> dict[str, Callable[[str], list[str]]]:
    """Name the typical scans; each says its statements over a file."""
    visitors = con.execute(
        f"select visitor_id from {sql.scan([events], events)} where visitor_id is not null group by 1"
        f" having count(*) > 5 order by hash(visitor_id) limit {VISITORS}"
    ).fetchall()
    noon = f"{FIRST_DAY} 12:00:00+00"
    return {
        "a visitor's history, ms": lambda scan: [
            f"select * from {scan} where visitor_id = '{visitor}' order by event_at" for (visitor,) in visitors
        ],
        "an hour's page views by URL, ms": lambda scan: [
            f"select url, count(*) from {scan} where schema = 'page_view'"
            f" and event_at >= '{noon}' and event_at < timestamptz '{noon}' + interval 1 hour group by 1"
        ],
        "a day's page views by path, ms": lambda scan: [
            f"select url_path, count(*), count(distinct visitor_id) from {scan} where schema = 'page_view' group by 1"
        ],
        "a few columns of all rows, ms": lambda scan: [
            f"select country, device, count(*), count(distinct session_id) from {scan} group by all"
        ],
    }


def compare(events: Path, folder: Path, repeat: int) -> Iterator[dict[str, Any]]:
    """Write and read each layout; yield its figures."""
    settings = Settings()
    with duckdb.connect(config={"threads": settings.threads}) as con:
        con.execute("set timezone = 'UTC'")
        asked = scans(con, events)
        for order, rows in LAYOUTS:
            target = folder / "layout.parquet"
            with engine(settings, folder) as writer:
                # The rows come in no order of visitors or of time, as out of the join that makes them. What is sorted
                # has to stay so: the pipeline's engine keeps no order, and mixes the row groups of a sorted copy.
                writer.execute(f"set preserve_insertion_order = {bool(ORDERS[order])}")
                before = cpu_seconds()
                writer.execute(
                    f"copy (select * from {sql.scan([events], events)} {ORDERS[order]}) to {sql.text(target)}"
                    f" (format parquet, compression zstd, compression_level 1, row_group_size {rows})"
                )
                written = cpu_seconds() - before
            figures: dict[str, Any] = {
                "order": order, "row_group": rows, "groups": pq.ParquetFile(target).num_row_groups,
                "write_s": written, "mb": target.stat().st_size / 2**20,
            }  # fmt: skip
            for name, statements in asked.items():
                taken = []
                for _ in range(repeat):
                    before = cpu_seconds()
                    listed = statements(sql.scan([target], target))
                    for statement in listed:
                        con.execute(statement).fetchall()
                    taken.append((cpu_seconds() - before) / len(listed) * 1e3)
                figures[name] = median(taken)
            yield figures


def render_markdown(results: Mapping[str, Any]) -> str:
    """Write a line per layout."""
    found = results["layouts"]
    asked = [name for name in found[0] if name.endswith(", ms")]
    head = ["rows ordered by", "row group", "groups", "MB", "read and write, CPU s", *asked]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    lines += [
        [one["order"], f"{one['row_group']:,}", str(one["groups"]), f"{one['mb']:.1f}", f"{one['write_s']:.1f}",
         *(f"{one[name]:.0f}" for name in asked)]
        for one in found
    ]  # fmt: skip
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    title = f"### A day of {results['events']:,} events; CPU, median of {results['repeat']} reads"
    return f"{title}; at {results['commit']}\n\n{table}\n\n{results['machine']}; {results['versions']}.\n"


@app.command()
def main(
    messages: Annotated[int, typer.Option(min=1, help="About how many messages the day has.")] = 1_000_000,
    repeat: Annotated[int, typer.Option(min=1, help="Read so often.")] = 5,
    events: Annotated[Path | None, typer.Option(help="A canonical file that is there, instead of a new one.")] = None,
    out: Annotated[Path, typer.Option(help="JSON of all figures.")] = Path("layout.json"),
    work: Annotated[Path | None, typer.Option(help="Folder for logs, kept there, and all that is written.")] = None,
    readme: Annotated[bool, typer.Option(help="Put the table into benchmarks/README.md.")] = False,
) -> None:
    """Compare layouts of one day's canonical events."""
    folder = (work or Path(tempfile.gettempdir()) / "bloodhound-benchmarks").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        scratch = Path(name)
        day = events or canonical_day(simulate_logs(folder / "logs", messages, 1), scratch)
        found = []
        for figures in compare(day, scratch, repeat):
            found.append(figures)
            screen.print(figures)
        results = {
            "events": pq.ParquetFile(day).metadata.num_rows, "repeat": repeat, "layouts": found, **describe_machine()
        }  # fmt: skip
    out.write_text(json.dumps(results, indent=2) + "\n")
    if readme:
        write_between(render_markdown(results), BEGIN, END, README)


if __name__ == "__main__":
    app()
