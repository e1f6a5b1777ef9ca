"""The models of quality as compiled SQL, and narrow rows for them whose truth is known."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from etl.stages.build.plan import Node
from etl.stages.build.sources import name_tables
from etl.vocabulary.thresholds import read_thresholds

START = datetime(2026, 3, 1, tzinfo=UTC)
Row = dict[str, Any]


# What the models read of those that other rooms answer for.
COLUMNS = {
    "int_lake_now": "latest_received_at timestamptz",
    "int_page_views_numbered": """
        event_id varchar, page_id varchar, session_id varchar, visitor_id varchar, app_id varchar, platform varchar,
        viewed_at timestamptz, country varchar, tracker varchar, browser varchar, is_bot boolean, is_excluded boolean,
        is_repeat boolean,
        is_access boolean""",
    "int_sessions_aggregated": """
        visitor_id varchar, session_date date, started_at timestamptz, ended_at timestamptz, is_bot boolean,
        ip varchar, address_from_client boolean""",
    "int_pages_sourced": """
        seen_date date, app_id varchar, platform varchar, channel varchar, campaign varchar, is_origin_known boolean,
        landing_host varchar, landing_path varchar, pixel_hits bigint, event_page_views bigint, matched bigint""",
    "int_order_events": "order_id varchar",
    "int_orders_chosen": """
        order_id varchar, revenue double, reporting_revenue double, currency varchar""",
    "int_spend_chosen": "file_id bigint, is_chosen boolean",
}
OTHERS_CHECKS = ("int_marketing_checks", "int_visit_checks", "int_request_checks", "int_freshness_checks")
TOTALS = ("int_book_checks", "int_pixel_checks", "int_order_checks", "int_probe_checks", *OTHERS_CHECKS)
COLUMNS |= dict.fromkeys(
    OTHERS_CHECKS,
    "check_name varchar, scope varchar, check_value double, threshold double, status varchar, hint varchar",
)


@dataclass
class Models:
    """The project's models as compiled SQL, and a database in memory to run them in."""

    con: duckdb.DuckDBPyConnection
    nodes: dict[str, Node]

    def fill(self, name: str, rows: Iterable[Row] | pa.Table) -> None:
        """Let a model consist of just these rows; columns that are not given are null."""
        table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(list(rows)) if rows else None
        node = self.nodes[name]
        self.con.execute(f"create schema if not exists {node.relation.rpartition('.')[0]}")
        columns = COLUMNS.get(name) or ", ".join(f'"{column}" {kind}' for column, kind in node.columns)
        if columns:
            self.con.execute(f"create or replace table {node.relation} ({columns})")
        else:
            self.con.execute(f"create or replace table {node.relation} as select * from ({node.sql}) limit 0")
        if table is not None and table.num_rows:
            self.con.register("given", table)
            self.con.execute(f"insert into {node.relation} by name select * from given")
            self.con.unregister("given")

    def make(self, *names: str) -> None:
        """Run models in the order given."""
        for name in names:
            node = self.nodes[name]
            self.con.execute(f"create schema if not exists {node.relation.rpartition('.')[0]}")
            self.con.execute(f"create or replace table {node.relation} as {node.sql}")

    def expect(self, thresholds: Path) -> None:
        """Judge by this thresholds file."""
        self.con.execute("use build")
        name_tables(self.con, {"thresholds": read_thresholds(thresholds)})
        self.con.execute("use memory")
        self.make("stg_lake__thresholds")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self.con.execute(sql).fetchall()


def message(index: int, at: float, stream: str = "s", **columns: Any) -> Row:
    """Make an accepted message, `at` so many hours after the first of March."""
    event_at = START + timedelta(hours=at)
    return {
        "event_id": f"{stream}-{index}-{at}", "stream_id": stream, "message_index": index, "app_id": "shop",
        "platform": "ios", "tracker": "bh/1", "event_at": event_at, "received_at": event_at, "batch_position": 0,
        "event_date": event_at.date(), "message_version": 3,
    } | columns  # fmt: skip


def counted(*indexes: int, at: float = 0, stream: str = "s", step: float = 0.01) -> list[Row]:
    """Make messages of these indexes, one after the other."""
    return [message(index, at + step * number, stream) for number, index in enumerate(indexes)]


def refused(index: int, at: float, stream: str = "s", **columns: Any) -> Row:
    """Make a quarantined message that still tells its stream."""
    row = message(index, at, stream)
    kept = ("event_id", "stream_id", "message_index", "app_id", "platform", "tracker", "received_at")
    return {name: row[name] for name in kept} | {"reason": "malformed_key", "source_file": "events/a"} | columns


def counts(app_id: str, hour: int, both: int, pixel: int, event: int, platform: str = "desktop_web") -> Row:
    """Make an hour of loss_hourly."""
    return {
        "hour": START + timedelta(hours=hour), "app_id": app_id, "platform": platform, "matched": int(both),
        "pixel_hits": int(both + pixel), "event_page_views": int(both + event),
    }  # fmt: skip


def page_view(number: int, at: float, **columns: Any) -> Row:
    """Make a counted page view."""
    return {
        "event_id": f"e{number}", "page_id": f"p{number}", "session_id": f"v{number % 50}-1", "app_id": "shop",
        "visitor_id": f"v{number % 50}", "platform": "desktop_web", "viewed_at": START + timedelta(hours=at),
        "country": "US", "tracker": "bh/1", "browser": "Firefox", "is_bot": False, "is_repeat": False,
        "is_access": False,
    } | columns  # fmt: skip


def hit(view: Row, **columns: Any) -> Row:
    """Make the pixel's hit of a page view, a moment later."""
    kept = {name: view[name] for name in ("page_id", "app_id", "platform", "visitor_id", "browser")}
    at = view["viewed_at"] + timedelta(milliseconds=300)
    return kept | {"hit_at": at, "hit_date": at.date()} | columns


def viewed(number: int, path: str, **columns: Any) -> Row:
    """Make a page view of a tracker; `is_access` makes it one of the web server's log."""
    at = START + timedelta(minutes=number)
    return {
        "event_id": f"{number}-{columns.get('is_access', False)}", "schema_name": "page_view", "app_id": "shop",
        "platform": "desktop_web", "ip": "198.51.100.4", "user_agent": "Firefox", "browser": "Firefox",
        "url_path": path, "is_access": False, "event_at": at, "received_at": at, "event_date": at.date(),
        "session_date": at.date(),
    } | columns  # fmt: skip


def served(number: int, path: str, **columns: Any) -> Row:
    """Make a request in the web server's log."""
    return viewed(number, path, is_access=True, app_id="access:site", **columns)


def compare_access(models: Models, *rows: Row, bots: Iterable[str] = ()) -> list[tuple[Any, ...]]:
    """Run the third witness over page views; say path, requests and what no tracker reported."""
    models.fill("stg_lake__events", rows)
    flagged = [{"event_id": event_id, "is_bot": True, "is_access": True} for event_id in bots]
    models.fill("int_page_views_numbered", flagged)
    models.make("int_messages_hourly", "int_access_days", "access_loss_daily")
    return models.query("""
        select url_path, page_requests, unreported from build.quality.access_loss_daily order by 1
    """)


WORLD_DAYS = 5
HOURLY = 60
CHAIN = (
    "int_messages_hourly", "int_access_days", "int_stream_islands", "int_stream_runs", "int_stream_rejections",
    "message_gaps", "int_page_hits_deduplicated", "int_pages_witnessed", "loss_hourly", "loss_daily",
    "access_loss_daily", "int_hours_with_hits", "silence", "stage_balance", "int_refusals_deduplicated",
    "loss_by_cause", "ledger", "int_shares_daily", "loss_by_dimension", "int_losses_located", "int_checks_daily",
    "int_incidents_cut", "incidents", "checks",
)  # fmt: skip


@dataclass
class World:
    """Page views of one app, each an event with its stream's index and a hit, from two collectors in turn."""

    views: list[Row]
    hits: list[Row]

    @classmethod
    def make(cls) -> "World":
        views = []
        for number in range(WORLD_DAYS * 24 * HOURLY):
            view = page_view(number, number / HOURLY)
            views.append(
                view
                | {
                    "stream_id": view["visitor_id"], "message_index": number // 50,
                    "collector_host": f"t{number // 50 % 2}.example",
                }
            )  # fmt: skip
        return cls(views, [hit(view) for view in views])

    def check(
        self,
        models: Models,
        quarantine: Iterable[Row] = (),
        lost_by_parse: int = 0,
        probes: Iterable[Row] = (),
        said: Iterable[Row] = (),
    ) -> None:
        """Run all the models of quality over it, with the books that the pipeline would have kept."""
        events = [
            {
                "event_id": view["event_id"], "message_version": 3, "schema_name": "page_view", "data_json": None,
                "app_id": view["app_id"],
                "platform": view["platform"], "tracker": view["tracker"], "stream_id": view["stream_id"],
                "message_index": view["message_index"], "event_at": view["viewed_at"],
                "received_at": view["viewed_at"], "batch_position": 0, "session_id": None,
                "event_date": view["viewed_at"].date(), "session_date": view["viewed_at"].date(), "is_access": False,
                "session_event_number": 1, "is_session_event": True, "collector_host": view["collector_host"],
            }
            for view in self.views
        ] + list(said)  # fmt: skip
        days = sorted({row["event_date"] for row in events})
        models.fill("stg_lake__events", events)
        models.fill("stg_lake__quarantine", list(quarantine))
        models.fill("stg_lake__event_counts", [
            {"file_id": 1, "source_file": "events/a", "event_date": day, "app_id": "shop", "platform": "desktop_web",
             "tracker": "bh/1", "accepted_count": sum(row["event_date"] == day for row in events),
             "duplicate_count": 0, "collision_count": 0, "resent_count": 0, "resent_streamed_count": 0} for day in days
        ])  # fmt: skip
        models.fill("stg_lake__files", [
            {"file_id": 1, "source_file": "events/a", "inbox_folder": "events", "landing_status": "landed",
             "line_count": len(events), "bad_line_count": 0, "message_count": len(events) + lost_by_parse,
             "valid_count": len(events) + lost_by_parse, "quarantined_count": 0, "is_parsed": True,
             "received_date": START.date()}
        ] if events else [])  # fmt: skip
        models.fill("int_page_views_numbered", [
            {name: value for name, value in view.items()
             if name not in ("stream_id", "message_index", "collector_host")}
            for view in self.views
        ])  # fmt: skip
        models.fill("page_views", [{"event_id": row["event_id"], "viewed_at": row["event_at"]} for row in events])
        models.fill("stg_lake__pixel_hits", self.hits)
        models.fill("stg_lake__holidays", [])
        models.fill("int_lake_now", [{"latest_received_at": START + timedelta(days=WORLD_DAYS)}])
        for name in ("sessions", "orders", "int_sessions_aggregated", "int_order_events", "int_orders_chosen",
                     "int_spend_chosen", "int_pages_sourced", *OTHERS_CHECKS):  # fmt: skip
            models.fill(name, [])
        models.fill("probes", list(probes))
        models.make(*CHAIN)


def statuses(models: Models, check: str) -> dict[str, str]:
    """Say each scope's status of a check."""
    return dict(models.query(f"""select scope, status from build.quality.checks where "check" = '{check}'"""))
