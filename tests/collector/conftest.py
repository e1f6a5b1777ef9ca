"""A collector in a folder of its own."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders.collector import Running, Started, made

from collector import processes
from collector.rendering import WITNESSES
from etl.errors import BadUse


@pytest.fixture(scope="session")
def nginx() -> str:
    """Debian's nginx; CI insists on it."""
    try:
        return processes.nginx_command()
    except BadUse as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def bundled() -> Path:
    """The tracker, bundled; CI insists on it."""
    if not processes.BUILT_PAGE.exists():
        if os.environ.get("CI"):
            pytest.fail("the tracker is not bundled: make tracker")
        pytest.skip("the tracker is not bundled: make tracker")
    return processes.BUILT_PAGE


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that others may look into, as nginx's workers must: pytest's own are closed."""
    folder = Path(tempfile.mkdtemp(prefix="collector-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def start(nginx: str, place: Path) -> Iterator[Started]:
    """Start collectors, each with settings of its own; all are stopped in the end."""
    running: list[Running] = []

    def started(**given: Any) -> Running:
        home = place / str(len(running))
        running.append(Running(made(home, **given)))
        processes.start(running[-1].settings)
        return running[-1]

    yield started
    for each in running:
        processes.stop(each.settings)
        assert not any(processes.running(each.settings, name) for name in (*WITNESSES, processes.KEEPER))


@pytest.fixture(scope="module")
def running(start: Started) -> Running:
    """A collector with its settings as they come."""
    return start()
