"""Collectors by the real nginx, on ports that are free, and what their witnesses wrote."""

import itertools
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from collector.settings import CollectorSettings, load_collector_settings
from etl.settings import Settings

OWN_PAGE = {"Origin": "https://www.shop.example", "Referer": "https://www.shop.example/"}
TRACKERS = "t.shop.example"

NUMBERS = itertools.count(1)

Started = Callable[..., "Running"]


class Running:
    """A collector that runs, and what its witnesses have written."""

    def __init__(self, settings: CollectorSettings) -> None:
        self.settings = settings
        self.tracker = f"http://127.0.0.1:{settings.tracker_port}"
        self.pixel = f"http://127.0.0.1:{settings.pixel_port}"

    def ask(self, method: str, path: str, **keys: Any) -> httpx.Response:
        """Send a request to the trackers' host, as no browser: no header that is not given; a number tells its line."""
        headers = {"Host": TRACKERS} | keys.pop("headers", {})
        numbered = f"{path}{'&' if '?' in path else '?'}n={next(NUMBERS)}"
        return httpx.request(method, self.tracker + numbered, headers=headers, timeout=10, **keys)

    def post(self, body: Any, path: str = "/t", **headers: str) -> httpx.Response:
        """Post as a page of the site does."""
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", path, json=body, headers=OWN_PAGE | said)

    def line(self, answer: httpx.Response) -> dict[str, Any]:
        """Find the line of a request: nginx logs after it has answered."""
        number = str(answer.request.url.query.decode()).rpartition("n=")[2]
        return waited(lambda: [line for line in self.lines() if line["query"].rpartition("n=")[2] == number])[-1]

    def lines(self) -> list[dict[str, Any]]:
        """Read what the trackers' nginx wrote."""
        files = sorted(self.settings.live("tracker").iterdir())
        return [json.loads(line) for path in files for line in path.read_bytes().split(b"\n")[:-1]]

    def hits(self) -> list[str]:
        """Read what the pixel's nginx wrote."""
        return [line for path in self.settings.live("pixel").iterdir() for line in path.read_text().splitlines()]


def waited(look: Callable[[], Any], seconds: float = 5) -> Any:
    """Look until something is there."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def free_ports(count: int) -> list[int]:
    """Find ports of loopback on which nobody listens."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def made(home: Path, **given: Any) -> CollectorSettings:
    """Make settings for a site, on ports that are free."""
    inbox = home / "inbox"
    inbox.mkdir(parents=True)
    tracker_port, pixel_port = free_ports(2)
    pipeline = Settings(home=home, inbox=inbox, trusted_proxies=given.pop("trusted_proxies", []))
    chosen = {
        "sites": ["shop.example"], "tracker_port": tracker_port, "pixel_port": pixel_port, "reserve_mb": 0,
        "guard_seconds": 0.1,
    }  # fmt: skip
    return load_collector_settings(pipeline, **(chosen | given))
