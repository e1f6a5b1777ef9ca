"""The page's figures as plain tables, for who runs no script: days, pages, sources, campaigns, what is not green."""

import html
from typing import Any

import duckdb

TABLES = (
    ("The last 28 days", """
        select date as "Day", sessions as "Visits", visitors as "Visitors", page_views as "Page views",
            orders as "Orders", round(revenue, 2) as "Revenue",
            case when is_complete then 'yes' else 'no' end as "Whole day",
            coalesce(round(100 * completeness, 1)::varchar || ' %', 'unknown') as "Measured"
        from executive.kpi_daily order by date desc limit 28"""),
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


def tables(con: duckdb.DuckDBPyConnection) -> str:
    """Write the tables as HTML; whatever clients sent is text in it."""
    made = []
    for title, query in TABLES:
        found = con.execute(query)
        names = [column[0] for column in found.description or ()]
        rows = found.fetchall()
        if rows:
            head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in names)
            body = "".join("<tr>" + "".join(f"<td>{cell(value)}</td>" for value in row) + "</tr>" for row in rows)
            made.append(f"<h2>{title}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    return "".join(made) or "<p>There is no data yet.</p>"


def cell(value: Any) -> str:
    """Write a value as text; nothing known is a dash."""
    return "&ndash;" if value is None else html.escape(f"{value:,}" if isinstance(value, int) else str(value))
