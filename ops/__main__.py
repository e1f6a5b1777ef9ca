"""`python -m ops run | up | down | status | backfill | airflow …`: what the Makefile calls."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import httpx
import typer
from rich.console import Console

from etl import pipeline
from etl.errors import BloodhoundError
from etl.settings import load_settings
from ops.airflow_api import DAG, AirflowApi
from ops.drive import Pass, check_alive, connect, follow, wait_for_dag
from ops.embedded import PROJECT, Embedded, State, remove_leftovers
from ops.errors import OpsError

SAMPLE_INBOX = PROJECT / "data" / "inbox"
NOTHING_NEW = "Nothing new in the inbox: everything is up to date."
SAMPLE = ["--days", "3", "--messages", "60000", "--seed", "7"]

app = typer.Typer(help=__doc__, add_completion=False, no_args_is_help=True)
console = Console(soft_wrap=True, highlight=False)
Inbox = Annotated[Path | None, typer.Option(help="Folder of raw logs.")]
Home = Annotated[Path | None, typer.Option(help="Folder for everything that is written.")]


@app.command()
def run(inbox: Inbox = None, home: Home = None) -> None:
    """Run the whole way once through Airflow's scheduler, and say what came out."""
    settings = load_settings(inbox, home)
    require_logs(settings.inbox, may_be_sample=inbox is None)
    embedded = Embedded()
    with embedded.exclusively():
        remove_leftovers(embedded)
        if has_logs(settings.inbox) and pipeline.is_up_to_date(settings):
            # What Airflow would find in half a minute, half of which is its start.
            console.print(NOTHING_NEW)
            summarise(settings.home)
            return
        was_up = embedded.state() is not None
        try:
            state = start_or_join(embedded, settings.inbox, settings.home, owner=os.getpid())
            if not has_logs(settings.inbox):
                make_sample(settings.inbox)
            api = wait_until_ready(embedded, state)
            console.print(f"Running {DAG} over {settings.inbox}")
            going = Pass(api, settings.home)
            follow(embedded, state, going, console)
            report_failures(embedded, going)
            if going.was_idle:
                console.print(NOTHING_NEW)
            summarise(settings.home)
            place = where(embedded, state) if was_up else "stopped again; to see its UI: make up"
            console.print(f"Airflow    {place}")
        finally:
            if not was_up:
                stop_undisturbed(embedded)


@app.command()
def up(inbox: Inbox = None, home: Home = None) -> None:
    """Start Airflow and keep it running: the schedule, and the UI on loopback."""
    settings = load_settings(inbox, home)
    embedded = Embedded()
    with embedded.exclusively():
        remove_leftovers(embedded)
        was_up = embedded.state() is not None
        try:
            state = start_or_join(embedded, settings.inbox, settings.home, owner=0)
            wait_until_ready(embedded, state)
        except BaseException:
            if not was_up:
                stop_undisturbed(embedded)
            raise
    console.print(f"Airflow is up: {where(embedded, state)}")
    tell_what_it_serves(state)
    console.print("  stop  make down")


@app.command()
def down() -> None:
    """Stop Airflow."""
    embedded = Embedded()
    with embedded.exclusively():
        was_up = embedded.state() is not None
        embedded.stop()
    console.print("Airflow is stopped." if was_up else "Airflow was not running.")


@app.command()
def status() -> None:
    """Say whether Airflow runs, and with which folders; exit 1 when it does not."""
    embedded = Embedded()
    state = running(embedded)
    check_alive(embedded, state)
    console.print(f"Airflow is up: {where(embedded, state)}")
    tell_what_it_serves(state)


@app.command()
def backfill(first: str, last: str) -> None:
    """Do the days from FIRST to LAST again, in the Airflow that is up; say what was queued and where to watch it."""
    begin, end = span_of(first, last)
    embedded = Embedded()
    state = running(embedded)
    known = pipeline.known_days(load_settings(Path(state.inbox), Path(state.home)))
    days = [day for day in known if begin.isoformat() <= day <= end.isoformat()]
    if not days:
        there = f"There is data of {known[0]} to {known[-1]}" if known else "Nothing has landed yet"
        raise OpsError(f"Nothing is known of {begin} to {end}. {there}.", exit_code=2)
    api = wait_until_ready(embedded, state)
    before = len(api.active_runs())
    run = api.trigger({"first_day": begin.isoformat(), "last_day": end.isoformat()})
    asked = (end - begin).days + 1
    of_all = f" of {asked}" if asked > len(days) else ""
    turn = f", after {before} under way" if before else ""
    console.print(f"Queued  {days[0]} to {days[-1]}: {len(days)}{of_all} days with data, in one run{turn}")
    console.print(f"Watch   http://127.0.0.1:{state.port}{run.page}")


@app.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
)
def airflow(arguments: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Run any `airflow` command against the Airflow that `make up` started."""
    embedded = Embedded()
    state = running(embedded)
    command = [sys.executable, "-m", "airflow", *(arguments or [])]
    done = subprocess.run(command, env=embedded.environment(state), check=False)
    raise typer.Exit(done.returncode)


def running(embedded: Embedded) -> State:
    """Return what `make up` started; refuse when nothing is up."""
    state = embedded.state()
    if state is None:
        raise OpsError("Airflow is not running. Start it: make up")
    return state


def span_of(first: str, last: str) -> tuple[date, date]:
    """Read the first and the last day; refuse what is no day, or the wrong way round."""
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        raise OpsError(f"FROM={first} TO={last}: days are written as 2026-03-01.", exit_code=2) from None
    if end < begin:
        raise OpsError(f"FROM={first} TO={last}: the last day lies before the first.", exit_code=2)
    return begin, end


def has_logs(inbox: Path) -> bool:
    """Tell whether at least one file lies in the inbox."""
    return inbox.is_dir() and any(path.is_file() for path in inbox.rglob("*"))


def require_logs(inbox: Path, *, may_be_sample: bool) -> None:
    """Refuse an inbox that is missing or empty, unless it is the default one: samples go there."""
    if has_logs(inbox) or (may_be_sample and inbox == SAMPLE_INBOX):
        return
    what = "is empty" if inbox.is_dir() else "does not exist"
    raise OpsError(f"The inbox {inbox} {what}. Put logs there, or leave INBOX out.", exit_code=2)


def make_sample(inbox: Path) -> None:
    """Fill the inbox with a few days of simulated logs, wholly or not at all."""
    console.print("The inbox is empty: making three days of sample logs")
    partial = inbox.with_name(f"{inbox.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "etl", "simulate", "--out", str(partial), *SAMPLE]
    if subprocess.run(command, cwd=PROJECT, stdin=subprocess.DEVNULL, check=False).returncode:
        shutil.rmtree(partial, ignore_errors=True)
        raise OpsError("The simulator failed, see above; the inbox is as it was.")
    shutil.rmtree(inbox, ignore_errors=True)
    partial.replace(inbox)


def start_or_join(embedded: Embedded, inbox: Path, home: Path, *, owner: int) -> State:
    """Start Airflow, or join the one that is up if it serves the same folders."""
    state = embedded.state()
    if state is None:
        console.print("Starting Airflow")
        return embedded.start(inbox, home, owner=owner)
    if (state.inbox, state.home) != (str(inbox), str(home)):
        raise OpsError(
            f"Airflow is up for the inbox {state.inbox} and the home {state.home}, "
            f"not for {inbox} and {home}. Stop it first: make down",
            exit_code=2,
        )
    return state


def wait_until_ready(embedded: Embedded, state: State) -> AirflowApi:
    """Wait until Airflow answers and has read the DAG as it is now, on this schedule."""
    sources = b"".join(path.read_bytes() for path in sorted((PROJECT / "dags").glob("*.py")))
    digest = hashlib.sha256(sources + state.schedule.encode()).hexdigest()
    read = embedded.home / "dags_read"
    is_known = read.exists() and read.read_text() == digest
    started = datetime.fromtimestamp(min(began for _, began in state.pids.values()), UTC)
    api = connect(embedded, state)
    wait_for_dag(embedded, state, api, since="" if is_known else started.isoformat())
    read.write_text(digest)
    return api


def report_failures(embedded: Embedded, going: Pass) -> None:
    """End with an error that names the task and the reason, if one failed."""
    if not going.has_failed:
        return
    reason = "; ".join(f"{task.name} failed: {going.api.reason(task)}" for task in going.failed)
    raise OpsError(
        f"{reason or 'the run failed without a failed task'}\nWhole logs: {embedded.logs}, or in the UI after `make up`"
    )


def summarise(home: Path) -> None:
    """Print what came in and what came out."""
    command = [sys.executable, "-m", "etl", "summary", "--home", str(home)]
    sys.stdout.flush()
    if subprocess.run(command, cwd=PROJECT, stdin=subprocess.DEVNULL, check=False).returncode:
        raise OpsError("The summary failed, see above.")


def where(embedded: Embedded, state: State) -> str:
    """Say where the UI is and how to get in."""
    return f"http://127.0.0.1:{state.port}  user admin, password in {embedded.password_file}"


def tell_what_it_serves(state: State) -> None:
    """Say which folders, and when."""
    console.print(f"  inbox {state.inbox}\n  home  {state.home}\n  runs  {state.schedule}, in UTC")


def stop_undisturbed(embedded: Embedded) -> None:
    """Stop Airflow; a second Ctrl-C does not leave half of it running."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    embedded.stop()


def end_on_signal(number: int, _frame: FrameType | None) -> NoReturn:
    """Let a TERM or a hangup unwind like Ctrl-C, so that what was started is stopped."""
    raise SystemExit(128 + number)


def main() -> None:
    """Run a command; what goes wrong is one line on standard error."""
    signal.signal(signal.SIGTERM, end_on_signal)
    signal.signal(signal.SIGHUP, end_on_signal)
    try:
        app(prog_name="python -m ops")
    except (OpsError, BloodhoundError) as error:
        print(f"bloodhound: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except httpx.HTTPError as error:
        print(f"bloodhound: Airflow's API failed: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
