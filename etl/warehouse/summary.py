"""The summary at the end of a run: what came in, what came out, what was lost, where to look."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import duckdb

from etl.lake.published import published

if TYPE_CHECKING:
    from etl.settings import Settings

OF_MESSAGES = "inbox_folder in ('events', 'access')"
FATES = ("messages", "accepted", "duplicates", "quarantined")
MOST_UNKNOWN = 4


def lines(settings: "Settings") -> Iterator[str]:
    """Read the published warehouse and yield the summary's lines.

    Raises:
        BadUse: nothing has been published yet.
    """
    with published(settings) as con:
        yield from came_in(con)
        yield from came_out(con)
        yield from was_lost(con)
        yield from top_channels(con)
    yield f"Warehouse      {settings.warehouse}"
    yield f"Parquet        {settings.lake}"
    page = settings.home / "report" / "index.html"
    yield f"Page           {page if page.exists() else 'not made yet: make report'}"


def came_in(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    # In the ledger rows of spend and exclusions count as messages do, and so do refused lines of the pixel's.
    (files, log_lines, spend_rows, messages, accepted, duplicates, quarantined, others, balance) = con.execute(
        f"""
        select
            count(*), sum(lines), sum(messages) filter (where inbox_folder = 'spend'),
            {", ".join(f"sum({name}) filter (where {OF_MESSAGES})" for name in FATES)},
            sum(quarantined) filter (where not coalesce({OF_MESSAGES}, false)), sum(abs(balance))
        from quality.ledger
        """
    ).fetchall()[0]
    rows = f", {spend_rows:,} rows of spend" if spend_rows else ""
    yield f"Came in        {files:,} files, {log_lines or 0:,} lines, {messages or 0:,} messages{rows}"
    books = "the books balance" if not balance else f"{balance:,} messages are UNACCOUNTED FOR"
    beside = f", {others:,} other lines quarantined" if others else ""
    yield (
        f"Messages       {accepted or 0:,} accepted, {duplicates or 0:,} duplicates, "
        f"{quarantined or 0:,} quarantined{beside}; {books}"
    )


def came_out(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    # The same days and people as in every table of KPIs, and on the page; what was left out of them is said.
    first, last, sessions, views, orders, revenue = con.execute(
        """
        select
            min(date), max(date), coalesce(sum(sessions), 0), coalesce(sum(page_views), 0), coalesce(sum(orders), 0),
            coalesce(sum(revenue), 0)
        from executive.kpi_daily
        """
    ).fetchall()[0]
    bots, excluded = con.execute(
        "select count(*) filter (is_bot), count(*) filter (is_excluded and not is_bot) from core.sessions"
    ).fetchall()[0]
    ((unrated,),) = con.execute(
        "select count(*) from core.orders where reporting_revenue is null and not is_bot and not is_excluded"
    ).fetchall()
    out = [f"{count:,} {of}" for count, of in ((bots, "sessions of bots"), (excluded, "excluded")) if count]
    beside = f"; left out: {', '.join(out)}" if out else ""
    yield f"Came out       {sessions:,} sessions, {views:,} page views{f', {first} to {last}' if first else ''}{beside}"
    money = "unknown" if orders and unrated == orders else f"{revenue:,.2f}"
    without = f"; {unrated:,} of them have no rate and are in no revenue" if unrated else ""
    yield f"Orders         {orders:,}, revenue {money}{without}"
    unknown, known = con.execute(
        """
        select count(*) filter (browser is null), count(*)
        from core.sessions where platform in ('desktop_web', 'mobile_web') and not is_bot
        """
    ).fetchall()[0]
    if unknown:
        yield f"User agents    {unknown:,} of {known:,} web sessions by browsers that nobody knows"


def was_lost(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    hits, matched, only_pixel, only_event = con.execute(
        "select sum(pixel_hits), sum(matched), sum(only_pixel), sum(only_event) from quality.loss_hourly"
    ).fetchall()[0]
    if not hits:
        yield "Loss           unknown: there is no pixel log"
    else:
        yield (
            f"Loss           {only_pixel / hits:.2%} of pixel hits have no event; "
            f"{only_event / max(matched + only_event, 1):.2%} of events have no pixel hit"
        )
    checks = dict(con.execute("select status, count(*) from quality.checks group by 1").fetchall())
    shown = ", ".join(f"{checks[status]} {status}" for status in ("ok", "warn", "error", "unknown") if status in checks)
    yield f"Checks         {shown}"
    yield from is_unknown(con)


def is_unknown(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Say of what the checks know nothing yet, and what it takes to know."""
    rows = con.execute(
        """
        select "check", count(*), arg_min(hint, (number, hint))
        from (
            select "check", hint, -count(*) over (partition by "check", hint) as number
            from quality.checks where status = 'unknown'
        )
        group by 1 order by 2 desc, 1
        """
    ).fetchall()
    if rows:
        yield "Unknown        is what there is nothing yet to judge by; no check passes for want of data"
    for check, count, hint in rows[:MOST_UNKNOWN]:
        yield f"               {count:,} {check}: {hint}"
    if rest := rows[MOST_UNKNOWN:]:
        yield f"               {sum(count for _, count, _ in rest):,} more: quality.checks where status = 'unknown'"


def top_channels(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    rows = con.execute(
        "select channel, count(*) from core.sessions where not is_bot and not is_excluded"
        " group by 1 order by 2 desc, 1 limit 5"
    ).fetchall()
    yield "Top channels   " + (", ".join(f"{channel} {count:,}" for channel, count in rows) or "none")
