"""Freshness: how old the newest is that each source says, beside how long it has ever paused."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from builders.quality import START, Models, Row

NOW = 40 * 24
WEEKDAYS = [24 * day + hour for day in range(1, 40) if (day - 1) % 7 < 5 for hour in range(9, 17)]
"""The hours of an office; the first of March 2026 is a Sunday."""


def hours(*heard: float, platform: str = "ios", app_id: str = "shop") -> list[Row]:
    """Make the hours in which an app was heard, so many after the first of March; to the half hour."""
    return [
        {
            "hour": START + timedelta(hours=at), "latest_event_at": START + timedelta(hours=at, minutes=30),
            "event_date": (START + timedelta(hours=at)).date(), "app_id": app_id, "platform": platform,
            "is_access": False, "is_stray": False, "message_count": 1,
        }
        for at in heard
    ]  # fmt: skip


def freshness(
    models: Models, heard: Iterable[Row], *, now: float = NOW, hits: Iterable[float] = (), spent: Iterable[int] = ()
) -> dict[str, tuple[float | None, str]]:
    """Judge the sources of a lake whose latest message came so many hours after the first of March."""
    models.fill("stg_lake__events", [])
    models.fill("int_messages_hourly", list(heard))
    models.fill("int_lake_now", [{"latest_received_at": START + timedelta(hours=now)}])
    models.fill("stg_lake__pixel_hits", [
        {"hit_at": START + timedelta(hours=at), "hit_date": START.date(), "page_id": "p"} for at in hits
    ])  # fmt: skip
    models.fill("stg_lake__spend", [{"spend_date": START.date() + timedelta(days=day)} for day in spent])
    models.make("int_freshness_checks")
    rows = models.query("select scope, check_value, status from build.intermediate.int_freshness_checks")
    return {scope: (value, status) for scope, value, status in rows}


@pytest.mark.parametrize(
    ("age", "status"), [(1, "ok"), (47, "ok"), (48, "warn"), (95, "warn"), (96, "error"), (2000, "error")]
)
def test_a_source_that_spoke_each_hour_is_late_after_two_days(models: Models, age: float, status: str) -> None:
    """GIVEN an app heard hourly for four days THEN it warns after two days without it, and fails after four."""
    assert freshness(models, hours(*range(96)), now=95.5 + age) == {"shop ios": (age, status)}


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        # Three days, then a month off; and given up a quarter of a year ago.
        (range(72), "error"),
        ([-2400, -2380, -2350, -2300], "unknown"),
        # Once, and on two days a fortnight apart.
        ([3], "unknown"),
        ([*range(24), *range(336, 360)], "unknown"),
        # A promotion each Tuesday, the last one six days ago; samples of two days a fortnight, again and again.
        ([48 + 168 * week for week in range(6)], "ok"),
        ([24 * day + hour for day in (0, 1, 14, 15, 28, 29) for hour in range(24)], "ok"),
        (WEEKDAYS, "ok"),
    ],
)
def test_who_pauses_by_nature_is_not_late(models: Models, heard: Iterable[float], expected: str) -> None:
    (found,) = freshness(models, hours(*heard)).values()
    assert found[1] == expected


def test_who_was_heard_six_times_may_be_silent_by_chance(models: Models) -> None:
    """GIVEN a source of a visit each other day WHEN it is four pauses old THEN it warns; after months it fails."""
    heard = [10, 40, 41, 100, 170, 260]
    assert freshness(models, hours(*heard), now=260 + 14 * 24)["shop ios"][1] == "warn"
    assert freshness(models, hours(*heard), now=260 + 65 * 24)["shop ios"][1] == "error"


def test_an_office_is_not_late_on_its_first_weekend(models: Models) -> None:
    """GIVEN five working days THEN on Monday morning it has warned at most, though it never paused so long."""
    week = [hour for hour in WEEKDAYS if hour < 7 * 24]
    assert freshness(models, hours(*week), now=8 * 24 + 9)["shop ios"][1] == "warn"


def test_each_source_has_its_own_age(models: Models) -> None:
    """GIVEN one app that goes on and all else late THEN each says so; spend fails no run, and hits move now."""
    heard = [*hours(*range(NOW)), *hours(*range(72), app_id="lost"), *hours(*range(72), app_id="bloodhound-probe")]
    found = freshness(models, heard, hits=range(100), spent=range(10))
    assert {scope: status for scope, (_, status) in found.items()} == {
        "shop ios": "ok", "lost ios": "error", "pixel": "error", "spend": "warn",
    }  # fmt: skip
    assert freshness(models, hours(*range(72)), now=72, hits=range(NOW)) == {
        "shop ios": (NOW - 1 - 71.5, "error"), "pixel": (0, "ok"),
    }  # fmt: skip
    (hint,) = models.query("""
        select hint from build.intermediate.int_freshness_checks where status = 'error'
    """)[0]
    assert hint.startswith("Nothing since 2026-03-03 23:30 UTC, which is 37.0 days; its longest pause before was 0.0")


def test_a_source_that_was_given_up_is_acknowledged(models: Models, tmp_path: Path) -> None:
    """GIVEN a threshold of one app alone THEN that app is waited for as long as it says."""
    thresholds = tmp_path / "thresholds.toml"
    thresholds.write_text(
        '[freshness]\nwarn = 48\nerror = 96\nowner = "me"\nhint = "look"\n'
        '[[freshness.only]]\napp_id = "old"\nwarn = 5000\nerror = 5000\n'
    )
    models.expect(thresholds)
    heard = [*hours(*range(72), app_id="old"), *hours(*range(72), app_id="shop")]
    assert {scope: status for scope, (_, status) in freshness(models, heard).items()} == {
        "old ios": "ok", "shop ios": "error",
    }  # fmt: skip


def test_nothing_at_all_has_no_age(models: Models) -> None:
    assert freshness(models, []) == {}
