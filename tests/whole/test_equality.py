"""The comparison of old and new code finds what differs, and nothing else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from builders import House, event, events, lines, request

from benchmarks.equality.cases import in_version_1, in_version_2
from benchmarks.equality.tables import Allowed, Difference, differences, snapshot
from etl.settings import PROJECT

SAID = ("event_id", "schema", "platform", "url", "event_at", "user_id", "stream_id")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of a few tables, a view over Parquet, and Parquet by day."""
    home = tmp_path / "home"
    day = home / "lake" / "events" / "event_date=2026-03-01"
    day.mkdir(parents=True)
    (home / "warehouse").mkdir()
    with duckdb.connect(str(home / "warehouse" / "bloodhound.duckdb")) as con:
        con.execute(
            f"copy (select 'e' || i as event_id, i::ubigint as file_id from range(5) as _(i)) to '{day}/a.parquet'"
        )
        con.execute("create schema core; create schema executive; create schema quality")
        con.execute(f"create view core.events as from read_parquet('{day}/*.parquet', hive_partitioning = true)")
        con.execute("create view core.counted as select count(*) as events from core.events")
        con.execute(
            "create table executive.kpi_daily as"
            " select date '2026-03-01' + i::integer as date, i * 0.1::double as revenue, i * 10 as orders"
            " from range(9) as _(i)"
        )
        con.execute(
            "create table quality.restatements as select now() as published_at, 'revenue' as metric, 'x' as definition"
        )
    return home


def changed(home: Path, *statements: str) -> list[Difference]:
    """Compare a home with itself once its warehouse has been changed."""
    snapshot(home, home / "before")
    with duckdb.connect(str(home / "warehouse" / "bloodhound.duckdb")) as con:
        for statement in statements:
            con.execute(statement)
    snapshot(home, home / "after")
    return differences(home / "before", home / "after", Allowed())[2]


def compare(old: Path, new: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.equality", "--homes", str(old), str(new), *words],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_one_changed_value_is_found_and_named(home: Path) -> None:
    other = home.with_name("other")
    shutil.copytree(home, other)
    assert compare(home, other).returncode == 0
    with duckdb.connect(str(other / "warehouse" / "bloodhound.duckdb")) as con:
        con.execute("update executive.kpi_daily set orders = 31 where orders = 30")
    done = compare(home, other)
    assert done.returncode == 1, done.stderr
    assert "executive.kpi_daily: 1 rows gone, 1 come, in orders" in done.stdout
    assert "date=2026-03-04" in done.stdout and "orders=30" in done.stdout and "orders=31" in done.stdout
    assert compare(home, other, "--allow", "executive.kpi_daily.orders").returncode == 0


def test_a_row_too_many_is_found_though_all_rows_are_known(home: Path) -> None:
    (found,) = changed(home, "insert into executive.kpi_daily from executive.kpi_daily limit 1")
    assert (found.table, found.gone, found.come) == ("executive.kpi_daily", 0, 1)


def test_rows_in_another_order_with_other_last_digits_are_the_same(home: Path) -> None:
    assert not changed(
        home,
        "create or replace table executive.kpi_daily as"
        " select date, revenue * (1 + 1e-12) as revenue, orders from executive.kpi_daily order by date desc",
        "update quality.restatements set published_at = published_at + interval 1 day, definition = 'y'",
    )


def test_a_float_that_moved_further_is_found(home: Path) -> None:
    (found,) = changed(home, "update executive.kpi_daily set revenue = revenue * (1 + 1e-8) where orders = 40")
    assert (found.gone, found.come, found.columns) == (1, 1, ["revenue"])


def test_null_is_not_zero(home: Path) -> None:
    (found,) = changed(home, "update executive.kpi_daily set revenue = null where orders = 0")
    assert (found.gone, found.come) == (1, 1)


def test_tables_and_columns_that_come_go_and_turn_are_found(home: Path) -> None:
    found = changed(
        home, "drop view core.counted", "create table core.visitors as select 1 as visitor_id",
        "alter table executive.kpi_daily alter orders type integer",
        "alter table executive.kpi_daily add column sessions int",
    )  # fmt: skip
    assert {(one.table, told) for one in found for told in one.shape} == {
        ("core.counted", "is gone"), ("core.visitors", "is new"),
        ("executive.kpi_daily", "column orders was BIGINT and is INTEGER"),
        ("executive.kpi_daily", "column sessions (INTEGER) is new"),
    }  # fmt: skip
    assert not any(one.gone or one.come for one in found)


def test_a_day_missing_from_the_parquet_is_found(home: Path) -> None:
    snapshot(home, home / "before")
    part = home / "lake" / "events" / "event_date=2026-03-01" / "a.parquet"
    with duckdb.connect() as con:
        con.execute(f"copy (from read_parquet('{part}') where file_id > 0) to '{part}'")
    snapshot(home, home / "after")
    found = differences(home / "before", home / "after", Allowed())[2]
    assert {one.table: (one.gone, one.come) for one in found} == {
        "core.counted": (1, 1), "core.events": (1, 0), "parquet.events": (1, 0),
    }  # fmt: skip


def test_a_column_that_became_signed_holds_the_same_bits(tmp_path: Path) -> None:
    for name, kind, value in (("old", "ubigint", 2**64 - 1), ("new", "bigint", -1)):
        with duckdb.connect(str(tmp_path / name)) as con:
            con.execute(f"create table main.t as select {value}::{kind} as file_id")
    (found,) = differences(tmp_path / "old", tmp_path / "new", Allowed())[2]
    assert found.shape == ["column file_id was UBIGINT and is BIGINT"] and not found.gone
    assert not differences(tmp_path / "old", tmp_path / "new", Allowed(types=["*.file_id"]))[2]


def test_messages_written_in_older_versions_say_the_same(house: House) -> None:
    """Else the shuffled inbox would be of messages that no client sends."""
    written = [
        *events("10:00 /a", "10:05 order", "10:06 click", visitor="v"),
        event("10:00 /b @mobile_web", 0, "w", user_id="u"),
    ]  # fmt: skip
    written[1]["data"] |= {"currency": "EUR", "quantity": 2}
    written[2]["data"] = {"click_id": "c", "target": "t"}
    newest = [message | {"stream_id": f"shop:{message['visitor_id']}", "tracker": "bh-js/1.4"} for message in written]
    told = []
    older = [[write(message) for message in newest] for write in (in_version_2, in_version_1)]
    for number, messages in enumerate([newest, *older], 1):
        made = House(house.root / str(number))
        made.put("events/a.jsonl", lines([request(messages, "10:10")]))
        made.digest()
        rows = made.events()
        assert not made.reasons() and len(rows) == len(newest)
        told.append([{key: row[key] for key in SAID} | {"data": json.loads(row["data"])} for row in rows])
    assert told[0] == told[1] == told[2]
