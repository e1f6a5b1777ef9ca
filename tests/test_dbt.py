"""The dbt project on small lakes that can be checked by hand."""

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import ModelNode

from etl.stages.build.sources import Source, create_views
from etl.stages.build.stage import failed_node, relation_of
from etl.vocabulary import columns as schemas
from etl.vocabulary.thresholds import read_thresholds
from etl.warehouse.page import definitions

PROJECT = Path(__file__).resolve().parent.parent / "dbt_project"
REFERENCE_DATA = PROJECT.parent.parent / "shared" / "data"

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
}
PARTITIONS = {"events": "event_date", "messages": "event_date", "pixel_hits": "hit_date"}


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

    lake: Path
    database: Path
    manifest: Manifest
    dbt: Callable[..., Any]

    def fill(self, **datasets: list[Row]) -> None:
        """Write a lake that holds just these rows."""
        shutil.rmtree(self.lake, ignore_errors=True)
        for name, schema in DATASETS.items():
            self.write(f"schemas/{name}.parquet", schema.empty_table())
        self.write("thresholds/all.parquet", read_thresholds(PROJECT.parent / "conf" / "thresholds.toml"))
        for name, rows in datasets.items():
            key = PARTITIONS.get(name)
            for day in sorted({row[key] for row in rows}) if key else ["all"]:
                part = [row for row in rows if not key or row[key] == day]
                table = pa.Table.from_pylist(part, schema=DATASETS[name])
                folder = f"{name}/{key}={day}" if key else name
                self.write(f"{folder}/part.parquet", table.drop_columns([key]) if key else table)

    def write(self, path: str, table: pa.Table) -> None:
        """Write one Parquet file of the lake."""
        target = self.lake / path
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, target)

    def build(self, *arguments: str, fresh: bool = True, **variables: Any) -> None:
        """Build all models and run all tests, or what the arguments say; nothing may fail."""
        if fresh:
            self.database.unlink(missing_ok=True)
        views = {name: Source(sorted((self.lake / name).rglob("*.parquet")), PARTITIONS.get(name)) for name in DATASETS}
        with duckdb.connect(str(self.database)) as connection:
            create_views(connection, views, self.lake / "schemas")
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


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Parse the project once, and lend one place for lake and database."""
    root = tmp_path_factory.mktemp("dbt")
    environment = {
        "BLOODHOUND_BUILD_DB": str(root / "build.duckdb"),
        "DBT_TARGET_PATH": str(root / "target"),
        "DBT_LOG_PATH": str(root / "logs"),
    }
    folders = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--quiet"]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        manifest = dbtRunner().invoke(["parse", *folders]).result
        assert isinstance(manifest, Manifest)

        def dbt(*arguments: str) -> Any:
            # A manifest that is used again takes what it once compiled of ephemeral models for what it is to compile.
            for node in manifest.nodes.values():
                if isinstance(node, ModelNode):
                    node.compiled, node.extra_ctes, node.extra_ctes_injected = False, [], False
            return dbtRunner(manifest=manifest).invoke([*arguments, *folders])

        yield Warehouse(root / "lake", root / "build.duckdb", manifest, dbt)


def reference_cases(name: str) -> list[dict[str, str]]:
    """Read published cases that are not part of the project; only CI insists on them."""
    path = REFERENCE_DATA / name
    if not path.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{path} is missing")
        pytest.skip(f"{path} is missing")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


# A shop's three days. Anna comes by a campaign, logs in later and buys; Ben only looks; a bot looks
# a lot; Carla is excluded; an app user buys; the pixel misses one page and the tracker another.

ANNA_1 = visit(
    "anna",
    "2026-03-01 10:00",
    "/a /b /a!",
    landing_utm_source="google",
    landing_utm_medium="cpc",
    landing_utm_campaign="spring",
)
ANNA_2 = visit("anna", "2026-03-02 09:00", "/a", user="u-anna")
ANNA_3 = visit("anna-phone", "2026-03-03 09:00", "/a /b", user="u-anna", platform="mobile_web")
BEN = visit(
    "ben",
    "2026-03-01 23:59:30",
    "/a /b",
    landing_referrer="https://www.google.co.uk/",
    landing_referrer_host="www.google.co.uk",
    landing_referrer_domain="google.co.uk",
)
BOT = visit("bot", "2026-03-01 12:00", "/a /b /c", is_bot=True, bot_reason="rate")
BOT[1]["bot_reason"] = "declared"
CARLA = visit("carla", "2026-03-01 13:00", "/a")
CARLA[0]["is_excluded"] = True
APP = visit("app", "2026-03-03 12:00", "/a /b /c", platform="ios")
ORDERS = [
    order("o1", "2026-03-03 09:01:30", "anna-phone", "100.01", session_id=ANNA_3[0]["session_id"]),
    order("o1", "2026-03-03 09:01:00", "anna-phone", "99.00", platform="mobile_web"),
    order("o2", "2026-03-03 12:01:00", "app", "7.5", session_id=APP[0]["session_id"]),
    order("o3", "2026-03-03 18:00:00", "ben", "20"),
    order("o4", "2026-03-01 12:01:00", "bot", "999", session_id=BOT[0]["session_id"]),
    order("o5", "2026-03-03 18:00:00", "stranger", "5"),
]
SHOP = [*ANNA_1, *ANNA_2, *ANNA_3, *BEN, *BOT, *CARLA, *APP, *ORDERS]
LOST = {"visitor_id": "dora", "app_id": "shop", "platform": "desktop_web", "page_id": "lost"}
SHOP_HITS = [
    *hits(*ANNA_1[:2], *ANNA_2, *BEN, *BOT, *CARLA),
    *hits(ANNA_1[0], app_id="later copy", hit_at=moment("2026-03-01 10:05")),
    *hits(event(**LOST, event_id="lost", event_at=moment("2026-03-01 10:30"))),
    *hits(
        event(
            **LOST | {"page_id": "botlost", "visitor_id": "bot"},
            event_id="botlost",
            event_at=moment("2026-03-01 12:30"),
        )
    ),
    *hits(
        event(**LOST | {"page_id": "ua"}, event_id="ua", event_at=moment("2026-03-01 12:30")),
        ua_bot_reason="declared",
    ),
]
LEDGER = {
    "files": [
        {
            "source_file": "events/a.jsonl",
            "source": "events",
            "file_id": 1,
            "status": "landed",
            "lines": 3,
            "bad_lines": 0,
            "messages": 5,
            "valid": 4,
            "quarantined": 1,
        }
    ],
    "event_counts": [
        {
            "file_id": 1,
            "source_file": "events/a.jsonl",
            "accepted": 2,
            "duplicates": 1,
            "collisions": 1,
            "event_date": date(2026, 3, 1),
        }
    ],
    "quarantine": [
        {
            "source_file": "events/a.jsonl",
            "line_number": 2,
            "position": 0,
            "reason": "unknown_schema",
            "detail": "x",
            "payload": "{}",
            "received_at": moment("2026-03-01 10:00"),
            "file_id": 1,
        }
    ],
}


@pytest.fixture(scope="module")
def shop(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the shop with all tests, and keep a copy of the database."""
    warehouse.fill(events=SHOP, pixel_hits=SHOP_HITS, **LEDGER)
    warehouse.build()
    kept = tmp_path_factory.mktemp("shop") / "shop.duckdb"
    shutil.copy(warehouse.database, kept)
    return kept


@pytest.fixture
def in_shop(shop: Path) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
    """Query the shop."""
    with duckdb.connect(str(shop), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        yield lambda sql: connection.execute(sql).fetchall()


Query = Callable[[str], list[tuple[Any, ...]]]


def test_sessions_count_views_without_repeats_and_orders_once(in_shop: Query) -> None:
    """GIVEN the shop THEN each session's figures are those one counts by hand."""
    rows = in_shop("""
        select visitor_id, page_view_count, event_count, order_count, revenue, duration_seconds
        from core.sessions where not is_bot and not is_excluded order by visitor_id, started_at
    """)
    assert rows == [
        ("anna", 2, 3, 0, 0, 120.0),
        ("anna", 1, 1, 0, 0, 0.0),
        ("anna-phone", 2, 3, 1, Decimal("100.01"), 60.0),
        ("app", 3, 4, 1, Decimal("7.5"), 120.0),
        ("ben", 2, 2, 0, 0, 60.0),
    ]


def test_later_login_names_the_earlier_session(in_shop: Query) -> None:
    """GIVEN a login the day after THEN the sessions on both devices are one person's."""
    rows = in_shop("""
        select person_id, visit_number, is_new_visitor, channel from core.sessions
        where visitor_id like 'anna%' order by started_at
    """)
    assert rows == [
        ("u-anna", 1, True, "Paid Search"),
        ("u-anna", 2, False, "Direct"),
        ("u-anna", 3, False, "Direct"),
    ]


def test_login_after_more_than_thirty_days_is_used_only_backwards(warehouse: Warehouse) -> None:
    """GIVEN logins before and after THEN the next in 30 days wins, else the latest before."""
    warehouse.fill(
        events=[
            *visit("far", "2026-03-01 10:00", user=None),
            *visit("far", "2026-04-01 10:00", user="late"),
            *visit("far", "2026-04-02 10:00", user=None),
            *visit("near", "2026-03-01 10:00", user="before"),
            *visit("near", "2026-03-02 10:00", user=None),
            *visit("near", "2026-04-01 10:00", user="after"),
        ]
    )
    warehouse.run("--select", "+int_persons_stitched")
    rows = warehouse.query("select session_id, person_id from intermediate.int_persons_stitched")
    persons = {(session.split("-")[0], session): person for session, person in rows}
    assert [persons[key] for key in sorted(persons)] == [
        "far",
        "late",
        "late",
        "before",
        "after",
        "after",
    ]


def test_backend_copy_of_an_order_is_preferred(in_shop: Query) -> None:
    """GIVEN an earlier browser's copy with another amount THEN the backend's counts."""
    assert in_shop("select revenue, platform from core.orders where order_id = 'o1'") == [
        (Decimal("100.01"), "backend")
    ]


def test_order_without_session_belongs_to_its_visitors_person(in_shop: Query) -> None:
    """GIVEN orders outside any session THEN their person is the visitor's."""
    rows = in_shop("""
        select order_id, person_id, session_id from core.orders
        where session_id is null order by order_id
    """)
    assert rows == [("o3", "ben", None), ("o5", "stranger", None)]


def test_seconds_on_page_skip_repeats(in_shop: Query) -> None:
    """GIVEN two views and a repeat THEN the last counted view has no time on page."""
    rows = in_shop("""
        select url_path, page_number, seconds_on_page, is_repeat, is_landing
        from core.page_views where session_id like 'anna-17723%' order by viewed_at
    """)
    assert rows[:3] == [
        ("/a", 1, 60.0, False, True),
        ("/b", 2, None, False, False),
        ("/a", None, None, True, False),
    ]


def test_first_rule_in_order_names_the_bot(in_shop: Query) -> None:
    """GIVEN events flagged by two rules THEN the session carries the first of the order."""
    assert in_shop("select is_bot, bot_reason from core.sessions where visitor_id = 'bot'") == [(True, "declared")]


def test_kpi_counts_people_on_the_day_their_sessions_start(in_shop: Query) -> None:
    """GIVEN a session over midnight THEN it counts on the first day, its last view on the next."""
    rows = in_shop("""
        select date, visitors, new_visitors, sessions, page_views, orders, revenue, conversion_rate
        from executive.kpi_daily order by date
    """)
    assert rows == [
        (date(2026, 3, 1), 2, 2, 2, 3, 0, 0, 0.0),
        (date(2026, 3, 2), 1, 0, 1, 2, 0, 0, 0.0),
        (date(2026, 3, 3), 2, 1, 2, 5, 4, Decimal("132.51"), 1.0),
    ]


def test_loss_leaves_bots_out_on_both_sides(in_shop: Query) -> None:
    """GIVEN a lost page, bots' pages and a copy of a hit THEN one of three hits is a loss."""
    rows = in_shop("""
        select hour::varchar, platform, pixel_hits, event_page_views, matched, status
        from quality.loss_hourly order by hour, platform
    """)
    assert rows == [
        ("2026-03-01 10:00:00+00", "desktop_web", 3, 2, 2, "error"),
        ("2026-03-01 13:00:00+00", "desktop_web", 1, 1, 1, "ok"),
        ("2026-03-01 23:00:00+00", "desktop_web", 1, 1, 1, "ok"),
        ("2026-03-02 00:00:00+00", "desktop_web", 1, 1, 1, "ok"),
        ("2026-03-02 09:00:00+00", "desktop_web", 1, 1, 1, "ok"),
        ("2026-03-03 09:00:00+00", "mobile_web", 0, 2, 0, "unknown"),
    ]


def test_chapman_estimate_is_the_textbooks(in_shop: Query) -> None:
    """GIVEN 5 hits, 4 events, 4 matched THEN 6 x 5 / 5 - 1 = 5; without hits it is unknown."""
    rows = in_shop("""
        select completeness, page_views_estimated, page_views_low, page_views_high
        from executive.kpi_daily order by date
    """)
    assert rows[0] == (0.8, 5.0, 5.0, 5.0)
    assert rows[2] == (None, None, None, None)


def test_checks_say_unknown_where_the_pixel_saw_nothing(in_shop: Query) -> None:
    """GIVEN a platform without pixel hits THEN its loss is unknown, not ok."""
    rows = in_shop("""
        select scope, status from quality.checks where "check" = 'event_loss' order by scope
    """)
    assert rows == [
        ("2026-03-01 shop desktop_web", "warn"),
        ("2026-03-02 shop desktop_web", "ok"),
        ("2026-03-03 shop mobile_web", "unknown"),
    ]


def test_every_model_shares_an_order_out_whole(in_shop: Query) -> None:
    """GIVEN an order after three touches THEN each model credits as the textbooks say."""
    rows = in_shop("""
        select model, list(round(credit, 3) order by touched_at),
            list(revenue_credit::varchar order by touched_at)
        from marketing.attribution where order_id = 'o1' group by model order by model
    """)
    decay = [2 ** (-hours / 168) for hours in (47 + 1.5 / 60, 24 + 1.5 / 60, 1.5 / 60)]
    shares = [round(weight / sum(decay), 3) for weight in decay]
    credits_by_model = {model: shared for model, shared, _ in rows}
    assert credits_by_model == {
        "first_touch": [1.0],
        "last_touch": [1.0],
        "last_non_direct": [1.0],
        "linear": [0.333, 0.333, 0.333],
        "position_based": [0.4, 0.2, 0.4],
        "time_decay": shares,
        # Removal effects 1/3, 2/3 and, of the channel of o3, 1/3: the two of this path are due 9/4 of its two orders.
        "markov": [0.667, 0.167, 0.167],
    }
    money = {model: revenue for model, _, revenue in rows}
    assert money["linear"] == ["33.3300", "33.3400", "33.3400"]
    assert money["position_based"] == ["40.0000", "20.0000", "40.0100"]


def test_direct_visit_never_steals_credit(in_shop: Query) -> None:
    """GIVEN a campaign and two direct visits THEN last non-direct credits the campaign."""
    assert in_shop("""
        select channel, campaign from marketing.attribution
        where order_id = 'o1' and model = 'last_non_direct'
    """) == [("Paid Search", "spring")]


def test_order_without_touch_is_unattributed(in_shop: Query) -> None:
    """GIVEN a stranger's order THEN one row in every model, dated by the order."""
    rows = in_shop("""
        select count(*), min(channel), bool_and(touched_at = ordered_at), sum(revenue_credit)
        from marketing.attribution where order_id = 'o5'
    """)
    assert rows == [(7, "(unattributed)", True, 35)]


def test_ledger_balances(in_shop: Query) -> None:
    """GIVEN five messages, each in one place THEN nothing is left over."""
    assert in_shop("""
        select messages, accepted, duplicates, quarantined, balance from quality.ledger
    """) == [(5, 2, 1, 2, 0)]


CORRUPTIONS = {
    "assert_credits_of_an_order_sum_to_one": """
        update marketing.attribution set credit = credit / 2 where model = 'linear'""",
    "assert_revenue_credits_equal_revenue": """
        update marketing.attribution set revenue_credit = revenue_credit + 0.01
        where model = 'last_touch' and order_id = 'o2'""",
    "assert_spend_equals_its_files": """
        insert into marketing.spend (date, channel, currency, impressions, clicks, cost)
        values ('2026-03-01', 'Direct', 'USD', 0, 0, 0.01)""",
    "assert_performance_holds_all_spend_and_sessions": """
        delete from marketing.channel_performance
        where model = 'markov' and source = 'google' and date = date '2026-03-01'""",
    "assert_performance_holds_every_order": """
        update marketing.channel_performance set conversions = conversions + 0.01
        where model = 'linear' and channel = '(unattributed)'""",
    "assert_every_counted_order_is_attributed": """
        delete from marketing.attribution where order_id = 'o5' and model = 'linear'""",
    "assert_touches_lie_in_the_window": """
        update marketing.attribution set touched_at = ordered_at + interval 1 second
        where order_id = 'o1'""",
    "assert_kpi_days_have_no_gap": """
        delete from executive.kpi_daily where date = date '2026-03-02'""",
    "assert_kpi_sessions_are_the_counted_sessions": """
        update executive.kpi_daily set sessions = sessions + 1 where date = date '2026-03-02'""",
    "assert_kpi_revenue_is_the_counted_orders_revenue": """
        update executive.kpi_daily set revenue = revenue + 0.01 where date = date '2026-03-03'""",
    "assert_kpi_page_views_are_the_counted_page_views": """
        update executive.kpi_daily_by_channel set page_views = page_views + 1 where channel = 'Direct'""",
    "assert_kpi_visitors_are_counted_at_their_own_grain": """
        update executive.kpi_weekly set visitors = visitors + 1""",
    "assert_rates_lie_within_zero_and_one": """
        update executive.kpi_daily set bounce_rate = 1.1""",
    "assert_loss_witnesses_add_up": """
        update quality.loss_hourly set matched = matched - 1 where only_pixel = 1""",
    "assert_every_event_session_is_in_sessions": """
        delete from core.sessions where visitor_id = 'ben'""",
    "assert_visits_of_a_person_are_numbered_without_gaps": """
        update core.sessions set visit_number = 4 where visit_number = 1""",
    "assert_bot_impact_agrees_with_the_kpis": """
        update quality.bot_impact set sessions_with = sessions_with + 1 where is_flagging""",
}


def test_every_model_says_its_grain_and_what_is_published_holds_a_contract(warehouse: Warehouse) -> None:
    models = [node for node in warehouse.manifest.nodes.values() if node.resource_type == "model"]
    assert [node.name for node in models if not node.description.startswith("One row per ")] == []
    published = {node.name for node in models if node.schema not in {"staging", "intermediate"}}
    assert {node.name for node in models if node.config.contract.enforced} == published
    assert {node.schema for node in models} == {"staging", "intermediate", *definitions.SCHEMAS}


def test_every_singular_test_has_a_case_that_makes_it_fail() -> None:
    """GIVEN the project's singular tests THEN each one is in the list below."""
    assert {path.stem for path in (PROJECT / "tests").glob("*.sql")} == set(CORRUPTIONS)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corrupted_mart_is_found(warehouse: Warehouse, shop: Path, name: str) -> None:
    """GIVEN a mart with a wrong row WHEN its test runs THEN it fails."""
    warehouse.fill(events=SHOP, pixel_hits=SHOP_HITS, **LEDGER)
    shutil.copy(shop, warehouse.database)
    warehouse.execute(CORRUPTIONS[name])
    result = warehouse.invoke("test", "--select", name)
    assert [node.status for node in result.result] == ["fail"]


ROW_RULES = {
    "models.sessions: session_id repeated (2)": """
        insert into core.sessions from core.sessions where visitor_id = 'anna'""",
    "models.sessions: person_id is null (1)": """
        update core.sessions set person_id = null where visitor_id = 'ben'""",
    "models.sessions: visitor_kind unheard of (1)": """
        update core.sessions set visitor_kind = 'x' where visitor_id = 'ben'""",
    "models.kpi_daily_by_platform: date, platform repeated (4)": """
        insert into executive.kpi_daily_by_platform
        from executive.kpi_daily_by_platform where date = '2026-03-01'""",
    "models.int_sessions_totalled: session_id is null (1)": """
        update intermediate.int_sessions_totalled set session_id = null where visitor_id = 'ben'""",
}


@pytest.mark.parametrize("named", ROW_RULES)
def test_broken_rule_of_a_models_rows_is_found_and_named(
    warehouse: Warehouse, shop: Path, tmp_path: Path, named: str
) -> None:
    """GIVEN rows that break one rule WHEN rows are tested THEN that rule alone is named, and those rows are kept."""
    model = named.split(":", maxsplit=1)[0].removeprefix("models.")
    shutil.copy(shop, warehouse.database)
    warehouse.execute(ROW_RULES[named])
    (result,) = warehouse.invoke("test", "--select", f"{model},test_name:rows_hold").result
    assert result.status == "fail"
    relation = relation_of(warehouse.manifest, result.node)
    with duckdb.connect(str(warehouse.database), read_only=True) as con:
        found = failed_node(con, result, relation, tmp_path)
    kept = tmp_path / f"models.{model}.parquet"
    assert (found.name, found.reason, found.kept) == (f"models.{model}", f"{named}, rows in {kept}", kept)
    rows = pq.read_table(kept).to_pylist()
    rule = named.partition(": ")[2].rpartition(" (")[0]
    assert {row.pop("broken_rule") for row in rows} == {rule}
    # Of a key that comes twice, both rows.
    assert len(rows) == found.rows * (2 if rule.endswith("repeated") else 1)
    names = warehouse.query(f"select column_name from (describe {relation})")
    assert [(name,) for name in rows[0]] == names


def test_every_mart_has_a_key_that_is_tested(warehouse: Warehouse) -> None:
    """GIVEN the project THEN each table people query has a key that may not come twice.

    Events are the lake's, and facts are rows of three tables that have theirs.
    """
    nodes = warehouse.manifest.nodes.values()
    marts = {node.name for node in nodes if node.resource_type == "model" and node.config.contract.enforced}
    keyed = {
        node.file_key_name.removeprefix("models.")
        for node in nodes
        if node.resource_type == "test"
        and getattr(node, "test_metadata", None) is not None
        and node.test_metadata.name == "rows_hold"
        and node.test_metadata.kwargs.get("unique")
    }
    assert marts - keyed == {"events", "quarantine", "facts"}


def test_empty_lake_builds(warehouse: Warehouse) -> None:
    """GIVEN no data at all THEN every mart is there, empty, and nothing is called ok."""
    warehouse.fill()
    warehouse.build()
    for table in ("core.sessions", "core.orders", "marketing.attribution", "executive.kpi_daily"):
        assert warehouse.query(f"select count(*) from {table}") == [(0,)]
    statuses = warehouse.query("""
        select distinct status from quality.checks
        where "check" in ('event_loss', 'ledger_balance', 'files_landed')
    """)
    assert statuses == [("unknown",)]


def test_one_event_without_pixel_log_builds(warehouse: Warehouse) -> None:
    """GIVEN a single page view THEN a day with one bounce, of unknown completeness."""
    warehouse.fill(events=visit("one", "2026-03-01 10:00"))
    warehouse.build()
    rows = warehouse.query("""
        select sessions, bounce_rate, page_views, completeness, page_views_estimated, revenue,
            average_order_value from executive.kpi_daily
    """)
    assert rows == [(1, 1.0, 1, None, None, 0, None)]
    assert warehouse.query("select distinct status from quality.loss_hourly") == [("unknown",)]


def test_day_of_bots_alone_has_no_rates(warehouse: Warehouse) -> None:
    """GIVEN bots only THEN the day is a row of zeros whose rates are unknown."""
    views = visit("bot", "2026-03-01 10:00", "/a /b", is_bot=True, bot_reason="rate")
    warehouse.fill(events=views, pixel_hits=hits(*views))
    warehouse.build()
    rows = warehouse.query("""
        select sessions, visitors, page_views, bounce_rate, conversion_rate, completeness
        from executive.kpi_daily
    """)
    assert rows == [(0, 0, 0, None, None, None)]


@pytest.mark.parametrize(
    ("count_access", "with_tracker", "expected"),
    [("auto", False, 1), ("auto", True, 1), ("always", True, 2), ("never", False, 0)],
)
def test_access_log_counts_as_set(warehouse: Warehouse, count_access: str, with_tracker: bool, expected: int) -> None:
    """GIVEN views from an access log THEN they count only while nothing better is there."""
    access = visit("log", "2026-03-01 10:00", app_id="access:site", is_access=True)
    tracker = visit("anna", "2026-03-01 11:00") if with_tracker else []
    warehouse.fill(events=[*access, *tracker])
    warehouse.run("--select", "+kpi_daily", "+loss_hourly", count_access=count_access)
    assert warehouse.query("select sessions, page_views from executive.kpi_daily") == [(expected, expected)]
    assert warehouse.query("select count(*) from quality.loss_hourly") == [(int(with_tracker),)]


def test_foreign_currency_without_a_rate_is_not_added(warehouse: Warehouse) -> None:
    """GIVEN an order in euros and no rate THEN its money is not added, and a check errors."""
    warehouse.fill(
        events=[
            *visit("anna", "2026-03-01 10:00"),
            order("usd", "2026-03-01 10:01", "anna", "10"),
            order("eur", "2026-03-01 10:02", "anna", "20", currency="EUR"),
            order("odd", "2026-03-01 10:03", "anna", "a lot"),
        ]
    )
    warehouse.run("--select", "+kpi_daily", "+checks")
    assert warehouse.query("select orders, revenue from executive.kpi_daily") == [(3, 10)]
    assert warehouse.query("""
        select status, value from quality.checks
        where "check" in ('currency_rates', 'orders_with_revenue') and scope = 'orders' order by 1
    """) == [("error", 1.0), ("warn", 1.0)]
    warehouse.execute("insert into seeds.currency_rates values ('EUR', 'USD', '2026-01-01', 1.25)")
    warehouse.run("--select", "int_orders_chosen+,+kpi_daily", fresh=False)
    assert warehouse.query("select orders, revenue from executive.kpi_daily") == [(3, 35)]


TABLES = """
    select table_schema || '.' || table_name from information_schema.tables
    where table_schema in ('core', 'marketing', 'executive', 'product', 'quality')
    order by 1
"""


def contents(warehouse: Warehouse) -> dict[str, list[str]]:
    """Read every published table, in an order of its own."""
    return {table: sorted(map(str, warehouse.query(f"select * from {table}"))) for (table,) in warehouse.query(TABLES)}


def test_rebuilding_the_changed_days_equals_rebuilding_everything(warehouse: Warehouse) -> None:
    """GIVEN a late login and a day that empties THEN both ways give the same marts."""
    gone = visit("gone", "2026-03-05 10:00")
    warehouse.fill(events=[*ANNA_1, *BEN, *BOT, *ORDERS, *gone], pixel_hits=SHOP_HITS, **LEDGER)
    warehouse.run()
    warehouse.fill(events=SHOP, pixel_hits=SHOP_HITS, **LEDGER)
    changed = ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-05"]
    warehouse.run(fresh=False, days=changed)
    by_days = contents(warehouse)
    warehouse.run(fresh=False, days=[])
    assert contents(warehouse) == by_days
    warehouse.run()
    assert contents(warehouse) == by_days


def landing(number: int, **columns: Any) -> list[Row]:
    """Make a session that differs from others by its landing alone."""
    return visit(f"v{number:03}", "2026-03-01 10:00", **columns)


def test_published_channel_cases_all_agree(warehouse: Warehouse) -> None:
    """GIVEN sources, mediums and campaigns with Google's answer THEN all of ours are the same."""
    cases = reference_cases("channel_cases.csv")
    utm = ("source", "medium", "campaign")
    warehouse.fill(
        events=[
            row
            for number, case in enumerate(cases)
            for row in landing(number, **{f"utm_{name}": case[name] or None for name in utm})
        ]
    )
    warehouse.run("--select", "+int_sessions_aggregated")
    rows = warehouse.query("select channel from intermediate.int_sessions_aggregated order by visitor_id")
    wrong = [
        (case, channel) for case, (channel,) in zip(cases, rows, strict=True) if case["expected_channel"] != channel
    ]
    assert wrong == []


def host_of(url: str) -> str | None:
    """Read the host of an address; None when it has none that could be read."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


# Hosts alone decide here; this engine is told from its host's other pages by the path.
TOLD_BY_PATH = "translate.googleusercontent.com/translate_c"

REFERRER_MEDIUM = {"external (search engine)": "organic", "external (media sites)": "social"}


def test_published_referrer_cases_agree(warehouse: Warehouse) -> None:
    """GIVEN real referrers THEN engines are organic, networks social, others neither."""
    cases = [(case, host) for case in reference_cases("referrer_cases.csv") if (host := host_of(case["referer"]))]
    warehouse.fill(
        events=[
            row
            for number, (case, host) in enumerate(cases)
            for row in landing(number, referrer=case["referer"], referrer_host=host)
        ]
    )
    warehouse.run("--select", "+int_sessions_aggregated")
    rows = warehouse.query("select source, medium from intermediate.int_sessions_aggregated order by visitor_id")
    wrong = [
        (case["referer"], case["referer_class"], source, medium)
        for (case, _), (source, medium) in zip(cases, rows, strict=True)
        if REFERRER_MEDIUM.get(case["referer_class"], "referral") != medium and TOLD_BY_PATH not in case["referer"]
    ]
    assert wrong == []


LANDINGS: list[tuple[Row, tuple[Any, ...]]] = [
    ({"gclid": "x"}, ("google", "cpc", None, "Paid Search")),
    ({"msclkid": "x", "fbclid": "y"}, ("bing", "cpc", None, "Paid Search")),
    ({"fbclid": "x"}, ("facebook", "social", None, "Organic Social")),
    ({}, ("(direct)", "(none)", None, "Direct")),
    (
        {"referrer_host": "www.shop.example", "referrer_domain": "shop.example"},
        ("(direct)", "(none)", None, "Direct"),
    ),
    ({"referrer_host": "pay.example.net"}, ("(direct)", "(none)", None, "Direct")),
    (
        {"referrer_host": "blog.example.org", "referrer_domain": "example.org"},
        ("blog.example.org", "referral", None, "Referral"),
    ),
    (
        {"gclid": "x", "utm_source": "news", "utm_medium": "email"},
        ("news", "email", None, "Email"),
    ),
]


def test_landing_gives_the_session_its_source(warehouse: Warehouse) -> None:
    """GIVEN campaigns, click ids and referrers THEN the first that speaks decides."""
    warehouse.fill(events=[row for number, (columns, _) in enumerate(LANDINGS) for row in landing(number, **columns)])
    warehouse.run("--select", "+int_sessions_aggregated", own_hosts=["example.net"])
    rows = warehouse.query("""
        select source, medium, campaign, channel
        from intermediate.int_sessions_aggregated order by visitor_id
    """)
    assert rows == [expected for _, expected in LANDINGS]
