"""The history of what was published: what late data or another definition changed."""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import House, each, events

from etl import pipeline
from etl.lake import files
from etl.lake.catalogue import Lake
from etl.settings import Settings
from etl.stages import runner
from etl.stages.publish import restatements
from etl.vocabulary import columns as schemas

Publish = Callable[..., None]


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """A home whose lake is ready."""
    settings = Settings(inbox=tmp_path / "inbox", home=tmp_path / "home")
    Lake(settings).initialise()
    settings.warehouse.parent.mkdir(parents=True, exist_ok=True)
    return settings


def say(settings: Settings, *, project: str = "p", die: str | None = None, **sessions: float | None) -> None:
    """Publish a warehouse that says so many sessions of each day ("d01" is 1 March), or die on the way."""
    lake = Lake(settings)
    restatements.settle(lake)
    partial = settings.warehouse.with_name(f".publishing-{len(list(settings.warehouse.parent.iterdir()))}.duckdb")
    with duckdb.connect(str(partial)) as con:
        con.execute("set timezone = 'UTC'; create schema executive; create schema quality")
        columns = ", ".join(f"null::double as {metric}" for metric in restatements.METRICS if metric != "sessions")
        con.execute(
            "create table executive.kpi_daily as "
            f"select date '2026-03-01' as date, 0.0::double as sessions, {columns} limit 0"
        )
        for day, value in sessions.items():
            con.execute("insert into executive.kpi_daily (date, sessions) values (?, ?)", [f"2026-03-{day[1:]}", value])
        restatements.record(con, lake, partial, project)
    if die == "before the rename":
        return
    partial.replace(settings.warehouse)
    if die == "after the rename":
        return
    restatements.settle(lake)


def said(settings: Settings) -> list[tuple[Any, ...]]:
    """Read what the history says of sessions, each publication by its number."""
    with duckdb.connect() as con:
        return con.execute(
            """
            select dense_rank() over (order by published_at), day(date), previous_value, value, reason
            from read_parquet(?) where metric = 'sessions' order by all
            """,
            [str(restatements.history_path(Lake(settings)))],
        ).fetchall()


def test_only_what_changed_is_added(home: Settings) -> None:
    """GIVEN four publications WHEN nothing, one day, a definition changes THEN the history tells them apart."""
    say(home, d01=10, d02=20)
    say(home, d01=10, d02=20)
    say(home, d01=11, d02=20 * (1 + 1e-13), d03=5)
    say(home, d01=12, d02=20, d03=5, project="another")
    assert said(home) == [
        (1, 1, None, 10, "first"),
        (1, 2, None, 20, "first"),
        (2, 1, 10, 11, "data"),
        (2, 3, None, 5, "first"),
        (3, 1, 11, 12, "definition"),
    ]
    written = pq.read_schema(restatements.history_path(Lake(home)))
    assert (written.names, written.types) == (schemas.RESTATEMENTS.names, schemas.RESTATEMENTS.types)


def test_a_reason_is_judged_by_the_publication_before(home: Settings) -> None:
    """GIVEN a definition that changed no figure of a day WHEN late data does THEN it is data"""
    say(home, d01=10, d02=20)
    say(home, d01=10, d02=21, project="another")
    say(home, d01=11, d02=21, project="another")
    say(home, d01=11, d02=21, project="p")
    say(home, d01=12, d02=21, project="p")
    assert said(home)[2:] == [(2, 2, 20, 21, "definition"), (3, 1, 10, 11, "data"), (4, 1, 11, 12, "data")]


def test_a_history_of_before_says_by_its_rows_what_figures_meant(home: Settings) -> None:
    """GIVEN a history whose file names no definition THEN that of its newest row was the last publication's."""
    moment = datetime.now(UTC) - timedelta(days=2)
    rows = [
        {"published_at": moment + timedelta(days=number), "date": date(2026, 3, 1 + number), "metric": "sessions",
         "value": 9.0, "definition": definition}
        for number, definition in enumerate(["old", "p"])
    ]  # fmt: skip
    files.write_table(restatements.history_path(Lake(home)), pa.Table.from_pylist(rows, schema=schemas.RESTATEMENTS))
    say(home, d01=10, d02=9)
    assert said(home)[-1] == (3, 1, 9, 10, "data")


def test_what_becomes_unknown_and_what_comes_back_is_said(home: Settings) -> None:
    """GIVEN a day that goes and comes again, and a figure that becomes unknown THEN each is a row."""
    say(home, d01=10, d02=20)
    say(home, d01=10)
    say(home, d01=None, d02=20)
    assert said(home)[2:] == [(2, 2, 20, None, "data"), (3, 1, 10, None, "data"), (3, 2, None, 20, "data")]


@pytest.mark.parametrize(("die", "publications"), [("before the rename", 2), ("after the rename", 3)])
def test_killed_publication_is_in_the_history_if_readers_saw_it(home: Settings, die: str, publications: int) -> None:
    """GIVEN a publication killed before or after its warehouse got its name THEN it is in the history only after."""
    say(home, d01=10)
    say(home, d01=11, die=die)
    say(home, d01=12)
    assert [row[:4] for row in said(home)][-1] == (publications, 1, 11 if publications == 3 else 10, 12)
    assert [path.name for path in restatements.history_path(Lake(home)).parent.iterdir()] == ["restatements.parquet"]


def test_clock_that_goes_back_keeps_the_order(home: Settings) -> None:
    """GIVEN a history from the future THEN the next publication still comes after it."""
    future = datetime.now(UTC) + timedelta(days=400)
    row = {"published_at": future, "date": date(2026, 3, 1), "metric": "sessions", "value": 9.0, "definition": "d"}
    files.write_table(restatements.history_path(Lake(home)), pa.Table.from_pylist([row], schema=schemas.RESTATEMENTS))
    say(home, d01=10)
    assert [row[2:4] for row in said(home)] == [(None, 9), (9, 10)]


def republish(house: House) -> None:
    """Publish what is built once more, as it is."""
    _, publish = pipeline.makers()["build"]
    runner.run(Lake(house.settings), publish, units=["warehouse"])


def test_history_outlives_the_warehouse(house: House) -> None:
    """GIVEN a published home WHEN it is published again, even after a loss THEN the history is the same."""
    house.put("events/a.jsonl", each(events("10:00 /a", "10:05 /b")))
    house.digest()
    pipeline.build(house.settings)

    def history() -> list[tuple[Any, ...]]:
        with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
            return con.execute("select * from quality.restatements order by all").fetchall()

    first = history()
    assert len(first) == len(restatements.METRICS)
    republish(house)
    assert history() == first
    shutil.rmtree(house.settings.warehouse.parent / "build" / "target", ignore_errors=True)
    house.settings.warehouse.unlink()
    republish(house)
    assert history() == first
    exported = house.settings.lake / "marts" / "quality" / "restatements.parquet"
    assert pq.read_table(exported).num_rows == len(first)


def test_every_figure_of_a_day_is_in_the_history(house: House) -> None:
    """What only compares days, and what rates are made of, changes with the figures that are there."""
    house.take(*events("10:00 /a"))
    pipeline.build(house.settings)
    with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
        columns = {
            name for name, kind, *_ in con.execute("describe executive.kpi_daily").fetchall() if kind != "BOOLEAN"
        }
    compared = {name for name in columns if "_previous" in name or "_change" in name or "_year_" in name}
    parts = {"date", "day_count", "bounces", "sessions_with_order", "pixel_hits", "matched"}
    assert columns - compared - parts == set(restatements.METRICS)
