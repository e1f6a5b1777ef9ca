"""The whole pipeline, with incidents planted by the simulator."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from etl import pipeline
from etl.settings import Settings
from etl.simulate import simulate
from etl.simulate.plan import Incident, Plan


def reconciled(tmp_path: Path, **plan: Any) -> tuple[set[tuple[Any, ...]], dict[str, Any]]:
    """Simulate, run every stage; return the incidents in error and the truth of the messages."""
    home = Settings(inbox=tmp_path / "inbox", home=tmp_path / "home")
    simulate(home.inbox, Plan(**plan), truth=tmp_path / "truth")
    for stage in (pipeline.land, pipeline.parse, pipeline.sessionize, pipeline.build):
        stage(home)
    with duckdb.connect(str(home.warehouse), read_only=True) as con:
        rows = con.execute("""
            select "check", platform, unnest(range(first_date, last_date + 1, interval 1 day))::date
            from quality.incidents where status = 'error'
        """).fetchall()
        balance = con.execute("select sum(abs(balance)) from quality.stage_balance").fetchone()
        lost, expected = con.execute("select sum(lost), sum(expected) from quality.message_gaps").fetchall()[0]
        silent = con.execute("select distinct host from quality.silence where status = 'error'").fetchall()
    assert balance == (0,)
    truth = json.loads((tmp_path / "truth" / "truth.json").read_text())["messages"]
    return set(rows), truth | {"lost": lost, "expected": expected, "silent": {host for (host,) in silent}}


@pytest.mark.prove
def test_thirty_simulated_quiet_days_fail_nothing(tmp_path: Path) -> None:
    """GIVEN the simulator's ordinary losses, retries, late batches and restarts THEN no incident is an error."""
    found, _ = reconciled(tmp_path, messages=240_000, days=30, loss=0.01)
    assert found == set()


# In its first week silence warns at most; the logs begin on 1 March.
LATER = "start=2026-03-12,end=2026-03-13"
ALL_DAY = "start=2026-03-05,end=2026-03-06"
PLANTED = {
    "one host falls silent": (f"loss=1,{LATER},host=t1.shop.example", "event_loss", "desktop_web"),
    "one hour is lost": ("loss=1,start=2026-03-05T15,end=2026-03-05T18", "event_loss", "desktop_web"),
    "one browser": (f"loss=0.9,{ALL_DAY},browser=Firefox", "event_loss", "desktop_web"),
    "one tracker version": (f"loss=0.8,{ALL_DAY},tracker=bh-js/3.1.0", "event_loss", "desktop_web"),
    "a platform falls silent": ("loss=1,start=2026-03-12T10,end=2026-03-12T20,platform=ios", "silence", "ios"),
    "a platform loses a third": (f"loss=0.33,{ALL_DAY},platform=android", "message_gaps", "android"),
}  # fmt: skip


@pytest.mark.prove
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_incident_is_an_error_of_its_day_and_of_no_day_before(tmp_path: Path, name: str) -> None:
    text, check, platform = PLANTED[name]
    planted = Incident.read(text)
    day = planted.start.date()
    days = day.day + 1
    found, truth = reconciled(tmp_path, messages=15_000 * days, days=days, loss=0.005, incidents=(planted,))
    assert (check, platform, day) in found
    assert ("silence", platform, day) in found or not planted.host
    assert truth["silent"] - {None} == {planted.host} or not planted.host
    assert {one for *_, one in found if one < day} == set()
    checks = {found_check for found_check, *_ in found}
    assert checks <= {"event_loss", "message_gaps", "silence"}


HARMLESS = {
    "counters start again": {"restarts": 0.05},
    "batches come late": {"late": 0.1},
    "clocks are wrong": {"wrong_clocks": 0.3},
}


@pytest.mark.prove
@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_looks_like_loss_is_no_error_and_hides_none(tmp_path: Path, name: str) -> None:
    """GIVEN 2 % lost, and far more than usual of what is no loss THEN gaps find the loss and nothing is an error."""
    found, truth = reconciled(tmp_path, messages=60_000, days=4, loss=0.02, **HARMLESS[name])
    # What a client still keeps when the log ends is missing too, until it comes.
    missing = truth["lost_singly"] + truth["lost_batch"] + truth["pending"]
    print(f"{name}: gaps find {truth['lost']} of {missing} missing messages, errors: {found or 'none'}")
    assert found == set()
    assert 0.7 * missing <= truth["lost"] <= 1.05 * missing


@pytest.mark.prove
def test_lost_messages_are_found_by_their_indexes(tmp_path: Path) -> None:
    """GIVEN messages lost one by one and by the batch, restarts, late batches THEN gaps find those inside streams."""
    _, truth = reconciled(tmp_path, messages=120_000, days=4, loss=0.04, restarts=0.02, wrong_clocks=0.0)
    lost = truth["lost_singly"] + truth["lost_batch"]
    # What is lost at a stream's end, or with the whole stream, leaves no gap.
    assert 0.75 * lost <= truth["lost"] <= 1.05 * lost
