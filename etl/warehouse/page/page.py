"""Put the page together: frames, panels, the page's own script and style, and tables for who runs no script: one file.

The page asks nobody for anything. Its Content-Security-Policy allows exactly the script and the style in it, by their
hashes, and no `eval`. Whatever clients sent is text in a JSON block, and becomes text in the document.
"""

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb

from etl.vocabulary.annotations import Annotation
from etl.warehouse import figures
from etl.warehouse.page import business, cube, definitions, features, frames, marketing, plain, traffic, trust
from etl.warehouse.page.panels import Panel

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = (
    "format.js", "nodes.js", "data.js", "state.js", "period.js", "figure.js", "draw.js", "panel.js", "controls.js",
    "traffic.js", "business.js", "campaigns.js", "marketing.js", "features.js", "trust.js", "main.js",
)  # fmt: skip
STYLES = ("page.css", "controls.css", "drawn.css")
TABS: dict[str, tuple[str, ModuleType]] = {
    "traffic": ("Traffic", traffic),
    "business": ("Business", business),
    "marketing": ("Marketing", marketing),
    "features": ("Features & experiments", features),
    "trust": ("Trust", trust),
}
NEEDS = {
    "business": ("send orders", figures.HAS_ORDERS),
    "marketing": (
        "put the ad platforms' exports into spend/, or send orders",
        "select 1 from marketing.channel_performance where cost > 0 or conversions > 0 limit 1",
    ),
    "features": (
        "send feature_use, experiment_exposure, or what a funnel's steps are made of",
        "(select 1 from product.feature_usage limit 1) union all (select 1 from product.experiment_lift limit 1)"
        " union all (select 1 from product.funnel where step_number > 1 and sessions > 0 limit 1)",
    ),
}
"""Tabs that not every home can answer: what they need, and whether it is there."""
FIGURES = tuple(
    f"executive.kpi_daily.{name}"
    for name in ("visitors", "sessions", "page_views", "bounce_rate", "new_visitors", "revenue", "orders",
                 "conversion_rate", "average_order_value", "completeness")
) + tuple(
    f"marketing.channel_performance.{name}"
    for name in ("cost", "revenue", "conversions", "return_on_ad_spend", "cost_per_acquisition", "clicks")
) + ("quality.loss_daily.event_loss_rate", "quality.message_gaps.loss_rate", "quality.ledger.balance",
     "quality.checks.status", "marketing.new_customers.cost_per_customer")  # fmt: skip
"""What the strips of figures show."""


def render(
    con: duckdb.DuckDBPyConnection,
    *,
    published_at: datetime,
    currency: str,
    time_zone: str,
    locale: str = "en-US",
    notes: Sequence[Annotation] = (),
) -> str:
    """Make the page of an open published warehouse: the tabs that it has data for, and what the others would need.

    Args:
        locale: whose way of writing numbers, money, days and countries it has; its words are English.
        notes: what happened, by day; shown beside the figures of that day.
    """
    absent = [tab for tab, (_, query) in NEEDS.items() if not con.execute(query).fetchall()]
    found, kept = cube.read(con)
    content = {
        "meta": describe(con, time_zone) | cube.describe(kept) | {
            "published_at": published_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M"),
            "currency": currency, "time_zone": time_zone, "locale": locale, "window_days": frames.DAYS,
            "target": trust.target(con),
            "absent": [{"title": TABS[tab][0], "how": NEEDS[tab][0]} for tab in absent],
            "notes": [{"start": frames.plain(note.first), "end": frames.plain(note.last), "text": note.text}
                      for note in notes],
        },
        "frames": frames.encode_all(found) | read_frames(con, [tab for tab in TABS if tab not in absent]),
        "tabs": [
            {"id": tab, "title": title, "panels": [panel.described() for panel in module.panels()]}
            for tab, (title, module) in TABS.items()
            if tab not in absent
        ],
        "rules": figures.described(),
        "definitions": definitions.look_up(
            [*FIGURES, *(column.definition for panel in all_panels() for column in panel.columns)]
        ),
    }  # fmt: skip
    return assemble(content, plain.tables(con, currency))


def read_frames(con: duckdb.DuckDBPyConnection, tabs: Sequence[str]) -> dict[str, frames.Frame]:
    """Read what some tabs show; each frame has one name."""
    found: dict[str, frames.Frame] = {}
    for tab in tabs:
        module = TABS[tab][1]
        made = frames.encode_all(module.read(con))
        assert found.keys().isdisjoint(made), f"{module.__name__}: {sorted(found.keys() & made.keys())}"
        found |= made
    return found


def describe(con: duckdb.DuckDBPyConnection, time_zone: str) -> dict[str, Any]:
    """Say of the warehouse what stands on every tab."""
    first, last = con.execute("select min(date), max(date) from executive.kpi_daily").fetchall()[0]
    checks = con.execute("select status, count(*) from quality.checks group by 1").fetchall()
    ((sealed,),) = con.execute("select max(date) from quality.sealed_days").fetchall()
    ((newest,),) = con.execute("select timezone(?, max(received_at)) from core.events", [time_zone]).fetchall()
    return {
        "first_day": frames.plain(first), "last_day": frames.plain(last), "sealed_through": frames.plain(sealed),
        "data_to": newest and newest.strftime("%Y-%m-%d %H:%M"), "checks": dict(checks),
    }  # fmt: skip


def all_panels() -> list[Panel]:
    """List the panels of all tabs."""
    return [panel for _, module in TABS.values() for panel in module.panels()]


def assemble(content: dict[str, Any], tables: str) -> str:
    """Write the document around its content.

    Args:
        content: what the script shows.
        tables: HTML for who runs no script, escaped.
    """
    style = "".join((ASSETS / name).read_text() for name in STYLES)
    script = "'use strict';\n(() => {\n" + "\n".join((ASSETS / name).read_text() for name in SCRIPTS) + "\n})();\n"
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {source_of(script)}",
            f"style-src {source_of(style)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    parts = {
        "POLICY": html.escape(policy, quote=True).replace("&#x27;", "'"),
        "STYLE": style,
        "SCRIPT": script,
        "TABLES": tables,
        "CONTENT": in_script(content),
    }
    page = (ASSETS / "page.html").read_text()
    made = ""
    # In the order of the document: what has been put in is behind, whatever it looks like.
    for name in ("POLICY", "STYLE", "TABLES", "CONTENT", "SCRIPT"):
        before, mark, page = page.partition(f"%%{name}%%")
        assert mark, name
        made += before + parts[name]
    return made + page


def in_script(content: Any) -> str:
    """Write JSON that cannot end the script element it stands in, whatever a campaign is called."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def source_of(text: str) -> str:
    """Name an inline script or style in the policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
