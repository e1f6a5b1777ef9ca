"""Snowplow's tracker protocol: what each event, context and fallback becomes; a real client; a real log."""

import base64
import hashlib
import json
import shutil
from pathlib import Path

import pytest
from builders import BROWSER, PHONE, House, Row, lines, moment
from builders.snowplow import (
    BASE,
    NOW,
    PV,
    SENT,
    VENDOR,
    contexts,
    described,
    encoded,
    entity,
    gotten,
    posted,
    ue,
    without,
)

ANDROID_PHONE = (
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/138.0.0.0 Mobile Safari/537.36"
)


SESSION = entity("client_session", {"sessionId": "S", "userId": "u", "sessionIndex": 3, "eventIndex": 12})
WEB_PAGE = entity("web_page", {"id": "page-1"})
BOUGHT = entity(
    "transaction", {"transaction_id": "o1", "revenue": 18.5, "currency": "EUR", "total_quantity": 2, "tax": None},
    f"{VENDOR}.ecommerce",
)  # fmt: skip
LATIN = 'ÿþ?>~ "ünï" \\ 日本'
"""Its base64 has characters that URLs write in another way, and needs padding."""

CASES: dict[str, tuple[Row, Row]] = {
    # what was received: what the lake then says
    "a page view": (posted(PV), {
        "event_id": "E", "schema": "page_view", "app_id": "shop", "platform": "desktop_web", "tracker": "js-4.6.0",
        "visitor_id": "d1", "page_id": "E", "url": "https://shop.example/a?utm_source=x", "utm_source": "x",
        "referrer": "https://b.example/", "version": None, "stream_id": None, "message_index": None,
        "created_at": moment("10:00"), "sent_at": moment("10:00:05"), "event_at": moment("10:00:05"),
        "user_id": None, "is_logged_in": False, "data": {"title": "A page"}, "user_agent": BROWSER}),
    "a page view by GET": (gotten(PV | {"page": "Widget — 42 & more+"}), {
        "schema": "page_view", "visitor_id": "d1", "url": "https://shop.example/a?utm_source=x", "page_id": "E",
        "referrer": "https://b.example/", "event_at": moment("10:00:05"), "data": {"title": "Widget — 42 & more+"}}),
    "a page ping": (posted(BASE | {"e": "pp", "url": "/a", "pp_mix": "0", "pp_max": "10", "pp_miy": "5",
                                   "pp_may": "9"}), {
        "schema": "custom.page_ping", "url": "/a", "data": {"min_x": "0", "max_x": "10", "min_y": "5", "max_y": "9"}}),
    "a structured event": (posted(BASE | {"e": "se", "se_ca": "shop", "se_ac": "add", "se_la": "x", "se_pr": "y",
                                          "se_va": "1.5"}), {
        "schema": "custom.struct",
        "data": {"category": "shop", "action": "add", "label": "x", "property": "y", "value": "1.5"}}),
    "a structured event of little": (posted(BASE | {"e": "se", "se_ca": "a", "se_ac": "b"}), {
        "schema": "custom.struct", "data": {"category": "a", "action": "b"}}),
    "a transaction": (posted(BASE | {"e": "tr", "tr_id": "o1", "tr_tt": "12.50", "tr_cu": "EUR", "tr_tx": "2"}), {
        "schema": "order", "data": {"order_id": "o1", "revenue": "12.50", "currency": "EUR", "tax": "2"}}),
    "a transaction's item": (posted(BASE | {"e": "ti", "ti_id": "o1", "ti_sk": "s", "ti_pr": "3", "ti_qu": "2"}), {
        "schema": "custom.transaction_item", "data": {"order_id": "o1", "sku": "s", "price": "3", "quantity": "2"}}),
    "an event of an old kind": (posted(BASE | {"e": "ad"}), {"schema": "custom.ad_impression"}),
    "an event nobody knows": (posted(BASE | {"e": "zz"}), {"schema": "custom.zz"}),
    "a self-describing event": (posted(ue("add_to_cart", {"sku": "42", "n": None})), {
        "schema": "custom.add_to_cart", "data": {"sku": "42", "n": None}}),
    "a self-describing event of a list": (posted(ue("add_to_cart", [1, None])), {
        "schema": "custom.add_to_cart", "data": [1, None]}),
    "a self-describing event in base64": (posted(BASE | {"e": "ue", "ue_px": encoded(described("x", {"a": LATIN}))}), {
        "schema": "custom.x", "data": {"a": LATIN}}),
    "a self-describing event in padded base64": (
        posted(BASE | {"e": "ue", "ue_px": encoded(described("x", {"a": LATIN}), True)}), {
        "schema": "custom.x", "data": {"a": LATIN}}),
    "a self-describing event in base64 by GET": (
        gotten(BASE | {"e": "ue", "ue_px": encoded(described("x", {"a": LATIN})), "ue_pr": "", "co": ""}), {
        "schema": "custom.x", "data": {"a": LATIN}}),
    "a self-describing event by GET": (gotten(ue("x", {"a": LATIN + "%41+&="})), {
        "schema": "custom.x", "data": {"a": LATIN + "%41+&="}}),
    "half a character in a self-describing event": (posted(ue("x", {"a": "caf\ud83d", "b": "\\ud83d"})), {
        "schema": "custom.x", "data": {"a": "caf", "b": "\\ud83d"}}),
    "half a character in a title": (posted(PV | {"page": "caf\ud83d"}), {"data": {"title": "caf"}}),
    "a page of its own": (posted(PV | {"co": contexts(WEB_PAGE)}), {"page_id": "page-1", "data": {"title": "A page"}}),
    "a page in base64": (posted(PV | {"cx": encoded(contexts(WEB_PAGE))}), {"page_id": "page-1"}),
    "a page that is empty": (posted(PV | {"co": contexts(entity("web_page", {"id": ""}))}), {"page_id": "E"}),
    "a client's session": (posted(PV | {"co": contexts(WEB_PAGE, SESSION)}), {
        "stream_id": "S", "message_index": 12, "page_id": "page-1", "data": {"title": "A page"}}),
    "a session without content": (posted(PV | {"co": contexts(entity("client_session", None))}), {
        "stream_id": None, "message_index": None}),
    "a reload": (posted(PV | {
        "co": contexts(entity("PerformanceNavigationTiming", {"type": "reload"}, "iglu:org.w3"))}), {
        "navigation": "reload"}),
    "a step back": (posted(PV | {
        "co": contexts(entity("performance_navigation_timing", {"type": "back_forward"}, "iglu:org.w3"))}), {
        "navigation": "back_forward"}),
    "a page made in advance": (posted(PV | {
        "co": contexts(entity("performance_navigation_timing", {"type": "prerender"}, "iglu:org.w3"))}), {
        "navigation": "navigate"}),
    "a view of an email": (posted(PV | {"p": "email"}), {"platform": "email", "navigation": "email"}),
    "a self-describing event named after a schema of the plan": (
        posted(ue("feature_use", {"feature": "wish_list", "n": 1}, co=contexts(entity("cart", {"b": 1})))), {
        "schema": "feature_use",
        "data": {"feature": "wish_list", "n": 1, "contexts": [entity("cart", {"b": 1})]}}),
    "a mail's opening by GET": (gotten(BASE | {"e": "ue", "p": "email", "ue_pr": described("email_open", {
        "campaign": "nov"})}), {"schema": "email_open", "platform": "email", "data": {"campaign": "nov"}}),
    "a client's later session": (posted(PV | {"co": contexts(entity("client_session", {
        "sessionId": "S", "sessionIndex": 3, "eventIndex": 1, "previousSessionId": "R"}))}), {
        "stream_id": "S", "stream_number": 3, "previous_stream_id": "R", "message_index": 1}),
    "a byte that is no UTF-8": (
        gotten(PV, query="e=pv&aid=shop&p=web&duid=d&url=https%3A%2F%2Fa.example%2Fcaf%E9%20%C3%A9"), {
        "url": "https://a.example/caf%E9 é", "url_host": "a.example", "url_path": "/caf%E9 %C3%A9"}),
    "a context of one's own": (
        posted(ue("x", {"n": {"a": None}}, co=contexts(entity("cart", {"b": None}), WEB_PAGE))), {
        "data": {"n": {"a": None}, "contexts": [entity("cart", {"b": None})]}, "page_id": "page-1"}),
    "an ecommerce transaction": (
        posted(ue("snowplow_ecommerce_action", {"type": "transaction"}, co=contexts(BOUGHT))), {
        "schema": "order", "data": {"order_id": "o1", "revenue": "18.5", "currency": "EUR", "quantity": 2,
                                    "contexts": [BOUGHT]}}),
    "a payment that failed": (
        posted(ue("snowplow_ecommerce_action", {"type": "transaction_error"}, co=contexts(BOUGHT))), {
        "schema": "custom.snowplow_ecommerce_action",
        "data": {"type": "transaction_error", "contexts": [BOUGHT]}}),
    "a transaction of an event of one's own": (posted(ue("bought", {}, co=contexts(BOUGHT))), {"schema": "order"}),
    "a visitor of the network": (posted(without(PV, "duid") | {"nuid": "n1", "tnuid": "t1", "uid": "u1"}), {
        "visitor_id": "n1", "user_id": "u1", "is_logged_in": True}),
    "a visitor that the tracker was told": (posted(without(PV, "duid") | {"tnuid": "t1", "uid": "u1"}), {
        "visitor_id": "t1"}),
    "a visitor that is a user": (posted(without(PV, "duid") | {"uid": "u1"}), {"visitor_id": "u1", "user_id": "u1"}),
    "a visitor that is empty": (posted(PV | {"duid": "", "nuid": "", "uid": "u1"}), {"visitor_id": "u1"}),
    "a browser": (posted(PV | {"p": "web"}), {"platform": "desktop_web"}),
    "a phone's browser": (posted(PV | {"p": "web"}, user_agent=PHONE), {"platform": "mobile_web"}),
    "a browser without name": (posted(PV | {"p": "web"}, user_agent=None), {"platform": "desktop_web"}),
    "an app on iOS": (posted(BASE | {"e": "zz", "p": "mob"}, user_agent="Shop/1.2 CFNetwork/1494 Darwin/23.4.0"), {
        "platform": "ios"}),
    "an iPhone": (posted(BASE | {"e": "zz", "p": "mob"}, user_agent=PHONE), {"platform": "ios"}),
    "an app on Android": (posted(BASE | {"e": "zz", "p": "mob"}, user_agent=ANDROID_PHONE), {"platform": "android"}),
    "an app that says nothing": (posted(BASE | {"e": "zz", "p": "mob"}, user_agent=None), {"platform": "android"}),
    "a server": (posted(BASE | {"e": "zz", "p": "srv"}, user_agent="python-requests/2"), {"platform": "backend"}),
    "a program": (posted(BASE | {"e": "zz", "p": "app"}, user_agent=PHONE), {"platform": "desktop_web"}),
    "a clock two hours fast": (posted(PV | {"dtm": str(int(NOW) + 7_200_000), "stm": str(int(NOW) + 7_207_000)}), {
        "event_at": moment("10:00:03"), "created_at": moment("12:00")}),
    "a time of sending cut to seconds": (posted(PV | {"dtm": str(int(NOW) + 512), "stm": NOW}), {
        "event_at": moment("10:00:10"), "created_at": moment("10:00:00.512")}),
    "no time of sending": (posted(without(PV, "stm")), {"event_at": moment("10:00:10"), "sent_at": None}),
    "a time of sending that is none": (posted(PV | {"stm": "x"}), {"event_at": moment("10:00:10"), "sent_at": None}),
    "no time of making": (posted(without(PV, "dtm")), {"event_at": moment("10:00:10"), "created_at": None}),
    "numbers as numbers": (posted(PV | {"dtm": int(NOW), "stm": int(SENT)}), {"event_at": moment("10:00:05")}),
    "a locale": (posted(PV | {"lang": "de-DE"}), {"locale": "de-DE"}),
}  # fmt: skip

BAD: dict[str, tuple[Row, str, str]] = {
    "a body that is no payload": (posted(body="{}"), "bad_body", "the body has no list of data"),
    "a body that is no JSON": (posted(body="e=pv"), "bad_body", "the body is not JSON"),
    "no body": (posted(body=None), "bad_body", "the body is missing"),
    "an event that is a number": (posted(5), "bad_body", "the message is not an object: 5"),
    "an event that is null": (posted(None), "bad_body", "the message is not an object: null"),
    "NaN in a self-describing event": (
        posted(ue("x", {"a": float("nan")})), "bad_body", "the message holds NaN or Infinity, which are no JSON"),
    "no kind of event": (posted(BASE), "missing_key", "schema is missing (e of Snowplow)"),
    "no app": (posted(without(PV, "aid")), "missing_key", "app_id is missing (aid of Snowplow)"),
    "no platform": (posted(without(PV, "p")), "missing_key", "platform is missing (p of Snowplow)"),
    "no URL": (posted(without(PV, "url")), "missing_key", "page.url is missing (url of Snowplow)"),
    "a query of nothing": (gotten({}, query="hello"), "missing_key", "schema is missing (e of Snowplow)"),
    "a platform nobody knows": (posted(PV | {"p": "tv"}), "malformed_key", "platform is unknown: 'tv'"),
    "a time that is none": (posted(PV | {"dtm": "noon"}), "malformed_key", "dtm is no time: noon"),
    "a time beyond all years": (posted(PV | {"dtm": "9" * 15}), "malformed_key", f"dtm is no time: {'9' * 15}"),
    "base64 that is none": (posted(BASE | {"e": "ue", "ue_px": "*"}), "malformed_key", "ue_px is not base64 of UTF-8"),
    "base64 of bytes": (
        posted(PV | {"cx": base64.b64encode(b"\xff\xfe").decode()}), "malformed_key", "cx is not base64 of UTF-8"),
    "a self-describing event of nothing": (
        posted(BASE | {"e": "ue"}), "malformed_key", "the self-describing event names no schema"),
    "a self-describing event that is cut": (
        posted(BASE | {"e": "ue", "ue_pr": described("x", {})[:-5]}), "malformed_key",
        "the self-describing event names no schema"),
    "a self-describing event of no registry": (
        posted(BASE | {"e": "ue", "ue_pr": described("x", {}, "acme")}), "malformed_key",
        "the self-describing event names no schema"),
    "contexts that are cut": (
        posted(PV | {"co": contexts(WEB_PAGE)[:-5]}), "malformed_key", "the contexts are no list of entities"),
    "a counter in words": (
        posted(PV | {"co": contexts(entity("client_session", {"sessionId": "S", "eventIndex": "3"}))}),
        "malformed_key", "index is a string, not a whole number: '3'"),
    "an order without money": (posted(BASE | {"e": "tr", "tr_id": "o1"}), "missing_key", "data.revenue is missing"),
    "an order of words": (
        posted(BASE | {"e": "tr", "tr_id": "o1", "tr_tt": "much"}), "malformed_key",
        "data.revenue is a string, not a decimal: 'much'"),
    "an event of last year": (
        posted(PV | {"dtm": str(int(NOW) - 40 * 86_400_000)}), "too_late", "happened 40 days before it was received"),
}  # fmt: skip


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> House:
    """All cases, parsed as one file."""
    house = House(tmp_path_factory.mktemp("snowplow"))
    rows = [row for row, _ in CASES.values()] + [row for row, *_ in BAD.values()]
    house.put("events/a.jsonl", lines(rows))
    house.digest()
    return house


@pytest.fixture(scope="module")
def accepted(received: House) -> dict[int, Row]:
    return {row["line_number"]: row for row in received.scan("messages")}


@pytest.fixture(scope="module")
def refused(received: House) -> dict[int, Row]:
    return {row["line_number"]: row for row in received.quarantine() if row["reason"] != "id_collision"}


@pytest.mark.parametrize("name", CASES)
def test_event_becomes_a_message(name: str, accepted: dict[int, Row], refused: dict[int, Row]) -> None:
    number, (_, expected) = list(CASES).index(name) + 1, CASES[name]
    assert refused.get(number) is None
    row = accepted[number]
    found = {key: row[key] for key in expected}
    if "data" in expected:
        found["data"] = json.loads(row["data"])
    assert found == expected


@pytest.mark.parametrize("name", BAD)
def test_broken_event_is_quarantined(name: str, accepted: dict[int, Row], refused: dict[int, Row]) -> None:
    number, (sent, reason, detail) = len(CASES) + list(BAD).index(name) + 1, BAD[name]
    assert number not in accepted
    assert (refused[number]["reason"], refused[number]["detail"]) == (reason, detail)
    if sent["method"] == "GET":
        assert refused[number]["payload"] == sent["query"]


def test_visitor_of_last_resort_is_address_and_agent(house: House) -> None:
    bare = without(PV, "duid")
    others = [{"remote_addr": "192.0.2.9"}, {"user_agent": PHONE}, {"user_agent": None}]
    rows = [posted(bare | {"eid": str(n)}, **keys) for n, keys in enumerate([{}, {}, *others])]
    house.put("events/a.jsonl", lines(rows))
    house.digest()
    visitors = [row["visitor_id"] for row in house.scan("messages", "event_id")]
    assert visitors[0] == visitors[1] and len(set(visitors)) == 4 and None not in visitors


def test_schema_that_the_plan_comes_to_name_takes_its_events(house: House, tmp_path: Path) -> None:
    house.put("events/a.jsonl", lines([posted(ue("add_to_cart", {"sku": "42"}), PV | {"eid": "F"})]))
    house.digest()
    assert {row["schema"] for row in house.events()} == {"custom.add_to_cart", "page_view"}
    folder = shutil.copytree(house.settings.tracking_plan, tmp_path / "plan")
    (folder / "cart.toml").write_text('schema = "add_to_cart"\ndescription = "d"\nowner = "o"\nsince_version = 3\n')
    house.keys["tracking_plan"] = folder
    house.digest()
    assert {row["schema"] for row in house.events()} == {"add_to_cart", "page_view"}


def test_event_without_id_is_named_by_its_line_and_position(house: House) -> None:
    """So that a file delivered again brings duplicates, and the same event sent twice in a line stays two."""
    bare = without(PV, "eid")
    row = posted(bare, bare, PV | {"eid": ""})
    house.put("events/a.jsonl", lines([row, posted(bare, request_id="other"), gotten(bare)]))
    house.put("events/again.jsonl", lines([row]))
    house.digest()
    ids = {(row["line_number"], row["position"]): row["event_id"] for row in house.events()}
    assert len(ids) == len(set(ids.values())) == 5
    line = hashlib.md5(json.dumps(row, separators=(",", ":")).encode(), usedforsecurity=False).hexdigest()
    assert ids[1, 2] == hashlib.md5(f"{line}:2".encode(), usedforsecurity=False).hexdigest()
    (counts,) = house.scan("event_counts", columns="sum(duplicates) as duplicates")
    assert counts["duplicates"] == 3


def test_retry_is_a_duplicate_though_sent_later(house: House) -> None:
    """What says how and when a message was sent is no content of it."""
    retry = PV | {"stm": str(int(SENT) + 60_000)}
    house.put("events/a.jsonl", lines([posted(PV), posted(retry, received="10:01:10"), gotten(retry, "10:02")]))
    house.digest()
    (row,) = house.events()
    assert row["sent_at"] == moment("10:00:05") and house.quarantine() == []


def test_other_requests_are_no_events(house: House) -> None:
    rows = [
        gotten(PV, path="/i/"), gotten(PV, query=""), gotten(PV, method="POST"), posted(PV, method="GET"), posted(),
        posted(PV, method="OPTIONS"),
    ]  # fmt: skip
    house.put("events/a.jsonl", lines(rows))
    house.digest()
    assert house.events() == [] and house.quarantine() == []
