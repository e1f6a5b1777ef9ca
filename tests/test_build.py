"""Which days a build rebuilds, and what publishing keeps."""

from pathlib import Path

import pytest

from etl import build, lake, tasks
from etl.errors import CheckFailed
from etl.settings import Settings


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
    monkeypatch.setattr("etl.reconcile.read_checks", lambda _: outcome)
    write_state(settings, "warehouse", {"digest": "d"})
    settings.inbox.mkdir(parents=True)
    for _ in range(2):
        with pytest.raises(CheckFailed, match="loss: 9, allowed 5"):
            tasks.reconcile(settings)
    assert "reconcile" in tasks.pending(settings)
