"""Loss, gaps, silence and their checks: the models' own SQL on narrow rows whose truth is known."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl import lake
from etl.thresholds import read_thresholds

PROJECT = Path(__file__).resolve().parent.parent
START = datetime(2026, 3, 1, tzinfo=UTC)
Row = dict[str, Any]


# What the models read of those that other rooms answer for.
COLUMNS = {
    "int_lake_now": "latest_received_at timestamptz",
    "int_page_views_numbered": """
        event_id varchar, page_id varchar, session_id varchar, visitor_id varchar, app_id varchar, platform varchar,
        viewed_at timestamptz, country varchar, tracker varchar, browser varchar, is_bot boolean, is_repeat boolean,
        is_access boolean""",
    "int_sessions_aggregated": "visitor_id varchar, session_date date, is_bot boolean",
    "int_order_events": "order_id varchar",
    "int_orders_chosen": """
        order_id varchar, revenue double, reporting_revenue double, currency varchar""",
    "int_spend_chosen": "source_file varchar, is_chosen boolean",
    "int_marketing_checks": """
        check_name varchar, scope varchar, check_value double, threshold double, status varchar, hint varchar""",
}
MODELS = [
    *COLUMNS, "sessions", "page_views", "orders", "int_stream_islands", "int_stream_runs", "int_stream_rejections",
    "int_messages_hourly", "int_access_days", "int_shares_daily", "int_checks_daily", "int_incidents_cut",
    "int_page_hits_deduplicated", "int_pages_witnessed",
]  # fmt: skip


@dataclass
class Models:
    """The project's models as compiled SQL, and a database in memory to run them in."""

    con: duckdb.DuckDBPyConnection
    nodes: dict[str, Any]

    def fill(self, name: str, rows: Iterable[Row] | pa.Table) -> None:
        """Let a model consist of just these rows; columns that are not given are null."""
        table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(list(rows)) if rows else None
        node = self.nodes[name]
        target = f'build."{node.schema}"."{name}"'
        self.con.execute(f'create schema if not exists build."{node.schema}"')
        columns = COLUMNS.get(name) or ", ".join(
            f'"{column}" {details.data_type}' for column, details in node.columns.items() if details.data_type
        )
        if columns:
            self.con.execute(f"create or replace table {target} ({columns})")
        else:
            self.con.execute(f"create or replace table {target} as select * from ({node.compiled_code}) limit 0")
        if table is not None and table.num_rows:
            self.con.register("given", table)
            self.con.execute(f"insert into {target} by name select * from given")
            self.con.unregister("given")

    def make(self, *names: str) -> None:
        """Run models in the order given."""
        for name in names:
            node = self.nodes[name]
            self.con.execute(f'create schema if not exists build."{node.schema}"')
            self.con.execute(f'create or replace table build."{node.schema}"."{name}" as {node.compiled_code}')

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self.con.execute(sql).fetchall()


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Compile the project once, over an empty lake."""
    root = tmp_path_factory.mktemp("compiled")
    for name, schema in lake.DATASETS.items():
        path = root / "lake" / "schemas" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(schema.empty_table(), path)
    environment = {
        "BLOODHOUND_BUILD_DB": str(root / "build.duckdb"), "BLOODHOUND_LAKE": str(root / "lake"),
        "DBT_TARGET_PATH": str(root / "target"), "DBT_LOG_PATH": str(root / "logs"),
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        folders = ["--project-dir", str(PROJECT / "dbt_project"), "--profiles-dir", str(PROJECT / "dbt_project")]
        chosen = ["--select", "path:models/staging", "path:models/quality", *MODELS]
        result = dbtRunner().invoke(["compile", *folders, "--quiet", *chosen])
        DuckDBConnectionManager.close_all_connections()
        assert result.success, result.exception
        yield {node.node.name: node.node for node in result.result}


@pytest.fixture
def models(compiled: dict[str, Any]) -> Iterator[Models]:
    """An empty database to run the models in, with the thresholds of the project."""
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        con.execute("attach ':memory:' as build")
        made = Models(con, compiled)
        made.fill("stg_lake__thresholds", read_thresholds(PROJECT / "thresholds.toml"))
        yield made


# Gaps


def message(index: int, at: float, stream: str = "s", **columns: Any) -> Row:
    """Make an accepted message, `at` so many hours after the first of March."""
    event_at = START + timedelta(hours=at)
    return {
        "event_id": f"{stream}-{index}-{at}", "stream_id": stream, "message_index": index, "app_id": "shop",
        "platform": "ios", "tracker": "bh/1", "event_at": event_at, "received_at": event_at, "batch_position": 0,
        "event_date": event_at.date(),
    } | columns  # fmt: skip


def counted(*indexes: int, at: float = 0, stream: str = "s", step: float = 0.01) -> list[Row]:
    """Make messages of these indexes, one after the other."""
    return [message(index, at + step * number, stream) for number, index in enumerate(indexes)]


def refused(index: int, at: float, stream: str = "s", **columns: Any) -> Row:
    """Make a quarantined message that still tells its stream."""
    row = message(index, at, stream)
    kept = ("event_id", "stream_id", "message_index", "app_id", "platform", "tracker", "received_at")
    return {name: row[name] for name in kept} | {"reason": "malformed_key", "source_file": "events/a"} | columns


GAP_MODELS = ("int_stream_islands", "int_stream_runs", "int_stream_rejections", "message_gaps")
GAPS = """
    select date, streams, expected, received, rejected, lost, restarts
    from build.quality.message_gaps order by date
"""


def find_gaps(models: Models, messages: list[Row], quarantine: Iterable[Row] = (), now: datetime | None = None) -> None:
    """Run the gap models over these messages."""
    models.fill("stg_lake__events", messages)
    models.fill("stg_lake__quarantine", list(quarantine))
    models.fill("stg_lake__event_counts", [])
    latest = now or max((row["received_at"] for row in messages), default=None)
    models.fill("int_lake_now", [{"latest_received_at": latest}])
    models.make(*GAP_MODELS)


def test_a_gap_belongs_to_the_day_of_the_message_that_closes_it(models: Models) -> None:
    find_gaps(models, [*counted(0, 1, 2, at=23), *counted(5, 6, at=25), *counted(8, at=49)])
    assert models.query(GAPS) == [
        (date(2026, 3, 1), 1, 3, 3, 0, 0, 0),
        (date(2026, 3, 2), 1, 4, 2, 0, 2, 0),
        (date(2026, 3, 3), 1, 2, 1, 0, 1, 0),
    ]


def test_a_late_message_fills_its_gap_on_whatever_day_it_comes(models: Models) -> None:
    find_gaps(models, [*counted(0, 2, at=1), message(1, 1.005, received_at=START + timedelta(days=9))])
    assert models.query(GAPS) == [(date(2026, 3, 1), 1, 3, 3, 0, 0, 0)]


def test_an_index_that_comes_again_begins_the_next_run(models: Models) -> None:
    """GIVEN a run with a hole and after it a whole one THEN the hole stays where it was."""
    find_gaps(models, [*counted(0, 1, 3, 4, at=1), *counted(0, 1, 2, 3, 4, 5, at=30)])
    assert models.query(GAPS) == [(date(2026, 3, 1), 1, 5, 4, 0, 1, 0), (date(2026, 3, 2), 1, 6, 6, 0, 0, 1)]


def test_a_run_whose_beginning_was_lost_is_still_a_run(models: Models) -> None:
    find_gaps(models, [*counted(0, 1, 2, 3, 0, 5, 6, 7), *counted(5, 6, 7, at=2)])
    ((_, _, expected, received, _, lost, restarts),) = models.query(GAPS)
    assert (expected, received, lost, restarts) == (4 + 8 + 3, 11, 4, 2)


@pytest.mark.parametrize(("jump", "lost", "restarts"), [(10_000, 9_999, 0), (10_001, 0, 1)])
def test_a_jump_of_more_than_ten_thousand_is_another_run(models: Models, jump: int, lost: int, restarts: int) -> None:
    find_gaps(models, counted(0, 1, 1 + jump, 2 + jump))
    ((_, _, expected, received, _, found, begun),) = models.query(GAPS)
    assert (expected, received, found, begun) == (4 + lost, 4, lost, restarts)


def test_a_refused_message_is_rejected_and_not_lost(models: Models) -> None:
    """GIVEN refusals inside a gap, twice, of an accepted index and beyond the end THEN one is rejected."""
    quarantine = [
        refused(2, 0.02),
        refused(2, 0.03),
        refused(1, 0.01),
        refused(99, 0.04),
        refused(3, 1, stream="other"),
    ]
    find_gaps(models, counted(0, 1, 4), quarantine)
    assert models.query(GAPS) == [(date(2026, 3, 1), 1, 5, 3, 1, 1, 0)]


def test_a_refused_message_lies_in_the_run_that_was_going_on(models: Models) -> None:
    """GIVEN the same index missing in two runs and refused in the second THEN the second's day has it."""
    find_gaps(models, [*counted(0, 1, 3, at=1), *counted(0, 1, 3, at=30)], [refused(2, 30.015)])
    assert models.query(GAPS) == [(date(2026, 3, 1), 1, 4, 3, 0, 1, 0), (date(2026, 3, 2), 1, 4, 3, 1, 0, 1)]


def test_a_gap_is_open_until_its_messages_would_be_too_late(models: Models) -> None:
    gap = counted(0, 2)
    for days, is_open in ((29, 1), (31, 0)):
        find_gaps(models, gap, now=START + timedelta(days=days))
        assert models.query("select lost_open, lost_for_good from build.quality.message_gaps") == [
            (is_open, 1 - is_open)
        ]


def oracle(messages: list[Row]) -> dict[date, tuple[int, int]]:
    """Say expected and received of each day, message by message as the definition reads."""
    by_stream: dict[str, list[Row]] = {}
    for row in messages:
        by_stream.setdefault(row["stream_id"], []).append(row)
    days: dict[date, list[int]] = {}
    for rows in by_stream.values():
        ordered = sorted(rows, key=lambda row: (row["event_at"], row["received_at"], row["batch_position"],
                                                row["message_index"]))  # fmt: skip
        seen: dict[int, int] = {}
        runs: dict[tuple[int, int], dict[int, Row]] = {}
        number = 1
        for row in ordered:
            index = row["message_index"]
            seen[index] = seen.get(index, 0) + 1
            number = max(number, seen[index])
            layer = 1
            while index in runs.get((number, layer), {}):
                layer += 1
            runs.setdefault((number, layer), {})[index] = row
        for run in runs.values():
            before = None
            for index in sorted(run):
                day = days.setdefault(run[index]["event_date"], [0, 0])
                day[1] += 1
                day[0] += 1 if before is None or index - before > 10_000 else index - before
                before = index
    return {day: (expected, received) for day, (expected, received) in days.items()}


hostile = st.lists(
    st.builds(
        lambda index, hour, late, position, stream: message(
            index, hour, stream, received_at=START + timedelta(hours=hour + late), batch_position=position
        ),
        st.one_of(st.integers(0, 12), st.sampled_from([9_999, 10_000, 10_001, 20_005, 10**18 - 1])),
        st.sampled_from([1, 2, 23, 24, 25, 47, 700]),
        st.sampled_from([0, 0.5, 30]),
        st.integers(0, 3),
        st.sampled_from(["s", "t"]),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=hostile, refusals=st.lists(st.tuples(st.integers(0, 12), st.sampled_from([1, 24, 48])), max_size=6),
       seed=st.randoms(use_true_random=False))  # fmt: skip
def test_hostile_streams_count_as_the_definition_reads(
    models: Models, messages: list[Row], refusals: list[tuple[int, int]], seed: Any
) -> None:
    """GIVEN repeats, jumps, ties and disorder, in any order of arrival THEN the oracle's figures come out."""
    quarantine = [refused(index, hour) for index, hour in refusals]
    find_gaps(models, messages, quarantine)
    found = {row[0]: row for row in models.query(GAPS)}
    assert {day: (row[2], row[3]) for day, row in found.items()} == oracle(messages)
    assert all(row[2] == row[3] + row[4] + row[5] and min(row[4], row[5]) >= 0 for row in found.values())
    assert sum(row[4] for row in found.values()) <= len(set(refusals))
    shuffled = list(messages)
    seed.shuffle(shuffled)
    find_gaps(models, shuffled, quarantine[::-1])
    assert {row[0]: row for row in models.query(GAPS)} == found


# Loss

TRUE_PAGES = 100_000
RATES = (0.0, 0.001, 0.01, 0.05, 0.2)
PIXEL_LOSS = 0.01
LEAST_COVERAGE, MOST_COVERAGE, MOST_BIAS = 0.92, 0.98, 0.001


def witnessed(seeds: int, rate: float, name: str) -> list[Row]:
    """Make days of 100,000 page views, of each an hour's counts, lost by tracker and pixel independently."""
    rng = np.random.default_rng(int(rate * 10_000) + 1)
    shares = [(1 - rate) * (1 - PIXEL_LOSS), rate * (1 - PIXEL_LOSS), (1 - rate) * PIXEL_LOSS, rate * PIXEL_LOSS]
    hours = rng.multinomial(TRUE_PAGES, [1 / 24] * 24, size=seeds)
    rows = []
    for seed, views in enumerate(hours):
        for hour, (both, pixel, event, _) in enumerate(rng.multinomial(views, shares)):
            rows.append(counts(f"{name}{seed}", hour, both, pixel, event))
    return rows


def counts(app_id: str, hour: int, both: int, pixel: int, event: int, platform: str = "desktop_web") -> Row:
    """Make an hour of loss_hourly."""
    return {
        "hour": START + timedelta(hours=hour), "app_id": app_id, "platform": platform, "matched": int(both),
        "pixel_hits": int(both + pixel), "event_page_views": int(both + event),
    }  # fmt: skip


def judge_intervals(models: Models, seeds: int) -> None:
    """Measure coverage of the interval and bias of the loss over many days whose truth is known."""
    for rate in RATES:
        models.fill("loss_hourly", witnessed(seeds, rate, "day"))
        models.make("loss_daily")
        ((covered, bias, days, low),) = models.query(f"""
            select
                avg(cast({TRUE_PAGES} between low - 1e-6 and high + 1e-6 as integer)),
                avg(event_loss_rate) - {rate}, count(*), min(dependent_low)
            from build.quality.loss_daily
        """)
        assert days == seeds
        assert abs(bias) <= MOST_BIAS
        assert low <= TRUE_PAGES
        # Of 200 days 95 in 100 give or take three; where nothing is lost the estimate is the truth.
        margin = 3 * (0.05 * 0.95 / seeds) ** 0.5 if seeds < 1000 else 0
        assert covered >= LEAST_COVERAGE - max(margin - 0.03, 0)
        assert rate < 0.01 or covered <= MOST_COVERAGE + max(margin - 0.03, 0)


def test_the_interval_holds_the_truth_nineteen_times_in_twenty(models: Models) -> None:
    judge_intervals(models, 40)


@pytest.mark.prove
def test_the_interval_holds_the_truth_over_a_thousand_days(models: Models) -> None:
    judge_intervals(models, 1000)


@pytest.mark.parametrize("blocked", [0.05, 0.15, 0.3])
def test_what_one_blocker_hides_from_both_lies_within_the_bound(models: Models, blocked: float) -> None:
    """GIVEN views that neither witness can see THEN the plain interval misses them, and the bound holds them."""
    seen = witnessed(20, 0.02, "day")
    models.fill("loss_hourly", seen)
    models.make("loss_daily")
    truth = TRUE_PAGES / (1 - blocked)
    rows = models.query("select low, high, dependent_low, dependent_high from build.quality.loss_daily")
    assert all(high < truth for _, high, _, _ in rows)
    held = [dependent_low <= truth <= dependent_high for _, _, dependent_low, dependent_high in rows]
    # At the bound itself the truth is its edge, which the interval of the visible views passes 39 times in 40.
    assert sum(held) >= 18


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


def witness(models: Models, views: list[Row], hits: list[Row]) -> None:
    """Run the loss models over these page views and hits."""
    models.fill("int_page_views_numbered", views)
    models.fill("stg_lake__pixel_hits", hits)
    models.fill("int_sessions_aggregated", [])
    models.make("int_page_hits_deduplicated", "int_pages_witnessed", "loss_hourly", "loss_daily", "loss_by_dimension")


def test_a_browser_that_loses_events_stands_out_by_its_name(models: Models) -> None:
    """GIVEN one browser and one tracker version that lose a quarter THEN both dimensions say so."""
    views = [
        page_view(number, 10, browser="Safari" if number % 4 == 0 else "Firefox",
                  tracker="bh/2" if number % 4 == 0 else "bh/1")
        for number in range(4000)
    ]  # fmt: skip
    arrived = [view for number, view in enumerate(views) if number % 16]
    witness(models, arrived, [hit(view) for view in views])
    rows = models.query("""
        select dimension_value, pixel_hits, only_pixel from build.quality.loss_by_dimension
        where dimension = 'browser' order by 1
    """)
    assert rows == [("Firefox", 3000, 0), ("Safari", 1000, 250)]
    assert models.query("select status, only_pixel from build.quality.loss_daily") == [("error", 250)]


def test_an_hour_without_events_is_that_hours_loss(models: Models) -> None:
    views = [page_view(number, number % 24) for number in range(2400)]
    witness(models, [view for view in views if view["viewed_at"].hour != 7], [hit(view) for view in views])
    found = models.query("""
        select extract(hour from hour), status from build.quality.loss_hourly where status <> 'ok'
    """)
    assert found == [(7, "error")]


def test_a_page_lies_where_its_earliest_hit_says(models: Models) -> None:
    """GIVEN a hit of another platform than its event THEN the hit's counts, once."""
    view = page_view(1, 10)
    witness(models, [view], [hit(view, platform="mobile_web"), hit(view, hit_at=START + timedelta(hours=11))])
    rows = models.query("select platform, pixel_hits, event_page_views, matched from build.quality.loss_hourly")
    assert rows == [("mobile_web", 1, 1, 1)]
    assert models.query("select is_platform_disputed from build.intermediate.int_pages_witnessed") == [(True,)]


# Silence

QUIET_DAYS = 30


def heard(app_id: str, platform: str, hours: int, mean: float, silent: range = range(0), first: int = 0) -> list[Row]:
    """Make hours of messages, more by day than by night, none in the silent ones."""
    rng = np.random.default_rng(len(app_id) + int(mean))
    rows = []
    for hour in range(first, hours):
        count = int(rng.poisson(mean * (1 + 0.8 * np.sin(hour / 24 * 2 * np.pi))))
        if count and hour not in silent:
            at = START + timedelta(hours=hour)
            rows.append({"hour": at, "event_date": at.date(), "app_id": app_id, "platform": platform,
                         "message_count": count, "is_access": False})  # fmt: skip
    return rows


def listen(models: Models, rows: list[Row], hours: int) -> None:
    """Run silence over these hours; now is their end."""
    models.fill("stg_lake__events", [])
    models.fill("int_messages_hourly", rows)
    models.fill("int_lake_now", [{"latest_received_at": START + timedelta(hours=hours)}])
    models.make("silence")


def silences(models: Models) -> dict[tuple[str, str], list[int]]:
    """Say which hours were judged not to be ok, by platform and status."""
    rows = models.query("""
        select platform, status, list(cast(epoch(hour) as bigint) // 3600 order by hour)
        from build.quality.silence where status in ('warn', 'error') group by all
    """)
    first = int(START.timestamp()) // 3600
    return {(platform, status): [hour - first for hour in hours] for platform, status, hours in rows}


def test_thirty_quiet_days_raise_no_alarm(models: Models) -> None:
    """GIVEN platforms from busy to hardly used, and chance THEN none is said to be silent."""
    hours = QUIET_DAYS * 24
    rows = [row for platform, mean in (("desktop_web", 400), ("ios", 20), ("email", 2), ("api", 0.3))
            for row in heard("shop", platform, hours, mean)]  # fmt: skip
    listen(models, rows, hours)
    assert {key for key in silences(models) if key[1] == "error"} == set()


def test_a_platform_that_falls_silent_is_an_error_within_the_hour(models: Models) -> None:
    """GIVEN a day without a word THEN its first hour that should have spoken fails, and the busy one goes on."""
    rows = heard("shop", "desktop_web", 240, 300) + heard("shop", "ios", 240, 200, silent=range(200, 210))
    listen(models, rows, 240)
    found = silences(models)
    assert found[("ios", "error")][0] == 200
    assert found[("ios", "error")] == list(range(200, 210))
    assert not any(platform == "desktop_web" for platform, _ in found)


def test_a_rarely_heard_platform_is_missed_when_enough_is_missing(models: Models) -> None:
    """GIVEN five messages an hour and two days without THEN it warns before it fails, and not in the first hour."""
    rows = heard("shop", "desktop_web", 480, 300) + heard("shop", "api", 432, 5)
    listen(models, rows, 480)
    found = silences(models)
    assert 432 < found[("api", "warn")][0] < found[("api", "error")][0]


def test_without_a_baseline_silence_is_unknown(models: Models) -> None:
    """GIVEN only the last day, or a platform that is new THEN nothing is ok."""
    listen(models, heard("shop", "ios", 240, 200, first=216), 240)
    assert models.query("select distinct status, is_new from build.quality.silence") == [("unknown", True)]


def test_what_was_silent_for_a_month_is_unknown_and_not_forgotten(models: Models) -> None:
    hours = 60 * 24
    listen(models, heard("shop", "ios", 240, 200) + heard("shop", "desktop_web", hours, 200), hours)
    ((status,),) = models.query("select status from build.quality.silence where platform = 'ios' "
                                "order by hour desc limit 1")  # fmt: skip
    assert status == "unknown"
