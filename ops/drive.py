"""Run the DAG to its end through Airflow's scheduler, and show how it goes."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from etl.progress import read_progress
from ops.airflow_api import DAG, AirflowApi, Run, Task
from ops.embedded import Embedded, State
from ops.errors import OpsError

START_SECONDS = 180
POLL_SECONDS = 0.7
# Airflow's word → ours, of states in which a task has spent its time.
WORDS = {
    "success": "done",
    "skipped": "nothing new",
    "failed": "failed",
    "up_for_retry": "failed, will retry",
    "upstream_failed": "not tried",
}
COLOURS = {"success": "green", "skipped": "green", "failed": "red", "up_for_retry": "yellow"}
# States that pass within a second and say nothing.
UNTOLD = {"waiting", "scheduled", "queued"}


def connect(embedded: Embedded, state: State) -> AirflowApi:
    """Wait until Airflow answers and its scheduler beats, and log in.

    Raises:
        OpsError: a component died, or nothing answers in time.
    """
    api = AirflowApi(f"http://127.0.0.1:{state.port}", embedded.password)
    _wait(embedded, state, "Airflow does not answer", lambda: _answers(api))
    api.ensure_pool()
    # Airflow builds the tasks' side of its API at the first request: 4 s, better spent now.
    threading.Thread(target=api.warm_up, daemon=True).start()
    _wait(embedded, state, "Airflow's scheduler does not start", api.is_healthy)
    return api


def _answers(api: AirflowApi) -> bool:
    try:
        api.log_in()
    except httpx.TransportError:
        return False
    return True


def wait_for_dag(embedded: Embedded, state: State, api: AirflowApi, since: str) -> None:
    """Wait until the DAG was read.

    Args:
        since: ISO time; a DAG read before it counts as not read. Empty: any reading will do.

    Raises:
        OpsError: its file does not import, or it is paused.
    """

    def read() -> bool:
        if errors := api.import_errors():
            raise OpsError(f"A DAG file does not import: {errors[0]}")
        dag = api.dag()
        return dag is not None and not dag["is_stale"] and (dag["last_parsed_time"] or "") >= since

    _wait(embedded, state, "Airflow does not read the DAG", read)
    if (api.dag() or {})["is_paused"]:
        raise OpsError(f"{DAG} is paused. Switch it on in Airflow's UI (`make up`).")


def _wait(embedded: Embedded, state: State, complaint: str, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        check_alive(embedded, state)
        if time.monotonic() > deadline:
            raise OpsError(f"{complaint} within {START_SECONDS} s; its logs: {embedded.logs}")
        time.sleep(0.3)


def check_alive(embedded: Embedded, state: State) -> None:
    """Raise OpsError when a component died."""
    for name in embedded.dead(state):
        words = embedded.last_words(name)
        raise OpsError(f"Airflow's {name} died: {words or 'it left no word'} (logs: {embedded.logs})")


class Pass:
    """The run that was triggered, and every run that goes on beside it.

    Beside it goes the schedule's own run of a time that passed while Airflow was down: it may take the work before
    ours does.

    Args:
        home: where running tasks say how far they are.
    """

    def __init__(self, api: AirflowApi, home: Path | None = None) -> None:
        self.api, self.home = api, home
        ours = api.trigger()
        self.runs = {ours.run_id: ours}
        self.tasks: dict[tuple[str, str], Task] = {}
        self.notes: dict[tuple[str, str], str] = {}
        # Runs whose end was seen.
        self._ended: set[str] = set()

    def poll(self) -> bool:
        """Look once; return whether everything has ended, or something failed."""
        for run in self.api.active_runs():
            self.runs.setdefault(run.run_id, run)
        for run_id in self.runs.keys() - self._ended:
            self.runs[run_id] = run = self.api.run(self.runs[run_id])
            self._look_at_tasks(run)
            if not run.is_active:
                self._ended.add(run_id)
        return self.has_failed or self.runs.keys() == self._ended

    def _look_at_tasks(self, run: Run) -> None:
        for task in self.api.tasks(run):
            key = (run.run_id, task.name)
            previous = self.tasks.get(key)
            self.tasks[key] = task
            if task.state == "running" and self.home:
                self.notes[key] = read_progress(self.home, task.name)
            if previous and (previous.state, previous.tries) == (task.state, task.tries):
                continue
            if task.state == "success":
                self.notes[key] = in_words(self.api.result(task))
            elif task.state in ("failed", "up_for_retry"):
                self.notes[key] = self.api.reason(task)

    @property
    def has_failed(self) -> bool:
        """Tell whether a run failed."""
        return any(run.state == "failed" for run in self.runs.values())

    @property
    def failed(self) -> list[Task]:
        """The tasks that failed for good."""
        return [task for task in self.tasks.values() if task.state == "failed"]

    @property
    def was_idle(self) -> bool:
        """Tell whether nothing was new."""
        return {task.state for task in self.tasks.values()} == {"skipped"}


def in_words(counts: dict[str, object]) -> str:
    """Put the counts of a task into a phrase, the lists by their length."""
    sized = {name: len(value) if isinstance(value, list) else value for name, value in counts.items()}
    return ", ".join(
        f"{value:,} {name.replace('_', ' ')}"
        for name, value in sized.items()
        if isinstance(value, int) and value and not isinstance(value, bool)
    )


def follow(embedded: Embedded, state: State, going: Pass, console: Console) -> None:
    """Show a pass until it ends: a live table in a terminal, else a line for each change.

    Raises:
        OpsError: a component died on the way.
    """
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4) as live:
            while not _look(embedded, state, going):
                live.update(as_table(going))
                time.sleep(POLL_SECONDS)
            live.update(as_table(going))
        return
    told: dict[tuple[str, str], tuple[str, int]] = {}
    ended = False
    while not ended:
        ended = _look(embedded, state, going)
        for key, task in going.tasks.items():
            if told.get(key) != (task.state, task.tries) and task.state not in UNTOLD:
                told[key] = (task.state, task.tries)
                console.print(f"  {as_line(task, going.notes.get(key, ''))}", markup=False)
        if not ended:
            time.sleep(POLL_SECONDS)


def _look(embedded: Embedded, state: State, going: Pass) -> bool:
    try:
        return going.poll()
    except httpx.TransportError:
        # Busy, or dead: the latter ends it here.
        check_alive(embedded, state)
        return False
    finally:
        check_alive(embedded, state)


def as_line(task: Task, note: str) -> str:
    """Put a task into one line."""
    ended = task.state in WORDS
    spent = f"{task.seconds:6.1f} s" if ended else " " * 8
    return f"{task.name:10} {WORDS.get(task.state, task.state):18} {spent}  {note}".rstrip()


def as_table(going: Pass) -> Table:
    """Put all tasks into a table."""
    table = Table.grid(padding=(0, 2))
    for key, task in going.tasks.items():
        colour = COLOURS.get(task.state, "default")
        table.add_row(Text(f"  {as_line(task, going.notes.get(key, ''))}", style=colour))
    return table
