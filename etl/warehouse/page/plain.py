"""The page's figures as plain tables, for who runs no script: days, pages, sources, campaigns, what is not green."""

import html
from collections.abc import Sequence
from typing import Any

import duckdb

from etl.warehouse import figures

DAYS = 28
OF_VISITS = ("sessions", "visitors", "page_views")
OF_ORDERS = ("orders", "revenue", "conversion_rate")
TABLES = (
    ("Pages of these days", """
        select coalesce(url_host || url_path, url_path) as "Page", sum(views) as "Views", sum(entries) as "Entries"
        from traffic.pages_daily where date > (select max(date) - 28 from executive.kpi_daily)
        group by 1 order by 2 desc, 1 limit 30"""),
    ("Where visits came from", """
        select source as "Source", sum(sessions) as "Visits" from traffic.referrers_daily
        where date > (select max(date) - 28 from executive.kpi_daily) group by 1 order by 2 desc, 1 limit 30"""),
    ("Campaigns, by their last visit that was not direct", """
        select channel as "Channel", source as "Source", campaign as "Campaign", round(sum(cost), 2) as "Spend",
            round(sum(conversions), 1) as "Orders", round(sum(revenue), 2) as "Revenue"
        from marketing.channel_performance
        where model = 'last_non_direct' and date > (select max(date) - 28 from executive.kpi_daily)
        group by all having sum(cost) > 0 or sum(conversions) > 0
        order by 4 desc nulls last, 6 desc nulls last, 1, 2, 3 limit 60"""),
    ("What is not green", """
        select status as "State", "check" as "Check", count(*) as "Times", max(date) as "Last day",
            any_value(hint) as "What to do" from quality.checks where status <> 'ok'
        group by 1, 2 order by status = 'error' desc, status = 'warn' desc, 2"""),
)  # fmt: skip
"""Title and query; a table of no rows is left out."""


def tables(con: duckdb.DuckDBPyConnection, currency: str) -> str:
    """Write the tables as HTML; whatever clients sent is text in it."""
    made = [table(f"The last {DAYS} days", *last_days(con, currency))]
    for title, query in TABLES:
        found = con.execute(query)
        made.append(table(title, [column[0] for column in found.description or ()], found.fetchall()))
    return "".join(made) or "<p>There is no data yet.</p>"


def last_days(con: duckdb.DuckDBPyConnection, currency: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Say the figures of the last days by the rules of all figures; of orders only where there ever was one."""
    found = con.execute(f"select * from executive.kpi_daily order by date desc limit {DAYS}")
    names = [column[0] for column in found.description or ()]
    days = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    has_orders = bool(con.execute(figures.HAS_ORDERS).fetchall())
    measures = [figures.MEASURES[name] for name in (*OF_VISITS, *(OF_ORDERS if has_orders else ()))]
    rows = [
        (
            day["date"],
            *(figures.value_words(figures.of_day(measure, day, None), currency) for measure in measures),
            "yes" if day["is_complete"] else "in part",
            figures.shown(day["completeness"], "rate"),
        )
        for day in days
    ]
    return ["Day", *(measure.title for measure in measures), "Whole day", "Measured"], rows


def table(title: str, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> str:
    """Write a table; one of no rows is left out."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in names)
    body = "".join("<tr>" + "".join(f"<td>{cell(value)}</td>" for value in row) + "</tr>" for row in rows)
    return f"<h2>{title}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def cell(value: Any) -> str:
    """Write a value as text; nothing known is a dash."""
    return "&ndash;" if value is None else html.escape(f"{value:,}" if isinstance(value, int) else str(value))
