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
from builders.processes import members

from ops import __main__ as commands
from ops import database
from ops.__main__ import span_of
from ops.airflow_api import Run, Task
from ops.drive import as_line, in_words
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
