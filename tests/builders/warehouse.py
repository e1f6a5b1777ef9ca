"""Rows of a lake as dbt reads it, and the warehouse that dbt builds of them."""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import yaml

from etl.errors import FailedNode
from etl.lake.datasets import DATASETS
from etl.settings import PROJECT
from etl.stages.build.execute import execute
from etl.stages.build.plan import Plan, read_plan
from etl.stages.build.sources import name_tables
from etl.vocabulary.thresholds import read_thresholds

DBT = PROJECT / "dbt_project"

Row = dict[str, Any]

SCHEMAS = {name: dataset.columns for name, dataset in DATASETS.items()}


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
    """A lake and the database that the plan of the dbt project builds from it, as a run does, at one place."""

    folder: Path
    rows: dict[str, pa.Table] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        return self.folder / "build.duckdb"

    def fill(self, **datasets: list[Row]) -> None:
        """Let the lake hold just these rows, and the thresholds of the project."""
        self.rows = {name: pa.Table.from_pylist(datasets.get(name, []), schema=SCHEMAS[name]) for name in SCHEMAS}
        if "thresholds" not in datasets:
            self.rows["thresholds"] = read_thresholds(PROJECT / "conf" / "thresholds.toml")

    def build(self, *selected: str, fresh: bool = True, tested: bool = True, **variables: Any) -> None:
        """Build all models and run all tests, or those selected, as dbt would write it; nothing may fail."""
        days = variables.pop("days", None)
        plan = compiled_plan(**variables)
        chosen = choose(plan, selected, tested)
        if fresh:
            self.database.unlink(missing_ok=True)
        else:
            chosen -= {node.name for node in plan.nodes if node.kind == "seed"}
        with self.opened() as con:
            name_tables(con, self.rows)
            outcome = execute(con, plan, days, self.folder, chosen=chosen)
        assert outcome.failed == [], outcome.failed

    def run(self, *selected: str, fresh: bool = True, **variables: Any) -> None:
        """Build all models, or those selected, without their tests."""
        self.build(*selected, fresh=fresh, tested=False, **variables)

    def test(self, *names: str, **variables: Any) -> list[FailedNode]:
        """Run tests by their names, or by those they are told by; return those that fail."""
        plan = compiled_plan(**variables)
        chosen = {node.name for node in plan.nodes if node.kind == "test" and {node.name, node.told} & {*names}}
        assert len(chosen) == len(names), names
        with self.opened() as con:
            return execute(con, plan, None, self.folder, chosen=chosen).failed

    @contextmanager
    def opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open what was built."""
        with duckdb.connect(str(self.database)) as con:
            con.execute("set timezone = 'UTC'")
            yield con

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Read from what was built."""
        with self.opened() as con:
            return con.execute(sql).fetchall()

    def execute(self, sql: str) -> None:
        """Change what was built."""
        with self.opened() as con:
            con.execute(sql)


def compiled_plan(**variables: Any) -> Plan:
    """Read the plan with the project's own variables but for these."""
    with tempfile.TemporaryDirectory() as spare:
        return read_plan(own_variables() | variables, Path(spare))


@cache
def own_variables() -> dict[str, Any]:
    """Read what the project says its variables are."""
    said: dict[str, Any] = yaml.safe_load((DBT / "dbt_project.yml").read_text())["vars"]
    del said["days"]
    return said


def choose(plan: Plan, selected: Sequence[str], tested: bool) -> set[str]:
    """Name the nodes that dbt would choose by these selectors; all without one.

    Known are `name` or a folder of models, a `+` before it (and all it needs) and behind it (and all that needs it),
    and a comma for both at once. Of tests those come whose every parent is chosen.
    """
    needs = {node.name: set(node.needs) for node in plan.nodes}
    before: dict[str, set[str]] = {}
    for node in plan.nodes:
        before[node.name] = needs[node.name].union(*(before[name] for name in needs[node.name]))

    def part(text: str) -> set[str]:
        word = text.strip("+")
        named = {node.name for node in plan.nodes if node.name == word or f"/{word}/" in f"/{node.file}"}
        assert named, text
        found = set(named)
        if text.startswith("+"):
            found = found.union(*(before[name] for name in named))
        if text.endswith("+"):
            found |= {name for name, behind in before.items() if behind & named}
        return found

    wanted = [set.intersection(*map(part, text.split(","))) for text in selected] or [set(needs)]
    chosen = set[str]().union(*wanted)
    tests = {node.name for node in plan.nodes if node.kind == "test"}
    models = chosen - tests
    return models | {name for name in tests if needs[name] <= models} if tested else models


Query = Callable[[str], list[tuple[Any, ...]]]
