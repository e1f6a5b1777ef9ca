"""Duplicates, collisions and repeats, whatever arrived when."""

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from builders import House, Message, Row, combined, each, event, events, lines, moment, request

from etl.lake.catalogue import Lake
from etl.stages.deduplicate.stage import Deduplicate


def copies(house: House) -> dict[str, str]:
    """Say which copy of each message id was kept, by the request's id."""
    return {row["event_id"]: row["request_id"] for row in house.events()}


def counted(house: House) -> tuple[int, int, int]:
    """Add up accepted, duplicates and collisions over all days."""
    rows = house.scan("event_counts")
    return tuple(sum(row[key] for row in rows) for key in ("accepted", "duplicates", "collisions"))  # type: ignore[return-value]


def copy(message: Message, received: str, **keys: Any) -> Row:
    """Receive a message at a time, whatever its tracker's clock said."""
    return request([message], received, **({"request_id": f"r{received}"} | keys))


def test_copy_received_first_is_kept(house: House) -> None:
    message = event("10:00 /a")
    house.put("events/a.jsonl", lines([copy(message, "10:02"), copy(message, "10:01"), copy(message, "10:03")]))
    house.digest()
    assert copies(house) == {"v-0": "r10:01"}
    assert counted(house) == (1, 2, 0)


def test_ties_are_broken_by_request_position_file_and_line(house: House) -> None:
    messages = {name: event("10:00 /a", id=name) for name in ("request", "position", "file", "line")}
    other = event("10:00 /other", id="other")
    house.put("events/b.jsonl", lines([
        copy(messages["request"], "11:00", request_id="r1"),
        request([other, messages["position"]], "11:00", request_id="p"),
        copy(messages["file"], "11:00", request_id="same"),
        copy(messages["line"], "11:00", request_id="same"), copy(messages["line"], "11:00", request_id="same"),
        request([messages["position"]], "11:00", request_id="p"),
    ]))  # fmt: skip
    house.put("events/a.jsonl", lines([
        copy(messages["request"], "11:00", request_id="r2"),
        copy(messages["file"], "11:00", request_id="same"),
    ]))  # fmt: skip
    house.digest()
    kept = {row["event_id"]: (row["source_file"], row["line_number"], row["position"]) for row in house.events()}
    assert kept == {
        "request": ("events/b.jsonl", 1, 0), "position": ("events/b.jsonl", 6, 0), "other": ("events/b.jsonl", 2, 0),
        "file": ("events/a.jsonl", 2, 0), "line": ("events/b.jsonl", 4, 0),
    }  # fmt: skip


def test_same_id_with_other_content_is_quarantined_whole(house: House) -> None:
    kept, other = event("10:00 /a"), event("10:00 /b")
    house.put("events/a.jsonl", lines([copy(other, "10:02"), copy(kept, "10:01")]))
    house.digest()
    assert [row["url_path"] for row in house.events()] == ["/a"]
    (row,) = house.quarantine()
    assert (row["reason"], row["line_number"], row["position"]) == ("id_collision", 1, 0)
    assert row["detail"] == "id v-0 belongs to another message with other content"
    assert json.loads(row["payload"]) == other
    assert counted(house) == (1, 0, 1)


def test_order_of_keys_and_blanks_are_no_content(house: House) -> None:
    message = event("10:00 /a", data={"b": [1, {"d": 1, "c": "é"}], "a": None})
    turned = dict(reversed(message.items())) | {"data": {"a": None, "b": [1, {"c": "é", "d": 1}]}}
    spaced = json.dumps({"sent_at": "2026-03-01T10:02:00Z", "messages": [message]}, indent=2)
    house.put(
        "events/a.jsonl", lines([copy(message, "10:01"), copy(turned, "10:02"), copy(message, "10:03", body=spaced)])
    )
    house.digest()
    assert counted(house) == (1, 2, 0)


def test_transport_is_no_content(house: House) -> None:
    message = event("10:00 /a")
    again = copy(
        message,
        "10:02",
        remote_addr="192.0.2.1",
        user_agent="another",
        host="other.example",
        sent_at="2026-03-01T10:01:59Z",
    )
    house.put("events/a.jsonl", lines([copy(message, "10:01"), again]))
    house.digest()
    assert counted(house) == (1, 1, 0)


def test_any_other_value_is_a_collision(house: House) -> None:
    others: dict[str, Any] = {
        "user_id": "u",
        "index": 1,
        "data": {"x": 1},
        "page_referrer": "https://a.example/",
        "country": ...,
        "extra": None,
    }
    rows = []
    for key, value in others.items():
        rows += [copy(event("10:00 /a", id=key), "10:01"), copy(event("10:00 /a", id=key, **{key: value}), "10:02")]
    house.put("events/a.jsonl", lines(rows))
    house.digest()
    assert counted(house) == (len(others), 0, len(others))


def test_collision_of_json_only_some_parsers_read_keeps_its_payload(house: House) -> None:
    """DuckDB's parser reads NaN and any depth; what is judged by it must also be kept by it."""
    deep = "[" * 1500 + "]" * 1500
    rows = []
    for number, data in enumerate(('{"x":1}', '{"x":NaN}', deep)):
        message = json.dumps(event("10:00 /a", data={})).replace('"data": {}', f'"data": {data}')
        body = f'{{"sent_at":"2026-03-01T10:0{number}:00Z","messages":[{message}]}}'
        rows.append(request([], f"10:0{number}", body=body))
    house.put("events/a.jsonl", lines(rows))
    house.digest()
    assert len(house.events()) == 1
    for row in house.quarantine():
        assert '"v-0"' in (row["payload"] or ""), row["reason"]
    assert len(house.quarantine()) == 2


def test_each_copy_is_judged_by_itself_first(house: House) -> None:
    """A copy that is too late or malformed is quarantined as that, and decides about no other."""
    message = event("10:00 /a")
    late = copy(message, "2026-04-05 10:00")
    broken = copy(message | {"index": "x"}, "09:00")
    house.put("events/a.jsonl", lines([broken, copy(message, "10:01"), late]))
    house.digest()
    assert copies(house) == {"v-0": "r10:01"}
    assert [reason for reason, _ in house.reasons()] == ["malformed_key", "too_late"]
    assert counted(house) == (1, 0, 0)


def test_file_delivered_again_under_another_name_is_all_duplicates(house: House) -> None:
    rows = house.take(*events("10:00 /a", "10:05 /b", "24:10 /c"))
    house.put("events/b.jsonl", each(events("10:00 /a", "10:05 /b", "24:10 /c")))
    house.digest()
    assert house.events() == rows
    assert counted(house) == (3, 3, 0)


def test_file_delivered_again_under_a_smaller_name_changes_nothing_but_the_source(house: House) -> None:
    before = house.take(*events("10:00 /a", "24:10 /c"), name="events/b.jsonl")
    house.put("events/a.jsonl", each(events("10:00 /a", "24:10 /c")))
    house.digest()
    assert {row["source_file"] for row in house.events()} == {"events/a.jsonl"}
    transport = {"source_file", "file_id", "line_number", "position"}
    assert without(house.events(), transport) == without(before, transport)


def without(rows: list[Row], names: set[str]) -> list[Row]:
    return [{key: value for key, value in row.items() if key not in names} for row in rows]


def test_copies_are_judged_the_same_in_every_order_of_arrival(house: House) -> None:
    """The first received is kept, one copy equals it and one differs, each on a day of its own."""
    copies_of = [("2026-03-01 10:01", "/a"), ("2026-03-02 09:00", "/b"), ("2026-03-04 23:00", "/a")]
    orders = list(permutations(copies_of))
    for run in range(3):
        rows = []
        for number, order in enumerate(orders):
            received, path = order[run]
            rows.append(copy(event(f"10:00 {path}", visitor=f"v{number}", page_id="p"), received, sent_at=...))
        house.put(f"events/{run}.jsonl", lines(rows))
        house.digest()
    assert copies(house) == {f"v{number}-0": "r2026-03-01 10:01" for number in range(len(orders))}
    assert {row["received_at"].day for row in house.quarantine()} == {2}
    assert counted(house) == (6, 6, 6)


def visits(house: House, name: str, *days: int, visitor: str = "v") -> None:
    """Bring copies of one message, received so many days after 1 March, its client's clock unknown."""
    message = event("10:00 /a", visitor=visitor)
    house.put(f"events/{name}.jsonl", lines(copy(message, f"{10 + 24 * day}:00", sent_at=...) for day in days))


def kept_days(house: House) -> list[tuple[str, int]]:
    """List the kept copies of each message, by days after 1 March."""
    return [(row["event_id"], (row["received_at"] - moment("00:00")).days) for row in house.events()]


def test_copy_received_more_than_thirty_days_after_the_kept_one_is_kept_anew(house: House) -> None:
    visits(house, "a", 0, 20, 29, 31, 40, 61, 62)
    house.digest()
    assert kept_days(house) == [("v-0", 0), ("v-0", 31), ("v-0", 62)]
    assert counted(house) == (3, 4, 0)


CHAINS = [
    [[0], [20], [40]], [[40], [20], [0]], [[20], [40], [0]], [[40], [0], [20]], [[20, 40], [0]], [[0, 10], [41, 45]],
    [[41, 45], [0, 10]], [[0, 10], [80, 85]], [[80, 85], [0, 10]], [[0, 10, 80, 85], [82]], [[90], [60], [30], [0]],
    [[30, 90], [60], [0]],
]  # fmt: skip


@pytest.mark.prove
def test_chain_of_copies_gives_the_same_in_any_grouping(house: House, tmp_path: Path) -> None:
    """An id per chain: the days on which its copies are received, run by run."""
    at_once = House(tmp_path / "at_once")
    for run in range(4):
        for number, chain in enumerate(CHAINS):
            if run < len(chain):
                visits(house, f"{number}-{run}", *chain[run], visitor=f"v{number}")
                visits(at_once, f"{number}-{run}", *chain[run], visitor=f"v{number}")
        house.digest()
    at_once.digest()
    assert kept_days(house) == kept_days(at_once)
    assert counted(house) == counted(at_once)


@pytest.mark.parametrize("days", [[0, 30, 60], [60, 30, 0]])
def test_a_copy_on_the_first_day_within_reach_decides(house: House, days: list[int]) -> None:
    """Nothing else arrives with it, so that no other message is why its day is read."""
    for number, day in enumerate(days):
        visits(house, str(number), day)
        house.digest()
    assert kept_days(house) == [("v-0", 0), ("v-0", 60)]


def test_chain_keeps_repeats_right_too(house: House, tmp_path: Path) -> None:
    """Copies months apart are two page views: a view repeats another at most `max_lateness_days` before it."""
    for number, days in enumerate([[0, 10], [80, 85]]):
        visits(house, str(number), *days)
        house.digest()
    at_once = House(tmp_path / "at_once")
    visits(at_once, "all", 0, 10, 80, 85)
    at_once.digest()
    transport = {"source_file", "file_id", "line_number"}
    assert without(house.events(), transport) == without(at_once.events(), transport)
    assert [row["is_repeat"] for row in house.events()] == [False, False]


@pytest.mark.parametrize("order", ["all at once", "last first", "middle last"])
def test_a_view_repeats_another_within_thirty_days(house: House, order: str) -> None:
    """GIVEN views of one page after 20, 30, and 30 days and a second THEN each is measured by the one before it."""
    seen = ["2026-03-01 10:00", "2026-03-21 10:00", "2026-04-20 10:00", "2026-05-20 10:00:01", "2026-05-21 10:00"]
    moments = [when.split(" ") for when in seen]
    views = [event(f"{clock} /a #p", number, day=day) for number, (day, clock) in enumerate(moments)]
    ways = {
        "all at once": [[0, 1, 2, 3, 4]], "last first": [[4], [3], [2], [1], [0]], "middle last": [[0, 2, 4], [1, 3]],
    }  # fmt: skip
    for number, some in enumerate(ways[order]):
        house.put(f"events/{number}.jsonl", lines([copy(views[one], seen[one]) for one in some]))
        house.digest()
    assert [row["is_repeat"] for row in house.events()] == [False, True, True, False, True]


def test_duplicate_of_a_page_view_is_no_repeat(house: House) -> None:
    house.take(*events("10:00 /a #p"))
    house.take(*events("10:00 /a #p"), name="events/b.jsonl")
    assert [row["is_repeat"] for row in house.events()] == [False]


def test_a_view_that_was_refused_before_is_repeated_by_none(house: House) -> None:
    """GIVEN a page view that borrowed an id WHEN the page is viewed later THEN that is the first view of it."""
    house.put("events/a.jsonl", each([event("10:00 /a #p", 0), event("10:01 /q #q", 0)]))
    house.digest()
    assert counted(house) == (1, 0, 1)
    house.put("events/b.jsonl", each([event("10:05 /q #q", 1)]))
    house.digest()
    assert [(row["page_id"], row["is_repeat"]) for row in house.events()] == [("p", False), ("q", False)]


def test_repeat_whose_first_view_turns_out_a_duplicate_counts(house: House) -> None:
    """v-0's kept copy arrives later on and is another page, so the view of page p counted so far goes."""
    house.put("events/a.jsonl", lines([
        copy(event("10:00 /a #p", 0), "10:10"), copy(event("10:05 /a #p", 1), "10:10", request_id="r2"),
    ]))  # fmt: skip
    house.digest()
    assert [row["is_repeat"] for row in house.events()] == [False, True]
    house.put("events/b.jsonl", lines([copy(event("09:50 /q #q", 0), "10:09")]))
    house.digest()
    assert [(row["event_id"], row["page_id"], row["is_repeat"]) for row in house.events()] == [
        ("v-0", "q", False), ("v-1", "p", False),
    ]  # fmt: skip
    assert counted(house) == (2, 0, 1)


def test_copy_that_other_settings_refuse_decides_no_more(house: House) -> None:
    """The first received is kept, until it is too large; what it had decided is decided again."""
    house.put("events/a.jsonl", lines([copy(event("10:00 /a", 0, data={"text": "x" * 4000}), "10:01")]))
    house.put("events/b.jsonl", lines([copy(event("10:00 /a", 0), "10:02"), copy(event("24:10 /z", 1), "24:11")]))
    house.digest()
    assert copies(house) == {"v-0": "r10:01", "v-1": "r24:11"}
    assert counted(house) == (2, 0, 1)
    house.keys = {"max_message_bytes": 2000}
    house.digest()
    assert copies(house) == {"v-0": "r10:02", "v-1": "r24:11"}
    assert counted(house) == (2, 0, 0)
    assert [reason for reason, _ in house.reasons()] == ["too_large"]


def test_file_that_grew_keeps_what_its_beginning_decided(house: House) -> None:
    rows = [copy(event("10:00 /a"), "10:01"), copy(event("10:00 /a"), "10:02"), copy(event("10:00 /b"), "10:03")]
    house.put("events/a.jsonl", lines(rows[:2]))
    house.digest()
    assert counted(house) == (1, 1, 0)
    house.put("events/a.jsonl", lines(rows))
    house.digest()
    assert counted(house) == (1, 1, 1)
    assert [(row["reason"], row["line_number"]) for row in house.quarantine()] == [("id_collision", 3)]


def test_only_days_whose_copies_changed_are_written_again(house: House) -> None:
    """What is new on a day without copies, and a copy on the second of three days with some."""
    days = [f"{24 * number + 10}:00 /a" for number in range(3)]
    house.put("events/a.jsonl", each(events(*days)) * 2)
    house.digest()
    before = {path.parent.name: path for path in house.files("copies")}
    assert len(before) == 3
    house.put("events/b.jsonl", each(events("100:00 /new", first=9)))
    house.digest()
    assert {path.parent.name: path for path in house.files("copies")} == before
    house.put("events/c.jsonl", each(events(days[1], first=1)))
    house.digest()
    after = {path.parent.name: path for path in house.files("copies")}
    assert {day for day in after if before[day] != after[day]} == {"event_date=2026-03-02"}
    assert counted(house) == (4, 4, 0)


def test_copies_made_anew_are_known_by_the_same_content(house: House, tmp_path: Path) -> None:
    """A day's copies are known by what they are, however they came about: whoever reads them has nothing to do."""
    cases = events("10:00 /a #p", "10:05 /b #p", "34:00 /c", "34:01 /d")
    for number in range(3):
        house.put(f"events/{number}.jsonl", each(cases[number:]))
        house.digest()
    at_once = House(tmp_path / "at_once")
    for number in range(3):
        at_once.put(f"events/{number}.jsonl", each(cases[number:]))
    at_once.digest()
    assert known_by(house) == known_by(at_once)
    assert len(known_by(house)) == 2


def known_by(house: House) -> dict[str | None, str | None]:
    """Say what the copies of each day are known by."""
    return {part.day: part.content for _, part in Deduplicate().parts(Lake(house.settings), "copies")}


def test_access_line_is_a_duplicate_of_the_same_line_in_its_own_app_only(house: House) -> None:
    line = lines([combined("10:00:00 /a")])
    house.put("access/blog/a.log", line * 2)
    house.put("access/blog/b.log", line)
    house.put("access/shop/a.log", line)
    house.digest()
    assert sorted(row["app_id"] for row in house.events()) == ["access:blog", "access:shop"]
    assert counted(house) == (2, 2, 0)
