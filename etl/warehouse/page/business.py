"""Business: what came in, whether it moved, how many there were really, where people stop."""

import duckdb
import pyarrow as pa

from etl.warehouse.page import frames
from etl.warehouse.page.panels import Column, Panel, by_day

KPI = "executive.kpi_daily"
FUNNELS = 12


def read(con: duckdb.DuckDBPyConnection) -> dict[str, pa.Table]:
    """Read the funnels, and orders by whether the person had ordered before."""
    return {
        "funnel": frames.read_newest(
            con,
            "select date, funnel, step_number, step, sessions from product.funnel where date >= $since and funnel in"
            f" (select funnel from product.funnel group by 1 order by sum(sessions) desc, 1 limit {FUNNELS})"
            " order by funnel, step_number, date",
        ),
    }


def panels() -> list[Panel]:
    """Say what the tab shows, in order."""
    return [
        by_day("figures_by_day", "money"),
        Panel(
            "really",
            "How many were there really?",
            "The pixel is a second witness. What both missed is bounded, not known.",
            [
                Column("figure", "Figure"),
                Column("measured", "Measured", "text"),
                Column("low", "At least", "text", f"{KPI}.page_views_low"),
                Column("high", "At most", "text", f"{KPI}.page_views_dependent_high"),
            ],
            drawn="bounds",
            size=4,
        ),
        Panel(
            "moved",
            "What moved",
            "Ranges hold jointly for the list, 19 times of 20; colour only where they leave nought. A row filters.",
            [
                Column("slice", "Where", "name"),
                Column("sessions", "Visits", "count", f"{KPI}.sessions", on_phone=False),
                Column("orders", "Orders", "count", f"{KPI}.orders", on_phone=False),
                Column("conversion", "Conversion", "text", f"{KPI}.conversion_rate", on_phone=False),
                Column("revenue", "Revenue", "money", f"{KPI}.revenue"),
                Column("change", "Change and its range", "moved", f"{KPI}.revenue"),
            ],
            size=8,
            sets="channel",
            rows=12,
            choice={"channel": "Channel", "country": "Country", "platform": "Platform", "browser": "Browser",
                    "visitor_kind": "New or returning"},
        ),
        Panel(
            "funnel",
            "From visit to order",
            "Visits that reached each step, and the share that went on. Not filtered.",
            [
                Column("step", "Step", "name", "product.funnel.step"),
                Column("sessions", "Visits", "bar", "product.funnel.sessions"),
                Column("step_rate", "Went on", "rate", "product.funnel.step_rate"),
            ],
            size=4,
        ),
    ]  # fmt: skip
