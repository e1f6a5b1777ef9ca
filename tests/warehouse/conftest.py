"""The page of a shop of thirty days, and somebody who reads it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from builders.published import shop
from builders.reader import Reader, make_page
from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def shop_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_page(tmp_path_factory.mktemp("shop"), shop())


@pytest.fixture
def reader(browser: Browser, shop_page: Path) -> Iterator[Reader]:
    opened = Reader(browser, shop_page, "tab=business")
    yield opened
    opened.context.close()
