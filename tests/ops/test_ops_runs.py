"""Runs of the real Airflow: begun by files and by the clock, killed, and completed by the next."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from builders.processes import members
from playwright.sync_api import Browser
from rich.console import Console

from ops.airflow_api import DAG, AirflowApi, Run
from ops.drive import Pass, connect, follow, wait_for_dag
from ops.embedded import (
    PROJECT,
    Embedded,
    State,
)


def simulated(inbox: Path, *, seed: int = 7, days: int = 2) -> Path:
    """Fill a folder with a few days of a small shop."""
    simulate = ["simulate", "--out", str(inbox), "--days", str(days), "--messages", "500", "--seed", str(seed)]
    subprocess.run([sys.executable, "-m", "etl", *simulate], check=True, cwd=PROJECT, capture_output=True)
    return inbox


def day_events(api: AirflowApi, run: Run) -> dict[str, list[str]]:
    """Return asset → the days that a run named on it."""
    found: dict[str, list[str]] = {}
    for event in api._get("/assets/events", source_run_id=run.run_id, limit=100)["asset_events"]:
        found.setdefault(event["name"], []).append(event["partition_key"])
    return {name: sorted(days) for name, days in found.items()}


def next_run(api: AirflowApi, known: set[str], seconds: float) -> Run:
    """Wait for a run that nobody knows yet to come and to end; add it to the known."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        runs = api._get(f"/dags/{DAG}/dagRuns", order_by="-run_after", limit=100)["dag_runs"]
        for run in runs:
            if run["dag_run_id"] not in known and run["state"] in ("success", "failed"):
                known.add(run["dag_run_id"])
                return Run(run["dag_run_id"], run["state"])
        time.sleep(0.5)
    raise AssertionError(f"no run came within {seconds} s")


def badges(browser: Browser, embedded: Embedded, state: State) -> dict[str, bool]:
    """Return which of the components' badges on Airflow's home page somebody sees."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{state.port}/")
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", embedded.password)
        page.keyboard.press("Enter")
        page.get_by_text("Dag Processor", exact=True).wait_for(timeout=60_000)
        names = ("MetaDatabase", "Scheduler", "Triggerer", "Dag Processor")
        return {name: page.get_by_text(name, exact=True).is_visible() for name in names}


@pytest.mark.prove
def test_runs_begin_when_files_arrive_and_by_the_clock(
    tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The inbox is watched; a late file and a backfill do their days and no others; then the clock takes over."""
    monkeypatch.setenv("BLOODHOUND_SCHEDULE", "on_arrival")
    monkeypatch.setenv("BLOODHOUND_AIRFLOW_HOME", str(tmp_path / "airflow"))
    inbox, home = simulated(tmp_path / "inbox"), tmp_path / "home"
    late = max(
        (simulated(tmp_path / "late", seed=8, days=1) / "events").rglob("*.zst"), key=lambda path: path.stat().st_size
    )
    embedded = Embedded()
    state = embedded.start(inbox, home, owner=os.getpid())
    try:
        api = connect(embedded, state)
        wait_for_dag(embedded, state, api, since="")
        # What lies there at the start has arrived: the watcher's run is one that others began beside ours.
        ours = Pass(api)
        follow(embedded, state, ours, Console(quiet=True))
        known = set(ours.runs)
        assert {run.state for run in ours.runs.values()} == {"success"}
        if len(known) == 1:
            # Ours was over before the watcher looked.
            assert next_run(api, known, 120).run_id.startswith("asset_triggered__")
        assert sorted(name.partition("__")[0] for name in known) == ["asset_triggered", "manual"]
        assert api.active_runs() == []
        assert not ours.was_idle
        assert all(badges(browser, embedded, state).values())

        late.replace(inbox / "events" / "late.jsonl.zst")
        arrived = next_run(api, known, 120)
        assert arrived.state == "success"
        assert day_events(api, arrived) == {name: ["2026-03-01"] for name in ("messages", "events", "warehouse")}

        command = [sys.executable, "-m", "ops", "backfill", "2026-03-02", "2026-03-09"]
        told = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
        again = next_run(api, known, 120)
        assert "Queued  2026-03-02 to 2026-03-02: 1 of 8 days with data, in one run\n" in told
        assert f"http://127.0.0.1:{state.port}{again.page}" in told
        assert again.state == "success"
        assert {name: days for name, days in day_events(api, again).items() if name != "messages"} == {
            "events": ["2026-03-02"],
            "warehouse": ["2026-03-02"],
        }
        embedded.stop()

        monkeypatch.setenv("BLOODHOUND_SCHEDULE", "* * * * *")
        state = embedded.start(inbox, home, owner=os.getpid())
        api = connect(embedded, state)
        on_time = next_run(api, known, 180)
        assert on_time.run_id.startswith("scheduled__")
        assert {task.state for task in api.tasks(on_time)} == {"skipped"}
        assert badges(browser, embedded, state) == {
            "MetaDatabase": True, "Scheduler": True, "Triggerer": False, "Dag Processor": True
        }  # fmt: skip
    finally:
        embedded.stop()


@pytest.mark.prove
@pytest.mark.parametrize("moment", ["Running bloodhound", "land", "build"])
def test_a_run_killed_with_its_scheduler_is_completed_by_the_next(tmp_path: Path, moment: str) -> None:
    environment = os.environ | {"BLOODHOUND_AIRFLOW_HOME": str(tmp_path / "airflow")}
    inbox, home = simulated(tmp_path / "inbox", days=1), tmp_path / "home"
    command = [sys.executable, "-m", "ops", "run", "--inbox", str(inbox), "--home", str(home)]
    embedded = Embedded(tmp_path / "airflow")
    sessions: list[int] = []

    def run_to_the_end() -> str:
        done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    with subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        try:
            assert any(moment in line for line in killed.stdout)
            state = embedded.state()
            assert state is not None
            sessions = [pid for pid, _ in state.pids.values()]
            os.kill(state.pids["scheduler"][0], 9)
        finally:
            killed.kill()

    run_to_the_end()
    after = run_to_the_end()

    assert "Nothing new" in after
    assert (home / "warehouse" / "bloodhound.duckdb").exists()
    assert [members(session) for session in sessions] == [[], [], []]
    assert embedded.state() is None
