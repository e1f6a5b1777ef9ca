"""Freeze: what is kept of days whose events are about to go, out of the last build.

Tables of days are kept as they stand, by month. Beside them who spoke in which session, so that exclusions and
erasures reach these days; what became of each file's messages; and the edge, what the first day that stays needs of
those before.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from etl.lake import sealed, sql
from etl.lake.catalogue import Lake, write_note
from etl.lake.datasets import PARQUET
from etl.lake.fingerprint import Fingerprint, digest
from etl.lake.manifests import Commit, Comparison, Day, Nothing, Part, Unit
from etl.lake.sealed import EDGE, SPEAKERS, Kept
from etl.lake.strays import find_strays
from etl.stages.build.execute import opened
from etl.stages.build.plan import Node
from etl.stages.build.stage import Marts
from etl.stages.runner import place, remove_parts
from etl.stages.sessionize.excluded import listed, read_rules
from etl.stages.stage import Output

COUNTED = "lake.event_counts"
END = "~"
"""Behind any text that begins like a day."""
WITHOUT_PAYLOAD = "* replace (cast(null as varchar) as payload, coalesce(payload_key, md5(payload)) as payload_key)"
"""Quarantine without what its lines held: these are gone, and payloads are kept for days of their own."""
OUT = {
    "event": "(one.event_id, one.event_at) in (select (event_id, event_at) from out)",
    "session": "coalesce(one.session_id in (select session_id from out), false)",
    "views": """
        case
            when one.session_id is not null then one.session_id in (select session_id from out)
            else one.is_excluded and exists (
                from out
                where out.session_id is null and out.visitor_id is not distinct from one.visitor_id
                and out.user_id is not distinct from one.user_id
                and out.event_at >= one.viewed_from and out.event_at < one.viewed_from + interval 15 minutes
            )
        end
    """,
}
"""Whether a row is excluded for good, in SQL: by an address, by a clock, or since the collector has blocked it."""


@dataclass(frozen=True)
class Span:
    """The days that are frozen: from one, where others are already, to before another."""

    since: str
    before: str

    def holds(self, day: str) -> str:
        """Say in SQL whether a day is among them."""
        return f"({day} >= {date_of(self.since)} and {day} < {date_of(self.before)})"


def date_of(day: str) -> str:
    """Write a day in SQL; the first of all days where none is named."""
    return f"date '{day}'" if day else "date '-infinity'"


def freeze(lake: Lake, gone_before: str) -> None:
    """Write what is kept of the days before one; the edge last, and nothing holds before that is there."""
    settings, known = lake.settings, sealed.edge(lake)
    first = date.fromisoformat(gone_before)
    # Pages and hits are paired over days, and a day of another time zone begins on the day before.
    rows_before = (first + timedelta(days=settings.witness_days + 2)).isoformat()
    decided_before = (first + timedelta(days=2 * settings.max_lateness_days + 2)).isoformat()
    span = Span(known.rows_before, rows_before)
    with opened(settings) as con, lake.staging() as folder:
        now = Kept(gone_before, rows_before, decided_before)
        for month, outputs in frozen_months(con, lake, span, folder).items():
            commit(lake, month, outputs, msgspec.structs.replace(now, erased=erased_of(lake, month)))
        edge = msgspec.structs.replace(now, erased=erased_of(lake, EDGE))
        commit(lake, EDGE, list(edge_of(con, lake, edge, folder)), edge)


def commit(lake: Lake, name: str, outputs: Sequence[Output], facts: Kept) -> None:
    """Commit a month, or the edge: files in place, the manifest, and then what it replaces goes."""
    before = [one for one in sealed.commits(lake) if one.name == name]
    parts = [place(lake, name, output) for output in outputs]
    unit = Unit(Fingerprint(digest(sorted(part.sha256 for part in parts))))
    made = Commit(sealed.STAGE, name, sum(one.sequence for one in before) + 1, {name: unit}, parts, facts)
    write_note(lake.manifest_path(sealed.STAGE, name), made)
    for old in before:
        remove_parts(lake, old.parts, parts)


def erased_of(lake: Lake, name: str) -> str:
    """Name what was erased of a month so far."""
    return next((one.facts.erased for one in sealed.commits(lake) if one.name == name), "")


def frozen_months(con: duckdb.DuckDBPyConnection, lake: Lake, span: Span, folder: Path) -> dict[str, list[Output]]:
    """Write the tables' rows of some days by month, with those of the month that are kept already."""
    name_speakers(con, lake, span)
    made: dict[str, list[Output]] = {}
    for table, day, rows in tables(con, lake, span):
        of_month = f"strftime({day}, '%Y-%m')"
        con.execute(f"create or replace temp table frozen as select * from ({rows})")
        for (month,) in con.execute(f"select distinct {of_month} from frozen order by 1").fetchall():
            before = [part for part in sealed.parts_of(lake, table) if part.day == month]
            # What a run that was killed left of later days is made again.
            known = f"select * from {sealed.scan(lake, before)} where {day} < {date_of(span.since)}" if before else ""
            both = f"from frozen where {of_month} = '{month}' {'union all by name ' if known else ''}{known}"
            path = folder / f"{table}-{month}.parquet"
            con.execute(f"copy (select * from ({both}) order by all) to {sql.text(path)} ({PARQUET})")
            made.setdefault(month, []).append(Output(sealed.DATASET, path, day=month, source=table))
    for month, outputs in made.items():
        written = {output.source for output in outputs}
        for one in sealed.commits(lake):
            if one.name == month:
                outputs += [again(lake, part, folder) for part in one.parts if sealed.table_of(part) not in written]
    return dict(sorted(made.items()))


def again(lake: Lake, part: Part, folder: Path) -> Output:
    """Name a file that stays as it is as one to be placed: its bytes are its name."""
    path = folder / f"{sealed.table_of(part)}-{part.day}-again.parquet"
    shutil.copyfile(lake.path(part.path), path)
    return Output(sealed.DATASET, path, day=part.day, source=sealed.table_of(part), content=part.content)


def tables(con: duckdb.DuckDBPyConnection, lake: Lake, span: Span) -> Iterator[tuple[str, str, str]]:
    """List what is kept by month: the name of a table, its day in SQL, and its rows of some days in SQL."""
    yield SPEAKERS, "session_date", "select * from spoken"
    yield "event_counts", "event_date", f"select * from {COUNTED} where {span.holds('event_date')}"
    for node in Marts.plan(lake).nodes:
        if node.sealed_by:
            day = f"cast({sql.name(node.sealed_by)} as date)"
            yield (
                node.name,
                day,
                f"select {kept_columns(con, lake, node)} from {node.relation} as one"
                + (f" where {span.holds(day)}{'' if shows_addresses(lake) else without_addresses(node)}"),
            )


def kept_columns(con: duckdb.DuckDBPyConnection, lake: Lake, node: Node) -> str:
    """Say in SQL the columns of a table as they are kept."""
    columns = {name: kind for name, kind, *_ in con.execute(f"describe {node.relation}").fetchall()}
    changed = {name: f"cast(one.{sql.name(name)} as decimal(38, 0))" for name, kind in columns.items()
               if kind == "HUGEINT"}  # fmt: skip
    if "is_excluded" in columns:
        kind = "event" if "event_at" in columns else "views" if "viewed_from" in columns else "session"
        changed["is_excluded"] = OUT[kind]
    if "ip" in columns and not shows_addresses(lake):
        changed["ip"] = "cast(null as varchar)"
    listed = ", ".join(f"{text} as {sql.name(name)}" for name, text in changed.items())
    return f"one.* replace ({listed})" if listed else "one.*"


def shows_addresses(lake: Lake) -> bool:
    """Say whether addresses are kept: else they are not here either, whenever they go elsewhere."""
    return not lake.settings.keep_days.addresses


def without_addresses(node: Node) -> str:
    """Leave out, in SQL, rows that are an address's."""
    return " and scope <> 'address'" if node.name == "int_sessions_suspected" else ""


def name_speakers(con: duckdb.DuckDBPyConnection, lake: Lake, span: Span) -> None:
    """Make `spoken`, who spoke in the sessions of some days and beside them, and `out`, what is excluded for good."""
    theirs = f"{span.holds('session_date')} and event_date >= {date_of(span.since)}"
    found = con.execute(f"select distinct event_date from lake.events where {theirs} order by 1").fetchall()
    on = f"event_date in ({', '.join(date_of(str(day)) for (day,) in found) or date_of('')})"
    con.execute(
        f"""
        create or replace temp table spoken as
        select
            session_id, visitor_id, user_id, session_date, min(event_at) as first_at, max(event_at) as last_at
        from lake.events where {theirs} and {on} and visitor_id is not null group by all
        """
    )
    rules = [rule for rule in read_rules(lake) if rule.kind == "ip"]
    addresses = con.execute(f"select distinct ip from lake.messages where {on}").fetchall() if rules else []
    con.register("address_rules", listed(rules, [ip for (ip,) in addresses]))
    strays = [(one.source == "access", one.day) for one in find_strays(lake) if one.source != "pixel"]
    stray = " or ".join(
        f"(is_access = {is_access} and received_at::date = {date_of(day)})" for is_access, day in strays
    )
    con.execute(
        f"""
        create or replace temp table out as
        with theirs as (select * from lake.messages where {on}),
        refused as (
            select file_id, line_number, position from theirs where blocked is not null or {stray or "false"}
            union
            select file_id, line_number, position from theirs inner join address_rules on ip = value
            where (since is null or event_at >= since) and (until is null or event_at < until)
        )
        select event_id, event_at, session_id, visitor_id, user_id from lake.events
        semi join refused using (file_id, line_number, position)
        where {theirs} and {on}
        """
    )
    con.unregister("address_rules")


def edge_of(con: duckdb.DuckDBPyConnection, lake: Lake, edge: Kept, folder: Path) -> Iterator[Output]:
    """Copy what the first day that stays needs: sessions left open, views too fast to be read, verdicts on copies."""
    day_before = (date.fromisoformat(edge.gone_before) - timedelta(days=1)).isoformat()
    wanted: list[tuple[str, Sequence[Commit[Any]], str, str]] = [
        ("open_sessions", lake.commits("sessionize", Day), day_before, edge.gone_before),
        ("fast_views", lake.commits("fast_views", Nothing), edge.gone_before, edge.gone_before + END),
        ("copies", lake.commits("deduplicate", Comparison), edge.gone_before, edge.decided_before),
        ("quarantine", lake.commits("deduplicate", Comparison), "", edge.decided_before),
    ]
    for dataset, commits, since, before in wanted:
        for part in [part for one in commits for part in one.parts if part.dataset == dataset]:
            if part.day is not None and since <= part.day < before:
                path = folder / f"edge-{dataset}-{part.day}.parquet"
                columns = WITHOUT_PAYLOAD if dataset == "quarantine" else "*"
                rows = f"select {columns} from {lake.scan(dataset, [part])}"
                con.execute(f"copy ({rows}) to {sql.text(path)} ({PARQUET})")
                yield Output(sealed.DATASET, path, day=part.day, source=dataset, content=part.content)
