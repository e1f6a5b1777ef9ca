"""Somebody who reads the page in a real browser."""

import csv
import io
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page

from builders.published import Row, publish
from etl import pipeline
from etl.settings import Settings


def plain(text: str) -> str:
    """Narrow spaces as spaces, a true minus and a dash as the keyboard has them."""
    return text.replace("\u202f", " ").replace("\u2212", "-").replace("\u2013", "-")


def make_page(folder: Path, rows: dict[str, list[Row]], **settings_: Any) -> Path:
    settings = Settings(home=folder, **settings_)
    publish(settings.warehouse, rows)
    return Path(pipeline.report(settings)["page"])


class Reader:
    """Somebody with the page open; whatever the browser complains of, or asks for, is noted."""

    def __init__(self, browser: Browser, path: Path, state: str = "", **context: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, **context)
        self.context.set_default_timeout(8000)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.address = path.as_uri()
        self.page.goto(f"{self.address}{state and '#'}{state}")
        self.settle()

    def settle(self) -> None:
        """Wait until everything of the open tab is drawn."""
        self.page.wait_for_function(
            "document.documentElement.dataset.ready && "
            "[...document.querySelectorAll('.drawing')].every((box) => box.firstChild)"
        )

    def open_tab(self, tab: str) -> None:
        self.page.click(f"#tab-{tab}")
        self.settle()

    def tabs(self) -> list[str]:
        """Name the tabs that there are."""
        ids = self.page.eval_on_selector_all("[role=tab]", "(nodes) => nodes.map((node) => node.id)")
        return [name.removeprefix("tab-") for name in ids]

    def choose(self, name: str, value: str) -> None:
        """Choose in the sheet: days, vs, model or theme; or one value of a filter, `platform=ios`."""
        opener = {"days": "period", "vs": "period", "model": "looks", "theme": "looks"}.get(name, "filter")
        self.page.click(f"#choose-{opener}")
        place = f"filter-{name}-{value}" if opener == "filter" else f"{name}-{value}"
        self.page.locator(f"[id='{place}']").check(force=True)
        self.page.keyboard.press("Escape")
        self.settle()

    def figure(self, title: str) -> Locator:
        return self.page.locator(f".figure:has(.figure-title :text-is('{title}'))")

    def card(self, title: str) -> str:
        return plain(self.figure(title).locator(".value").inner_text())

    def headline(self) -> str:
        return plain(self.page.inner_text(".headline"))

    def aside(self) -> str:
        return plain(self.page.inner_text(".aside"))

    def cells(self, panel: str) -> list[list[str]]:
        """The rows of a panel's table as they are read."""
        rows = self.page.locator(f"#panel-{panel} tbody tr")
        return [[plain(text).strip() for text in row.locator("th, td").all_inner_texts()] for row in rows.all()]

    def hash(self) -> dict[str, str]:
        return dict(part.split("=") for part in self.page.url.partition("#")[2].split("&") if part)

    def download(self, panel: str) -> list[dict[str, str]]:
        with self.page.expect_download() as waiting:
            self.page.click(f"#panel-{panel} .csv")
        return list(csv.DictReader(io.StringIO(Path(waiting.value.path()).read_text("utf-8-sig"))))
