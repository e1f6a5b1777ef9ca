"""A visit: one browser, one address, and the truth of what it did, noted as it is done."""

import asyncio
import logging
import os
import shutil
import ssl
from dataclasses import dataclass, field
from typing import Any

import httpx
import requests
from playwright.async_api import BrowserContext, Page, Playwright
from snowplow_tracker.emitters import Emitter
from snowplow_tracker.events.self_describing import SelfDescribing
from snowplow_tracker.self_describing_json import SelfDescribingJson
from snowplow_tracker.subject import Subject
from snowplow_tracker.tracker import Tracker

from collector.demo.relay import Relay
from collector.demo.scene import SITE, Scene
from collector.demo.truth import BOTH, Truth, View
from etl.errors import BadUse

DESKTOP = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
)
PHONE = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 "
    "Mobile Safari/537.36"
)
# Snowplow's client tells each request, unless asked not to.
logging.getLogger("snowplow_tracker").setLevel(logging.WARNING)
logging.getLogger("snowplow_tracker.emitters").setLevel(logging.WARNING)
QUEUE = "JSON.parse(localStorage.getItem('snowplowOutQueue_bh') || '[]').length"


@dataclass
class Visit:
    """What a scenario is given, and in `truth` what it notes.

    Attributes:
        is_heard: whether what a page sends is taken at once, so that there is something to wait for.
    """

    scene: Scene
    driver: Playwright
    truth: Truth
    agent: str | None = DESKTOP
    is_heard: bool = True
    relays: dict[str, Relay] = field(default_factory=dict)
    contexts: list[BrowserContext] = field(default_factory=list)

    async def browse(self, **context: Any) -> Page:
        """Start a browser of this visit's own; keepalive requests know no other way to its user agent and address."""
        rules = []
        for host, port in [*self.scene.ports.items(), ("partner.example", self.scene.shop_port)]:
            self.relays[host] = Relay(self.truth.address, port)
            rules.append(f"MAP {host}:443 127.0.0.1:{await self.relays[host].open()}")
        arguments = ["--no-sandbox", "--ignore-certificate-errors", f"--host-resolver-rules={','.join(rules)}"]
        if self.agent:
            arguments.append(f"--user-agent={self.agent}")
            context["user_agent"] = self.agent
        browser = await self.driver.chromium.launch(
            executable_path=chromium(), args=arguments, ignore_default_args=["--disable-back-forward-cache"]
        )
        is_phone = self.agent == PHONE
        kept = await browser.new_context(
            ignore_https_errors=True, has_touch=is_phone, viewport={"width": 412 if is_phone else 1280, "height": 800},
            **context,
        )  # fmt: skip
        self.contexts.append(kept)
        return await kept.new_page()

    def see(self, page_id: str, path: str, witnesses: frozenset[str], *, is_delivered: bool = False) -> None:
        """Note a view that cannot be asked, or was asked already."""
        self.truth.views.append(View(page_id, path, witnesses, is_delivered))

    async def visitor(self, page: Page) -> str:
        """Read the id by which the tracker knows the visitor."""
        return str(await page.evaluate(r"document.cookie.match(/_sp_id\.[^=]*=([^.;]+)/)[1]"))

    async def ask(self, target: str) -> None:
        """Send one request to the trackers' host, by no browser."""
        relay = self.relays.setdefault("trackers", Relay(self.truth.address, self.scene.settings.tracker_port))
        port = await relay.open()
        async with httpx.AsyncClient(
            trust_env=False, verify=self.trust(), headers={"User-Agent": self.agent or ""}
        ) as client:
            (await client.get(f"https://localhost:{port}{target}")).raise_for_status()

    async def buy_at_backend(self, visitor: str, order: str, revenue: float) -> None:
        """Send the backend's copy of an order: Snowplow's own client for Python."""
        relay = self.relays.setdefault("backend", Relay("198.51.100.200", self.scene.settings.tracker_port))
        port = await relay.open()
        await asyncio.to_thread(send_order, port, self.scene, visitor, order, revenue)

    def trust(self) -> ssl.SSLContext:
        """Trust the demo's own certificate, and no other."""
        return ssl.create_default_context(cafile=self.scene.settings.certificate)

    async def leave(self) -> None:
        """Close browsers and net."""
        for context in self.contexts:
            if context.browser:
                await context.browser.close()
        for relay in self.relays.values():
            await relay.close()

    @property
    def trackers(self) -> Relay:
        """The net to the trackers' host."""
        return self.relays[self.scene.settings.trackers]

    @property
    def pixels(self) -> Relay:
        """The net to the pixel's host."""
        return self.relays[self.scene.settings.pixels]

    async def go(self, page: Page, path: str, witnesses: frozenset[str] = BOTH, referrer: str | None = None) -> str:
        """Load a page and note its view."""
        await page.goto(f"https://{SITE}{path}", referer=referrer, wait_until="load")
        return await self.note(page, witnesses, is_delivered=True)

    async def read(self, page: Page, seconds: int) -> None:
        """Look at a page and move the mouse, once a second."""
        for second in range(seconds):
            await page.mouse.move(100 + second, 200 + second)
            await asyncio.sleep(1)

    async def note(self, page: Page, witnesses: frozenset[str] = BOTH, *, is_delivered: bool = False) -> str:
        """Note the view that a page says it is; wait until the witnesses who can have it have it."""
        page_id = str(await page.evaluate("window.bh.page || ''"))
        path = str(await page.evaluate("location.pathname"))
        self.see(page_id, path, witnesses, is_delivered=is_delivered)
        if "tracker" in witnesses and self.is_heard and self.trackers.state == "up":
            await self.settle(page)
        else:
            await asyncio.sleep(0.5)
        return page_id

    async def route(self, page: Page, path: str, witnesses: frozenset[str] = BOTH) -> str:
        """Change the route of an app of one document."""
        await page.evaluate("path => { history.pushState({}, '', path); bh.view(); }", path)
        return await self.note(page, witnesses)

    async def settle(self, page: Page, seconds: float = 10) -> None:
        """Wait until the tracker is there and nothing waits in its queue."""
        await page.wait_for_function(f"() => window.bh.flush && {QUEUE} === 0", timeout=seconds * 1000, polling=50)
        await asyncio.sleep(0.2)


def chromium() -> str:
    """Find the browser.

    Raises:
        BadUse: there is none.
    """
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        raise BadUse("there is no browser", "apt-get install chromium, or set CHROMIUM")
    return found


def send_order(port: int, scene: Scene, visitor: str, order: str, revenue: float) -> None:
    """Send an order as a shop's server does.

    Args:
        port: of the trackers' host, on loopback.
    """
    ecommerce = "iglu:com.snowplowanalytics.snowplow.ecommerce"
    with requests.Session() as session:
        # A bundle of certificates in the environment would be taken instead of ours.
        session.trust_env = False
        session.verify = scene.settings.certificate
        failed: list[Any] = []
        emitter = Emitter(
            "localhost", protocol="https", port=port, method="post", batch_size=1, session=session,
            on_failure=lambda count, events: failed.extend(events),
        )  # fmt: skip
        tracker = Tracker("backend", emitter, Subject().set_platform("srv").set_domain_user_id(visitor), app_id="shop")
        bought = {"transaction_id": order, "revenue": revenue, "currency": "USD"}
        action = SelfDescribingJson(f"{ecommerce}/snowplow_ecommerce_action/jsonschema/1-0-2", {"type": "transaction"})
        entity = SelfDescribingJson(f"{ecommerce}/transaction/jsonschema/1-0-0", bought)
        tracker.track(SelfDescribing(action, context=[entity]))
        tracker.flush()
    if failed:
        raise ConnectionError("the collector does not take the backend's order")
