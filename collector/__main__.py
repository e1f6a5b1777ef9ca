"""`python -m collector up | down | status | rotate | block | unblock | blocks | page`: what the Makefile calls."""

import getpass
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from collector import blocking, processes
from collector.guard import flag
from collector.keeper import keep as keep_going
from collector.rendering import WITNESSES, render
from collector.rotation import rotate as rotate_once
from collector.settings import FILE, CollectorSettings, load_collector_settings
from collector.snippet import page_snippet
from etl.errors import BloodhoundError
from etl.settings import load_settings

app = typer.Typer(help=__doc__, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
Inbox = Annotated[Path | None, typer.Option(help="Folder of raw logs, to which hours are delivered.")]
Home = Annotated[Path | None, typer.Option(help="Folder of everything written.")]
Host = Annotated[list[str] | None, typer.Option(help="Your site's domain; repeat for more.")]
SettingsFile = Annotated[Path, typer.Option("--settings", help="Another collector.toml.")]


def settings_of(host: list[str] | None, inbox: Path | None, home: Path | None, file: Path = FILE) -> CollectorSettings:
    """Read the settings, with what the command says over them."""
    return load_collector_settings(load_settings(inbox, home), file, sites=host or None)


def started(home: Path | None) -> CollectorSettings:
    """Read with what the collector of a home was started."""
    return processes.started_with(load_settings(home=home).home)


@app.command()
def up(host: Host = None, inbox: Inbox = None, home: Home = None, settings: SettingsFile = FILE) -> None:
    """Start the collector, or have the one that runs read its settings anew; say what to do next."""
    chosen = settings_of(host, inbox, home, settings)
    processes.start(chosen)
    scheme = "https" if chosen.certificate else "http"
    for witness, name, port in (
        ("tracker", chosen.trackers, chosen.tracker_port),
        ("pixel", chosen.pixels, chosen.pixel_port),
    ):
        print(f"{witness:9}{scheme}://{chosen.listen[0]}:{port}, for {name}")
    print(f"hours    to {chosen.inbox}, when over and {chosen.grace_seconds} s")
    print("page     what to paste: .venv/bin/python -m collector page")
    print("stop     make collect-down")


@app.command()
def down(home: Home = None) -> None:
    """Stop the collector; what it has written is delivered when its hour is over and it runs again, or by `rotate`."""
    print("The collector is stopped." if processes.stop(started(home)) else "The collector was not running.")


@app.command()
def status(home: Home = None) -> None:
    """Say what runs; exit 1 if something does not, or requests are refused."""
    chosen = started(home)
    missing = [name for name in (*WITNESSES, processes.KEEPER) if not processes.running(chosen, name)]
    print(f"Does not run: {', '.join(missing)}." if missing else "The collector is up.")
    if flag(chosen).exists():
        print(f"Requests are refused: less than {chosen.reserve_mb} MB are free on the disk of {chosen.folder}.")
    if missing or flag(chosen).exists():
        raise typer.Exit(1)


@app.command(hidden=True)
def keep(home: Path) -> None:
    """Watch the disk and deliver, until stopped: what `up` starts beside nginx."""
    keep_going(processes.started_with(home))


@app.command(name="render")
def render_configuration(witness: str, host: Host = None, settings: SettingsFile = FILE) -> None:
    """Print nginx's configuration of `tracker` or `pixel`."""
    print(render(settings_of(host, None, None, settings), witness), end="")


@app.command()
def rotate(
    home: Home = None, now: Annotated[bool, typer.Option("--now", help="Hours that go on, too: nginx is down.")] = False
) -> None:
    """Deliver the hours that are over."""
    chosen = started(home)
    moment = datetime.now(UTC)
    if now:
        moment += timedelta(hours=2, seconds=chosen.grace_seconds)
    for path in rotate_once(chosen, moment):
        print(path)


@app.command()
def block(
    network: str,
    reason: Annotated[str, typer.Option(help="Why; it stands in the lines.")],
    hours: Annotated[int | None, typer.Option(help="For how long.", min=1)] = None,
    by: Annotated[str, typer.Option(help="Whose decision it is.")] = "",
    home: Home = None,
) -> None:
    """Mark what an address sends as blocked: it is kept, counted and excluded."""
    chosen, now = started(home), datetime.now(UTC)
    until = now + timedelta(hours=hours or chosen.block_hours)
    if blocking.block(chosen, network, reason, until, by or getpass.getuser(), now):
        processes.reload_tracker(chosen)
    print(f"{network} is blocked until {until:%Y-%m-%d %H:%M} UTC. Undo: python -m collector unblock {network}")


@app.command(name="block-list")
def block_list(
    file: Annotated[Path, typer.Argument(help="As `python -m etl suspects` writes it: network,reason.")],
    by: Annotated[str, typer.Option(help="Who has judged it.")],
    hours: Annotated[int | None, typer.Option(help="For how long.", min=1)] = None,
    home: Home = None,
) -> None:
    """Block what stands in a list that somebody has judged."""
    chosen, now = started(home), datetime.now(UTC)
    until = now + timedelta(hours=hours or chosen.block_hours)
    suggested = blocking.read_suggestions(file)
    changes = [blocking.block(chosen, network, reason, until, by, now) for network, reason in suggested]
    if any(changes):
        processes.reload_tracker(chosen)
    print(f"{len(suggested)} networks are blocked until {until:%Y-%m-%d %H:%M} UTC, by the word of {by}.")


@app.command()
def unblock(network: str, home: Home = None) -> None:
    """Take an address or network from the block list."""
    chosen = started(home)
    if blocking.unblock(chosen, network, datetime.now(UTC)):
        processes.reload_tracker(chosen)
    print(f"{network} is blocked no more.")


@app.command()
def blocks(home: Home = None) -> None:
    """Show the block list."""
    now = datetime.now(UTC)
    for each in blocking.read_blocks(started(home)):
        print(f"{each.network:24}{'until' if each.holds(now) else 'ended'} {each.until}  {each.reason} ({each.by})")


@app.command()
def page(home: Home = None, app_id: str = "site") -> None:
    """Print the lines to paste into the site's pages."""
    print(page_snippet(started(home), app_id), end="")


@app.command(name="demo")
def play_demo(
    short: Annotated[bool, typer.Option("--short", help="Ten scenarios of thirty.")] = False,
    folder: Annotated[Path, typer.Option(help="Where it plays; emptied before.")] = Path("data/demo"),
) -> None:
    """Play a shop with real browsers, take it through Airflow, compare truth and warehouse: exit 1 if they differ."""
    from collector.demo.play import demo  # noqa: PLC0415  (starts a driver of browsers)

    if not demo(folder.absolute(), is_short=short, console=Console(soft_wrap=True, highlight=False)):
        raise typer.Exit(1)


def main() -> None:
    """Run a command; what goes wrong is one line on standard error."""
    try:
        app(prog_name="python -m collector")
    except BloodhoundError as error:
        print(f"bloodhound: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
