"""Rows of a lake as dbt reads it, and the warehouse that dbt builds of them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.contracts.graph.manifest import Manifest

from etl.settings import PROJECT
from etl.stages.build.sources import name_tables
from etl.vocabulary import columns as schemas
from etl.vocabulary.thresholds import read_thresholds

DBT = PROJECT / "dbt_project"

Row = dict[str, Any]

DATASETS = {
    "events": schemas.EVENTS,
    "pixel_hits": schemas.PIXEL_HITS,
    "quarantine": schemas.QUARANTINE,
    "files": schemas.FILES,
    "event_counts": schemas.EVENT_COUNTS,
    "spend": schemas.SPEND,
    "conversions": schemas.CONVERSIONS,
    "messages": schemas.MESSAGES,
    "restatements": schemas.RESTATEMENTS,
    "thresholds": schemas.THRESHOLDS,
    "holidays": schemas.HOLIDAYS,
}


def moment(text: str) -> datetime:
    """Read "2026-03-01 10:00" (seconds optional) as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def visit(
    visitor: str,
    start: str,
    pages: str = "/",
    *,
    every: int = 60,
    user: str | None = None,
    **columns: Any,
) -> list[Row]:
    """Make one session of page views, `every` so many seconds; "/a!" is a repeat of a page view.

    Columns of the landing page alone are given as `landing_<column>`.
    """
    started = moment(start)
    landing = {name[8:]: columns.pop(name) for name in list(columns) if name.startswith("landing_")}
    session = f"{visitor}-{int(started.timestamp() * 1000)}"
    rows = []
    for number, page in enumerate(pages.split(), 1):
        path = page.rstrip("!")
        at = started + timedelta(seconds=every * (number - 1))
        row = {
            "event_id": f"{session}-{number}",
            "schema": "page_view",
            "visitor_id": visitor,
            "user_id": user,
            "event_at": at,
            "session_id": session,
            "session_date": started.date(),
            "session_event_number": number,
            "is_session_event": True,
            "page_id": f"{session}{path}",
            "url": f"https://shop.example{path}",
            "url_host": "shop.example",
            "url_path": path,
            "url_domain": "shop.example",
            "navigation": "navigate",
            "is_repeat": page.endswith("!"),
        }
        rows.append(event(**row | columns | (landing if number == 1 else {})))
    return rows


def order(order_id: str, at: str, visitor: str, revenue: Any = "10.00", **columns: Any) -> Row:
    """Make the backend's copy of an order, without a session unless one is given."""
    currency = columns.pop("currency", "USD")
    ordered_at = moment(at)
    data = {"order_id": order_id, "revenue": revenue, "currency": currency, "quantity": 1}
    return event(
        **{
            "event_id": f"{order_id}-{columns.get('platform', 'backend')}-{at}",
            "schema": "order",
            "platform": "backend",
            "visitor_id": visitor,
            "event_at": ordered_at,
            "session_date": ordered_at.date(),
            "is_session_event": False,
            "data": json.dumps(data),
        }
        | columns
    )


def event(**columns: Any) -> Row:
    """Fill up an event with what does not matter to the case."""
    event_at = columns["event_at"]
    filled: Row = {
        "request_id": "r" + columns["event_id"],
        "version": 3,
        "app_id": "shop",
        "platform": "desktop_web",
        "tracker": "bh-js/3.1.0",
        "stream_id": columns["visitor_id"],
        "message_index": columns.get("session_event_number"),
        "created_at": event_at,
        "sent_at": event_at,
        "received_at": event_at,
        "is_logged_in": columns.get("user_id") is not None,
        "is_bot": False,
        "is_excluded": False,
        "data": "{}",
        "is_access": False,
        "source_file": "events/a.jsonl",
        "line_number": 1,
        "position": 0,
        "file_id": 1,
        "event_date": event_at.date(),
    }
    return filled | columns


def hits(*events: Row, **columns: Any) -> list[Row]:
    """Make the pixel's requests for page views, a moment later."""
    return [
        {
            "hit_at": row["event_at"] + timedelta(milliseconds=300),
            "page_id": row["page_id"],
            "app_id": row["app_id"],
            "platform": row["platform"],
            "visitor_id": row["visitor_id"],
            "user_agent": "Mozilla/5.0",
            "source_file": "pixel/a.log",
            "line_number": 1,
            "file_id": 2,
            "hit_date": row["event_at"].date(),
        }
        | columns
        for row in events
    ]


@dataclass
class Warehouse:
    """A lake and the database that dbt builds from it, at one place for all tests."""

    database: Path
    manifest: Manifest
    dbt: Callable[..., Any]
    rows: dict[str, pa.Table] = field(default_factory=dict)

    def fill(self, **datasets: list[Row]) -> None:
        """Let the lake hold just these rows, and the thresholds of the project."""
        self.rows = {name: pa.Table.from_pylist(datasets.get(name, []), schema=DATASETS[name]) for name in DATASETS}
        if "thresholds" not in datasets:
            self.rows["thresholds"] = read_thresholds(PROJECT / "conf" / "thresholds.toml")

    def build(self, *arguments: str, fresh: bool = True, **variables: Any) -> None:
        """Build all models and run all tests, or what the arguments say; nothing may fail."""
        if fresh:
            self.database.unlink(missing_ok=True)
        with duckdb.connect(str(self.database)) as connection:
            name_tables(connection, self.rows)
        result = self.invoke("build", *arguments, **variables)
        failed = [node for node in result.result if node.status in ("fail", "error", "skipped")]
        assert result.success, [(node.node.name, node.message) for node in failed]

    def run(self, *arguments: str, fresh: bool = True, **variables: Any) -> None:
        """Build all models, without their tests."""
        exclude = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
        self.build(*exclude, *arguments, fresh=fresh, **variables)

    def invoke(self, command: str, *arguments: str, **variables: Any) -> Any:
        """Call dbt in this process."""
        result = self.dbt(command, *arguments, "--vars", json.dumps(variables))
        # dbt leaves the file open in this process; until it is closed others read an older state.
        DuckDBConnectionManager.close_all_connections()
        return result

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Read from what was built."""
        with duckdb.connect(str(self.database)) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(sql).fetchall()

    def execute(self, sql: str) -> None:
        """Change what was built."""
        with duckdb.connect(str(self.database)) as connection:
            connection.execute(sql)


Query = Callable[[str], list[tuple[Any, ...]]]
