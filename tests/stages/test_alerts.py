"""Alerts: an incident is told once, and its end once."""

from pathlib import Path
from typing import Any

from builders.quality import Row

from etl import incidents
from etl.lake.catalogue import Lake
from etl.settings import Settings


def incident(check: str = "event_loss", days: str = "2026-03-02", **keys: Any) -> Row:
    """Make an incident of "2026-03-02" or "2026-03-02 2026-03-04"."""
    first, _, last = days.partition(" ")
    return {"key": [check, "shop", "ios"], "first_date": first, "last_date": last or first, "is_ongoing": True,
            "owner": "me", "text": f"{check} {days}"} | keys  # fmt: skip


def kinds(told: list[Row], *runs: list[Row]) -> list[list[str]]:
    """Follow runs one after the other; say the alerts of each."""
    found = []
    for run in runs:
        told, alerts = incidents.follow(told, run)
        found.append([f"{alert['kind']} {alert['key'][0]}" for alert in alerts])
    return found


def test_an_incident_is_told_once_and_its_end_once() -> None:
    """GIVEN an incident that grows by days, ends and stays in the past THEN there are two alerts."""
    over = incident(days="2026-03-02 2026-03-04", is_ongoing=False)
    runs = [[incident()], [incident()], [incident(days="2026-03-02 2026-03-03")], [over], [over], []]
    assert kinds([], *runs) == [["opened event_loss"], [], [], ["recovered event_loss"], [], []]


def test_an_incident_that_is_mended_recovers_and_comes_again_as_a_new_one() -> None:
    runs = [[incident()], [], [incident(days="2026-03-09")]]
    assert kinds([], *runs) == [["opened event_loss"], ["recovered event_loss"], ["opened event_loss"]]


def test_an_incident_first_seen_when_it_is_over_is_told_once() -> None:
    past = incident(is_ongoing=False)
    assert kinds([], [past], [past], []) == [["opened event_loss"], [], []]


def test_a_late_file_that_moves_an_incident_does_not_make_it_another() -> None:
    runs = [[incident(days="2026-03-02")], [incident(days="2026-03-01 2026-03-02")], [incident(days="2026-03-05")]]
    assert kinds([], *runs)[1:] == [[], ["opened event_loss", "recovered event_loss"]]


def test_a_failed_task_is_told_once_until_it_ends_well(tmp_path: Path) -> None:
    home = Lake(Settings(inbox=tmp_path, home=tmp_path / "home"))
    for reason in ("disk", "disk", None, None, "disk"):
        incidents.note_task(home, "collect.land", reason)
    assert [alert["kind"] for alert in incidents.waiting_alerts(home)] == ["opened", "recovered", "opened"]
