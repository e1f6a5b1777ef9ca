"""Which days a build rebuilds, and what publishing keeps."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import msgspec
import pyarrow.parquet as pq
import pytest
from builders import House, each, events

from etl import pipeline
from etl.errors import BuildFailed, CheckFailed, Damaged, FailedNode
from etl.lake.catalogue import Lake, write_note
from etl.lake.datasets import DATASETS
from etl.lake.fingerprint import Fingerprint, digest
from etl.lake.manifests import Build, Commit, Publication, Unit
from etl.settings import Settings
from etl.stages.build import project
from etl.stages.build.stage import Marts, Unfinished, name_all_sources, session_dates
from etl.stages.build.workplace import workplace
from etl.stages.publish.stage import Publish, note_failure
from etl.stages.staleness import staleness
from etl.tools.withdraw import withdraw


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(inbox=tmp_path / "inbox", home=tmp_path / "home")


@pytest.fixture
def built(house: House) -> tuple[House, Commit[Build]]:
    """A lake of two days, and a build of it that dbt was not asked for."""
    house.put("events/a.jsonl", each(events("10:00 /a", day="2026-03-01") + events("10:00 /b", day="2026-03-02")))
    house.digest()
    lake = Lake(house.settings)
    workplace(house.settings).folder.mkdir(parents=True, exist_ok=True)
    workplace(house.settings).database.touch()
    definition = digest(Marts().definition(lake))
    facts = Build(definition, Marts.days(lake), session_dates(lake), 1, 1, None, str(house.settings.home.resolve()))
    unit = Unit(Marts().wanted(lake)["marts"])
    commit = Commit("build", "marts", 1, {"marts": unit}, [], facts)
    write_note(lake.manifest_path("build", "marts"), commit)
    return house, commit


def stale(house: House, commit: Commit[Build] | None) -> list[str] | None:
    return Marts().stale_session_days(Lake(house.settings), commit)


def test_without_an_earlier_build_all_days_are_stale(built: tuple[House, Commit[Build]]) -> None:
    assert stale(built[0], None) is None


def test_a_changed_day_makes_its_old_and_new_session_days_stale(built: tuple[House, Commit[Build]]) -> None:
    """GIVEN a visit that ran over midnight WHEN its first event comes late THEN both days' sessions are built again."""
    house, commit = built
    assert stale(house, commit) == []
    house.put("events/late.jsonl", each(events("23:50 /c", visitor="w", day="2026-03-02", first=7)))
    house.put("events/new.jsonl", each(events("00:10 /d", visitor="w", day="2026-03-03", first=8)))
    house.digest()
    # The event of the third belongs to a session of the second.
    assert stale(house, commit) == ["2026-03-02", "2026-03-03"]


def test_a_day_that_is_no_more_is_built_again_and_is_empty_then(built: tuple[House, Commit[Build]]) -> None:
    """GIVEN a file was withdrawn that alone had events of a day THEN the marts do not go on with that day's rows."""
    house, commit = built
    house.put("events/only.jsonl", each(events("10:00 /e", day="2026-03-05", first=9)))
    house.digest()
    lake = Lake(house.settings)
    with_it = msgspec.structs.replace(commit.facts, days=Marts.days(lake), session_dates=session_dates(lake))
    withdraw(Lake(house.settings), "events/only.jsonl", "a test of the shop")
    house.digest()
    assert stale(house, msgspec.structs.replace(commit, facts=with_it)) == ["2026-03-05"]


def test_days_of_a_build_that_died_stay_stale_even_when_the_change_is_taken_back(
    built: tuple[House, Commit[Build]],
) -> None:
    house, commit = built
    write_note(workplace(house.settings).unfinished, Unfinished(["2026-03-02"]))
    assert stale(house, commit) == ["2026-03-02"]
    write_note(workplace(house.settings).unfinished, Unfinished(None))
    assert stale(house, commit) is None


def test_an_edited_description_is_no_other_definition(
    built: tuple[House, Commit[Build]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN a project of which a comment was edited THEN what it decides is the same, and it is described anew."""
    house, commit = built
    lake = Lake(house.settings)
    decisive, described = project.read_project()
    monkeypatch.setattr("etl.stages.build.stage.read_project", lambda: (decisive, described + "edited"))
    before, now = commit.units["marts"].fingerprint, Marts().wanted(lake)["marts"]
    assert now.data == before.data and now.description != before.description
    assert stale(house, commit) == [] and staleness(lake, Marts()).stale == ["marts"]
    monkeypatch.setattr("etl.stages.build.stage.read_project", lambda: (decisive + "changed", described))
    assert stale(house, commit) is None


def test_another_hint_is_another_row(built: tuple[House, Commit[Build]], tmp_path: Path) -> None:
    """GIVEN a hint or an owner that was edited THEN quality.checks has to be made again, and no day of sessions."""
    house, commit = built
    path = tmp_path / "thresholds.toml"
    path.write_text(house.settings.thresholds.read_text().replace("See quality.silence", "Look at quality.silence", 1))
    assert "Look at" in path.read_text()
    changed = Lake(house.settings.model_copy(update={"thresholds": path}))
    assert Marts().wanted(changed)["marts"].data != commit.units["marts"].fingerprint.data
    assert Marts().stale_session_days(changed, commit) == []


def test_another_way_to_show_addresses_publishes_anew(built: tuple[House, Commit[Build]]) -> None:
    """GIVEN addresses that are to be hidden THEN what was refused is published anew, though no event shows one."""
    house, _ = built
    publish = Publish(())
    shown = {
        name: publish.wanted(Lake(house.settings.model_copy(update={"ip_addresses": name})))["warehouse"].data
        for name in ("keep", "truncate", "hash")
    }
    assert len(set(shown.values())) == len(shown)


@pytest.mark.parametrize(
    ("name", "one", "other", "is_same"),
    [
        ("a.sql", "select 1 -- one", "select  1\n-- two {# three #}", True),
        ("a.sql", "select '--1'", "select '--2'", False),
        ("a.sql", "select 1 /* a */ as b", "select 1 as b", True),
        ("a.sql", "select 1", "select 2", False),
        ("a.sql", "select 'all messages'", "select 'all  messages'", False),
        ("a.sql", 'select "a b"', 'select "a  b"', False),
        ("a.yml", "a: {description: x, tests: [u]}", "a:\n  tests: [u]\n  description: y\n", True),
        ("a.yml", "a: {tests: [u]}", "a: {tests: [v]}", False),
        ("a.csv", "a,b", "a,c", False),
    ],
)
def test_what_decides_rows_is_told_from_what_describes_them(name: str, one: str, other: str, is_same: bool) -> None:
    said = [project.what_decides(Path(name), text) for text in (one, other)]
    assert (said[0] == said[1]) == is_same


def test_a_failed_check_fails_again_until_it_is_mended(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = {"checks": 1, "ok": 0, "warn": 0, "error": 1, "unknown": 0, "errors": ["loss: 9, allowed 5"]}
    monkeypatch.setattr("etl.pipeline.tasks.judge", lambda _: dict(outcome))
    monkeypatch.setattr("etl.incidents.read_incidents", lambda _: [])
    lake = Lake(settings)
    unit = {"warehouse": Unit(Fingerprint("d"))}
    write_note(
        lake.manifest_path("publish", "warehouse"), Commit("publish", "warehouse", 1, unit, [], Publication([], []))
    )
    settings.inbox.mkdir(parents=True)
    for _ in range(2):
        with pytest.raises(CheckFailed, match="loss: 9, allowed 5"):
            pipeline.reconcile(settings)
    assert "reconcile" in pipeline.pending(settings)
    # So does a run that has nothing else to do: what it judges must be what was written.
    settings.warehouse.parent.mkdir(parents=True, exist_ok=True)
    settings.warehouse.write_bytes(b"")
    with pytest.raises(Damaged, match="verify --repair"):
        pipeline.reconcile(settings)


def write(settings: Settings, sql: str) -> None:
    """Change what was built behind dbt's back."""
    with duckdb.connect(str(workplace(settings).database)) as con:
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
    pipeline.build(settings)
    before, checks, at = published(settings, NUMBERS), published(settings, OTHER_CHECKS), settings.warehouse.stat()
    assert before != []

    house.put("events/b.jsonl", each(events("10:00 /a", visitor="b", day="2026-03-02")))
    house.digest()
    write(settings, "insert into intermediate.int_sessions_aggregated from intermediate.int_sessions_aggregated")
    with pytest.raises(BuildFailed) as failed:
        pipeline.build(settings)

    kept = workplace(settings).failures / "models.int_persons_stitched.parquet"
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
    assert "build" in pipeline.pending(settings)
    with pytest.raises(CheckFailed, match="dbt_build"):
        pipeline.reconcile(settings)
    # Told again it is told once.
    note_failure(Lake(settings), failed.value.failed[:1])
    assert len(published(settings, FAILURES)) == 1

    write(
        settings,
        """
        create or replace table intermediate.int_sessions_aggregated as
        from intermediate.int_sessions_aggregated qualify row_number() over (partition by session_id) = 1
        """,
    )
    pipeline.build(settings)
    assert published(settings, FAILURES) == []
    assert [row[1:] for row in published(settings, NUMBERS)] == [(1, 1, 2), (1, 1, 1)]
    assert not kept.parent.exists()
    assert list(settings.warehouse.parent.glob(".publishing-*")) == []


def test_failure_before_anything_is_published_leaves_nothing(settings: Settings) -> None:
    note_failure(Lake(settings), [FailedNode("models.sessions", "models.sessions: session_id repeated (1)", 1)])
    assert not settings.warehouse.exists()


def test_build_that_failed_is_done_again_even_when_its_cause_is_taken_back(built: tuple[House, Commit[Build]]) -> None:
    """GIVEN a failed build of no day WHEN all is as it was at the last good one THEN a build is pending."""
    house, _ = built
    assert not staleness(Lake(house.settings), Marts())
    write_note(workplace(house.settings).unfinished, Unfinished([]))
    assert "build" in pipeline.pending(house.settings)


def test_dbt_reads_what_manifests_name_and_nothing_else(tmp_path: Path) -> None:
    """GIVEN files in the lake's folders that no manifest names THEN no relation of dbt's holds their rows."""
    house = House(tmp_path / "somebody's home")
    house.put("events/a.jsonl", each(events("10:00 /a", "10:01 /b", "10:02 unheard_of", visitor="a")))
    house.digest()
    for dataset in ("events", "messages", "quarantine"):
        (named,) = house.files(dataset)
        (named.parent / "orphan.parquet").write_bytes(named.read_bytes())
    with asked(house) as con:
        counts = {name: con.execute(f"select count(*) from lake.{name}").fetchall()[0][0] for name in DATASETS}
    thresholds = counts.pop("thresholds")
    assert thresholds > 10
    assert {name: count for name, count in counts.items() if count} == {
        "events": 2, "messages": 2, "quarantine": 1, "files": 1, "event_counts": 1,
    }  # fmt: skip


@contextmanager
def asked(house: House) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the file that dbt builds once its sources are named."""
    workplace(house.settings).folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(workplace(house.settings).database)) as con:
        name_all_sources(con, Lake(house.settings))
        yield con


def test_a_few_days_are_read_from_their_own_files(tmp_path: Path) -> None:
    house = House(tmp_path)
    for day_of_month in (1, 2, 3):
        day = f"2026-03-0{day_of_month}"
        house.put(f"events/{day}.jsonl", each(events("10:00 /a", "10:01 /b", visitor="a", day=day)))
    house.digest()
    with asked(house) as con:
        ((_, plan),) = con.execute(
            "explain analyze select count(visitor_id) from lake.events where event_date = date '2026-03-02'"
        ).fetchall()
    assert "Scanning Files: 1/3" in plan
