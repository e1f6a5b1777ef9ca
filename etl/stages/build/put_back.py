"""Put back: rows of days whose events are gone, into the tables that would be made of these events.

A model says by `sealed_by` which of its columns is the day. What was kept is how it stood when the events went; only
exclusions are asked anew, so that one that comes later, or goes, holds for sealed days too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import duckdb

from etl.lake import sealed, sql
from etl.lake.catalogue import Lake
from etl.lake.fingerprint import digest
from etl.lake.manifests import Nothing
from etl.stages.build.plan import Node

KINDS = {"visitor": "visitor_id", "user": "user_id", "session": "session_id"}
"""Exclusions that sealed rows can be asked for, and by which column: whose address it was is not known any more."""


@dataclass(frozen=True)
class Kept:
    """Sealed rows: of the days before one, by table, in SQL."""

    before: str
    scans: Mapping[str, str]


def read_kept(con: duckdb.DuckDBPyConnection, lake: Lake) -> Kept | None:
    """Make ready to put sealed rows back: who is excluded now is named in tables of the connection."""
    before = sealed.edge(lake).rows_before
    if not before:
        return None
    scans = {table: sealed.scan(lake, parts) for table, parts in sealed.by_table(lake).items()}
    rules = [
        part for commit in lake.commits("exclusions", Nothing) for part in commit.parts if part.dataset == "exclusions"
    ]
    con.execute(
        "create or replace temp table kept_rules as select distinct kind, value, since, until"
        f" from {lake.scan('exclusions', rules)} where kind in ({sql.texts(KINDS)})"
    )
    of_kinds = " union ".join(
        f"select session_id from {scans[sealed.SPEAKERS]} as spoken inner join kept_rules as rule"
        f" on rule.kind = '{kind}' and rule.value = spoken.{column} where session_id is not null"
        " and (since is null or last_at >= since) and (until is null or first_at < until)"
        for kind, column in KINDS.items()
    )
    con.execute(f"create or replace temp table kept_excluded as {of_kinds}")
    return Kept(before, scans)


def statements(con: duckdb.DuckDBPyConnection, kept: Kept, node: Node) -> Iterator[str]:
    """Say in SQL how sealed rows take the place of what a model has made of their days.

    Of a model that is built some days at a time those of the days that were built.
    """
    day = f"cast({sql.name(node.sealed_by)} as date)"
    chosen = f"{day} < date '{kept.before}'"
    if node.kind == "days":
        chosen += f" and (getvariable('built_days') is null or list_contains(getvariable('built_days'), {day}))"
    yield f"delete from {node.relation} where {chosen}"
    if node.name in kept.scans:
        made = [name for name, *_ in con.execute(f"describe {node.relation}").fetchall()]
        known = {name for name, *_ in con.execute(f"describe from {kept.scans[node.name]}").fetchall()}
        columns = [name for name in made if name in known]
        listed = ", ".join(excluded(columns) if name == "is_excluded" else f"one.{sql.name(name)}" for name in columns)
        yield f"insert into {node.relation} by name select {listed} from {kept.scans[node.name]} as one where {chosen}"


def excluded(columns: list[str]) -> str:
    """Say in SQL whether a row is excluded now: for good, with its session, or as an event by what it says."""
    of_session = "one.is_excluded or one.session_id in (select session_id from kept_excluded)"
    moment = next((name for name in ("event_at", "viewed_from") if name in columns), None)
    if moment is None:
        return f"({of_session}) as is_excluded"
    of_event = " or ".join(
        f"exists (select 1 from kept_rules as rule where rule.kind = '{kind}' and rule.value = one.{column}"
        f" and (rule.since is null or one.{moment} >= rule.since)"
        f" and (rule.until is null or one.{moment} < rule.until))"
        for kind, column in KINDS.items() if column in columns
    )  # fmt: skip
    if moment == "event_at":
        return f"(one.is_excluded or {of_event}) as is_excluded"
    return f"({of_session} or (one.session_id is null and ({of_event}))) as is_excluded"


def identity(lake: Lake) -> str:
    """Name what decides sealed rows once they are there: what was erased of them, and exclusions."""
    if not sealed.edge(lake).rows_before:
        return ""
    rules = sorted(commit.identity(part) for commit in lake.commits("exclusions", Nothing) for part in commit.parts
                   if part.dataset == "exclusions")  # fmt: skip
    return digest(sealed.erased(lake), rules)
