"""Messages of all versions, parsed and compared in a lake."""

import json
from typing import Any

import pytest
from builders import House, Message, Row, event, lines, moment, request
from builders.versions import MS, V1, V2, V3

# In the lake.


def sent(*messages: Any, received: str = "10:00:05", **keys: Any) -> Row:
    """Receive messages of any version, five seconds after ten."""
    return request(list(messages), received, **keys)


@pytest.fixture(scope="module")
def digested(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The same page view in three versions, and the like."""
    house = House(tmp_path_factory.mktemp("versions"))
    order: Row = {"order_id": "o1", "revenue": "12.50", "currency": "EUR", "quantity": 2}
    ids = {number: {"id": f"same-{number}"} for number in range(5)}
    house.put("events/a.jsonl", lines([
        sent(V1, request_id="v1"), sent(V2 | {"id": "e2"}, V3 | {"id": "e3"}, request_id="v23"),
        # The same id in another version, with the same content.
        sent(V1 | {"eid": "same-0"}, request_id="1"),
        sent(V2 | ids[0], V3 | ids[0], received="10:00:06", request_id="2"),
        # The same id in another version, with other content.
        sent(V1 | {"eid": "same-1"}, request_id="3"), sent(V2 | ids[1] | {"url": "/b"}, received="10:00:06"),
        sent(V3 | ids[1] | {"index": 8}, received="10:00:07"),
        # A page view without what is optional, as each version leaves it out.
        sent({key: value for key, value in V1.items() if key not in {"cid", "cc", "lc", "d"}} | {"eid": "same-2"}),
        sent({key: value for key, value in V3.items() if key not in {"country", "locale"}}
             | ids[2] | {"user_id": None, "data": None}, received="10:00:08"),
        # Orders: money in cents, as number, as text.
        sent(V1 | {"eid": "same-3", "type": "ord",
                   "d": {"oid": "o1", "amt_cents": 1250, "cur": "EUR", "qty": 2}}, request_id="4"),
        sent(V3 | ids[3] | {"schema": "order", "data": order}, received="10:00:06"),
        sent(V2 | ids[4] | {"schema": "order", "data": order | {"revenue": 12.5}}, request_id="5"),
        sent(V3 | ids[4] | {"schema": "order", "data": order | {"revenue": "12.6"}}, received="10:00:06"),
    ]))  # fmt: skip
    house.digest()
    return house


def test_columns_of_all_versions_are_the_same(digested: House) -> None:
    rows = {row["event_id"]: row for row in digested.events()}
    assert [rows[name]["version"] for name in ("e1", "e2", "e3")] == [1, 2, 3]
    differing = {"event_id", "version", "request_id", "line_number", "position", "is_repeat", "session_event_number"}
    first, second, third = ({key: value for key, value in rows[name].items() if key not in differing}
                            for name in ("e1", "e2", "e3"))  # fmt: skip
    assert first == second == third
    expected = {
        "schema": "page_view", "app_id": "shop", "platform": "desktop_web", "tracker": "bh-js/1.4",
        "stream_id": "shop:v", "message_index": 7, "created_at": moment("10:00"), "event_at": moment("10:00"),
        "visitor_id": "v", "user_id": "u9", "is_logged_in": True, "country": "US", "locale": "en_US", "page_id": "p1",
        "page_type": "deal", "url": "https://shop.example/a", "referrer": "https://b.example/",
        "referring_page_id": "p0", "referring_click_id": "c0", "navigation": "reload", "data": "{}",
    }  # fmt: skip
    assert {key: first[key] for key in expected} == expected


def test_same_content_in_other_versions_is_a_duplicate_and_other_content_a_collision(digested: House) -> None:
    kept = {row["event_id"]: row["version"] for row in digested.events() if row["event_id"].startswith("same")}
    assert kept == {"same-0": 1, "same-1": 1, "same-2": 1, "same-3": 1, "same-4": 2}
    (counts,) = digested.scan("event_counts", columns="sum(duplicates) as duplicates, sum(collisions) as others")
    assert counts == {"duplicates": 4, "others": 3}
    collided = [json.loads(row["payload"]) for row in digested.quarantine() if row["reason"] == "id_collision"]
    assert [(row["id"], row.get("version", 1)) for row in collided] == [("same-1", 2), ("same-1", 3), ("same-4", 3)]


BAD: dict[str, tuple[Message, str, str]] = {
    "a version 1 without id": ({"eid": None}, "missing_key", "id is missing (eid of version 1)"),
    "a version 1 without visitor": ({"uid": ""}, "missing_key", "visitor_id is missing (uid of version 1)"),
    "a version 1 without time": ({"ts": None}, "missing_key", "created_at is missing (ts of version 1)"),
    "a version 1 without index": ({"idx": None}, "missing_key", "index is missing (idx of version 1)"),
    "a version 1 without page id": ({"pg": {"u": "/a"}}, "missing_key", "page.id is missing (pg.id of version 1)"),
    "a version 1 without page": ({"pg": None}, "missing_key", "page.id is missing (pg.id of version 1)"),
    "a version 1 whose page is text": ({"pg": "x"}, "malformed_key", "page is a string, not an object: 'x'"),
    "a version 1 of an unknown type": ({"type": "page"}, "unknown_schema", "no schema is named 'page'"),
    "a version 1 of an unknown platform": ({"plat": "tv"}, "malformed_key", "platform is unknown: 'tv'"),
    "a version 1 whose time is text": (
        {"ts": "noon"}, "malformed_key", "created_at is no time: 'no epoch milliseconds: noon'"),
    "a version 1 whose index is text": (
        {"idx": "7"}, "malformed_key", "index is a string, not a whole number: '7'"),
    "a version 1 whose cents are text": (
        {"type": "ord", "d": {"oid": "o", "amt_cents": "5"}}, "malformed_key",
        "data.revenue is a string, not a decimal: 'no whole cents: 5'"),
    "a version 1 whose order has no id": (
        {"type": "ord", "d": {"amt_cents": 5}}, "missing_key", "data.order_id is missing"),
    "a version 1 long ago": ({"ts": MS - 31 * 86_400_000}, "too_late", "happened 31 days before it was received"),
}  # fmt: skip
BAD |= {
    "a version 2 without visitor": (
        {"visitor_id": None}, "missing_key", "visitor_id is missing"),
    "a version 2 without page id": ({"page_id": None}, "missing_key", "page.id is missing (page_id of version 2)"),
    "a version 2 whose URL is a number": ({"url": 5}, "malformed_key", "page.url is a number, not a string: '5'"),
    "a version 2 whose time is ISO": (
        {"created_at": "2026-03-01T10:00:00Z"}, "malformed_key",
        "created_at is no time: 'no epoch milliseconds: 2026-03-01T10:00:00Z'"),
    "a version 2 whose order's revenue is a list": (
        {"schema": "order", "data": {"order_id": "o", "revenue": [1]}}, "malformed_key",
        "data.revenue is a list, not a decimal: '[1]'"),
}  # fmt: skip


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    house = House(tmp_path_factory.mktemp("refused"))
    rows = [sent((V1 if "version 1" in name else V2) | changed) for name, (changed, _, _) in BAD.items()]
    house.put("events/a.jsonl", lines(rows))
    house.digest()
    names = list(BAD)
    return {names[row["line_number"] - 1]: row for row in house.quarantine()}


@pytest.mark.parametrize("name", BAD)
def test_older_message_is_quarantined_in_words_of_its_own(name: str, refused: dict[str, Row]) -> None:
    changed, reason, detail = BAD[name]
    assert (refused[name]["reason"], refused[name]["detail"]) == (reason, detail)
    assert json.loads(refused[name]["payload"]) == (V1 if "version 1" in name else V2) | changed


def test_version_1_may_say_so(house: House) -> None:
    assert [row["version"] for row in house_takes(house, V1 | {"version": 1})] == [1]


def house_takes(house: House, *messages: Message) -> list[Row]:
    house.put("events/a.jsonl", lines([sent(*messages)]))
    house.digest()
    return house.events()


def test_newest_version_is_left_as_it_is(house: House) -> None:
    """No step touches it: what it says of older versions' keys is its own business."""
    odd = event("10:00 custom.x", data={"cid": None, "amt_cents": 5}, nav=2, page_id_extra=1, eid="no", pg={"id": "no"})
    (row,) = house_takes(house, odd)
    assert (row["event_id"], row["page_id"], row["data"]) == ("v-0", "v-p0", '{"cid":null,"amt_cents":5}')
