"""A site's own pages, opened in a browser: does each send its event and its pixel, and do they speak of one page?

What the browser sends is read on its way out; what becomes of it is the collector's and the pipeline's. The browser
says that it is a bot, so that no number about people moves.
"""

import os
import shutil
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import orjson
from playwright.sync_api import Browser, Error, Request, sync_playwright

from etl.errors import BadUse
from etl.tools.probe import AGENT, WELL

PATIENCE_MS = 5_000
REQUIRED = ("aid", "p", "tv", "url", "eid", "dtm")
"""What an event must say to become a message."""


@dataclass
class Heard:
    """What a page sent.

    Attributes:
        views: Snowplow's page views, by parameter; ours under the same names.
        hits: the pixel's parameters.
        refused: what was answered by an error, or not at all.
    """

    views: list[dict[str, str]] = field(default_factory=list)
    hits: list[dict[str, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def take(self, request: Request) -> None:
        """Take a request for what it is."""
        address = urlsplit(request.url)
        if address.path.endswith("/px.gif"):
            self.hits.append(dict(parse_qsl(address.query, keep_blank_values=True)))
        elif request.method == "POST" and request.post_data_buffer:
            self.views += views_of(request.post_data_buffer)
        elif parse_qs(address.query).get("e") == ["pv"]:
            self.views.append(dict(parse_qsl(address.query, keep_blank_values=True)))


def views_of(body: bytes) -> list[dict[str, str]]:
    """Read the page views of a batch, ours or Snowplow's; none of what is neither."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []
    if not isinstance(said, dict):
        return []
    theirs = [event for event in listed(said, "data") if event.get("e") == "pv"]
    ours = [
        {
            "aid": message.get("app_id"), "p": message.get("platform"), "tv": message.get("tracker"),
            "url": (message.get("page") or {}).get("url"), "eid": message.get("id"), "dtm": message.get("created_at"),
            "page_id": (message.get("page") or {}).get("id"),
        }
        for message in listed(said, "messages")
        if message.get("schema") == "page_view"
    ]  # fmt: skip
    return [{key: str(value) for key, value in view.items() if value} for view in [*theirs, *ours]]


def listed(said: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Read a list of objects."""
    found = said.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def page_id(view: dict[str, str]) -> str:
    """Read of which page an event speaks."""
    if "page_id" in view:
        return view["page_id"]
    try:
        entities = orjson.loads(view.get("co", "{}")).get("data", [])
    except (orjson.JSONDecodeError, AttributeError):
        return ""
    return next((str(each["data"].get("id", "")) for each in entities if "/web_page/" in str(each.get("schema"))), "")


def faults(heard: Heard) -> list[str]:
    """Say what is wrong with what a page sent; nothing if both witnesses speak of one page."""
    found = [f"refused: {refused}" for refused in heard.refused]
    if not heard.views:
        found.append("no page view was sent")
    if not heard.hits:
        found.append("no pixel was asked for")
    for view in heard.views:
        if missing := [name for name in REQUIRED if not view.get(name)]:
            found.append(f"the page view lacks {', '.join(missing)}")
    for hit in heard.hits:
        if missing := [name for name in ("e", "a", "p") if not hit.get(name)]:
            found.append(f"the pixel lacks {', '.join(missing)}")
    seen, hit_ids = {page_id(view) for view in heard.views}, {hit.get("e", "") for hit in heard.hits}
    if heard.views and heard.hits and seen != hit_ids:
        found.append(f"event and pixel speak of different pages: {sorted(seen)} and {sorted(hit_ids)}")
    return found


def probe_pages(url: str, more: int, arguments: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """Open a page, and those of its own host that it links to.

    Args:
        more: how many of the latter.
        arguments: of the browser.

    Returns:
        `lines`, one a page; `faults`, those of all pages.

    Raises:
        BadUse: there is no browser, or the first page cannot be opened.
    """
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        raise BadUse("there is no browser", "apt-get install chromium, or set CHROMIUM")
    lines, wrong = [], []
    with sync_playwright() as driver:
        # Requests that outlive their page know no other way to the browser's name than its start.
        started = driver.chromium.launch(
            executable_path=found, args=["--no-sandbox", f"--user-agent={AGENT}", *arguments]
        )
        waiting, opened = [url], set[str]()
        while waiting and len(opened) <= more:
            address = waiting.pop(0)
            if address in opened:
                continue
            opened.add(address)
            heard, links = open_page(started, address)
            waiting += [link for link in links if link not in opened]
            complaints = faults(heard)
            wrong += complaints
            lines.append(f"{address}: {'; '.join(complaints) or WELL}")
        started.close()
    return {"lines": lines, "faults": wrong}


def open_page(browser: Browser, url: str) -> tuple[Heard, list[str]]:
    """Open a page in a browser of no past; return what it sent and where in its host it leads.

    Raises:
        BadUse: it cannot be opened.
    """
    heard = Heard()
    context = browser.new_context(user_agent=AGENT)
    page = context.new_page()
    page.on("request", heard.take)
    page.on("requestfailed", lambda request: heard.refused.append(f"{request.url.partition('?')[0]} {request.failure}"))
    try:
        answer = page.goto(url, wait_until="load")
        if answer is None or not answer.ok:
            raise BadUse(f"{url} answers {answer.status if answer else 'nothing'}", "Name a page of your site")
        waited = 0
        while not (heard.views and heard.hits) and waited < PATIENCE_MS:
            page.wait_for_timeout(100)
            waited += 100
        links = page.eval_on_selector_all("a[href]", "links => links.map(link => link.href.split('#')[0])")
    except Error as error:
        raise BadUse(f"{url} cannot be opened: {error.message.splitlines()[0]}", "Name a page of your site") from error
    finally:
        context.close()
    host = urlsplit(url).netloc
    return heard, [link for link in links if urlsplit(link).netloc == host]
