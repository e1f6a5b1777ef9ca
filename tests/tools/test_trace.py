"""Trace: the whole story of one message, each turn it can take."""

from pathlib import Path
from typing import Any

import pytest
from builders import House, event, iso, lines, moment, request

from etl.errors import BadUse
from etl.tools.trace import trace

V1 = {
    "eid": "old", "type": "pv", "app": "shop", "plat": "web", "lib": "1.4", "idx": 1, "ts": 1772359260000, "uid": "w",
    "pg": {"id": "p", "u": "https://shop.example/"},
}  # fmt: skip


@pytest.fixture(scope="module")
def house(tmp_path_factory: Any) -> House:
    """A log in which a message takes each turn; no marts."""
    house = House(tmp_path_factory.mktemp("trace"))
    good = event("10:00 /a", 0)
    rows = [
        request([good, event("10:01 /a #v-p0", 1)], "10:02"),
        request([good], "10:03"),
        request([good | {"locale": "de_DE"}], "10:04"),
        request([event("10:05 /c", 2, index="twelve")], "10:06"),
        request([V1], "10:07", sent_at=iso(moment("10:05"))),
        request([event("10:08 order @backend", 3, "b", data={"order_id": "o", "revenue": "1"}, page=None)], "10:09"),
        request([], "10:10", method="GET", path="/health"),
        "{cut",
    ]
    house.put("events/a.jsonl", lines(rows))
    house.digest()
    return house


def story(house: House, wanted: str) -> dict[str, str]:
    """Tell the story; the text after each word."""
    return {line.split()[0]: " ".join(line.split()[1:]) for line in reversed(trace(house.settings, wanted))}


def test_line_tells_where_it_landed(house: House) -> None:
    told = story(house, "events/a.jsonl:1")
    assert told["landed"].startswith("events/a.jsonl line 1, ") and Path(told["landed"].split(" in ")[1]).exists()
    assert told["message"] == "events/a.jsonl line 1, message 0"


def test_accepted_page_view(house: House) -> None:
    told = story(house, "v-0")
    assert (told["verdict"], told["decoded"], told["page"]) == ("accepted", "from version 3", "view counted")
    assert told["session"] == "v-1772359200000 of 2026-03-01 (opens or extends it)"
    assert told["event_at"].startswith("2026-03-01 10:00:00+00:00 (received 2026-03-01 10:02:00")
    assert told["marts"] == "none is published yet"


def test_all_copies_of_an_id_are_told(house: House) -> None:
    told = trace(house.settings, "v-0")
    assert [line for line in told if line.startswith(("verdict", "quarantine"))] == [
        "verdict    accepted",
        "verdict    duplicate of events/a.jsonl line 1, message 0",
        "quarantine id_collision: the id belongs to events/a.jsonl line 1, message 0, whose content is another",
    ]


def test_repeat_names_the_view_that_counts(house: House) -> None:
    assert story(house, "v-1")["page"] == "view a repeat of events/a.jsonl line 1, message 0, not counted"


def test_quarantined_message_says_why(house: House) -> None:
    told = story(house, "v-2")
    assert told["quarantine"] == "malformed_key: index is a string, not a whole number: 'twelve'"
    assert '"id":"v-2"' in told["payload"]


def test_older_version_says_its_migrations(house: House) -> None:
    assert story(house, "old")["decoded"] == "from version 1, migrated → 2 → 3"


def test_backend_event_outside_any_session(house: House) -> None:
    assert story(house, "b-3")["session"] == "none was open"


def test_line_without_a_message(house: House) -> None:
    assert story(house, "events/a.jsonl:7")["message"] == "none: the line is landed and counted"


def test_bad_line(house: House) -> None:
    assert story(house, "events/a.jsonl:8")["quarantine"] == "bad_line: not a JSON object"


@pytest.mark.parametrize("wanted", ["nobody", "events/none.jsonl:1", "events/a.jsonl:99", "events/a.jsonl:0"])
def test_what_is_not_there_is_refused(house: House, wanted: str) -> None:
    with pytest.raises(BadUse):
        trace(house.settings, wanted)


def test_hostile_id_is_only_a_value(house: House) -> None:
    with pytest.raises(BadUse, match="no message has the id"):
        trace(house.settings, "'; drop table x; --")


def test_empty_lake_is_no_crash(tmp_path: Path) -> None:
    with pytest.raises(BadUse):
        trace(House(tmp_path).settings, "x")
