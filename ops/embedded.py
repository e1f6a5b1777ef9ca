"""The embedded Airflow: its home, its PostgreSQL and its processes.

Everything it writes lies in `.airflow/` beside this project. Each component runs in a session of
its own with its pid and start time noted, so that another command can stop it, or find it dead.
"""

import base64
import hashlib
import importlib.metadata
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from ops import database
from ops.errors import OpsError
from ops.processes import is_alive, stop_families

PROJECT = Path(__file__).resolve().parent.parent
FIRST_PORT = 8080
COMPONENTS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
# The only schedule that needs the triggerer.
ON_ARRIVAL = "on_arrival"
# Airflow's home page shows a triggerer that does not run in red, needed or not; it has no setting for that, only this
# one for its looks. The third of the four badges below the heading "Health":
NO_TRIGGERER = 'div:has(> h2) + div > [data-testid="state-badge"]:nth-child(3):nth-last-child(2)'


@dataclass
class State:
    """What is running: written by whoever started it, read by every later command.

    Attributes:
        owner: pid of the `make run` that will stop it, or 0 when it stays up.
        schedule: when runs begin, as `dags/schedule.py` reads it.
        pids: component → (pid, process start time); the time tells a reused pid.
    """

    port: int
    inbox: str
    home: str
    owner: int
    schedule: str = "daily"
    pids: dict[str, tuple[int, float]] = field(default_factory=dict)

    @property
    def components(self) -> list[str]:
        """What should run."""
        return [name for name in COMPONENTS if name != "triggerer" or self.schedule == ON_ARRIVAL]


def free_port(first: int = FIRST_PORT) -> int:
    """Return `first` if nobody listens there on loopback, else a port that is free."""
    for port in (first, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise OpsError("No free port on 127.0.0.1.")


class Embedded:
    """One Airflow home, started and stopped: `.airflow/`, or where BLOODHOUND_AIRFLOW_HOME says."""

    def __init__(self, airflow_home: Path | None = None) -> None:
        chosen = airflow_home or os.environ.get("BLOODHOUND_AIRFLOW_HOME") or PROJECT / ".airflow"
        self.home = Path(chosen).absolute()
        self.state_file = self.home / "state.json"
        self.password_file = self.home / "password.json"
        self.postgres_data = self.home / "postgres"
        self.logs = self.home / "logs"

    # What is there

    def state(self) -> State | None:
        """Return what was started last and not stopped, dead or alive."""
        try:
            noted = json.loads(self.state_file.read_text())
            noted["pids"] = {name: tuple(process) for name, process in noted["pids"].items()}
            return State(**noted)
        except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError):
            return None

    def dead(self, state: State) -> list[str]:
        """Return the components that should run and do not."""
        return [name for name in state.components if name not in state.pids or not is_alive(*state.pids[name])]

    def last_words(self, component: str) -> str:
        """Return the last line in which a component logged an error, an empty text if none."""
        try:
            lines = (self.logs / f"{component}.log").read_text(errors="replace").split("\n")
        except FileNotFoundError:
            return ""
        return next((line.strip() for line in reversed(lines) if "error" in line.lower()), "")

    @property
    def password(self) -> str:
        """The password of `admin`, made at the first start."""
        return str(json.loads(self.password_file.read_text())["admin"])

    # Starting and stopping

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Hold the right to start, drive and stop; the kernel frees it if this process dies."""
        self.home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.home / "ops.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise OpsError(
                "Another `make run`, `make up` or `make down` is at work here. Wait until it ends."
            ) from None
        try:
            yield
        finally:
            lock.release()

    def start(self, inbox: Path, home: Path, *, owner: int) -> State:
        """Start PostgreSQL and the components; they may need some seconds more to answer."""
        self._prepare_home()
        url = database.start(self.postgres_data)
        wanted = os.environ.get("BLOODHOUND_PORT")
        port = int(wanted) if wanted else free_port()
        if wanted and free_port(port) != port:
            raise OpsError(f"Port {port} (BLOODHOUND_PORT) is taken.", exit_code=2)
        schedule = os.environ.get("BLOODHOUND_SCHEDULE") or "daily"
        state = State(port=port, inbox=str(inbox), home=str(home), owner=owner, schedule=schedule)
        environment = self.environment(state, url)
        self._migrate(environment, url)
        for name in state.components:
            log = self.logs / f"{name}.log"
            if log.exists():
                log.replace(log.with_suffix(".previous.log"))
            with log.open("wb") as output:
                process = subprocess.Popen(
                    [sys.executable, "-m", "airflow", *COMPONENTS[name]],
                    env=environment,
                    cwd=PROJECT,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            state.pids[name] = (process.pid, psutil.Process(process.pid).create_time())
            self._note(state)
        return state

    def stop(self) -> None:
        """Stop whatever of it runs, children included, then PostgreSQL. Safe to call again."""
        state = self.state()
        noted = state.pids if state else {}
        # The API server last: a task that ends in time can still say how it ended.
        for names in (["scheduler", "dag-processor", "triggerer"], ["api-server"]):
            stop_families([noted[name] for name in names if name in noted])
        database.stop(self.postgres_data)
        self.state_file.unlink(missing_ok=True)

    def environment(self, state: State, url: str | None = None) -> dict[str, str]:
        """Return the environment of every Airflow process, tasks included."""
        page = f"http://127.0.0.1:{state.port}"
        hidden = {} if "triggerer" in state.components else {NO_TRIGGERER: {"display": "none !important"}}
        return os.environ | {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW_CONFIG": str(PROJECT / "airflow.cfg"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url or database.url(self.postgres_data),
            "AIRFLOW__API__PORT": str(state.port),
            "AIRFLOW__API__BASE_URL": page,
            "AIRFLOW__API__THEME": json.dumps({"globalCss": hidden}),
            "BLOODHOUND_PROJECT": str(PROJECT),
            "BLOODHOUND_INBOX": state.inbox,
            "BLOODHOUND_HOME": state.home,
            "BLOODHOUND_SCHEDULE": state.schedule,
            # dags/ imports etl/ and its own modules.
            "PYTHONPATH": os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")])),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONUNBUFFERED": "1",
            "SCARF_ANALYTICS": "false",
            "DO_NOT_TRACK": "1",
        }

    def _note(self, state: State) -> None:
        """Write the state whole."""
        new = self.state_file.with_suffix(".new")
        new.write_text(json.dumps(asdict(state)))
        new.replace(self.state_file)

    def _prepare_home(self) -> None:
        """Make the folders, and once each: keys and a password that nobody else can read."""
        self.logs.mkdir(parents=True, exist_ok=True)
        vault = self.home / "secrets"
        vault.mkdir(mode=0o700, exist_ok=True)
        write_once(vault / "fernet_key", base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
        write_once(vault / "jwt_secret", secrets.token_urlsafe(48))
        write_once(vault / "api_secret", secrets.token_urlsafe(48))
        write_once(self.password_file, json.dumps({"admin": secrets.token_urlsafe(18)}))

    def _migrate(self, environment: dict[str, str], url: str) -> None:
        """Bring the tables to this Airflow's version, unless that was already done."""
        stamp = self.home / "migrated"
        version = importlib.metadata.version("apache-airflow-core")
        done = f"{version} {hashlib.sha256(url.encode()).hexdigest()} {{}}"
        revision = database.table_revision(url)
        if revision and stamp.exists() and stamp.read_text() == done.format(revision):
            return
        log = self.logs / "migrate.log"
        with log.open("wb") as output:
            status = subprocess.run(
                [sys.executable, "-m", "airflow", "db", "migrate"],
                env=environment,
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode
        if status:
            raise OpsError(f"Airflow's database cannot be set up: {self.last_words('migrate')} (log: {log})")
        stamp.write_text(done.format(database.table_revision(url)))


def write_once(path: Path, content: str) -> None:
    """Write a file that only its owner can read, unless it is there."""
    if not path.exists():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(content)


def remove_leftovers(embedded: Embedded) -> None:
    """Forget a `make run` that died without stopping its Airflow."""
    state = embedded.state()
    if state and (embedded.dead(state) or (state.owner and not psutil.pid_exists(state.owner))):
        embedded.stop()
