"""A real client of Snowplow's, and a real log of one."""

import csv
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from builders import House, Row, lines, shared
from builders.snowplow import (
    VENDOR,
)
from snowplow_tracker import (
    Emitter,
    PagePing,
    PageView,
    ScreenView,
    SelfDescribing,
    SelfDescribingJson,
    StructuredEvent,
    Subject,
    Tracker,
)

# A real client.


class Collector(ThreadingHTTPServer):
    """A collector on loopback that logs requests as nginx does with `escape=json`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Logger)
        self.log: list[Row] = []


class Logger(BaseHTTPRequestHandler):
    server: Collector

    def answer(self) -> None:
        """Log the request, answer with nothing."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        self.server.log.append({
            "request_id": f"{len(self.server.log):032x}", "received_at": f"{time.time():.3f}",
            "remote_addr": self.client_address[0], "host": self.headers["Host"], "method": self.command, "path": path,
            "query": query, "user_agent": self.headers.get("User-Agent", ""), "referer": "",
            "content_type": self.headers.get("Content-Type", ""), "body": body.decode(),
        })  # fmt: skip
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = answer

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def collector() -> Iterator[Collector]:
    with Collector() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("is_base64", [True, False])
def test_real_client_is_understood(house: House, method: Any, is_base64: bool) -> None:
    failed: list[Any] = []
    with collector() as server:
        host, port = server.server_address[:2]
        emitter = Emitter(
            str(host), protocol="http", port=int(port), method=method, batch_size=1 if method == "get" else 3,
            on_failure=lambda _, events: failed.extend(events),
        )  # fmt: skip
        subject = Subject()
        subject.set_platform("web").set_user_id("user-7").set_lang("en-GB").set_domain_user_id("duid-1")
        tracker = Tracker("sp", emitter, subject, app_id="shop-web", encode_base64=is_base64)
        page = SelfDescribingJson(f"{VENDOR}/web_page/jsonschema/1-0-0", {"id": "page-42"})
        url = "https://shop.example/p/42?utm_source=x&q=a+b"
        tracker.track(PageView(url, "Widget — 42", "https://b.example/", context=[page]))
        tracker.track(PagePing(url, "Widget — 42", min_x=0, max_x=10, context=[page]))
        tracker.track(StructuredEvent("shop", "add-to-basket", label="ü", value=2.5))
        tracker.track(
            SelfDescribing(SelfDescribingJson("iglu:com.acme/add_to_cart/jsonschema/1-0-0", {"sku": "4~2ÿ?"}))
        )
        tracker.track(ScreenView(id_="s-1", name="Basket"))
        tracker.flush()
    assert failed == []
    house.put("events/a.jsonl", lines(server.log))
    house.digest()
    assert house.quarantine() == []
    rows = {row["schema"]: row for row in house.events()}
    assert Counter(row["schema"] for row in house.events()) == Counter(
        ["page_view", "custom.page_ping", "custom.struct", "custom.add_to_cart", "custom.screen_view"]
    )
    view = rows["page_view"]
    assert (view["page_id"], view["url"], view["utm_source"]) == ("page-42", url, "x")
    assert (view["visitor_id"], view["user_id"], view["app_id"], view["locale"]) == (
        "duid-1", "user-7", "shop-web", "en-GB",
    )  # fmt: skip
    assert view["tracker"].startswith("py-") and view["ip"] == "127.0.0.1" and view["platform"] == "desktop_web"
    assert json.loads(view["data"]) == {"title": "Widget — 42"}
    assert rows["custom.page_ping"]["page_id"] == "page-42"
    assert json.loads(rows["custom.struct"]["data"]) == {
        "category": "shop", "action": "add-to-basket", "label": "ü", "value": "2.5",
    }  # fmt: skip
    assert json.loads(rows["custom.add_to_cart"]["data"]) == {"sku": "4~2ÿ?"}
    assert json.loads(rows["custom.screen_view"]["data"]) == {"id": "s-1", "name": "Basket"}
    assert len({row["event_id"] for row in house.events()}) == 5
    for row in house.events():
        assert row["received_at"] >= row["event_at"] and (row["received_at"] - row["event_at"]).total_seconds() < 60


# A real log.


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The log of a demo shop, with a 30-minute gap."""
    path = shared("events/snowplow_shop.jsonl")
    house = House(tmp_path_factory.mktemp("shop"))
    house.put("events/snowplow_shop.jsonl", path.read_bytes())
    house.digest()
    return house


def expected(name: str) -> list[dict[str, str]]:
    with shared(f"expected/{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_real_log_is_read_whole(shop: House) -> None:
    (counts,) = shop.scan("event_counts", columns="sum(accepted)::int as accepted, sum(duplicates)::int as duplicates")
    assert shop.quarantine() == []
    assert counts == {"accepted": 833, "duplicates": 0}


def utc(text: str) -> datetime:
    """Read a time of theirs."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_orders_of_the_real_log_are_its_transactions(shop: House) -> None:
    orders = {row["event_id"]: row for row in shop.events() if row["schema"] == "order"}
    said = {name: json.loads(row["data"]) for name, row in orders.items()}
    found = {
        name: (data["order_id"], data["currency"], float(data["revenue"]), int(data["quantity"]),
               orders[name]["event_at"])
        for name, data in said.items()
    }  # fmt: skip
    wanted = expected("snowplow_shop_orders")
    assert len(wanted) == 14
    assert found == {
        row["event_id"]: (row["transaction_id"], row["transaction_currency"], float(row["transaction_revenue"]),
                          int(row["transaction_total_quantity"]), utc(row["derived_tstamp"]))
        for row in wanted
    }  # fmt: skip
    # An app has no web page; theirs is named by its screen.
    elsewhere = [orders[row["event_id"]] for row in wanted if orders[row["event_id"]]["page_id"] != row["page_view_id"]]
    assert [(row["platform"], row["page_id"] == row["event_id"]) for row in elsewhere] == [("android", True)]


def test_sessions_of_the_real_log_are_the_clients(shop: House) -> None:
    """A gap of thirty minutes cuts as the browser's own session id does, for each event that has one.

    Theirs begin and end when the collector received, ours when it happened by the corrected clock: so what is
    compared is which events belong together, and when these were received. One of theirs is an app's: it names
    its visitor in the session context alone, which is no visitor id here, so its events are of nobody known.
    """
    events = {row["event_id"]: row for row in shop.events()}
    clients: dict[str, set[str]] = defaultdict(set)
    for line in shared("events/snowplow_shop.jsonl").read_text().splitlines():
        for item in json.loads(json.loads(line)["body"])["data"]:
            if "sid" in item:
                clients[item["sid"]].add(item["eid"])
    ours: dict[str, set[str]] = defaultdict(set)
    for event_id in set().union(*clients.values()):
        ours[events[event_id]["session_id"]].add(event_id)
    assert len(set().union(*clients.values())) == 823
    assert sorted(map(sorted, ours.values())) == sorted(map(sorted, clients.values()))
    theirs = expected("snowplow_shop_sessions")
    apps = [row for row in theirs if row["domain_sessionid"] not in clients]
    assert (len(theirs), [row["app_id"] for row in apps]) == (63, ["DemoID"])
    assert {row["platform"] for row in events.values() if row["stream_id"] == apps[0]["domain_sessionid"]} == {
        "android"
    }
    for row in theirs:
        group = [events[event_id] for event_id in clients.get(row["domain_sessionid"], ())]
        if group:
            received = [event["received_at"] for event in group]
            assert (min(received), max(received)) == (utc(row["start_tstamp"]), utc(row["end_tstamp"]))
            assert {event["app_id"] for event in group} == {row["app_id"]}
            assert {event["visitor_id"] for event in group} == {row["domain_userid"]}
