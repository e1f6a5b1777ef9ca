"""Lines to messages, hits and quarantine: each rule with a case that meets it and one that nearly does."""

import hashlib
import json
from typing import Any

import pytest
from builders import House, Row, event, moment, parsed, request


def raw(message: str, received: str = "10:05", **keys: Any) -> Row:
    """Receive a message written by hand."""
    return request(
        [], received, **({"body": f'{{"sent_at":"2026-03-01T{received}:00Z","messages":[{message}]}}'} | keys)
    )


# Reasons. One file a test module: the rows of all cases are parsed at once.

GOOD = event("10:00 /a")
BAD_ROWS: dict[str, tuple[Any, str, str]] = {
    # name: (line, reason, detail)
    "no JSON": ('{"request_id":', "bad_line", "not a JSON object"),
    "a cut line": (json.dumps(request([GOOD]))[:-40], "bad_line", "not a JSON object"),
    "a blank line": ("", "bad_line", "not a JSON object"),
    "a list": ("[1, 2]", "bad_line", "request_id is missing"),
    "a bare null": ("null", "bad_line", "not a JSON object"),
    "a bare string": ('"x"', "bad_line", "request_id is missing"),
    "two objects": ('{"request_id":"a"}{"b":1}', "bad_line", "not a JSON object"),
    "no UTF-8": (b'{"request_id":"\xff"}', "bad_line", "not UTF-8"),
    "a NUL": (b'{"request_id":"a\x00b"}', "bad_line", "not a JSON object"),
    "no request_id": (request([GOOD], request_id=...), "bad_line", "request_id is missing"),
    "an empty request_id": (request([GOOD], request_id=""), "bad_line", "request_id is missing"),
    "no received_at": (request([GOOD], received_at=...), "bad_line", "received_at is missing"),
    "a received_at that is no time": (request([GOOD], received_at="noon"), "bad_line", "received_at is no time: noon"),
    "a received_at before 1970": (request([GOOD], received_at=-1), "bad_line", "received_at is no time: -1"),
    "a received_at of 1970": (request([GOOD], received_at=0), "bad_line", "received_at is no time: 0"),
    "a received_at of year 9999": (
        request([GOOD], received_at=253402300799),
        "bad_line",
        "received_at is no time: 253402300799",
    ),
    "a received_at that is huge": (request([GOOD], received_at=1e300), "bad_line", "received_at is no time: 1e+300"),
    "no path": (request([GOOD], path=...), "bad_line", "path is missing"),
    "no body": (request([], "10:05", body=...), "bad_body", "the body is missing"),
    "a null body": (request([], "10:05", body=None), "bad_body", "the body is missing"),
    "an empty body": (request([], "10:05", body=""), "bad_body", "the body is not JSON"),
    "a cut body": (request([], "10:05", body='{"messages":[{"id":'), "bad_body", "the body is not JSON"),
    "a body without messages": (
        request([], "10:05", body='{"sent_at":null}'),
        "bad_body",
        "the body has no list of messages",
    ),
    "null messages": (request([], "10:05", body='{"messages":null}'), "bad_body", "the body has no list of messages"),
    "an object of messages": (
        request([], "10:05", body='{"messages":{}}'),
        "bad_body",
        "the body has no list of messages",
    ),
    "a list for a body": (request([], "10:05", body="[]"), "bad_body", "the body has no list of messages"),
    "a message that is null": (raw("null"), "bad_body", "the message is not an object: null"),
    "a message that is a number": (raw("7"), "bad_body", "the message is not an object: 7"),
    "a message that is a list": (raw("[]"), "bad_body", "the message is not an object: []"),
    "a newer version": (request([GOOD | {"version": 4}]), "unknown_version", "version 4 is not read"),
    "version zero": (request([GOOD | {"version": 0}]), "unknown_version", "version 0 is not read"),
    "a version in words": (request([GOOD | {"version": "three"}]), "unknown_version", 'version "three" is not read'),
    "an unknown schema": (request([GOOD | {"schema": "pageview"}]), "unknown_schema", "no schema is named 'pageview'"),
    "custom without a name": (
        request([GOOD | {"schema": "custom."}]),
        "unknown_schema",
        "no schema is named 'custom.'",
    ),
    "custom alone": (request([GOOD | {"schema": "custom"}]), "unknown_schema", "no schema is named 'custom'"),
    "a schema in capitals": (
        request([GOOD | {"schema": "Page_View"}]),
        "unknown_schema",
        "no schema is named 'Page_View'",
    ),
    "a schema that is a number": (
        request([GOOD | {"schema": 5}]),
        "malformed_key",
        "schema is a number, not a string: '5'",
    ),
    "a platform nobody knows": (request([GOOD | {"platform": "tv"}]), "malformed_key", "platform is unknown: 'tv'"),
    "an index in words": (
        request([GOOD | {"index": "twelve"}]),
        "malformed_key",
        "index is a string, not a whole number: 'twelve'",
    ),
    "an index in quotes": (
        request([GOOD | {"index": "12"}]),
        "malformed_key",
        "index is a string, not a whole number: '12'",
    ),
    "an index with a fraction": (
        request([GOOD | {"index": 1.5}]),
        "malformed_key",
        "index is a number, not a whole number: '1.5'",
    ),
    "a negative index": (request([GOOD | {"index": -1}]), "malformed_key", "index is out of range: -1"),
    "a boolean index": (
        request([GOOD | {"index": True}]),
        "malformed_key",
        "index is a boolean, not a whole number: 'true'",
    ),
    "a created_at in words": (
        request([GOOD | {"created_at": "noon"}], "10:05"),
        "malformed_key",
        "created_at is no time: 'noon'",
    ),
    "a created_at of no day": (
        request([GOOD | {"created_at": "2026-02-30T10:00:00Z"}], "10:05"),
        "malformed_key",
        "created_at is no time: '2026-02-30T10:00:00Z'",
    ),
    "a created_at as number": (
        request([GOOD | {"created_at": 1772359200000}], "10:05"),
        "malformed_key",
        "created_at is no time: '1772359200000'",
    ),
    "an infinite created_at": (
        request([GOOD | {"created_at": "infinity"}], "10:05"),
        "malformed_key",
        "created_at is no time: 'infinity'",
    ),
    "an id that is a number": (request([GOOD | {"id": 12}]), "malformed_key", "id is a number, not a string: '12'"),
    "an id that is a list": (request([GOOD | {"id": ["a"]}]), "malformed_key", "id is a list, not a string: '[\"a\"]'"),
    "a visitor that is an object": (
        request([GOOD | {"visitor_id": {"a": 1}}]),
        "malformed_key",
        "visitor_id is an object, not a string: '{\"a\":1}'",
    ),
    "a visitor that is a boolean": (
        request([GOOD | {"visitor_id": False}]),
        "malformed_key",
        "visitor_id is a boolean, not a string: 'false'",
    ),
    "a page view without page": (request([GOOD | {"page": None}]), "missing_key", "page.id is missing"),
    "a page view whose page is text": (
        request([GOOD | {"page": "home"}]),
        "malformed_key",
        "page is a string, not an object: 'home'",
    ),
    "a page view whose page is a list": (
        request([GOOD | {"page": []}]),
        "malformed_key",
        "page is a list, not an object: '[]'",
    ),
    "a page view without page id": (request([event("10:00 /", page_id=...)]), "missing_key", "page.id is missing"),
    "a page view with an empty URL": (request([event("10:00 /", page_url="")]), "missing_key", "page.url is missing"),
    "a page view whose URL is a number": (
        request([event("10:00 /", page_url=5)]),
        "malformed_key",
        "page.url is a number, not a string: '5'",
    ),
    "thirty days and a little": (
        request([event("09:00 /")], "2026-03-31 09:00:00.000001"),
        "too_late",
        "happened 30 days before it was received",
    ),
}
BAD_ROWS |= {
    f"{key} {how}": (request([event("10:00 /a", **{key: value})], "10:05"), reason, detail)
    for key in ("id", "schema", "app_id", "platform", "stream_id", "index", "created_at", "visitor_id")
    for how, value, reason, detail in (
        ("absent", ..., "missing_key", f"{key} is missing"),
        ("null", None, "missing_key", f"{key} is missing"),
        ("empty", "", "missing_key", f"{key} is missing"),
    )
}

# What the tracking plan requires, and of which type.
ORDER = {"order_id": "o1", "revenue": "12.50", "currency": "EUR", "quantity": 2}


def ordered(**changed: Any) -> Row:
    """Receive an order with some of its data changed; `...` takes a field away."""
    data = {key: value for key, value in (ORDER | changed).items() if value is not ...}
    return request([event("10:00 order", data=data)])


BAD_ROWS |= {
    f"an order whose {key} is {how}": (ordered(**{key: value}), "missing_key", f"data.{key} is missing")
    for key in ("order_id", "revenue")
    for how, value in (("absent", ...), ("null", None), ("empty", ""))
}
BAD_ROWS |= {
    f"an order whose {key} is {value!r}": (ordered(**{key: value}), "malformed_key", f"data.{key} is {detail}")
    for key, value, detail in (
        ("order_id", 7, "a number, not a string: '7'"),
        ("order_id", ["o1"], "a list, not a string: '[\"o1\"]'"),
        ("revenue", "much", "a string, not a decimal: 'much'"),
        ("revenue", "1e2", "a string, not a decimal: '1e2'"),
        ("revenue", "12,50", "a string, not a decimal: '12,50'"),
        ("revenue", True, "a boolean, not a decimal: 'true'"),
        ("revenue", "1" * 15, f"a string, not a decimal: '{'1' * 15}'"),
        ("currency", 978, "a number, not a string: '978'"),
        ("quantity", 1.5, "a number, not a whole number: '1.5'"),
        ("quantity", "two", "a string, not a whole number: 'two'"),
        ("quantity", {"a": 1}, "an object, not a whole number: '{\"a\":1}'"),
    )
}
BAD_ROWS |= {
    "an order without data": (request([event("10:00 order", data=...)]), "missing_key", "data.order_id is missing"),
    "an order whose data is a list": (request([event("10:00 order", data=[1])]), "missing_key",
                                      "data.order_id is missing"),
    "a feature without a name": (request([event("10:00 feature_use", data={})]), "missing_key",
                                 "data.feature is missing"),
    "an exposure without a variant": (request([event("10:00 experiment_exposure", data={"experiment": "e"})]),
                                      "missing_key", "data.variant is missing"),
    "a click whose id is a number": (request([event("10:00 click", data={"click_id": 5})]), "malformed_key",
                                     "data.click_id is a number, not a string: '5'"),
    "an impression whose position is a word": (
        request([event("10:00 impression", data={"position": "top"})]), "malformed_key",
        "data.position is a string, not a whole number: 'top'"),
    "a number that JSON has not": (raw(json.dumps(event("10:00 click", data={"x": float("nan")}))), "bad_body",
                                   "the message holds NaN or Infinity, which are no JSON"),
    "a newer version in text": (request([GOOD | {"version": "3"}]), "unknown_version", 'version "3" is not read'),
    "a null version": (request([GOOD | {"version": None}]), "unknown_version", "version null is not read"),
}  # fmt: skip

GOOD_ROWS: dict[str, Any] = {
    "an order": ordered(),
    "an order with what is required alone": ordered(currency=..., quantity=...),
    "an order with nulls where it may": ordered(currency=None, quantity=None),
    "an order with empty texts where it may": ordered(currency=""),
    "an order of no money": ordered(revenue="0"),
    "an order paid back": ordered(revenue="-12.50"),
    "an order's revenue as number": ordered(revenue=12.5),
    "an order's quantity as text": ordered(quantity="2"),
    "an order with a field of its own": ordered(coupon={"a": [None]}),
    "an order of twelve digits": ordered(revenue="9" * 12),
    "an exposure": request([event("10:00 experiment_exposure", data={"experiment": "e", "variant": "v"})]),
    "a click without data": request([event("10:00 click", data=None)]),
    "a click of another's fields": request([event("10:00 click", data={"order_id": 5, "revenue": "much"})]),
    "a custom schema of an order's fields": request([event("10:00 custom.order", data={"revenue": "much"})]),
    "a text that says NaN": request([event("10:00 click", data={"target": "a:NaN,Infinity"})]),
    "received_at as text": request([GOOD], "10:05", received_at="1772359500.123"),
    "received_at in whole seconds": request([GOOD], "10:05", received_at=1772359500),
    "unknown keys": request([GOOD | {"extra": {"a": [1]}}], "10:05", server="x"),
    "no optional key": request(
        [{k: v for k, v in GOOD.items() if k not in {"user_id", "logged_in", "country", "locale", "tracker", "data"}}]
    ),
    "null optional keys": request(
        [GOOD | dict.fromkeys(("user_id", "logged_in", "country", "locale", "tracker", "data"))]
    ),
    "a custom schema": request([GOOD | {"schema": "custom.anything at all", "page": None}]),
    "a click without page": request([event("10:00 click", page=None)]),
    "an id of digits": request([GOOD | {"id": "12"}]),
    "an id that says true": request([GOOD | {"id": "true"}]),
    "an id with a bracket": request([GOOD | {"id": "[a]"}]),
    "a URL of digits": request([event("10:00 /", page_url="123")]),
    "index zero": request([GOOD | {"index": 0}]),
    "a great index": request([GOOD | {"index": 2**60}]),
    "created_at with an offset": request([GOOD | {"created_at": "2026-03-01T12:00:00+02:00"}], "10:05"),
    "created_at with a blank": request([GOOD | {"created_at": "2026-03-01 10:00:00Z"}], "10:05"),
    "exactly thirty days": request([event("09:00 /")], "2026-03-31 09:00"),
    "no sent_at": request([GOOD], "10:05", sent_at=...),
    "a sent_at that is no time": request([GOOD], "10:05", sent_at="now"),
    "pretty JSON": request([], "10:05", body=json.dumps({"sent_at": None, "messages": [GOOD]}, indent=1)),
    "a carriage return": json.dumps(request([GOOD])) + "\r",
    "a character cut in half": request(
        [], "10:05", body=json.dumps({"sent_at": None, "messages": [GOOD | {"data": {"q": "caf\ud83d"}}]})
    ),
    "data of any type": request([GOOD | {"data": [1, "a"]}]),
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Parse all cases as one file; return what became of each line."""
    house = House(tmp_path_factory.mktemp("judged"))
    good = parsed(house, *(row for row, *_ in BAD_ROWS.values()), *GOOD_ROWS.values())
    names = [*BAD_ROWS, *GOOD_ROWS]
    outcome: dict[str, Any] = {name: [] for name in names}
    for row in good:
        outcome[names[row["line_number"] - 1]].append(row)
    for row in house.quarantine():
        outcome[names[row["line_number"] - 1]].append(row)
    return outcome


@pytest.mark.parametrize("name", BAD_ROWS)
def test_quarantined(name: str, judged: dict[str, Any]) -> None:
    _, reason, detail = BAD_ROWS[name]
    assert [(row.get("reason"), row.get("detail")) for row in judged[name]] == [(reason, detail)]


@pytest.mark.parametrize("name", GOOD_ROWS)
def test_valid(name: str, judged: dict[str, Any]) -> None:
    assert [row.get("detail") for row in judged[name]] == [None]


def test_only_the_half_of_a_character_is_left_out(judged: dict[str, Any]) -> None:
    assert json.loads(judged["a character cut in half"][0]["data"]) == {"q": "caf"}


def test_quarantine_keeps_the_payload(judged: dict[str, Any]) -> None:
    assert judged["no JSON"][0]["payload"] == '{"request_id":'
    assert judged["a cut body"][0]["payload"] == '{"messages":[{"id":'
    assert json.loads(judged["an index in words"][0]["payload"]) == GOOD | {"index": "twelve"}
    assert json.loads(judged["no request_id"][0]["payload"]) == request([GOOD], request_id=...)
    assert judged["no UTF-8"][0]["payload"] == r"{\x22request_id\x22:\x22\xFF\x22}"
    assert judged["an index in words"][0]["received_at"] == moment("10:00:10")


def test_first_reason_counts(house: House) -> None:
    """too_large, bad_line, bad_body, unknown_version, unknown_schema, missing_key, malformed_key, too_late."""
    worst: dict[str, Any] = GOOD | {"version": 9, "schema": "x", "id": None, "index": "x", "data": {"a": "b" * 5000}}
    house.keys["max_message_bytes"] = 4000
    better = worst | {"data": {}}
    steps = [worst, better, better | {"version": 3}, better | {"version": 3, "schema": "click"},
             GOOD | {"index": "x"}, GOOD]  # fmt: skip
    parsed(house, *(request([step], "2026-05-01 10:00") for step in steps))
    assert [reason for reason, _ in house.reasons()] == [
        "too_large", "unknown_version", "unknown_schema", "missing_key", "malformed_key", "too_late",
    ]  # fmt: skip


def test_message_is_too_large_by_its_bytes(house: House) -> None:
    def message(size: int) -> Row:
        bare = len(json.dumps(event("10:00 /", data={"x": ""}), separators=(",", ":")))
        return event("10:00 /", data={"x": "é" * ((size - bare) // 2) + "x" * ((size - bare) % 2)})

    house.keys["max_message_bytes"] = 2000
    good = parsed(
        house,
        *(raw(json.dumps(message(size), separators=(",", ":"), ensure_ascii=False)) for size in (2000, 2001)),
    )
    assert len(good) == 1
    assert house.reasons() == [("too_large", "the message has 2001 bytes")]


def test_line_is_too_large_by_its_bytes(house: House) -> None:
    house.keys["max_line_bytes"] = 3000
    line = json.dumps(request([GOOD]))
    exact, over = line[:-1] + " " * (3000 - len(line)) + "}", line[:-1] + " " * (3001 - len(line)) + "}"
    good = parsed(house, exact, over)
    assert [row["line_number"] for row in good] == [1]
    digest = hashlib.sha256(over.encode()).hexdigest()
    assert house.reasons() == [("too_large", f"the line has 3001 bytes; SHA-256 {digest}")]
    assert over.startswith(house.quarantine()[0]["payload"])
