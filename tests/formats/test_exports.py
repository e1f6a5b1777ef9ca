"""Exports of other trackers: what each field becomes, and what is refused."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import PHONE, House, Row, lines, moment
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from etl.vocabulary.tracker_exports import EXPORTS

STAMP = str(int(moment("10:00").timestamp() * 1_000_000))


def params(**values: Any) -> list[Row]:
    """What BigQuery's export writes of an event's parameters."""
    kinds = {int: "int_value", float: "double_value", str: "string_value"}
    written = {int: str, float: float, str: str}
    return [{"key": key, "value": {kinds[type(said)]: written[type(said)](said)}} for key, said in values.items()]


def ga4(name: str = "page_view", said: Any = None, **keys: Any) -> Row:
    line = {
        "event_date": "20260301", "event_timestamp": STAMP, "event_name": name, "user_pseudo_id": "1.2",
        "event_params": params(page_location="https://shop.example/a?utm_source=x", page_referrer="https://b.example/",
                               ga_session_id=7, page_title="A") if said is None else said,
        "platform": "WEB", "stream_id": "99", "device": {"category": "desktop", "language": "en-us"},
        "geo": {"country": "Germany"}, "batch_event_index": "1",
    }  # fmt: skip
    return {key: value for key, value in (line | keys).items() if value is not ...}


def call(kind: str = "page", **keys: Any) -> Row:
    line = {
        "type": kind, "messageId": "m", "anonymousId": "a", "userId": None, "receivedAt": "2026-03-01T10:00:10.000Z",
        "sentAt": "2026-03-01T10:00:05.000Z", "originalTimestamp": "2026-03-01T10:00:00.000Z",
        "context": {"ip": "203.0.113.9", "userAgent": PHONE, "locale": "de", "library": {"name": "analytics.js"},
                    "page": {"url": "https://shop.example/b"}},
        "properties": {"title": "B"},
    }  # fmt: skip
    return {key: value for key, value in (line | keys).items() if value is not ...}


SHOP = {"order_id": "o1", "total": 12.5, "currency": "EUR", "products": [{"sku": "1"}]}
CASES: dict[str, tuple[Row, Row]] = {
    "a page view of GA4": (ga4(), {
        "schema": "page_view", "app_id": "99", "platform": "desktop_web", "tracker": "ga4", "visitor_id": "1.2",
        "url": "https://shop.example/a?utm_source=x", "utm_source": "x", "referrer": "https://b.example/",
        "received_at": moment("10:00"), "event_at": moment("10:00"), "created_at": moment("10:00"), "sent_at": None,
        "stream_id": None, "message_index": None, "user_id": None, "is_logged_in": False, "locale": "en-us",
        "ip": None, "user_agent": None, "ua_bot_reason": None, "version": None, "request_id": None}),
    "GA4 on a phone": (ga4(device={"category": "mobile"}), {"platform": "mobile_web", "locale": None}),
    "GA4 in an app": (ga4("screen_view", platform="IOS", app_info={"id": "com.shop"}), {
        "platform": "ios", "app_id": "com.shop", "schema": "custom.screen_view", "page_id": None}),
    "somebody who did not consent": (ga4(user_pseudo_id=...), {"visitor_id": None, "schema": "page_view"}),
    "somebody known to GA4": (ga4(user_id="u7"), {"user_id": "u7", "visitor_id": "1.2", "is_logged_in": True}),
    "an order of GA4": (
        ga4("purchase", params(currency="EUR", value=3.0, transaction_id="t"),
            ecommerce={"transaction_id": "o1", "purchase_revenue": 12.5, "total_item_quantity": "2"}), {
        "schema": "order", "data.order_id": "o1", "data.revenue": "12.5", "data.currency": "EUR",
        "data.quantity": "2"}),
    "an order of GA4's parameters": (ga4("purchase", params(currency="EUR", value=3.5, transaction_id="t")), {
        "schema": "order", "data.order_id": "t", "data.revenue": "3.5"}),
    "an event of the plan in GA4": (ga4("feature_use", params(feature="wish")), {
        "schema": "feature_use", "data.feature": "wish", "app_id": "99"}),
    "GA4 without an app": (ga4(stream_id=...), {"app_id": "ga4"}),
    "parameters that are none": (ga4("x", "what"), {"schema": "custom.x", "data.ga_session_id": None}),
    "parameters with odd names": (ga4("x", [{"key": 'a"b', "value": {"string_value": '"}'}}, {"key": None}]), {
        'data."a\\"b"': '"}'}),
    "a page of Segment": (call(), {
        "schema": "page_view", "event_id": "m", "page_id": "m", "app_id": "segment", "platform": "mobile_web",
        "tracker": "segment", "visitor_id": "a", "url": "https://shop.example/b", "ip": "203.0.113.9",
        "user_agent": PHONE, "received_at": moment("10:00:10"), "event_at": moment("10:00:05"), "locale": "de",
        "data.title": "B", "data.export.context.locale": "de", "request_id": "m"}),
    "an order of Segment": (call("track", event="Order Completed", properties=SHOP, userId="u"), {
        "schema": "order", "data.order_id": "o1", "data.revenue": "12.5", "data.currency": "EUR", "user_id": "u",
        "page_id": None, "data.products[0].sku": "1"}),
    "an event of the plan in Segment": (call("track", event="feature_use", properties={"feature": "wish"}), {
        "schema": "feature_use", "data.feature": "wish"}),
    "another event of Segment": (call("track", event="Product Added", properties={"sku": "1"}), {
        "schema": "custom.Product Added", "data.sku": "1"}),
    "who somebody is": (call("identify", anonymousId=..., userId="u"), {
        "schema": "custom.identify", "visitor_id": "u", "user_id": "u"}),
    "nobody in Segment": (call(anonymousId=..., userId=...), {"visitor_id": None}),
    "a server of Segment's": (call("track", event="x", context={"library": {"name": "analytics-node"}}), {
        "platform": "backend", "url": None, "ip": None}),
    "an app of Segment's": (call("screen", context={"library": {"name": "analytics-android"}}), {
        "platform": "android"}),
    "a call without a receipt": (call(receivedAt=..., sentAt=...), {
        "received_at": moment("10:00"), "event_at": moment("10:00")}),
}  # fmt: skip
BAD: dict[str, tuple[Row, str, str]] = {
    "no time": (ga4(event_timestamp="soon"), "bad_line", "no time in ga4"),
    "a page without an address": (ga4(said=params(page_title="A")), "missing_key", "page.url is missing"),
    "an order without money": (ga4("purchase", params(transaction_id="t")), "missing_key", "data.revenue is missing"),
    "a device nobody knows": (ga4(platform="TOASTER", device=...), "malformed_key", "platform is unknown: 'TOASTER'"),
}  # fmt: skip


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> House:
    """All cases, each a file: their ids are the same."""
    house = House(tmp_path_factory.mktemp("exports"))
    for number, (line, *_) in enumerate([*CASES.values(), *BAD.values()]):
        house.put(f"events/{number:02}.jsonl", lines([line]))
    house.digest()
    return house


@pytest.mark.parametrize("name", CASES)
def test_line_becomes_a_message(name: str, read: House) -> None:
    _, expected = CASES[name]
    file = f"events/{list(CASES).index(name):02}.jsonl"
    asked = [
        f"json_extract_string(data, '$.{key[5:]}')" if key.startswith("data.") else key for key in expected
    ]  # fmt: skip
    columns = ", ".join([*(f"{said} as c{place}" for place, said in enumerate(asked)), "source_file"])
    (row,) = [row for row in read.scan("messages", columns=columns) if row["source_file"] == file]
    assert dict(zip(expected, list(row.values())[:-1], strict=True)) == expected


@pytest.mark.parametrize("name", BAD)
def test_line_that_is_refused(name: str, read: House) -> None:
    _, reason, detail = BAD[name]
    file = f"events/{len(CASES) + list(BAD).index(name):02}.jsonl"
    assert [(row["reason"], row["detail"]) for row in read.quarantine() if row["source_file"] == file] == [
        (reason, detail)
    ]


@dataclass(frozen=True)
class Happened:
    """Something that somebody did on a site."""

    number: int
    what: str
    visitor: str | None
    url: str
    cents: int

    @property
    def when(self) -> datetime:
        return moment("10:00") + timedelta(seconds=self.number)


def as_ga4(one: Happened) -> Row:
    bought = {"transaction_id": f"o{one.number}", "purchase_revenue": one.cents / 100}
    said = params(page_location=one.url, currency="EUR", engagement=1.5, score=3)
    keys = {"ecommerce": bought} if one.what == "order" else {}
    name = {"order": "purchase"}.get(one.what, one.what)
    stamp = str(int(one.when.timestamp()) * 1_000_000)
    return ga4(name, said, event_timestamp=stamp, user_pseudo_id=one.visitor or ..., **keys)


def as_call(one: Happened) -> Row:
    kind = "page" if one.what == "page_view" else "track"
    bought = {"order_id": f"o{one.number}", "revenue": one.cents / 100, "currency": "EUR"}
    names = {"order": "Order Completed", "page_view": ...}
    at = f"{one.when:%Y-%m-%dT%H:%M:%S.000Z}"
    return call(
        kind,
        event=names.get(one.what, one.what),
        messageId=f"m{one.number}",
        anonymousId=one.visitor,
        receivedAt=at,
        sentAt=at,
        originalTimestamp=at,
        properties={"url": one.url} | (bought if one.what == "order" else {}),
    )


EXPORTERS = {"ga4": as_ga4, "segment": as_call}
HAPPENED = st.lists(
    st.tuples(st.sampled_from(["page_view", "order", "scroll"]), st.sampled_from(["v", "w", None]),
              st.sampled_from(["https://shop.example/", "https://shop.example/a?utm_source=x&b=%C3%A9"]),
              st.integers(1, 10**6)),
    min_size=5, max_size=25,
)  # fmt: skip


def test_every_export_of_the_register_is_tried() -> None:
    assert EXPORTERS.keys() == EXPORTS.keys()


@pytest.mark.parametrize("name", EXPORTERS)
@hypothesis_settings(max_examples=3, deadline=None, phases=(Phase.generate,))
@given(drawn=HAPPENED)
def test_what_is_written_in_any_export_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, name: str, drawn: list[tuple[str, str | None, str, int]]
) -> None:
    truth = [Happened(number, *said) for number, said in enumerate(drawn)]
    house = House(tmp_path_factory.mktemp(name))
    house.put("events/a.json", lines(EXPORTERS[name](one) for one in truth))
    house.digest()
    assert house.quarantine() == []
    paid = "json_extract_string(data, '$.order_id') as order_id, json_extract_string(data, '$.revenue') as revenue"
    found = house.scan("events", "line_number", f"schema, visitor_id, url, event_at, line_number, {paid}")
    assert [
        (row["schema"], row["visitor_id"], row["url"], row["event_at"], row["order_id"], float(row["revenue"] or 0))
        for row in found
    ] == [
        ("custom.scroll" if one.what == "scroll" else one.what, one.visitor, one.url, one.when)
        + ((f"o{one.number}", one.cents / 100) if one.what == "order" else (None, 0.0))
        for one in truth
    ]


def test_an_export_made_again_is_all_duplicates(house: House) -> None:
    rows = [ga4(), ga4(event_timestamp=str(int(STAMP) + 1)), ga4("scroll"), call()]
    house.put("events/a.jsonl", lines(rows))
    house.put("events/b.jsonl", lines(reversed(rows)))
    house.digest()
    (counted,) = house.scan("event_counts", columns="sum(accepted) as accepted, sum(duplicates) as duplicates")
    assert counted == {"accepted": 4, "duplicates": 4}
    assert len({row["session_id"] for row in house.events() if row["visitor_id"] == "1.2"}) == 1
    assert not any(row["is_bot"] for row in house.events())


def test_exports_are_described() -> None:
    page = Path(__file__).parents[2].joinpath("docs", "trackers.md").read_text()
    assert [entry.title for entry in EXPORTS.values() if entry.title not in page] == []
