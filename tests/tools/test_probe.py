"""Probes: what was sent is found as it was sent, whatever is missing is said, and no number about people moves."""

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest
from builders import House, combined, each, event, events

from etl import pipeline
from etl.enrich import user_agents
from etl.errors import BadUse, CheckFailed
from etl.lake.catalogue import Lake
from etl.settings import PROJECT
from etl.tools import probe, probe_look

STAGES = (pipeline.land, pipeline.parse, pipeline.sessionize, pipeline.build)
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
Row = dict[str, Any]


def about_people(house: House) -> dict[str, list[tuple[Any, ...]]]:
    """Read all that executives, marketing and product are told, and orders, in an order."""
    with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
        tables = con.execute(
            "select table_schema || '.' || table_name from information_schema.tables"
            " where table_schema in ('executive', 'marketing', 'product') order by 1"
        ).fetchall()
        return {
            name: con.execute(f"select * from {name} order by all").fetchall()
            for name in (*(name for (name,) in tables), "core.orders")
        }


def send(house: House, *, drop: int | None = None, old: str = "", new: str = "") -> Row:
    """Send a probe; take a line of its log away, or write something else into it."""
    note = pipeline.send_probe(house.settings)
    path = house.root / "inbox" / f"events/probe-{note['run']}.jsonl"
    written = path.read_text()
    assert old in written
    kept = [line for number, line in enumerate(written.splitlines(keepends=True)) if number != drop]
    path.write_text("".join(kept).replace(old, new))
    return note


@dataclass
class Outcome:
    """A home in which five probes met five fates."""

    house: House
    before: dict[str, list[tuple[Any, ...]]]
    notes: dict[str, Row]
    complaint: str
    after: dict[str, list[tuple[Any, ...]]]

    def messages(self, name: str) -> dict[str, tuple[str, str | None]]:
        """Say of a run's messages, by kind: status and what they were found as."""
        with duckdb.connect(str(self.house.settings.warehouse), read_only=True) as con:
            rows = con.execute(
                "select kind, status, found_as from quality.probes where run_id = $run order by message_number desc",
                {"run": self.notes[name]["run"]},
            ).fetchall()
        return {kind: (status, found_as) for kind, status, found_as in rows}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: Any) -> Outcome:
    """Run the pipeline, send five probes, meddle with four of them, run it again."""
    house = House(tmp_path_factory.mktemp("probe"))
    visits = events("10:00 /a?utm_source=x", "10:01 /b", "10:02 order", "10:03 feature_use", data={"feature": "search"})
    visits[2]["data"] = {"order_id": "o", "revenue": "5.00"}
    late_day = event("20:00 /c", 0, "w")
    house.put("events/a.jsonl", each([*visits, late_day]))
    hits = [combined(f"10:0{n}:01 /px.gif?e=v-p{n}&a=shop&p=desktop_web&v=v") for n in range(2)]
    house.put("pixel/a.log", ("\n".join(hits) + "\n").encode())
    for stage in STAGES:
        stage(house.settings)
    before = about_people(house)
    notes = {
        "whole": send(house),
        "changed": send(house, old="probe.example/b?", new="probe.example/x?"),
        "late": send(house, old='"received_at":177239521', new='"received_at":177239921'),
        "short": send(house, drop=0),
        "gone": send(house),
    }
    for name in notes["gone"]["files"]:
        (house.root / "inbox" / name).unlink()
    for stage in STAGES:
        stage(house.settings)
    with pytest.raises(CheckFailed) as failed:
        pipeline.reconcile(house.settings)
    return Outcome(house, before, notes, str(failed.value), about_people(house))


@pytest.mark.prove
def test_a_probe_changes_no_number_about_people(outcome: Outcome) -> None:
    assert outcome.before["executive.kpi_daily"] and outcome.before["marketing.touchpoints"]
    assert outcome.after == outcome.before


def test_each_message_is_found_as_it_was_meant(outcome: Outcome) -> None:
    assert outcome.messages("whole") == {
        "version 3": ("found", "accepted"), "version 2": ("found", "accepted"), "version 1": ("found", "accepted"),
        "Snowplow GET": ("found", "accepted"), "Snowplow POST": ("found", "accepted"),
        "sent twice": ("found", "accepted, duplicate"), "invalid": ("found", "missing_key"), "pixel": ("found", "hit"),
    }  # fmt: skip


def test_a_message_that_was_altered_on_the_way_is_changed(outcome: Outcome) -> None:
    found = outcome.messages("changed")
    assert found.pop("version 2") == ("changed", "accepted")
    assert {status for status, _ in found.values()} == {"found"}


def test_what_was_received_an_hour_after_it_was_sent_is_late(outcome: Outcome) -> None:
    found = outcome.messages("late")
    assert found.pop("pixel") == ("found", "hit")
    assert {status for status, _ in found.values()} == {"late"}


def test_a_line_that_is_missing_is_lost_by_its_number(outcome: Outcome) -> None:
    found = outcome.messages("short")
    assert found.pop("version 3") == ("lost", None)
    assert {status for status, _ in found.values()} == {"found"}


def test_a_run_of_which_nothing_arrived_is_known_to_the_home(outcome: Outcome) -> None:
    assert outcome.messages("gone") == {}
    runs = probe_look.look_for_probes(outcome.house.settings)
    assert [run["state"] for run in runs] == ["found", "changed", "late", "lost", "lost"]
    # Late, but whole: what went wrong before it is answered.
    assert [run["is_open"] for run in runs] == [False, False, True, True, True]
    assert probe_look.describe(runs[-1]) == [f"probe {outcome.notes['gone']['run']}: lost: nothing of it has arrived"]
    assert [text for text in probe_look.describe(runs[1]) if "version 2" in text] == [
        "  2 version 2: changed; expected accepted, found as accepted; url: "
        "'https://probe.example/x?q=100%25&utm_source=probe', sent 'https://probe.example/b?q=100%25&utm_source=probe'"
    ]


def test_reconcile_fails_and_tells_once(outcome: Outcome) -> None:
    """GIVEN a lost message in the latest run that arrived, and one that did not THEN both are said, each told once."""
    gone, short = (outcome.notes[name]["run"] for name in ("gone", "short"))
    assert f"probe (run {short}): 1, allowed 0; See quality.probes: version 3 lost" in outcome.complaint
    assert f"probe ({gone}): nothing of it has arrived" in outcome.complaint
    told = [alert["key"] for alert in pipeline.waiting_alerts(outcome.house.settings) if alert["key"][0] == "probe"]
    assert told == [["probe", f"run {short}", None], ["probe", gone, None]]


def test_the_command_exits_with_one_when_something_is_missing(outcome: Outcome) -> None:
    home = outcome.house.settings.home
    done = subprocess.run(
        [sys.executable, "-m", "etl", "probe", "--look", "--home", str(home)], cwd=PROJECT, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "lost: nothing of it has arrived" in done.stdout and "changed" not in done.stdout


def test_what_may_yet_come_is_neither_found_nor_lost(outcome: Outcome) -> None:
    """GIVEN a log that lies in the inbox WHEN publications pass it by THEN it waits for one and is then lost."""
    settings = outcome.house.settings
    note = pipeline.send_probe(settings)
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        states = [probe_look.look(Lake(settings), con, name)[-1]["state"] for name in ("first", "first", "second")]
    assert states == ["waiting", "waiting", "lost"]
    for name in note["files"]:
        (settings.inbox / name).unlink()
    probe.note_path(Lake(settings), note["run"]).unlink()


def test_no_probe_and_no_warehouse_are_bad_use(house: House) -> None:
    with pytest.raises(BadUse, match="no probe was sent"):
        probe_look.look_for_probes(house.settings)
    with pytest.raises(BadUse, match="there is no warehouse"):
        pipeline.send_probe(house.settings)


def test_probes_call_themselves_bots_under_the_app_that_checks_leave_out() -> None:
    ((reason,),) = [(row["ua_bot_reason"],) for row in user_agents.describe([probe.AGENT]).to_pylist()]
    assert reason == "declared"
    assert f"probe_app_id: {probe.APP_ID}\n" in (PROJECT / "dbt_project" / "dbt_project.yml").read_text()


def test_a_run_says_what_it_sends_in_every_message() -> None:
    messages = probe.compose("1772395210000-0001abcd", AT)
    lines = probe.collector_lines("1772395210000-0001abcd", AT, messages).decode().splitlines()
    assert [message["letter"] for message in messages] == list(probe.SENT)
    assert len({message["id"] for message in messages}) == len(probe.SENT)
    # One line a message that is no hit, and one more of the message that is sent twice.
    assert len(lines) == len(probe.SENT.replace("h", "")) + 1
    assert {json.loads(line)["user_agent"] for line in lines} == {probe.AGENT}
    assert len({json.loads(line)["request_id"] for line in lines}) == len(lines)
