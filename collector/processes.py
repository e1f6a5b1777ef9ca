"""The collector's processes: two nginx, and the keeper that rotates and guards; started, reloaded, stopped."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
from pydantic import ValidationError

from collector.blocking import read_blocks, write_blocks
from collector.rendering import WITNESSES, configuration, write_configuration
from collector.rotation import closed_folder
from collector.settings import CollectorSettings
from etl.errors import BadUse, BloodhoundError
from etl.lake import files
from etl.settings import PROJECT

START_SECONDS = 10
KEEPER = "keeper"
SETTINGS = "settings.json"
"""With what was started what runs: the keeper and later commands go by it."""
BUILT_PAGE = PROJECT / "collector" / "page" / "built" / "bh.js"


class CollectorFailed(BloodhoundError):
    """nginx or the keeper does not do as asked."""


def nginx_command() -> str:
    """Find nginx.

    Raises:
        BadUse: there is none.
    """
    found = shutil.which("nginx", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")))
    if not found:
        raise BadUse("there is no nginx", "apt-get install nginx")
    return found


def prepare(settings: CollectorSettings) -> None:
    """Make the folders, write what nginx reads and have it tested.

    Raises:
        BadUse: there is no nginx, or its workers cannot write where the logs are to lie.
        CollectorFailed: nginx refuses its configuration.
    """
    nginx_command()
    settings.folder.mkdir(parents=True, exist_ok=True)
    for folder in (settings.run, settings.page):
        folder.mkdir(exist_ok=True)
        # Workers look into them for the flag, the socket and the tracker.
        folder.chmod(0o711 if folder == settings.run else 0o755)
    for witness in WITNESSES:
        (settings.run / f"{witness}.temp").mkdir(exist_ok=True)
        for folder in (settings.live(witness), closed_folder(settings, witness)):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        if os.geteuid() == 0:
            shutil.chown(settings.live(witness), settings.worker_user)
            shutil.chown(settings.run / f"{witness}.temp", settings.worker_user)
            require_reach(settings, settings.live(witness))
    if BUILT_PAGE.exists():
        shutil.copyfile(BUILT_PAGE, settings.page / "bh.js")
    write_blocks(settings, read_blocks(settings), datetime.now(UTC))
    write_configuration(settings)
    files.write_bytes(settings.run / SETTINGS, settings.model_dump_json(indent=1).encode())
    for witness in WITNESSES:
        test_configuration(settings, witness)


def require_reach(settings: CollectorSettings, folder: Path) -> None:
    """Refuse a folder that nginx's workers cannot write: they would answer 200 and log nothing.

    Raises:
        BadUse: the message names it.
    """
    reached = subprocess.run(["test", "-w", str(folder)], user=settings.worker_user, extra_groups=(), check=False)
    if reached.returncode:
        raise BadUse(
            f"{settings.worker_user} cannot write {folder}",
            "Open the folders above it (chmod o+x), or name another home",
        )


def call_nginx(settings: CollectorSettings, witness: str, *arguments: str) -> str:
    """Call nginx for a witness; its times are UTC.

    Raises:
        CollectorFailed: it refuses; the message has its first complaint.
    """
    command = [nginx_command(), "-p", str(settings.run), "-c", str(configuration(settings, witness)), *arguments]
    command += ["-e", str(settings.run / f"{witness}.error.log")]
    done = subprocess.run(command, env=surroundings(), capture_output=True, text=True, check=False)
    if done.returncode:
        complaint = next((line for line in done.stderr.splitlines() if "emerg" in line), done.stderr.strip())
        raise CollectorFailed(f"nginx refuses the {witness}: {complaint}", f"See {configuration(settings, witness)}")
    return done.stderr


def surroundings() -> Mapping[str, str]:
    """What nginx is told of its surroundings: no secret of ours, and UTC."""
    return {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin"), "TZ": "UTC"}


def test_configuration(settings: CollectorSettings, witness: str) -> None:
    """Have nginx test a configuration.

    Raises:
        CollectorFailed: it refuses.
    """
    call_nginx(settings, witness, "-t", "-q")


def started_with(home: Path) -> CollectorSettings:
    """Read with what the collector of a home was started.

    Raises:
        BadUse: none was.
    """
    noted = home / "collector" / "run" / SETTINGS
    try:
        return CollectorSettings.model_validate_json(noted.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadUse(f"no collector was started in {home}", "Start it: make collect HOST=your.site") from error
    except ValidationError as error:
        raise BadUse(f"{noted} is of another version", "Start it anew: make collect HOST=your.site") from error


def pid_file(settings: CollectorSettings, name: str) -> Path:
    """Name the file that says which process is a witness's nginx, or the keeper."""
    return settings.run / f"{name}.pid"


def running(settings: CollectorSettings, name: str) -> psutil.Process | None:
    """Find the process of a witness, or the keeper, if it runs."""
    try:
        process = psutil.Process(int(pid_file(settings, name).read_text()))
        words = " ".join(process.cmdline())
    except (FileNotFoundError, ValueError, psutil.Error):
        return None
    own = f"collector keep {settings.home}" if name == KEEPER else str(configuration(settings, name))
    return process if own in words and process.status() != psutil.STATUS_ZOMBIE else None


def orphans(settings: CollectorSettings, witness: str) -> list[psutil.Process]:
    """Find workers that a killed master left: they go on answering, and hold its port."""
    log = str(settings.run / f"{witness}.error.log")
    found = []
    for process in psutil.process_iter(["name"]):
        with suppress(psutil.Error):
            if process.info["name"] == "nginx" and any(file.path == log for file in process.open_files()):
                found.append(process)
    return found


def end(found: list[psutil.Process], number: int) -> None:
    """Ask processes to end, and kill those that do not."""
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
    _, alive = psutil.wait_procs(found, timeout=START_SECONDS + 5)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def start(settings: CollectorSettings) -> None:
    """Start what does not run, and have what runs read its configuration anew.

    Raises:
        BadUse, CollectorFailed: as `prepare`.
    """
    prepare(settings)
    for witness in WITNESSES:
        if running(settings, witness):
            call_nginx(settings, witness, "-s", "reload")
            continue
        end(orphans(settings, witness), signal.SIGQUIT)
        if witness == "tracker":
            # What a killed nginx left: nobody listens there.
            (settings.run / "answer.sock").unlink(missing_ok=True)
        call_nginx(settings, witness)
    if not running(settings, KEEPER):
        start_keeper(settings)
    wait_for(settings, is_up=True)


def start_keeper(settings: CollectorSettings) -> None:
    """Start the keeper in a session of its own."""
    command = [sys.executable, "-m", "collector", "keep", str(settings.home)]
    with (settings.run / f"{KEEPER}.log").open("ab") as log:
        started = subprocess.Popen(
            command, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    pid_file(settings, KEEPER).write_text(str(started.pid))


def stop(settings: CollectorSettings) -> bool:
    """Stop all: nginx ends what it is answering. Return whether something ran."""
    keeper = running(settings, KEEPER)
    nginx = [process for witness in WITNESSES if (process := running(settings, witness))]
    end([keeper] if keeper else [], signal.SIGTERM)
    end(nginx, signal.SIGQUIT)
    for witness in WITNESSES:
        end(orphans(settings, witness), signal.SIGQUIT)
    for name in (KEEPER, *WITNESSES):
        pid_file(settings, name).unlink(missing_ok=True)
    return bool(keeper or nginx)


def reload_tracker(settings: CollectorSettings) -> None:
    """Have the tracker's nginx read the block list: tested first, and none of its connections is cut.

    Raises:
        CollectorFailed: nginx refuses it; the one that runs goes on as it was.
    """
    if running(settings, "tracker"):
        test_configuration(settings, "tracker")
        call_nginx(settings, "tracker", "-s", "reload")


def wait_for(settings: CollectorSettings, *, is_up: bool) -> None:
    """Wait until all runs.

    Raises:
        CollectorFailed: something does not start.
    """
    deadline = time.monotonic() + START_SECONDS
    missing: list[str] = []
    while time.monotonic() < deadline:
        missing = [name for name in (*WITNESSES, KEEPER) if (running(settings, name) is not None) != is_up]
        if not missing:
            return
        time.sleep(0.05)
    raise CollectorFailed(f"the {missing[0]} does not run", f"See {settings.run}/{missing[0]}*.log")
