"""One task of sessionizing: the events of some visitors of a day, in this process or in one of a cluster.

Visitors know nothing of each other, so that how a day is cut into shares changes no row. What a task is told it is told
whole: settings with the home's key, inputs by their files. It reads no manifest and commits nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from etl.engines.engine import attempt
from etl.enrich import addresses
from etl.formats.collector import SESSIONLESS_PLATFORMS
from etl.lake import engine, sql
from etl.lake.catalogue import Lake
from etl.lake.datasets import EVENTS_PARQUET, PARQUET
from etl.lake.days import DayParts
from etl.lake.engine import set_variables
from etl.lake.key import read_key
from etl.lake.manifests import Part
from etl.settings import Settings
from etl.stages.sessionize import steps
from etl.stages.sessionize.excluded import Rule, listed
from etl.stages.step import content_of

DAY_US = 86_400_000_000
ROUND_EVENTS = 2_000_000
"""About how many events are put in order at once: what must be sorted fits into memory, whatever a day brings."""

MOST_SORTED_EVENTS = 1_000_000
"""Of more, events are written as they are joined: with all their columns they would be sorted on disk."""


@dataclass(frozen=True)
class DayInputs:
    """What one day of events is made of, with the sessions that the day before leaves open."""

    messages: DayParts
    copies: DayParts
    fast_views: DayParts
    rules: list[Rule]
    strays: list[tuple[str, date]]
    open_sessions: list[Part] = field(default_factory=list)


@dataclass(frozen=True)
class Visitors:
    """The visitors from `low` to below `high`, in the order of their ids; without a bound, all on that side.

    Messages that are nobody's belong to the first of them.
    """

    low: str | None = None
    high: str | None = None


@dataclass(frozen=True)
class Share:
    """What one task makes of a day.

    Attributes:
        visitors: whose events; none where it only counts.
        is_counting: it counts what became of the day's messages, which is not known by visitor: a copy of a message may
            name another.
        folder: where it makes a folder of its own.
    """

    settings: Settings
    day: date
    inputs: DayInputs
    visitors: Visitors | None
    is_counting: bool
    folder: Path


@dataclass
class Sessionized:
    """What became of a share: its files, how many events there are, and what is known by its rows.

    Attributes:
        content: names the rows of `open_sessions`.
    """

    events: Path | None = None
    rows: int = 0
    open_sessions: Path | None = None
    content: str | None = None
    session_dates: set[date] = field(default_factory=set)
    event_counts: Path | None = None
    counts: dict[str, int] = field(default_factory=dict)


def sessionize_share(share: Share) -> Sessionized:
    """Make a share's files."""
    lake, inputs, folder = Lake(share.settings), share.inputs, attempt(share.folder)
    made = Sessionized()
    with engine.engine(share.settings, folder) as con:
        con.execute(f"create table copies as from {lake.scan('copies', inputs.copies.parts)}")
        if share.visitors is not None:
            name_messages(con, lake.scan("messages", inputs.messages.parts), share.visitors)
            name_open_sessions(con, lake.scan("open_sessions", inputs.open_sessions), share.visitors)
            make_events(con, share, lake.scan("fast_views", inputs.fast_views.parts), folder, made)
        if share.is_counting:
            given = {"messages": lake.scan("messages", inputs.messages.parts), "copies": "main.copies"}
            counted = steps.COUNT.run(con, given)["event_counts"]
            made.event_counts = write_counts(con, counted, folder / "event_counts.parquet")
            made.counts = total(con, counted)
    return made


def make_events(con: duckdb.DuckDBPyConnection, share: Share, fast_views: str, folder: Path, made: Sessionized) -> None:
    """Cut sessions and write events, from `given_messages`, `given_open_sessions` and `copies`."""
    given = {
        "messages": "main.given_messages", "copies": "main.copies", "open_sessions": "main.given_open_sessions",
    }  # fmt: skip
    event_sessions, left_open = assign_sessions(con, share.settings, share.day, given)
    wide = {"messages": given["messages"], "copies": given["copies"], "event_sessions": event_sessions}
    flagged = flag_events(con, share.settings, share.inputs, wide | {"fast_views": fast_views})
    made.events = folder / "events.parquet"
    made.rows = write_events(con, flagged, event_sessions, made.events)
    path = folder / "open_sessions.parquet"
    made.content = write_open_sessions(con, left_open, path)
    made.open_sessions = path if made.content else None
    made.session_dates = session_dates(con, event_sessions, given["messages"], share.day)


def name_messages(con: duckdb.DuckDBPyConnection, scan: str, visitors: Visitors) -> None:
    """Make `given_messages`, the messages of these visitors."""
    bounds = bounds_of(con, visitors)
    nobodys = f" union all select * from {scan} where visitor_id is null" if bounds and visitors.low is None else ""
    con.execute(f"create view given_messages as select * from {scan}{bounds}{nobodys}")


def name_open_sessions(con: duckdb.DuckDBPyConnection, scan: str, visitors: Visitors) -> None:
    """Make `given_open_sessions`, what the day before has left open of these visitors."""
    con.execute(f"create view given_open_sessions as select * from {scan}{bounds_of(con, visitors)}")


def bounds_of(con: duckdb.DuckDBPyConnection, visitors: Visitors) -> str:
    """Say in SQL which visitors; a plain comparison, so that a scan skips row groups of others."""
    set_variables(con, low=visitors.low, high=visitors.high)
    low = ["visitor_id >= getvariable('low')"] if visitors.low is not None else []
    high = ["visitor_id < getvariable('high')"] if visitors.high is not None else []
    return f" where {' and '.join(low + high)}" if low or high else ""


def assign_sessions(
    con: duckdb.DuckDBPyConnection, settings: Settings, day: date, given: Mapping[str, str]
) -> tuple[str, str]:
    """Find the session of each accepted message; return that relation and the one of sessions left open.

    Visitors know nothing of each other, so a large day is cut some of them at a time, instead of in sorts that spill.
    """
    numbered = steps.NUMBER.run(con, given, sessionless=list(SESSIONLESS_PLATFORMS))
    rounds = max(1, -(-count_rows(con, numbered["accepted"]) // ROUND_EVENTS))
    made = steps.CUT_SESSIONS.run(
        con, {**numbered, "open_sessions": given["open_sessions"]}, rounds=rounds,
        gap_us=settings.session_gap_minutes * 60_000_000, end_us=((day - date(1970, 1, 1)).days + 1) * DAY_US,
    )  # fmt: skip
    con.execute(f"drop table {numbered['accepted']}")
    return made["event_sessions"], made["left_open"]


def flag_events(
    con: duckdb.DuckDBPyConnection, settings: Settings, inputs: DayInputs, given: Mapping[str, str]
) -> str:  # fmt: skip
    """Say in SQL the canonical events; what excludes by address sees the whole of it, what is written what may be."""
    messages = given["messages"]
    excluded: str | pa.Table = steps.REFERENCE.empty_table()
    if inputs.rules or inputs.strays:
        found = distinct_addresses(con, messages) if any(rule.kind == "ip" for rule in inputs.rules) else []
        named = {
            "messages": messages, "event_sessions": given["event_sessions"], "rules": listed(inputs.rules, found),
            "strays": stray_table(inputs.strays),
        }  # fmt: skip
        excluded = steps.EXCLUDE.run(con, named)["excluded"]
    shown = messages
    if settings.ip_addresses != "keep":
        masked = addresses.masked(distinct_addresses(con, messages), settings.ip_addresses, read_key(settings))
        shown = steps.MASK.run(con, {"messages": messages, "shown_addresses": masked})["masked"]
    return steps.FLAG.run(con, {**given, "messages": shown, "excluded": excluded})["events"]


def stray_table(strays: Sequence[tuple[str, date]]) -> pa.Table:
    """Write stray days as rows, by whether they are those of web servers' logs."""
    rows = [{"is_access": source == "access", "received_date": day} for source, day in strays if source != "pixel"]
    return pa.Table.from_pylist(rows, schema=steps.STRAYS)


def distinct_addresses(con: duckdb.DuckDBPyConnection, messages: str) -> list[str]:
    """List the addresses that messages came from."""
    return [ip for (ip,) in con.execute(f"select distinct ip from {messages} where ip is not null").fetchall()]


def write_events(con: duckdb.DuckDBPyConnection, events: str, event_sessions: str, path: Path) -> int:
    """Write canonical events, sorted by visitor and time as far as they can be sorted in memory; return how many."""
    is_sorted = count_rows(con, event_sessions) <= MOST_SORTED_EVENTS
    order = "order by visitor_id, event_at" if is_sorted else ""
    names = ", ".join(steps.FLAG.gives["events"].names)
    # What is sorted is written in its order; else the order in which rows are ready costs least.
    con.execute(f"set preserve_insertion_order = {is_sorted}")
    written = con.execute(f"copy (select {names} from {events} {order}) to {sql.text(path)} ({EVENTS_PARQUET})")
    ((rows,),) = written.fetchall()
    con.execute("set preserve_insertion_order = false")
    return int(rows)


def write_open_sessions(con: duckdb.DuckDBPyConnection, left_open: str, path: Path) -> str | None:
    """Write the sessions that go on after midnight, and name them; None where there are none, and no file."""
    content = content_of(con, left_open)
    if content is not None:
        con.execute(f"copy (from {left_open} order by visitor_id) to {sql.text(path)} ({PARQUET})")
    return content


def write_counts(con: duckdb.DuckDBPyConnection, counted: str, path: Path) -> Path:
    """Write what became of the day's messages, in the order of the inbox."""
    order = "source_file, file_id, app_id, platform, tracker"
    con.execute(f"copy (from {counted} order by {order}) to {sql.text(path)} ({PARQUET})")
    return path


def session_dates(con: duckdb.DuckDBPyConnection, event_sessions: str, messages: str, day: date) -> set[date]:
    """Name the days on which the sessions of a day's events start; an event without one has its own day."""
    rows = con.execute(
        "select distinct coalesce(cast(make_timestamp(session_start_us) as date), $day) as session_date"
        f" from {event_sessions} union select $day from {messages} where visitor_id is null",
        {"day": day},
    ).fetchall()
    return {found for (found,) in rows}


def total(con: duckdb.DuckDBPyConnection, counted: str) -> dict[str, int]:
    """Add up what became of the day's messages."""
    names = ("accepted", "duplicates", "collisions")
    sums = ", ".join(f"cast(coalesce(sum({name}), 0) as bigint)" for name in names)
    (row,) = con.execute(f"select {sums} from {counted}").fetchall()
    return dict(zip(names, row, strict=True))


def count_rows(con: duckdb.DuckDBPyConnection, relation: str) -> int:
    """Count the rows of a relation."""
    ((count,),) = con.execute(f"select count(*) from {relation}").fetchall()
    return int(count)
