"""Known messages over the network, and pages opened in a browser: the way from outside to the marts, watched."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from builders import House
from builders.collector import Running, free_ports

from collector.guard import flag
from collector.rotation import rotate
from collector.snippet import page_snippet
from etl import pipeline
from etl.errors import BadUse, BloodhoundError
from etl.lake.catalogue import Lake
from etl.settings import load_settings
from etl.tools import probe, probe_look
from etl.tools.probe_page import Heard, faults, probe_pages, views_of


def test_every_format_is_found_again_and_what_was_refused_is_last_seen_at_the_collector(
    start: Callable[..., Running],
) -> None:
    running = start(guard_seconds=3600.0)
    settings = load_settings(running.settings.inbox, running.settings.home)
    to = {"collector": running.tracker, "pixel": f"{running.pixel}/"}
    taken = pipeline.send_probe(settings, **to)
    assert set(taken["answers"].values()) == {"200"} and len(taken["answers"]) == len(probe.SENT)
    flag(running.settings).touch()
    refused = pipeline.send_probe(settings, **to)
    assert set(refused["answers"].values()) == {"503"}
    rotate(running.settings, datetime.now(UTC) + timedelta(hours=2))
    for stage in (pipeline.land, pipeline.parse, pipeline.sessionize, pipeline.build):
        stage(settings)
    runs = {run["run"]: run for run in probe_look.look_for_probes(settings)}
    assert runs[taken["run"]]["state"] == "found"
    # The pixel logs what it refuses: so the lake knows of the run, and what is missing of it.
    lost = runs[refused["run"]]
    assert lost["state"] == "lost"
    seen = {message["kind"]: message.get("last_seen") for message in lost["messages"] if message["status"] == "lost"}
    assert seen.pop(probe.KINDS["d"]) == "landed, in a line that holds no message, whose answer was 503"
    assert set(seen.values()) == {"at the collector, whose answer was 503"}
    assert probe.KINDS["a"] in seen and probe.KINDS["h"] not in seen
    assert any(line.endswith("last seen at the collector, whose answer was 503") for line in probe_look.describe(lost))


def test_a_collector_that_is_not_there_is_bad_use(house: House) -> None:
    (port,) = free_ports(1)
    with pytest.raises(BadUse, match="does not answer"):
        pipeline.send_probe(house.settings, collector=f"http://127.0.0.1:{port}")
    assert probe.read_notes(Lake(house.settings)) == []


@pytest.fixture(scope="module")
def site(start: Callable[..., Running], bundled: Path, chromium: str) -> Iterator[str]:
    """A site on loopback: `/` with both witnesses, `/no-pixel`, `/two-ids` and `/bare` that it links to."""
    running = start(sites=["127.0.0.1"], is_https=False)
    lines = page_snippet(running.settings, "shop")
    for address, place in (("t.127.0.0.1", running.tracker), ("px.127.0.0.1", running.pixel)):
        lines = lines.replace(f"https://{address}", place)
    links = "".join(f'<a href="{path}">x</a>' for path in ("/no-pixel", "/two-ids", "/bare"))
    pages = {
        "/": lines + links,
        "/no-pixel": lines.replace("/px.gif", "/none.gif"),
        "/two-ids": lines.replace('"/px.gif?e="', '"/px.gif?e=x"'),
        "/bare": "<p>nothing</p>",
    }

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in pages else 404)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(pages.get(self.path, "<p>gone</p>").encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_page_with_both_witnesses_is_well_and_those_that_lack_one_are_named(site: str) -> None:
    found = probe_pages(f"{site}/", 3)
    said = dict(line.removeprefix(site).split(": ", 1) for line in found["lines"])
    assert said["/"] == "event and pixel speak of one page"
    assert "no pixel was asked for" in said["/no-pixel"]
    assert "speak of different pages" in said["/two-ids"]
    assert said["/bare"] == "no page view was sent; no pixel was asked for"
    assert len(found["faults"]) >= 4
    assert pipeline.require_pages([f"{site}/"]) == {"pages": 1}
    with pytest.raises(BloodhoundError, match=r"2 pages of the site: .*no pixel was asked for.* no page view was sent"):
        pipeline.require_pages([f"{site}/no-pixel", f"{site}/bare"])


def test_a_page_that_is_not_there_is_bad_use(site: str) -> None:
    with pytest.raises(BadUse, match="answers 404"):
        probe_pages(f"{site}/nowhere", 0)


def test_what_lacks_a_key_is_said() -> None:
    body = b'{"messages": [{"schema": "page_view", "id": "1", "page": {"id": "p", "url": "u"}}, {"schema": "click"}]}'
    (view,) = views_of(body)
    complaints = faults(Heard(views=[view], hits=[{"e": "p", "a": "shop"}]))
    assert complaints == ["the page view lacks aid, p, tv, dtm", "the pixel lacks p"]
    assert views_of(b"[1]") == views_of(b"not JSON") == views_of(b'{"data": [1, {"e": "pp"}]}') == []
