"""Truth against warehouse: each page in exactly the witness set that it must be in, and nothing that nobody did."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from rich.table import Table

from collector.demo.truth import BOTH, NEITHER, PIXEL, TRACKER, Truth

SETS = {"both": BOTH, "tracker alone": TRACKER, "pixel alone": PIXEL, "nobody": NEITHER}


@dataclass
class Row:
    """A scenario in the table."""

    name: str
    expected: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)


def witnesses_of(con: duckdb.DuckDBPyConnection, home: Path) -> dict[str, set[str]]:
    """Find who saw each page id."""
    seen: dict[str, set[str]] = {}
    hits = str(home / "lake" / "pixel_hits" / "*" / "*.parquet")
    for witness, rows in {
        "tracker": con.execute(
            "select distinct page_id from core.page_views where app_id not like 'access:%'"
        ).fetchall(),
        "pixel": con.execute("select distinct page_id from read_parquet(?)", [hits]).fetchall(),
    }.items():
        for (page_id,) in rows:
            seen.setdefault(page_id, set()).add(witness)
    return seen


def judge(visits: list[Truth], home: Path) -> list[Row]:
    """Compare what was done with what is published; a row a scenario, and one of what nobody did."""
    rows: dict[str, Row] = {}
    with duckdb.connect(str(home / "warehouse" / "bloodhound.duckdb"), read_only=True) as con:
        seen = witnesses_of(con, home)
        for visit in visits:
            row = rows.setdefault(visit.name, Row(visit.name))
            judge_pages(con, visit, seen, row, home)
            judge_visit(con, visit, row)
        named = {view.page_id for visit in visits for view in visit.views}
        nameless = {page for page in seen if page not in named} - nameless_pages(con, visits, home)
        row = rows.setdefault("nobody's", Row("nobody's"))
        row.differences += [f"page {page} was seen by {seen[page]} and visited by nobody" for page in sorted(nameless)]
        judge_orders(con, visits, rows.setdefault("all orders", Row("all orders")))
        judge_access(con, visits, rows.setdefault("the shop's log", Row("the shop's log")))
    return list(rows.values())


def judge_pages(con: duckdb.DuckDBPyConnection, visit: Truth, seen: dict[str, set[str]], row: Row, home: Path) -> None:
    """Compare a visit's views, page by page."""
    unnamed = iter(sorted(nameless_pages(con, [visit], home)))
    for view in visit.views:
        found = frozenset(seen.get(view.page_id or next(unnamed, ""), ()))
        row.expected[name_of(view.witnesses)] += 1
        row.found[name_of(found)] += 1
        if found != view.witnesses:
            row.differences.append(f"{view.path}: {name_of(found)} instead of {name_of(view.witnesses)}")


def nameless_pages(con: duckdb.DuckDBPyConnection, visits: list[Truth], home: Path) -> set[str]:
    """Find pages without scripts by their visits' addresses."""
    addresses = [visit.address for visit in visits if any(not view.page_id for view in visit.views)]
    hits = str(home / "lake" / "pixel_hits" / "*" / "*.parquet")
    found = con.execute("select distinct page_id from read_parquet(?) where list_contains(?, ip)", [hits, addresses])
    return {page for (page,) in found.fetchall()}


def name_of(witnesses: frozenset[str]) -> str:
    """Name a set of witnesses."""
    return next(name for name, members in SETS.items() if members == witnesses)


def judge_visit(con: duckdb.DuckDBPyConnection, visit: Truth, row: Row) -> None:
    """Compare what a visit expects beside its pages."""
    pages = [view.page_id for view in visit.views if view.page_id]
    ((platforms, channels, bots, sessions, persons),) = con.execute(
        """
        select
            list(distinct sessions.platform order by sessions.platform),
            list(distinct sessions.channel order by sessions.channel),
            coalesce(bool_and(sessions.is_bot), false),
            count(distinct sessions.session_id),
            count(distinct sessions.person_id)
        from core.sessions
        where session_id in (select session_id from core.page_views where list_contains(?, page_id))
        """,
        [pages],
    ).fetchall()
    ((navigations, engaged),) = con.execute(
        """
        select list(navigation order by viewed_at, event_id), coalesce(max(engaged_seconds), 0)
        from core.page_views where list_contains(?, page_id)
        """,
        [pages],
    ).fetchall()
    ((events,),) = con.execute("select count(*) from core.events where ip = ?", [visit.address]).fetchall()
    ((duplicates,),) = con.execute("select coalesce(sum(duplicates), 0) from quality.ledger").fetchall()
    found: dict[str, Any] = {
        "platform": " ".join(platforms or []), "channel": " ".join(channels or []), "is_bot": bots,
        "sessions": sessions, "persons": persons, "events": events, "has_duplicates": duplicates > 0,
        "cookies": visit.cookies, "navigations": navigations, "engaged_seconds": int(engaged),
    }  # fmt: skip
    for name, wanted in visit.expected.items():
        if found[name] != wanted:
            row.differences.append(f"{name}: {found[name]!r} instead of {wanted!r}")


def judge_orders(con: duckdb.DuckDBPyConnection, visits: list[Truth], row: Row) -> None:
    """Compare orders: each once, with its revenue, in its session's hands."""
    done = {order: amount for visit in visits for order, amount in visit.orders.items()}
    orders = con.execute(
        "select order_id, cast(revenue as varchar), session_id is not null from core.orders"
    ).fetchall()
    found = {order: f"{float(amount):.2f}" for order, amount, _ in orders}
    row.differences += [f"order {order} has no session" for order, _, has_session in orders if not has_session]
    if found != done or len(orders) != len(done):
        row.differences.append(f"orders: {found} instead of {done}")


def judge_access(con: duckdb.DuckDBPyConnection, visits: list[Truth], row: Row) -> None:
    """Compare what no tracker reported, by path; what the shop's log alone has seen is in no KPI."""
    delivered: dict[str, list[bool]] = {}
    for visit in visits:
        for view in visit.views:
            if view.is_delivered:
                delivered.setdefault(view.path, []).append("tracker" in view.witnesses)
    silent = {path for path, told in delivered.items() if not any(told)}
    found = dict(
        con.execute(
            "select url_path, sum(unreported) from quality.access_loss_daily where list_contains(?, url_path)"
            " group by url_path",
            [sorted(silent)],
        ).fetchall()
    )
    row.differences += [
        f"{path}: {found.get(path, 0)} unreported instead of {len(delivered[path])}"
        for path in sorted(silent)
        if found.get(path, 0) != len(delivered[path])
    ]
    told = sum(
        "tracker" in view.witnesses for visit in visits for view in visit.views if not visit.expected.get("is_bot")
    )
    ((counted,),) = con.execute("select sum(page_views) from executive.kpi_daily").fetchall()
    if counted != told:
        row.differences.append(f"{counted} page views in the KPIs instead of the {told} that trackers told of people")


def as_table(rows: list[Row]) -> Table:
    """Put truth and warehouse side by side: truth first, where they differ the warehouse behind it."""
    table = Table(title="Truth against warehouse: pages by who saw them")
    for title in ("scenario", *SETS, "differences"):
        table.add_column(title, justify="left" if title in ("scenario", "differences") else "right")
    for row in rows:
        counts = [
            f"{row.expected[name]}"
            if row.expected[name] == row.found[name]
            else f"{row.expected[name]} ≠ {row.found[name]}"
            for name in SETS
        ]
        table.add_row(row.name, *counts, "\n".join(row.differences) or "none")
    return table
