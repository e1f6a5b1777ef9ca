"""The steps of deduplication by themselves."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from builders import moment
from builders.steps import Row, apply, refs

from etl.stages.deduplicate import steps

DAY_US = 86_400_000_000
MARCH = date(2026, 3, 1)


def key(
    message: int, id_key: int, page_key: int | None = None, document_key: int | None = None, received_us: int = 0
) -> Row:
    """Make the keys of a message of one file."""
    return {
        "id_key": id_key, "page_key": page_key, "document_key": document_key, "received_us": received_us, "file_id": -7,
        "message_ref": message, "event_date": MARCH,
    }  # fmt: skip


def sent(message: int, event_id: str = "a", content_key: int = 1, **columns: Any) -> Row:
    """Make what the message of a key says."""
    told = {
        "file_id": -7, "message_ref": message, "event_id": event_id, "content_key": content_key, "request_id": "r",
        "position": 0, "source_file": "f", "line_number": message,
    }  # fmt: skip
    return told | columns


def copy(kind: str, message: int, of: int = 0) -> Row:
    """Make a copy."""
    return {
        "kind": kind, "key": of, "file_id": -7, "message_ref": message, "kept_file_id": -7, "kept_message_ref": 0,
        "event_date": MARCH,
    }  # fmt: skip


@pytest.mark.parametrize("rounds", [1, 3])
def test_contested_are_ids_that_came_again_with_the_new(rounds: int) -> None:
    """Of ids 1 to 5: new and known, twice new, new alone, known alone though twice, known far back."""
    arrived = [key(1, 1), key(2, 2), key(3, 2), key(4, 3)]
    nearby = [key(11, 1), key(12, 4), key(13, 4)]
    found = apply(steps.FIND_CONTESTED, {"arrived": arrived, "nearby": nearby}, rounds)["contested"]
    assert refs(found, "id_key", "message_ref") == [(1, 1), (1, 11), (2, 2), (2, 3)]


def test_widening_adds_copies_of_contested_ids_alone() -> None:
    found = apply(steps.WIDEN, {"contested": [key(1, 1), key(2, 1)], "further": [key(3, 1), key(4, 2)]})["widened"]
    assert refs(found, "message_ref") == [1, 2, 3]


def pairs(contested: Sequence[Row], messages: Sequence[Row], rounds: int = 1) -> list[Any]:
    """Judge copies with thirty days' reach."""
    given = {"contested": contested, "messages": messages}
    made = apply(steps.JUDGE, given, rounds, reach_us=30 * DAY_US)["pairs"]
    return refs(made, "message_ref", "kept_message_ref", "is_same_text")


@pytest.mark.parametrize(
    ("days", "kept"),
    [
        ([0, 1, 2], [0, 0]), ([0, 30], [0]), ([0, 31], []), ([0, 20, 40], [0]), ([0, 20, 40, 60, 71], [0, 2]),
        ([0, 31, 62, 93, 94], [3]), ([0, 30, 31, 61, 62], [0, 2]),
    ],
)  # fmt: skip
def test_a_copy_beyond_the_reach_of_the_kept_one_is_kept_anew(days: list[int], kept: list[int]) -> None:
    """The copies of one id, received on these days, and which of them each that is not kept belongs to.

    The moment of the reach itself is within it.
    """
    keys = [key(number, 1, received_us=day * DAY_US) for number, day in enumerate(days)]
    assert [pair[1] for pair in pairs(keys, [sent(number) for number in range(len(days))])] == kept


def test_the_first_received_is_kept_and_texts_are_compared_with_its_own() -> None:
    keys = [key(1, 1, received_us=9), key(2, 1, received_us=5), key(3, 1, received_us=7)]
    assert pairs(keys, [sent(1, content_key=4), sent(2, content_key=4), sent(3, content_key=-4)]) == [
        (1, 2, True), (3, 2, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"request_id": "a"}, {"request_id": "b"}), ({"request_id": "a"}, {"request_id": None}),
        ({"position": 1}, {"position": 2}), ({"source_file": "a"}, {"source_file": "b"}),
        ({"line_number": 1}, {"line_number": 2}),
        ({"request_id": "a", "position": 9, "source_file": "z"}, {"request_id": "b"}),
    ],
)  # fmt: skip
def test_of_copies_received_at_once_the_smallest_is_kept(first: Row, second: Row) -> None:
    same = {"line_number": 1}
    messages = [sent(1, **(same | second)), sent(2, **(same | first))]
    assert pairs([key(1, 1), key(2, 1)], messages) == [(1, 2, True)]


def test_two_ids_of_one_key_are_two_ids() -> None:
    assert pairs([key(1, 1), key(2, 1)], [sent(1, "a"), sent(2, "b")]) == []


def test_ids_judged_in_rounds_are_judged_the_same() -> None:
    keys = [key(number, number % 10, received_us=number * 3 * DAY_US) for number in range(60)]
    messages = [sent(number, f"e{number % 10}") for number in range(60)]
    whole = pairs(keys, messages)
    # An id's six copies lie thirty days apart: first, third and fifth are kept.
    assert len(whole) == 30
    assert pairs(keys, messages, rounds=4) == whole


def test_a_copy_is_refused_by_its_content() -> None:
    two = {"id_key": 5, "kept_file_id": -7, "kept_message_ref": 0, "file_id": -7, "event_date": MARCH}
    given = {
        "pairs": [two | {"message_ref": number, "is_same_text": number == 1} for number in (1, 2, 3)],
        "same_content": [{"file_id": -7, "message_ref": 2}],
    }
    found = apply(steps.REFUSE, given)["refused"]
    assert sorted(refs(found, "message_ref", "kind")) == [(1, "duplicate"), (2, "duplicate"), (3, "id_collision")]


def test_what_is_in_question_is_what_new_messages_and_copies_show() -> None:
    given = {"arrived": [key(1, 1, 10, 7), key(2, 2)], "contested": [key(3, 1, 30), key(4, 1, 10), key(5, 1)]}
    assert refs(apply(steps.FIND_SHOWN, given)["shown"], "shown_key") == [7, 10, 30]
    keys = [(10, None, "a"), (10, None, "a"), (11, None, "b"), (None, None, "c"), (12, 7, "d")]
    history = [{"page_key": page, "document_key": document, "filename": name} for page, document, name in keys]
    found = apply(steps.FIND_SEEN, {"history": history, "shown": [{"shown_key": 7}, {"shown_key": 10}]})
    assert refs(found["seen_before"], "filename") == ["a", "d"]


def test_views_are_those_of_pages_and_documents_viewed_again() -> None:
    given = {
        "arrived": [key(1, 1, 10), key(2, 2, 20, 7), key(3, 3)],
        "before": [key(11, 4, 10, 8), key(12, 5, 30, 7), key(13, 6, 30), key(14, 7)],
        "shown": [{"shown_key": 10}, {"shown_key": 20}, {"shown_key": 7}],
    }
    assert refs(apply(steps.FIND_VIEWS, given)["views"], "kind", "shown_key", "message_ref") == [
        ("later_view", 7, 2), ("later_view", 7, 12), ("repeat", 10, 1), ("repeat", 10, 11),
    ]  # fmt: skip


def view(message: int, at: str, page_id: str = "p", visitor: str = "v", **columns: Any) -> Row:
    """Make what a page view says."""
    told = {
        "visitor_id": visitor, "page_id": page_id, "event_at": moment(at), "stream_id": "s", "message_index": message,
        "event_id": f"e{message}", "file_id": -7, "message_ref": message,
    }  # fmt: skip
    return told | columns


def repeats(messages: Sequence[Row], rounds: int = 1, **given: Sequence[Row]) -> list[Any]:
    """Find the repeats among views, all of one page."""
    views = [
        {"kind": "repeat", "shown_key": 10, "file_id": -7, "message_ref": message["message_ref"], "event_date": MARCH}
        for message in messages
    ]
    nothing: dict[str, Sequence[Row]] = {"refused": [], "known": [], "contested": []}
    found = apply(
        steps.FIND_VIEWED_AGAIN,
        {"views": views, "messages": messages, **nothing, **given},
        rounds,
        reach_us=30 * DAY_US,
    )["repeated"]
    assert {(row["kind"], row["key"]) for row in found} <= {("repeat", 10)}
    return refs(found, "message_ref", "kept_message_ref")


def test_the_first_view_in_session_order_counts() -> None:
    messages = [
        view(1, "10:05"), view(2, "10:00", stream_id="b"), view(3, "10:00", stream_id=None),
        view(4, "10:00", stream_id="a", message_index=9), view(5, "10:00", stream_id="a", message_index=None),
        view(6, "10:00", visitor="w"), view(7, "10:00", page_id="q"),
    ]  # fmt: skip
    assert repeats(messages) == [(1, 4), (2, 4), (3, 4), (5, 4)]
    assert repeats(messages, rounds=3) == repeats(messages)


def test_a_refused_view_is_no_view() -> None:
    """Refused now; refused before; and refused before, but judged anew since."""
    messages = [view(number, f"10:0{number}") for number in (1, 2, 3, 4)]
    given = {
        "refused": [copy("duplicate", 1)], "known": [copy("id_collision", 2), copy("duplicate", 3), copy("repeat", 4)],
        "contested": [{"file_id": -7, "message_ref": 3}],
    }  # fmt: skip
    assert repeats(messages, **given) == [(4, 3)]


def test_what_stood_holds_unless_it_was_judged_anew() -> None:
    given = {
        "known": [
            copy("duplicate", 1), copy("duplicate", 2), copy("repeat", 3, of=10), copy("repeat", 4, of=20),
            copy("later_view", 3, of=8), copy("later_view", 4, of=7),
        ],
        "contested": [{"file_id": -7, "message_ref": 2}, {"file_id": -7, "message_ref": 4}],
        "shown": [{"shown_key": 10}, {"shown_key": 7}], "refused": [copy("id_collision", 5)],
        "repeated": [copy("repeat", 6, of=10)],
    }  # fmt: skip
    found = refs(apply(steps.MERGE, given)["decided"], "message_ref", "kind")
    assert sorted(found) == [(1, "duplicate"), (3, "later_view"), (4, "repeat"), (5, "id_collision"), (6, "repeat")]


def test_what_collided_says_all_of_itself() -> None:
    said = {
        "source_file": "f", "received_at": moment("10:00"), "file_id": -7, "message_ref": 1, "event_id": "e",
        "schema": "click", "app_id": "shop", "platform": "ios", "tracker": "t", "stream_id": "s", "message_index": 4,
    }  # fmt: skip
    given = {"collisions": [{"file_id": -7, "message_ref": 1}], "messages": [said, said | {"message_ref": 2}]}
    assert apply(steps.FIND_COLLIDED, given)["collided"] == [said]
