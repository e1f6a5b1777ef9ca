"""Which days a build rebuilds, and what publishing keeps."""

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from builders import House, each, events

from etl import pipeline as tasks
from etl.errors import BuildFailed, CheckFailed, FailedNode
from etl.lake import files as lake
from etl.settings import Settings
from etl.stages.build import stage as build
from etl.stages.build.sources import create_views, lake_views
from etl.stages.publish import stage as publish


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(inbox=tmp_path / "inbox", home=tmp_path / "home")


def day(version: str, *session_dates: str) -> dict[str, object]:
    return {"version": version, "session_dates": list(session_dates)}


def wanted(days: dict[str, object]) -> dict[str, object]:
    return {"project": "p", "variables": {}, "days": days}


def write_state(settings: Settings, name: str, content: dict[str, object]) -> None:
    lake.write_manifest(lake.manifest_path(settings, "state", name), content)


def test_without_an_earlier_build_all_days_are_stale(settings: Settings) -> None:
    assert build.stale_session_days(settings, wanted({"2026-03-01": day("a", "2026-03-01")})) is None


def test_a_changed_day_makes_its_old_and_new_session_days_stale(settings: Settings) -> None:
    build.build_path(settings).parent.mkdir(parents=True)
    build.build_path(settings).touch()
    write_state(settings, "built", wanted({"2026-03-02": day("a", "2026-03-01", "2026-03-02")}))
    now = wanted({"2026-03-02": day("b", "2026-03-02"), "2026-03-03": day("c", "2026-03-03")})
    assert build.stale_session_days(settings, now) == ["2026-03-01", "2026-03-02", "2026-03-03"]


def test_days_of_a_build_that_died_stay_stale_even_when_the_change_is_taken_back(settings: Settings) -> None:
    build.build_path(settings).parent.mkdir(parents=True)
    build.build_path(settings).touch()
    unchanged = wanted({"2026-03-02": day("a", "2026-03-02")})
    write_state(settings, "built", unchanged)
    assert build.stale_session_days(settings, unchanged) == []
    write_state(settings, "building", {"days": ["2026-03-02"]})
    assert build.stale_session_days(settings, unchanged) == ["2026-03-02"]


def test_a_failed_check_fails_again_until_it_is_mended(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = {"checks": 1, "ok": 0, "warn": 0, "error": 1, "unknown": 0, "errors": ["loss: 9, allowed 5"]}
    monkeypatch.setattr("etl.stages.reconcile.stage.read_checks", lambda _: outcome)
    write_state(settings, "warehouse", {"digest": "d"})
    settings.inbox.mkdir(parents=True)
    for _ in range(2):
        with pytest.raises(CheckFailed, match="loss: 9, allowed 5"):
            tasks.reconcile(settings)
    assert "reconcile" in tasks.pending(settings)


def write(settings: Settings, sql: str) -> None:
    """Change what was built behind dbt's back."""
    with duckdb.connect(str(build.build_path(settings))) as con:
        con.execute(sql)


def published(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        con.execute("set timezone = 'UTC'")
        return con.execute(sql).fetchall()


NUMBERS = "select date, sessions, visitors, page_views from executive.kpi_daily order by date"
OTHER_CHECKS = """select * from quality.checks where "check" <> 'dbt_build' order by all"""
FAILURES = """select scope, value, threshold, status, owner, hint from quality.checks where "check" = 'dbt_build'"""


def test_rows_that_break_a_test_are_kept_and_the_warehouse_says_so_until_they_are_mended(house: House) -> None:
    """GIVEN a warehouse WHEN a wrong row breaks a test THEN the old numbers stay and say so; mended, there are new."""
    house.put("events/a.jsonl", each(events("10:00 /a", "10:01 /b", visitor="a", day="2026-03-01")))
    house.digest()
    settings = house.settings
    tasks.build(settings)
    before, checks, at = published(settings, NUMBERS), published(settings, OTHER_CHECKS), settings.warehouse.stat()
    assert before != []

    house.put("events/b.jsonl", each(events("10:00 /a", visitor="b", day="2026-03-02")))
    house.digest()
    write(settings, "insert into intermediate.int_sessions_aggregated from intermediate.int_sessions_aggregated")
    with pytest.raises(BuildFailed) as failed:
        tasks.build(settings)

    kept = build.failures_path(settings) / "models.int_persons_stitched.parquet"
    reason = f"models.int_persons_stitched: session_id repeated (1), rows in {kept}"
    assert reason in str(failed.value)
    assert [(row["broken_rule"], row["person_id"]) for row in pq.read_table(kept).to_pylist()] == [
        ("session_id repeated", "a")
    ] * 2
    hint = f"The last build failed here, and this is the warehouse before it: {reason}"
    assert ("models.int_persons_stitched", 1.0, 0.0, "error", "platform", hint) in published(settings, FAILURES)
    assert published(settings, NUMBERS) == before
    assert published(settings, OTHER_CHECKS) == checks
    # What is published is as old as it was; and the exported Parquet says the same.
    assert settings.warehouse.stat().st_mtime_ns == at.st_mtime_ns
    exported = pq.read_table(settings.lake / "marts" / "quality" / "checks.parquet")
    assert exported.num_rows == len(checks) + len(failed.value.failed)
    assert "build" in tasks.pending(settings)
    with pytest.raises(CheckFailed, match="dbt_build"):
        tasks.reconcile(settings)
    # Told again it is told once.
    publish.note_failure(settings, failed.value.failed[:1])
    assert len(published(settings, FAILURES)) == 1

    write(
        settings,
        """
        create or replace table intermediate.int_sessions_aggregated as
        from intermediate.int_sessions_aggregated qualify row_number() over (partition by session_id) = 1
        """,
    )
    tasks.build(settings)
    assert published(settings, FAILURES) == []
    assert [row[1:] for row in published(settings, NUMBERS)] == [(1, 1, 2), (1, 1, 1)]
    assert not kept.parent.exists()
    assert list(settings.warehouse.parent.glob(".publishing-*")) == []


def test_failure_before_anything_is_published_leaves_nothing(settings: Settings) -> None:
    publish.note_failure(settings, [FailedNode("models.sessions", "models.sessions: session_id repeated (1)", 1)])
    assert not settings.warehouse.exists()


def test_build_that_failed_is_done_again_even_when_its_cause_is_taken_back(settings: Settings) -> None:
    """GIVEN a failed build of no day WHEN all is as it was at the last good one THEN a build is pending."""
    settings.inbox.mkdir(parents=True)
    content = build.inputs(settings)
    build.build_path(settings).parent.mkdir(parents=True)
    build.build_path(settings).touch()
    write_state(settings, "built", content | {"digest": build.digest(content)})
    write_state(settings, "warehouse", {"digest": build.digest(content)})
    write_state(settings, "sessionized", tasks.session_inputs(settings))
    assert "build" not in tasks.pending(settings)
    write_state(settings, "building", {"days": []})
    assert "build" in tasks.pending(settings)


def test_dbt_reads_what_manifests_name_and_nothing_else(tmp_path: Path) -> None:
    """GIVEN files in the lake's folders that no manifest names THEN no relation of dbt's holds their rows."""
    house = House(tmp_path / "somebody's home")
    house.put("events/a.jsonl", each(events("10:00 /a", "10:01 /b", "10:02 unheard_of", visitor="a")))
    house.digest()
    settings = house.settings
    build.write_ledger(settings)
    for dataset in ("events", "messages", "quarantine"):
        (named,) = (settings.lake / dataset).rglob("*.parquet")
        (named.parent / "orphan.parquet").write_bytes(named.read_bytes())
    for name in ("conversions", "thresholds"):
        lake.write_table(settings.lake / "declared" / f"{name}.parquet", lake.DATASETS[name].empty_table())
    with duckdb.connect() as con:
        create_views(con, lake_views(settings), settings.lake / "schemas")
        datasets = lake.DATASETS.keys() - {"exclusions"}
        counts = {name: con.execute(f"select count(*) from lake.{name}").fetchall()[0][0] for name in datasets}
    assert counts == {
        "events": 2, "messages": 2, "quarantine": 1, "files": 1, "event_counts": 1,
        "pixel_hits": 0, "spend": 0, "restatements": 0, "conversions": 0, "thresholds": 0,
    }  # fmt: skip


def test_a_few_days_are_read_from_their_own_files(tmp_path: Path) -> None:
    house = House(tmp_path)
    for day_of_month in (1, 2, 3):
        day = f"2026-03-0{day_of_month}"
        house.put(f"events/{day}.jsonl", each(events("10:00 /a", "10:01 /b", visitor="a", day=day)))
    house.digest()
    with duckdb.connect() as con:
        create_views(con, {"events": lake_views(house.settings)["events"]}, house.settings.lake / "schemas")
        ((_, plan),) = con.execute(
            "explain analyze select count(visitor_id) from lake.events where event_date = date '2026-03-02'"
        ).fetchall()
    assert "Scanning Files: 1/3" in plan
