"""What tests share."""

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from builders import House
from playwright.sync_api import Browser, Error, sync_playwright

NOBODY = 65534
"""Debian's user without rights."""

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a change of meaning be accepted, once its version says so."""
    parser.addoption(
        "--accept-outputs",
        action="store_true",
        help="write tests/data/day/outputs.json anew; with tests/ops, the README's transcript",
    )


@pytest.fixture
def house(tmp_path: Path) -> House:
    """An empty inbox and an empty home."""
    return House(tmp_path)


@pytest.fixture
def unprivileged(tmp_path: Path) -> Iterator[None]:
    """Be nobody where the tests are root's, who may read and write everything: of what is there then nobody is owner.

    Whoever asks for it asks for it last. Of threads it holds for all, of processes that are started not surely.
    """
    if os.geteuid() != 0:
        yield
        return
    if not all(folder.stat().st_mode & 0o001 for folder in Path(__file__).parents):
        pytest.skip("the project lies where only root reads")
    above = [folder for folder in tmp_path.parents if not folder.stat().st_mode & 0o001]
    modes = [(folder, folder.stat().st_mode) for folder in above]
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    for folder, mode in modes:
        folder.chmod(mode | 0o011)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        for folder, mode in modes:
            folder.chmod(mode)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Debian's Chromium, or the one in CHROMIUM; CI insists on it."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        if os.environ.get("CI"):
            pytest.fail("there is no browser: apt-get install chromium, or set CHROMIUM")
        pytest.skip("there is no browser: apt-get install chromium, or set CHROMIUM")
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A browser that runs."""
    with sync_playwright() as driver:
        try:
            launched = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        except Error as error:
            pytest.fail(f"{chromium} does not start: {error}")
        yield launched
        launched.close()


LONGEST = (
    "marts/test_dbt.py", "commands/test_upkeep.py", "commands/test_erase.py", "whole/test_pipeline.py",
    "whole/test_upgrade.py", "stages/test_deduplicate.py", "stages/test_build.py", "engines/test_tasks.py",
    "marts", "dags", "ops", "collector", "commands", "tools", "warehouse", "whole", "stages",
)  # fmt: skip
"""Modules and rooms whose tests take minutes: they begin first, so that at the end no worker is left alone with one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest modules first."""

    def place(item: pytest.Item) -> int:
        name = item.path.relative_to(Path(__file__).parent).as_posix()
        return next((number for number, start in enumerate(LONGEST) if name.startswith(start)), len(LONGEST))

    items.sort(key=place)
