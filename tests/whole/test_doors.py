"""The doors for who asks: the Makefile's own lines for notebook, terminal and documentation, opened for real."""

import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from builders import House, events, lines, request
from playwright.sync_api import Browser, Route

from etl import pipeline
from etl.settings import PROJECT

WAIT_SECONDS = 120


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that is published, with a few visits and an order in it."""
    house = House(tmp_path_factory.mktemp("doors"))
    house.put("events/a.jsonl", lines([request(events("10:00 /a", "10:01 /b", "10:02 order", day="2026-03-02"))]))
    for task in (pipeline.land, pipeline.parse, pipeline.sessionize, pipeline.build):
        task(house.settings)
    return house.settings.home


def recipe(target: str, home: Path) -> str:
    """Read from the Makefile what a door runs, its setup apart."""
    asked = ["make", "--no-print-directory", "--dry-run", "--old-file", "setup", target, f"HOME_DIR={home}"]
    return subprocess.run(asked, cwd=PROJECT, capture_output=True, text=True, check=True).stdout


@contextmanager
def terminal(command: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a command in a terminal of its own; whatever it leaves running ends with it."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    environment = os.environ | {"TERM": "xterm-256color", "BROWSER": "true"}
    with subprocess.Popen(
        ["bash", "-c", command], cwd=PROJECT, env=environment, stdin=its, stdout=its, stderr=its, start_new_session=True
    ) as running:
        os.close(its)
        try:
            yield running, ours
        finally:
            if running.poll() is None:
                os.killpg(running.pid, 15)
            os.close(ours)


def read_until(ours: int, wanted: str) -> str:
    """Read a terminal until it has shown something; colours and movements are left out."""
    said, deadline = "", time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if select.select([ours], [], [], 0.5)[0]:
            said += re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]", "", os.read(ours, 65536).decode(errors="replace"))
            if re.search(wanted, said):
                return said
    raise AssertionError(f"{wanted} was not shown: {said[-2000:]}")


@pytest.mark.prove
def test_the_notebook_opens_and_asks_nobody_else(home: Path, browser: Browser, tmp_path: Path) -> None:
    """GIVEN `make explore` THEN its cells run in a browser that reaches nothing but this machine."""
    asked: list[str] = []

    def allow(route: Route) -> None:
        if route.request.url.startswith(("http://localhost:", "http://127.0.0.1:", "data:", "blob:")):
            route.continue_()
        else:
            asked.append(route.request.url)
            route.abort()

    # It saves what it opens, in a form of its own.
    copied = shutil.copy(PROJECT / "notebooks" / "explore.py", tmp_path)
    opened = recipe("explore", home).replace("notebooks/explore.py", str(copied))
    with terminal(opened) as (_, ours), browser.new_context() as context:
        address = re.search(r"http://localhost:\d+\S*", read_until(ours, r"http://localhost:\d+\S*\s"))
        assert address is not None
        page = context.new_page()
        page.route("**/*", allow)
        page.goto(address[0], wait_until="domcontentloaded")
        page.get_by_role("heading", name="1. How are we doing, and how sure are we?").wait_for(timeout=60_000)
    assert asked == []


@pytest.mark.prove
def test_the_terminal_shows_the_warehouse(home: Path) -> None:
    with terminal(recipe("sql", home)) as (running, ours):
        read_until(ours, r"Data Catalog[\s\S]*bloodhound")
        os.write(ours, b"\x11")
        deadline = time.monotonic() + WAIT_SECONDS
        while running.poll() is None and time.monotonic() < deadline:
            if select.select([ours], [], [], 0.5)[0]:
                try:
                    os.read(ours, 65536)
                except OSError:
                    break
        assert running.wait(timeout=10) == 0


@pytest.mark.prove
def test_the_pages_of_the_project_are_made(home: Path) -> None:
    subprocess.run(["bash", "-c", recipe("docs", home)], cwd=PROJECT, check=True, capture_output=True)
    assert {path.name for path in (home / "docs").iterdir()} >= {"index.html", "columns.md", "tracking-plan.md"}


SNIPPETS = re.findall(r"```python\n(.*?)```", (PROJECT / "docs" / "data-scientists.md").read_text(), re.DOTALL)
HERE = [text for text in SNIPPETS if "polars" not in text and "pyspark" not in text]


@pytest.mark.parametrize("snippet", HERE, ids=[text.splitlines()[-1][:40] for text in HERE])
def test_each_example_of_the_page_runs(home: Path, monkeypatch: pytest.MonkeyPatch, snippet: str) -> None:
    assert len(HERE) == len(SNIPPETS) - 2
    monkeypatch.chdir(home.parent)
    if not Path("data").exists():
        Path("data").symlink_to(home)
    found: dict[str, object] = {}
    exec(compile(snippet, "docs/data-scientists.md", "exec"), found)
    frames = [value for value in found.values() if isinstance(value, pd.DataFrame)]
    assert frames and all(len(frame) for frame in frames)
    if "dtype_backend" in snippet:
        assert {str(kind) for frame in frames for kind in frame.dtypes} >= {
            "date32[day][pyarrow]", "decimal128(18, 4)[pyarrow]", "timestamp[us, tz=UTC][pyarrow]",
        }  # fmt: skip
