"""Put the page together: frames, compiled charts, Vega, the page's own script and style, one file.

The page asks nobody for anything. Its Content-Security-Policy allows exactly the two scripts and the style in it, by
their hashes, and no `eval`: Vega's expressions are interpreted. Whatever clients sent is text in a JSON block, and
becomes text in the document.
"""

import base64
import hashlib
import html
import json
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import vl_convert

from etl.lake.fingerprint import digest
from etl.lake.kept import kept
from etl.warehouse.page import business, definitions, features, frames, health, loss, marketing, traffic
from etl.warehouse.page.charts import CONFIG, Panel

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("format.js", "state.js", "view.js", "business.js", "traffic.js", "marketing.js", "features.js", "loss.js",
           "health.js", "main.js")  # fmt: skip
VEGA_LITE = "6.4"
MAKER = ("vl-convert-python", version("vl-convert-python"), VEGA_LITE)
"""What compiles the charts: it takes seconds, of which nothing follows from the data."""
TABS: dict[str, tuple[str, ModuleType]] = {
    "traffic": ("Traffic", traffic),
    "business": ("Business", business),
    "marketing": ("Marketing", marketing),
    "features": ("Features & experiments", features),
    "loss": ("Data loss", loss),
    "health": ("Tracking health", health),
}
NEEDS = {
    "business": ("send orders", "select 1 from executive.kpi_daily where orders > 0 limit 1"),
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
HEADLINES = (
    "executive.kpi_daily.bounce_rate", "executive.kpi_daily.new_visitors",
    "executive.kpi_daily.revenue", "executive.kpi_daily.orders", "executive.kpi_daily.conversion_rate",
    "executive.kpi_daily.visitors", "executive.kpi_daily.sessions", "executive.kpi_daily.page_views",
    "executive.kpi_daily.page_views_estimated", "executive.kpi_daily.completeness", "quality.checks.status",
    "quality.loss_daily.event_loss_rate", "quality.loss_daily.estimated_page_views", "quality.message_gaps.loss_rate",
    "quality.ledger.balance", "quality.silence.missed", "quality.quarantine.reason",
    "marketing.channel_performance.cost", "marketing.channel_performance.revenue",
    "marketing.channel_performance.return_on_ad_spend", "marketing.channel_performance.cost_per_acquisition",
    "marketing.channel_performance.conversions", "marketing.channel_performance.channel",
    "marketing.channel_performance.clicks", "product.feature_usage.adoption_rate", "product.experiment_lift.verdict",
    "product.feature_usage.active_persons", "product.funnel.sessions",
)  # fmt: skip
"""What the cards above the panels show."""


def render(con: duckdb.DuckDBPyConnection, *, published_at: datetime, currency: str, time_zone: str) -> str:
    """Make the page of an open published warehouse: the tabs that it has data for, and what the others would need."""
    absent = [tab for tab, (_, query) in NEEDS.items() if not con.execute(query).fetchall()]
    content = {
        "meta": describe(con) | {
            "published_at": published_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M"),
            "currency": currency, "time_zone": time_zone, "window_days": frames.DAYS, "target": loss.target(con),
            "absent": [{"title": TABS[tab][0], "how": NEEDS[tab][0]} for tab in absent],
        },
        "frames": read_frames(con),
        "tabs": [
            {"id": tab, "title": title, "panels": [panel.described() for panel in module.panels()]}
            for tab, (title, module) in TABS.items()
            if tab not in absent
        ],
        "specs": specs(),
        "definitions": definitions.look_up(
            [*HEADLINES, *(column.definition for panel in all_panels() for column in panel.columns)]
        ),
    }  # fmt: skip
    return assemble(content)


def read_frames(con: duckdb.DuckDBPyConnection) -> dict[str, frames.Frame]:
    """Read what all tabs show; each frame has one name."""
    found: dict[str, frames.Frame] = {}
    for _, module in TABS.values():
        made = frames.encode_all(module.read(con))
        assert found.keys().isdisjoint(made), f"{module.__name__}: {sorted(found.keys() & made.keys())}"
        found |= made
    return found


def describe(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Say of the warehouse what stands on every tab."""
    first, last = con.execute("select min(date), max(date) from executive.kpi_daily").fetchall()[0]
    checks = con.execute("select status, count(*) from quality.checks group by 1").fetchall()
    ((sealed,),) = con.execute("select max(date) from quality.sealed_days").fetchall()
    return {
        "first_day": frames.plain(first), "last_day": frames.plain(last), "sealed_through": frames.plain(sealed),
        "checks": dict(checks),
    }  # fmt: skip


def all_panels() -> list[Panel]:
    """List the panels of all tabs."""
    return [panel for _, module in TABS.values() for panel in module.panels()]


@lru_cache
def specs() -> dict[str, Any]:
    """Compile the panels' charts to Vega, so that the page carries no compiler."""
    charts = {panel.id: panel.spec for panel in all_panels() if panel.spec}

    def compiled() -> str:
        return json.dumps(
            {
                name: vl_convert.vegalite_to_vega(spec, vl_version=VEGA_LITE, config=CONFIG)
                for name, spec in charts.items()
            }
        )

    made: dict[str, Any] = json.loads(kept("page", digest(MAKER, "charts", json.dumps([charts, CONFIG])), compiled))
    return made


@lru_cache
def vega() -> str:
    """Bundle Vega with its interpreter, out of vl-convert: no network. The bundle's own `vega` is null in 1.9."""
    script = "window.vegaEmbed = vegaEmbed;"
    return kept(
        "page", digest(MAKER, "library", script),
        lambda: vl_convert.javascript_bundle(script, vl_version=VEGA_LITE),
    )  # fmt: skip


def assemble(content: dict[str, Any]) -> str:
    """Write the document around its content."""
    style = (ASSETS / "page.css").read_text()
    script = "'use strict';\n(() => {\n" + "\n".join((ASSETS / name).read_text() for name in SCRIPTS) + "\n})();\n"
    library = vega()
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {source_of(library)} {source_of(script)}",
            f"style-src {source_of(style)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    parts = {
        "POLICY": html.escape(policy, quote=True).replace("&#x27;", "'"),
        "STYLE": style,
        "LIBRARY": library,
        "SCRIPT": script,
        # Last: what clients sent may look like one of these marks, and is never looked at again.
        "CONTENT": in_script(content),
    }
    page = (ASSETS / "page.html").read_text()
    for name, text in parts.items():
        before, mark, after = page.partition(f"%%{name}%%")
        assert mark, name
        page = before + text + after
    return page


def in_script(content: Any) -> str:
    """Write JSON that cannot end the script element it stands in, whatever a campaign is called."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def source_of(text: str) -> str:
    """Name an inline script or style in the policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
