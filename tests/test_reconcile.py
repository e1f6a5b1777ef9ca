"""Loss, gaps, silence and their checks: the models' own SQL on narrow rows whose truth is known."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
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
