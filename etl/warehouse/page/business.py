"""Business: what changed, how much of reality was measured, what moved revenue, where people stop."""

import duckdb
import pyarrow as pa

from etl.warehouse.page import frames
from etl.warehouse.page.charts import (
    BLUE,
    GREEN,
    MUTED,
    RED,
    Column,
    Panel,
    band,
    chart,
    day,
    mark,
    name,
    number,
)  # fmt: skip

COUNTRIES = 15
MEASURES = """
    date, visitors, new_visitors, sessions, bounces, sessions_with_order, page_views, orders, revenue,
    average_session_seconds, is_complete, pixel_hits, matched, page_views_estimated, page_views_low, page_views_high, \
""" + ", ".join(
    f"ln((1 + {name}_change_high) / (1 + {name}_change_low)) / 3.92 as {name}_deviation"
    for name in ("revenue", "orders", "sessions", "page_views")
)
"""The day's figures; how far chance alone moves a day's change is read off its limits."""
KPI = "executive.kpi_daily"


def read(con: duckdb.DuckDBPyConnection) -> dict[str, pa.Table]:
    """Read the KPIs of each day as a whole and by each dimension alone, the funnels, the incidents.

    KPIs by two dimensions at once are in no mart, and cannot be added up (visitors), so the page has none either.
    """
    kept = f"""(
        select country from executive.kpi_daily_by_country where date >= $since
        group by 1 order by sum(sessions) desc, sum(page_views) desc, 1 limit {COUNTRIES}
    )"""
    kpis = " union all ".join(
        f"select '{dimension}' as dimension, {column} as slice, {MEASURES} from executive.{table} where {where}"
        for dimension, column, table, where in (
            ("all", "'all'", "kpi_daily", "date >= $since"),
            ("platform", "platform", "kpi_daily_by_platform", "date >= $since"),
            ("channel", "channel", "kpi_daily_by_channel", "date >= $since"),
            ("country", "country", "kpi_daily_by_country", f"date >= $since and country in {kept}"),
        )
    )
    return {
        "kpi": frames.read(con, f"{kpis} order by dimension, slice, date"),
        "funnel": frames.read(
            con,
            "select date, funnel, step_number, step, sessions from product.funnel where date >= $since"
            " and funnel in (select funnel from product.funnel group by 1 order by sum(sessions) desc, 1 limit 12)"
            " order by funnel, step_number, date",
        ),
        "incidents": frames.read(
            con,
            """
            select "check" as check_name, app_id, platform, first_date, last_date, status, worst_value, threshold,
                owner, hint, is_ongoing
            from quality.incidents where last_date >= $since
            order by status = 'error' desc, is_ongoing desc, last_date desc, incident_id limit 200
            """,
        ),
    }


def revenue_by_day() -> Panel:
    """Revenue per day."""
    return Panel(
        "revenue_by_day",
        "Revenue per day",
        "Bars: a day. Line: mean of seven days. Numbered marks: what went wrong with the data, listed below.",
        [
            Column("day", "Day", "day", f"{KPI}.date"),
            Column("revenue", "Revenue", "money", f"{KPI}.revenue"),
            Column("mean", "Mean of 7 days", "money", f"{KPI}.revenue"),
            Column("orders", "Orders", "count", f"{KPI}.orders"),
            Column("sessions", "Sessions", "count", f"{KPI}.sessions"),
            Column("visitors", "Visitors", "count", f"{KPI}.visitors"),
            Column("page_views", "Page views", "count", f"{KPI}.page_views"),
            Column("page_views_estimated", "Page views, likely true", "count", f"{KPI}.page_views_estimated"),
            Column("completeness", "Completeness", "rate", f"{KPI}.completeness"),
        ],
        chart(
            mark("bar", band() | {"y": number("revenue", None, "~s"), "y2": {"datum": 0}}, "isValid(datum.revenue)",
                 color=BLUE, opacity=0.35, cornerRadiusEnd=0),
            mark("line", {"x": day() | {"field": "middle_ms"}, "y": number("mean", None, "~s")},
                 "isValid(datum.mean)", color=BLUE, strokeWidth=2.5),
            mark("rule", {"x": day() | {"field": "incident_ms"}}, "isValid(datum.incident_ms)",
                 color=RED, strokeDash=[3, 3]),
            mark("text", {"x": day() | {"field": "incident_ms"}, "y": {"value": 0}, "text": {"field": "label"}},
                 "isValid(datum.incident_ms)", color=RED, dy=-8, fontWeight="bold"),
            height=260,
        ),
        is_wide=True,
        empty="No order in this period.",
    )  # fmt: skip


def revenue_moved() -> Panel:
    """What moved revenue."""
    moved = number("change", None, "~s", scale={"padding": 64, "nice": False})
    return Panel(
        "revenue_moved",
        "What moved revenue",
        "Change against the period before, the largest gains and losses of the whole business.",
        [
            Column("slice", "Where"),
            Column("now", "This period", "money", f"{KPI}.revenue"),
            Column("before", "Period before", "money", f"{KPI}.revenue"),
            Column("change", "Change", "money", f"{KPI}.revenue"),
        ],
        chart(
            mark("bar", {"y": name("slice"), "x": moved,
                         "color": {"condition": {"test": "datum.change < 0", "value": RED}, "value": GREEN}}),
            mark("text", {"y": name("slice"), "x": moved, "text": {"field": "words"}},
                 "datum.change >= 0", align="left", dx=4),
            mark("text", {"y": name("slice"), "x": moved, "text": {"field": "words"}},
                 "datum.change < 0", align="right", dx=-4),
            height={"step": 26},
        ),
        choice={"channel": "by channel", "country": "by country", "platform": "by platform"},
        empty="There is no whole period before to compare with: choose a shorter period.",
    )  # fmt: skip


def funnel() -> Panel:
    """From visit to purchase."""
    return Panel(
        "funnel",
        "From visit to purchase",
        "Sessions that reach each step, and the share of the step before. All platforms, countries and channels.",
        [
            Column("step", "Step", definition="product.funnel.step"),
            Column("sessions", "Sessions", "count", "product.funnel.sessions"),
            Column("step_rate", "Of the step before", "rate", "product.funnel.step_rate"),
            Column("funnel_rate", "Of the first step", "rate", "product.funnel.funnel_rate"),
        ],
        chart(
            mark("bar", {"y": name("step"), "x": number("sessions", None, "~s") | {"axis": None}},
                 color=BLUE, opacity=0.8, size=20),
            mark("text", {"y": name("step"), "x": {"value": 0}, "text": {"field": "words"}},
                 align="left", dx=4, dy=-18, color=MUTED),
            height={"step": 48},
        ),
    )  # fmt: skip


def panels() -> list[Panel]:
    """Say what the tab shows, in order."""
    return [revenue_by_day(), revenue_moved(), funnel()]
