"""The embedded Airflow's processes, and the driver's words."""

import json
import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser
from rich.console import Console

from ops import __main__ as commands
from ops import database
from ops.__main__ import span_of
from ops.airflow_api import DAG, AirflowApi, Run, Task
from ops.drive import Pass, as_line, connect, follow, in_words, wait_for_dag
from ops.embedded import (
    NO_TRIGGERER,
    PROJECT,
    Embedded,
    State,
    free_port,
    remove_leftovers,
    write_once,
)
from ops.errors import OpsError
from ops.processes import is_alive, stop_families


def sleeper(*, with_child: bool = False) -> tuple[int, float]:
    """Start a process that leads a session, as components do, and sleeps."""
    child = "import subprocess, sys; subprocess.Popen(['sleep', '60']);" if with_child else ""
    process = subprocess.Popen(
        [sys.executable, "-c", f"{child}import time; print('up', flush=True); time.sleep(60)"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process.pid, psutil.Process(process.pid).create_time()


def members(session: int) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            continue
    return found


def noted(embedded: Embedded, pids: dict[str, tuple[int, float]], owner: int = 0) -> State:
    embedded.home.mkdir(parents=True, exist_ok=True)
    state = State(port=1, inbox="/in", home="/out", owner=owner, pids=pids)
    embedded._note(state)
    return state


def test_a_reused_pid_is_not_taken_for_the_component() -> None:
    own = psutil.Process()

    assert is_alive(own.pid, own.create_time())
    assert not is_alive(own.pid, own.create_time() - 100)


def test_a_component_stops_with_its_children() -> None:
    leader = sleeper(with_child=True)
    assert len(members(leader[0])) == 2

    stop_families([leader])

    assert members(leader[0]) == []


def test_orphans_of_a_killed_component_are_stopped() -> None:
    leader = sleeper(with_child=True)
    os.kill(leader[0], 9)
    while is_alive(*leader):
        time.sleep(0.05)
    assert len(members(leader[0])) == 1

    stop_families([leader])

    assert members(leader[0]) == []


def test_a_stranger_with_the_pid_of_a_component_is_left_alone() -> None:
    pid, started = sleeper()

    stop_families([(pid, started - 100)])

    assert is_alive(pid, started)
    stop_families([(pid, started)])


def test_a_dead_component_is_named(tmp_path: Path) -> None:
    embedded = Embedded(tmp_path)
    own = psutil.Process()
    alive = (own.pid, own.create_time())
    state = noted(embedded, {"api-server": alive, "scheduler": (alive[0], 0.0)})

    assert embedded.dead(state) == ["scheduler", "dag-processor"]
    assert embedded.state() == state


@pytest.mark.parametrize(
    ("schedule", "components"),
    [
        ("daily", ["api-server", "scheduler", "dag-processor"]),
        ("*/5 * * * *", ["api-server", "scheduler", "dag-processor"]),
        ("on_arrival", ["api-server", "scheduler", "dag-processor", "triggerer"]),
    ],
)
def test_the_triggerer_runs_if_the_schedule_needs_it_and_is_shown_if_it_runs(
    tmp_path: Path, schedule: str, components: list[str]
) -> None:
    state = State(port=1, inbox="/in", home="/out", owner=0, schedule=schedule)
    environment = Embedded(tmp_path).environment(state)
    hidden = json.loads(environment["AIRFLOW__API__THEME"])["globalCss"]

    assert state.components == components
    assert (NO_TRIGGERER in hidden) == ("triggerer" not in components)
    assert environment["BLOODHOUND_SCHEDULE"] == schedule


def test_airflow_is_told_its_database_and_its_page_each_by_its_own_address(tmp_path: Path) -> None:
    embedded, database = Embedded(tmp_path), "postgresql+psycopg2://postgres:@/postgres?host=/somewhere"
    told = embedded.environment(State(port=8123, inbox="in", home="home", owner=0), database)
    assert told["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == database
    assert told["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:8123"


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    embedded = Embedded(tmp_path)
    leader = sleeper()
    finished = subprocess.Popen(["true"])
    finished.wait()
    noted(embedded, dict.fromkeys(("api-server", "scheduler", "dag-processor"), leader), finished.pid)

    remove_leftovers(embedded)

    assert embedded.state() is None
    assert not is_alive(*leader)


def test_what_stays_up_is_not_taken_for_a_leftover(tmp_path: Path) -> None:
    embedded = Embedded(tmp_path)
    own = psutil.Process()
    alive = (own.pid, own.create_time())
    noted(embedded, dict.fromkeys(("api-server", "scheduler", "dag-processor"), alive))

    remove_leftovers(embedded)

    assert embedded.state() is not None


def test_a_half_written_state_counts_as_none(tmp_path: Path) -> None:
    embedded = Embedded(tmp_path)
    embedded.state_file.write_text('{"port": 80')

    assert embedded.state() is None


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    with (
        Embedded(tmp_path).exclusively(),
        pytest.raises(OpsError, match="Another"),
        Embedded(tmp_path).exclusively(),
    ):
        pass


def test_keys_are_made_once_and_closed_to_others(tmp_path: Path) -> None:
    Embedded(tmp_path)._prepare_home()
    password = Embedded(tmp_path).password
    Embedded(tmp_path)._prepare_home()
    secret_files = [*(tmp_path / "secrets").iterdir(), tmp_path / "password.json"]

    assert Embedded(tmp_path).password == password
    assert len(password) >= 20
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret_files} == {0o600}
    assert len({path.read_text() for path in secret_files}) == len(secret_files)


def test_write_once_keeps_what_is_there(tmp_path: Path) -> None:
    write_once(tmp_path / "key", "first")
    write_once(tmp_path / "key", "second")

    assert (tmp_path / "key").read_text() == "first"


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert free_port(port) != port
    assert free_port(port) == port


def test_postgres_starts_stops_and_starts_again(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    for _ in range(2):
        assert database.start(data).startswith("postgresql+psycopg2://")
        database.stop(data)
        assert not (data / "postmaster.pid").exists()


def test_lists_are_told_by_their_length() -> None:
    counts = {"files": 3, "lines": 60000, "failed": [], "days": ["2026-03-01"], "published": "/x"}

    assert in_words(counts) == "3 files, 60,000 lines, 1 days"


def test_a_line_says_task_state_time_and_reason() -> None:
    task = Task(Run("r", "failed"), "build", "failed", 2.04, 1)

    assert as_line(task, "BuildFailed: x").split() == [
        "build",
        "failed",
        "2.0",
        "s",
        "BuildFailed:",
        "x",
    ]


@pytest.mark.parametrize("exists", [True, False])
def test_an_inbox_without_logs_is_one_line_and_exit_2(tmp_path: Path, exists: bool) -> None:
    inbox = tmp_path / "inbox"
    if exists:
        inbox.mkdir()
    command = [sys.executable, "-m", "ops", "run", "--inbox", str(inbox), "--home", str(tmp_path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stdout == ""
    what = "is empty" if exists else "does not exist"
    assert done.stderr.startswith(f"bloodhound: The inbox {inbox} {what}.")
    assert done.stderr.count("\n") == 1


def test_a_newcomer_without_logs_comes_to_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a fresh clone, whose inbox is not there THEN Airflow is started and the sample made."""
    inbox = tmp_path / "inbox"
    monkeypatch.setattr(commands, "SAMPLE_INBOX", inbox)
    monkeypatch.setenv("BLOODHOUND_INBOX", str(inbox))
    monkeypatch.setenv("BLOODHOUND_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BLOODHOUND_AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.setattr(commands, "start_or_join", lambda *_, **__: None)
    monkeypatch.setattr(commands, "wait_until_ready", lambda *_: sys.exit("ready"))
    with pytest.raises(SystemExit, match="ready"):
        commands.run()
    assert any(inbox.rglob("*.zst"))


@pytest.mark.parametrize(
    ("first", "last", "reason"),
    [
        ("2026-13-01", "2026-03-07", "days are written as 2026-03-01"),
        ("2026-03-01", "tomorrow", "days are written as 2026-03-01"),
        ("2026-03-07", "2026-03-01", "the last day lies before the first"),
    ],
)
def test_days_that_are_none_or_the_wrong_way_round_are_refused(first: str, last: str, reason: str) -> None:
    with pytest.raises(OpsError, match=reason) as refused:
        span_of(first, last)

    assert refused.value.exit_code == 2
    assert f"FROM={first} TO={last}" in str(refused.value)


def test_a_backfill_of_no_day_is_one_line_and_exit_2() -> None:
    command = [sys.executable, "-m", "ops", "backfill", "2026-02-30", "2026-03-01"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "bloodhound: FROM=2026-02-30 TO=2026-03-01: days are written as 2026-03-01.\n"


def test_the_lock_names_no_host_and_pins_everything() -> None:
    lines = (PROJECT / "requirements.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith(("#", " "))]

    assert len(pins) > 100
    assert [line for line in pins if "==" not in line or "://" in line] == []


def test_airflow_listens_on_loopback_and_asks_for_a_login() -> None:
    settings = (PROJECT / "airflow.cfg").read_text()

    assert "host = 127.0.0.1" in settings
    assert "simple_auth_manager_all_admins = False" in settings
    assert "load_examples = False" in settings


def test_state_survives_a_reading_by_another_version(tmp_path: Path) -> None:
    embedded = Embedded(tmp_path)
    embedded.state_file.write_text(json.dumps({"unknown": 1}))

    assert embedded.state() is None


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
