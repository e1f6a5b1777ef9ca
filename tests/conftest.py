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

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a change of meaning be accepted, once its version says so."""
    parser.addoption("--accept-outputs", action="store_true", help="write tests/data/day/outputs.json anew")


@pytest.fixture
def house(tmp_path: Path) -> House:
    """An empty inbox and an empty home."""
    return House(tmp_path)


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
