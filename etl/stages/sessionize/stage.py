"""Sessionize: the accepted messages of a day, cut into sessions, flagged, written as canonical events.

`events(d), open_sessions(d) = f(messages(d), copies(d), fast_views(d), exclusions(d), open_sessions(d - 1))`: what
is handed on is each visitor's session that was still open when the day ended. So a change travels to the next day
only as far as sessions do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from etl.enrich import addresses
from etl.formats.collector import SESSIONLESS_PLATFORMS
from etl.lake import engine, sql
from etl.lake.catalogue import Lake
from etl.lake.datasets import EVENTS_PARQUET, PARQUET
from etl.lake.days import NO_PARTS, DayParts, by_day
from etl.lake.fingerprint import Fingerprint, digest
from etl.lake.key import key_digest, read_key
from etl.lake.manifests import Comparison, Day, Nothing, Part, Reading
from etl.lake.strays import find_strays
from etl.settings import Settings
from etl.stages.sessionize import steps
from etl.stages.sessionize.excluded import Rule, listed, read_rules
from etl.stages.stage import Made, Output, Stage, Work
from etl.stages.step import content_of

LONGEST_LATENESS = timedelta(days=1)
"""An event of a day may have been received so much later than `max_lateness_days` after it."""
SESSIONIZER_VERSION = 11
DAY_US = 86_400_000_000
ROUND_EVENTS = 2_000_000
"""About how many events are put in order at once: what must be sorted fits into memory, whatever a day brings."""

MOST_SORTED_EVENTS = 1_000_000
"""A day of more is written as it is joined: with all their columns its events would be sorted on disk."""


@dataclass(frozen=True)
class DayInputs:
    """What one day of events is made of, but for the sessions that the day before leaves open."""

    messages: DayParts
    copies: DayParts
    fast_views: DayParts
    rules: list[Rule]
    strays: list[tuple[str, date]]


class Sessionize(Stage[Day]):
    """A unit is an event day."""

    name = "sessionize"
    facts = Day
    gives = ("events", "open_sessions", "event_counts")
    hands_on = "open_sessions"

    def __init__(self) -> None:
        self.inputs: dict[str, DayInputs] = {}

    def wanted(self, lake: Lake) -> Mapping[str, Fingerprint]:
        messages = by_day(lake.commits("parse", Reading), "messages")
        copies = by_day(lake.commits("deduplicate", Comparison), "copies")
        fast_views = by_day(lake.commits("fast_views", Nothing), "fast_views")
        rules, said = read_rules(lake), self.definition(lake)
        stray = sorted({(found.source, date.fromisoformat(found.day)) for found in find_strays(lake)})
        lateness = timedelta(days=lake.settings.max_lateness_days) + LONGEST_LATENESS
        self.inputs = {
            day: DayInputs(
                found, copies.get(day, NO_PARTS), fast_views.get(day, NO_PARTS),
                [rule for rule in rules if rule.overlaps(date.fromisoformat(day))],
                [one for one in stray if timedelta() <= one[1] - date.fromisoformat(day) <= lateness],
            )
            for day, found in messages.items()
        }  # fmt: skip
        return {
            day: Fingerprint(
                digest(
                    said, inputs.messages.identities, inputs.copies.identities, inputs.fast_views.identities,
                    [(rule.kind, rule.value, str(rule.since), str(rule.until)) for rule in inputs.rules],
                    *inputs.strays,
                )
            )
            for day, inputs in self.inputs.items()
        }  # fmt: skip

    def definition(self, lake: Lake) -> object:
        settings = lake.settings
        return (
            SESSIONIZER_VERSION, settings.session_gap_minutes, settings.ip_addresses,
            key_digest(settings),
        )  # fmt: skip

    def following(self, unit: str) -> str:
        return (date.fromisoformat(unit) + timedelta(days=1)).isoformat()

    def preceding(self, unit: str) -> str:
        return (date.fromisoformat(unit) - timedelta(days=1)).isoformat()

    def make(self, work: Work[Day]) -> Made[Day]:
        (day,) = work.units
        lake, inputs = work.lake, self.inputs[day]
        given = {
            "messages": lake.scan("messages", inputs.messages.parts),
            "copies": lake.scan("copies", inputs.copies.parts),
            "open_sessions": lake.scan("open_sessions", self.left_open(lake, self.preceding(day))),
        }
        with engine.engine(lake.settings, work.folder) as con:
            con.execute(f"create table copies as from {given['copies']}")
            given["copies"] = "main.copies"
            event_sessions, left_open = assign_sessions(con, lake.settings, date.fromisoformat(day), given)
            flagged = flag_events(
                con, lake.settings, inputs,
                {
                    "messages": given["messages"], "copies": given["copies"], "event_sessions": event_sessions,
                    "fast_views": lake.scan("fast_views", inputs.fast_views.parts),
                },
            )  # fmt: skip
            events = write_events(con, flagged, event_sessions, work.folder / "events.parquet")
            counted = steps.COUNT.run(con, {name: given[name] for name in ("messages", "copies")})["event_counts"]
            outputs = [
                Output("events", events, day=day),
                *write_open_sessions(con, left_open, work.folder / "open_sessions.parquet", day),
                Output("event_counts", write_counts(con, counted, work.folder / "event_counts.parquet"), day=day),
            ]
            facts = Day(session_dates(con, event_sessions, given["messages"], date.fromisoformat(day)))
            counts = total(con, counted)
        work.advance(day, 1)
        return Made(facts, outputs, {day: counts})

    def left_open(self, lake: Lake, day: str) -> list[Part]:
        """Find the sessions that a day leaves open."""
        held = lake.units(self.name, self.facts)
        return held[day][0].day_parts("open_sessions").get(day, []) if day in held else []


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
    later_views = steps.FIND_LATER_VIEWS.run(con, {name: given[name] for name in ("messages", "copies")})["later_views"]
    return steps.FLAG.run(con, {**given, "messages": shown, "excluded": excluded, "later_views": later_views})["events"]


def stray_table(strays: Sequence[tuple[str, date]]) -> pa.Table:
    """Write stray days as rows, by whether they are those of web servers' logs."""
    rows = [{"is_access": source == "access", "received_date": day} for source, day in strays if source != "pixel"]
    return pa.Table.from_pylist(rows, schema=steps.STRAYS)


def distinct_addresses(con: duckdb.DuckDBPyConnection, messages: str) -> list[str]:
    """List the addresses that messages came from."""
    return [ip for (ip,) in con.execute(f"select distinct ip from {messages} where ip is not null").fetchall()]


def write_events(con: duckdb.DuckDBPyConnection, events: str, event_sessions: str, path: Path) -> Path:
    """Write the day's canonical events, sorted by visitor and time as far as they can be sorted in memory."""
    is_sorted = count_rows(con, event_sessions) <= MOST_SORTED_EVENTS
    order = "order by visitor_id, event_at" if is_sorted else ""
    names = ", ".join(steps.FLAG.gives["events"].names)
    # What is sorted is written in its order; else the order in which rows are ready costs least.
    con.execute(f"set preserve_insertion_order = {is_sorted}")
    con.execute(f"copy (select {names} from {events} {order}) to {sql.text(path)} ({EVENTS_PARQUET})")
    con.execute("set preserve_insertion_order = false")
    return path


def write_open_sessions(con: duckdb.DuckDBPyConnection, left_open: str, path: Path, day: str) -> list[Output]:
    """Write the sessions that go on after midnight, if there are any."""
    content = content_of(con, left_open)
    if content is None:
        return []
    con.execute(f"copy (from {left_open} order by visitor_id) to {sql.text(path)} ({PARQUET})")
    return [Output("open_sessions", path, day=day, content=content)]


def write_counts(con: duckdb.DuckDBPyConnection, counted: str, path: Path) -> Path:
    """Write what became of the day's messages, in the order of the inbox."""
    order = "source_file, file_id, app_id, platform, tracker"
    con.execute(f"copy (from {counted} order by {order}) to {sql.text(path)} ({PARQUET})")
    return path


def session_dates(con: duckdb.DuckDBPyConnection, event_sessions: str, messages: str, day: date) -> list[date]:
    """List the days on which the sessions of a day's events start; an event without one has its own day."""
    rows = con.execute(
        "select distinct coalesce(cast(make_timestamp(session_start_us) as date), $day) as session_date"
        f" from {event_sessions} union select $day from {messages} where visitor_id is null order by 1",
        {"day": day},
    ).fetchall()
    return [found for (found,) in rows]


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
