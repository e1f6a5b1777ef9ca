"""What reads pages in tests."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Error, sync_playwright


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or the one in CHROMIUM; CI insists on it."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        if os.environ.get("CI"):
            pytest.fail("there is no browser: apt-get install chromium, or set CHROMIUM")
        pytest.skip("there is no browser: apt-get install chromium, or set CHROMIUM")
    with sync_playwright() as driver:
        try:
            launched = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except Error as error:
            pytest.fail(f"{found} does not start: {error}")
        yield launched
        launched.close()
