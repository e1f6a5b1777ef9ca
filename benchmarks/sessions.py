"""Measure how fast sessions are cut on narrow rows, and that memory stays bounded as they grow.

    python -m benchmarks.sessions --sizes 1000000,5000000,20000000 --out sessions.json

The events are made by DuckDB, a file a size; what is measured is one process that reads the file, cuts
sessions with the pipeline's own step, and numbers page views, within the memory limit.
"""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import duckdb
import pyarrow.parquet as pq
import typer

from benchmarks.pipeline import README, Measured, describe_machine, measure, python, screen, write_between
from etl.lake import sql
from etl.lake.engine import engine
from etl.settings import Settings
from etl.stages.sessionize.steps import CUT_SESSIONS
from etl.stages.sessionize.task import DAY_US, ROUND_EVENTS

BEGIN, END = "<!-- sessions: begin -->", "<!-- sessions: end -->"
EVENTS_A_VISITOR = 20
DAY = date(2026, 3, 1)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def make_events(path: Path, events: int) -> None:
    """Write a day of narrow events: bursts of a visitor's, some tagged with a campaign, some by a backend."""
    with duckdb.connect(config={"threads": 2, "preserve_insertion_order": False}) as con:
        con.execute(
            f"""
            copy (
                select
                    cast(hash(number) % {max(events // EVENTS_A_VISITOR, 1)} as integer) as visitor,
                    1772323200000000 + cast(hash(number, 1) % 8 * 10800000000 + hash(number, 2) % 2400000000 as bigint)
                        as event_us,
                    cast(0 as integer) as tie,
                    hash(number, 3) % 50 > 0 as is_session_event,
                    hash(number, 4) % 3 = 0 as is_page_view,
                    cast(case when hash(number, 5) % 40 = 0 then hash(number, 6) % 12 end as bigint) as campaign_key,
                    cast(1 as bigint) as file_id,
                    cast(number as bigint) as message_ref
                from range({events}) as numbers (number)
            ) to {sql.text(path)} (format parquet, compression zstd, compression_level 1)
            """
        )


def cut(path: Path, memory_limit: str) -> dict[str, int]:
    """Cut the file's events into sessions and number its page views; count both."""
    settings = Settings(memory_limit=memory_limit, threads=2)
    events = sql.scan([path], path)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder, engine(settings, Path(folder)) as con:
        made = CUT_SESSIONS.run(
            con,
            {
                "accepted": f"(select * exclude (is_page_view) from {events})",
                "visitors": CUT_SESSIONS.takes["visitors"].empty_table(),
                "open_sessions": CUT_SESSIONS.takes["open_sessions"].empty_table(),
            },
            rounds=max(1, -(-pq.read_metadata(path).num_rows // ROUND_EVENTS)),
            gap_us=settings.session_gap_minutes * 60_000_000, end_us=((DAY - date(1970, 1, 1)).days + 1) * DAY_US,
        )  # fmt: skip
        views = con.execute(
            f"""
            select count(*), sum(page_number), sum(seconds_on_page)
            from (
                select
                    row_number() over session_order as page_number,
                    (lead(event_us) over session_order - event_us) / 1e6 as seconds_on_page
                from {made["event_sessions"]} as event_sessions
                inner join (
                    select visitor, file_id, message_ref, event_us from {events} where is_page_view
                ) as page_views using (file_id, message_ref)
                where session_start_us is not null
                window session_order as (partition by visitor, session_start_us order by event_us, message_ref)
            )
            """
        ).fetchall()
        sessions = con.execute(
            f"""
            select count(*)
            from (
                select distinct visitor, session_start_us
                from {made["event_sessions"]} inner join {events} using (file_id, message_ref)
            )
            """
        ).fetchall()
    return {"sessions": sessions[0][0], "page_views": views[0][0]}


def render_markdown(results: Mapping[str, Any]) -> str:
    """Write a line per size."""
    head = ("events", "wall s", "CPU s", "events/s", "CPU s a million", "peak MB")
    rows = [head, tuple("---:" for _ in head)]
    for size in sorted(results["sizes"], key=int):
        wall, cpu, peak = (
            median(repeat[key] for repeat in results["sizes"][size]) for key in ("wall", "cpu", "peak_mb")
        )
        rows.append(
            (f"{int(size):,}", f"{wall:.1f}", f"{cpu:.1f}", f"{int(size) / wall:,.0f}",
             f"{cpu / int(size) * 1e6:.2f}", f"{peak:,.0f}")
        )  # fmt: skip
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    repeats = len(next(iter(results["sizes"].values())))
    title = f"### Sessions and page views of narrow events, limit {results['memory_limit']}"
    machine = f"{results['machine']}; {results['versions']}."
    return f"{title}; median of {repeats}; at {results['commit']}\n\n{lines}\n\n{machine}\n"


@app.command()
def main(
    sizes: Annotated[str, typer.Option(help="Numbers of events, with commas.")] = "1000000,5000000,20000000",
    repeat: Annotated[int, typer.Option(min=1, help="Measure each size so often.")] = 1,
    memory_limit: Annotated[str, typer.Option(help="What DuckDB may use.")] = "1500MB",
    out: Annotated[Path, typer.Option(help="JSON of all figures.")] = Path("sessions.json"),
    work: Annotated[Path | None, typer.Option(help="Folder for the events and what is spilled.")] = None,
    readme: Annotated[bool, typer.Option(help="Put the table into benchmarks/README.md.")] = False,
) -> None:
    """Cut sessions of ever more events."""
    folder = (work or Path(tempfile.gettempdir()) / "bloodhound-benchmarks").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[Measured]] = {}
    numbers: Sequence[int] = sorted({int(word) for word in sizes.split(",")})
    for events in numbers:
        path = folder / f"narrow-events-{events}.parquet"
        if not path.exists():
            make_events(path, events)
        for _ in range(repeat):
            taken = measure(python("benchmarks.sessions", "--cut", path, memory_limit))
            found.setdefault(str(events), []).append(taken)
            screen.print(
                f"{events:>12,} events: {taken['wall']:.1f} s wall, {taken['cpu']:.1f} s CPU,"
                f" {taken['peak_mb']:,.0f} MB, {events / taken['wall']:,.0f} events/s"
            )
    results = {"sizes": found, "memory_limit": memory_limit, **describe_machine()}
    out.write_text(json.dumps(results, indent=2) + "\n")
    if readme:
        write_between(render_markdown(results), BEGIN, END, README)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--cut"]:
        print(cut(Path(sys.argv[2]), sys.argv[3]))
    else:
        app()
