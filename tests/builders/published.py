"""A published warehouse of rows that a test names: the marts as dbt describes them, empty where nothing is said."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from builders.facts import facts_of
from etl.warehouse.page import definitions

Row = dict[str, Any]
FIRST = date(2026, 3, 1)


def publish(path: Path, rows: Mapping[str, Iterable[Row]]) -> Path:
    """Write the warehouse; columns and types are those of dbt's contracts, what a row leaves out is null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as con:
        con.execute("set timezone = 'UTC'")
        for schema in definitions.SCHEMAS:
            con.execute(f"create schema {schema}")
        for table, model in definitions.described().items():
            columns = ", ".join(
                f'"{name}" {column["data_type"] or "varchar"}' for name, column in model["columns"].items()
            )
            con.execute(f"create table {table} ({columns})")
            given = list(rows.get(table, ()))
            if given:
                names = list(dict.fromkeys(name for row in given for name in row))
                con.register("given", pa.Table.from_pylist([{name: row.get(name) for name in names} for row in given]))
                con.execute(f"insert into {table} by name select * from given")
                con.unregister("given")
    return path


def days(count: int) -> list[date]:
    return [FIRST + timedelta(number) for number in range(count)]


LAST, BEFORE = slice(-14, None), slice(-28, -14)
"""Of the shop's thirty days those that the page shows at first, and those it compares them with."""


def total(rows: list[Row], name: str, part: slice) -> float:
    dates = days(30)[part]
    return sum(row[name] for row in rows if row["date"] in dates)


def kpi(day: date, scale: float, **more: Any) -> Row:
    """A day's KPIs; 98 of 100 pixel hits are matched unless said otherwise."""
    sessions, orders = round(100 * scale), round(4 * scale)
    return {
        "date": day, "day_count": 1, "is_complete": True, "is_witnessed": True, "is_revenue_complete": True,
        "visitors": round(80 * scale), "new_visitors": round(30 * scale),
        "sessions": sessions, "bounces": round(40 * scale), "sessions_with_order": orders, "page_views": 3 * sessions,
        "orders": orders, "revenue": orders * 25.5, "average_session_seconds": 90.0, "pixel_hits": round(200 * scale),
        "matched": round(196 * scale), "completeness": 0.98, "page_views_estimated": 306.0 * scale,
        "page_views_low": 305.0 * scale, "page_views_high": 307.0 * scale, "page_views_dependent_high": 430.0 * scale,
    } | more  # fmt: skip


UNSEEN = dict.fromkeys(
    ("completeness", "page_views_estimated", "page_views_low", "page_views_high", "page_views_dependent_high")
) | {
    "pixel_hits": 0, "matched": 0, "is_witnessed": False,
}  # fmt: skip
"""KPIs of what no pixel witnesses."""
ADDED = ("visitors", "new_visitors", "sessions", "bounces", "sessions_with_order", "page_views", "orders", "revenue",
         "pixel_hits", "matched")  # fmt: skip
CHANNELS = (("Direct", 0.5), ("Paid Search", 0.3), ("Email", 0.2))
COUNTRIES = (("DE", 0.6), ("US", 0.4))
MODELS = ("first_touch", "last_touch", "last_non_direct", "linear", "position_based", "time_decay", "markov")


def campaign(day: date, name: str | None, model: str, source: str = "google", **more: Any) -> Row:
    return {
        "date": day, "model": model, "channel": "Paid Search", "source": source, "medium": "cpc", "campaign": name,
        "sessions": 10, "impressions": 1000, "clicks": 12, "cost": 20.0, "is_cost_complete": True,
        "conversions": 1.0, "revenue": 51.0, "maturity": 1.0,
    } | more  # fmt: skip


def shop(count: int = 30, names: Iterable[str | None] = ("spring", "brand")) -> dict[str, list[Row]]:
    """A shop's marts: web and an app, three channels, two countries, a weak tracker on one day."""
    dates = days(count)
    bad_day = dates[-2:][0]
    grow = {day: 1 + number / 50 for number, day in enumerate(dates)}
    by = "executive.kpi_daily_by_"
    platforms = [
        row
        for day in dates
        for row in (
            kpi(day, grow[day] * 0.7, platform="desktop_web"),
            kpi(day, grow[day] * 0.3, platform="ios", **UNSEEN),
        )
    ]
    return {
        "metrics.facts": facts_of(platforms, channel=CHANNELS, country=COUNTRIES),
        "executive.kpi_daily": [
            kpi(day, grow[day]) | {name: sum(row[name] for row in platforms if row["date"] == day) for name in ADDED}
            for day in dates
        ],
        f"{by}platform": platforms,
        f"{by}channel": [
            kpi(day, grow[day] * share, channel=channel)
            for day in dates
            for channel, share in CHANNELS
        ],
        f"{by}country": [
            kpi(day, grow[day] * share, country=country)
            for day in dates
            for country, share in COUNTRIES
        ],
        "traffic.pages_daily": [
            {
                "date": day, "app_id": "shop", "platform": "desktop_web", "url_host": "shop.example", "url_path": path,
                "views": views, "visitors": views, "entries": views // 2, "exits": views // 3, "bounces": views // 8,
                "seconds_on_page": views * 10.0, "pixel_hits": views, "matched": views - 1, "is_complete": True,
            }
            for day in dates
            for path, views in (("/", 90), ("/dogs", 60), ("/dogs/lead", 24))
        ],
        "traffic.referrers_daily": [
            {
                "date": day, "app_id": "shop", "platform": "desktop_web", "referrer_host": host, "source": source,
                "medium": medium, "sessions": sessions, "visitors": sessions, "is_complete": True,
            }
            for day in dates
            for host, source, medium, sessions in (
                (None, "(direct)", "(none)", 40), ("www.google.com", "google", "organic", 30),
                ("blog.example", "blog.example", "referral", 5),
            )
        ],
        "traffic.technology_daily": [
            {
                "date": day, "app_id": "shop", "platform": "desktop_web", "device_class": device, "browser": browser,
                "os": system, "sessions": sessions, "visitors": sessions, "page_views": 3 * sessions,
                "is_complete": True,
            }
            for day in dates
            for device, browser, system, sessions in (
                ("desktop", "Firefox", "Windows", 50), ("phone", "Mobile Safari", "iOS", 25),
            )
        ],
        "traffic.visitors_daily": [
            {
                "date": day, "app_id": "shop", "platform": "desktop_web", "country": country, "visitor_kind": kind,
                "sessions": sessions, "visitors": sessions, "bounces": sessions // 3, "is_complete": True,
            }
            for day in dates
            for country, kind, sessions in (("DE", "new", 40), ("US", "returning", 20), ("US", "customer", 15))
        ],
        "traffic.hours": [
            {
                "date": day, "hour": hour, "app_id": "shop", "platform": "desktop_web", "sessions": hour,
                "page_views": 3 * hour, "is_complete": True,
            }
            for day in dates
            for hour in range(24)
        ],
        "traffic.bots_daily": [
            {
                "date": day, "app_id": "shop", "platform": "desktop_web", "is_excluded": False,
                "bot_reason": "declared", "browser": "Googlebot", "sessions": 5, "visitors": 1, "page_views": 40,
                "is_complete": True,
            }
            for day in dates
        ],
        "product.funnel": [
            {"date": day, "funnel": "purchase", "step_number": number, "step": step, "sessions": sessions}
            for day in dates
            for number, step, sessions in ((1, "visit", 100), (2, "cart", 20), (3, "order", 4))
        ],
        "marketing.channel_performance": [
            campaign(day, name, model, revenue=51.0 + 10 * number, cost=20.0 + 15 * (day > dates[len(dates) // 2]))
            for day in dates[-14:]
            for number, model in enumerate(MODELS)
            for name in names
        ],
        "marketing.assists": [
            {"month": dates[0].replace(day=1), "model": "linear", "channel": channel, "assisted": 2, "last": 9}
            for channel, _ in CHANNELS
        ],
        "marketing.journey_lengths": [
            {"conversion": "order", "month": dates[0].replace(day=1), "measure": measure, "length": length,
             "conversions": 10 - length}
            for measure in ("days", "touches")
            for length in (1, 2, 8)
        ],
        "marketing.new_customers": [
            {"month": dates[0].replace(day=1), "channel": "Paid Search", "campaign": name, "persons": 20, "cost": 90.0,
             "is_cost_complete": True}
            for name in names
        ],
        "marketing.cohorts": [
            {"first_month": dates[0].replace(day=1), "first_channel": "Direct", "months_since": since, "persons": 400,
             "orders": 20 - since, "revenue": 500.0}
            for since in range(3)
        ],
        "marketing.campaign_loss": [
            {
                "date": day, "channel": "Paid Search", "source": "google", "medium": "cpc", "campaign": name,
                "sessions": 30, "lost_visits": 10, "blind_share": 0.25, "pixel_hits": 100, "only_pixel": 20,
                "event_loss_rate": 0.2,
            }
            for day in dates[-14:]
            for name in names
        ],
        "product.feature_usage": [
            {
                "week_date": date(2026, 2, 23) + timedelta(7 * week), "feature": feature, "is_complete": 0 < week < 4,
                "active_persons": 500, "user_count": 50 + week, "adoption_rate": (50 + week) / 500, "uses": 70,
                "uses_per_user": 1.4, "new_users": 20, "returning_users": 10, "retention_rate": 0.2 if week else None,
            }
            for week in range(5)
            for feature in ("search", "wishlist")
        ],
        "product.experiment_lift": [
            {
                "experiment": name, "metric": "conversion_rate", "variant": "b", "control": "control", "visitors": 5000,
                "control_visitors": 5000, "lift": 0.07, "always_valid_low": low, "always_valid_high": 0.12,
                "srm_p_value": srm, "verdict": verdict, "multiple_exposure_share": 0.0, "has_multiple_exposures": False,
                "duration_days": 14.6, "detectable_lift": 0.05, **plan,
            }
            for name, low, srm, verdict, plan in (
                ("button", 0.01, 0.4, "higher", {
                    "role": "goal", "minimal_lift": 0.04, "power": 0.62, "visitors_needed": 15999.5,
                    "days_needed": 22.4,
                }),
                ("banner", -0.03, 0.6, "undecided", {"role": "guardrail", "guardrail": "harmed"}),
                ("split", 0.02, 0.00001, "sample ratio mismatch", {"role": None}),
            )
        ],
        "quality.loss_daily": [
            {
                "date": day, "app_id": "shop", "platform": "desktop_web", "pixel_hits": 200, "event_page_views": 198,
                "matched": 196 - bad, "only_pixel": 4 + bad, "only_event": 2, "status": "error" if bad else "ok",
            }
            for day in dates
            for bad in ([30] if day == bad_day else [0])
        ],
        "quality.loss_by_cause": [
            {"date": day, "platform": "desktop_web", "step_number": n, "cause": cause, "messages": messages}
            for day in dates
            for n, cause, messages in (
                (1, "sent", 1000), (2, "lost_before_collector", -12), (3, "rejected", -2), (4, "late", 0),
                (5, "duplicate", -20), (6, "unexplained", -3), (7, "bot", -60), (8, "counted", 903),
            )
        ],
        "quality.loss_by_dimension": [
            {
                "date": day, "app_id": "shop", "platform": "desktop_web", "dimension": dimension,
                "dimension_value": value, "pixel_hits": 100, "only_pixel": lost,
            }
            for day in dates
            for dimension, value, lost in (
                ("browser", "Chrome", 1), ("browser", "Firefox", 3), ("country", "DE", 4), ("tracker", "bh-js/3", 4),
                ("channel", "Direct", 4), ("campaign", "(none)", 4), ("landing_page", "shop.example/", 4),
            )
        ],
        "quality.checks": [
            {
                "check": "event_loss", "scope": f"{day} shop desktop_web", "value": 0.02, "threshold": 0.02,
                "status": "error" if day == bad_day else "ok", "owner": "tracking", "hint": "Look at it",
                "date": day, "app_id": "shop", "platform": "desktop_web",
            }
            for day in dates
        ]
        + [{"check": "access_loss", "scope": "all", "status": "unknown", "owner": "tracking", "hint": "No log"}],
        "quality.incidents": [
            {
                "incident_id": "1", "check": "event_loss", "app_id": "shop", "platform": "desktop_web",
                "first_date": bad_day, "last_date": bad_day, "status": "error", "worst_value": 0.17,
                "threshold": 0.05, "owner": "tracking", "hint": "Look at it", "is_ongoing": False,
            }
        ],
        "quality.message_gaps": [
            {
                "date": day, "app_id": "shop", "platform": "desktop_web", "tracker": "bh-js/3.1.0", "expected": 1000,
                "received": 988, "rejected": 2, "lost": 10, "restarts": 1,
            }
            for day in dates
        ],
        "quality.ledger": [
            {
                "source_file": "events/a.jsonl", "inbox_folder": "events", "status": "landed", "lines": 100,
                "bad_lines": 0, "messages": 300, "accepted": 290, "duplicates": 8, "quarantined": 2, "balance": 0,
            }
        ],
    }  # fmt: skip
