"""The steps of sessionizing by themselves."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from builders import moment
from builders.steps import Row, apply, refs

from etl.stages.sessionize import steps

CAMPAIGN = ("utm_source", "utm_medium", "utm_campaign", "click_ids")
REFUSALS = [{"kind": kind, "file_id": -1, "message_ref": place} for place, kind in
            ((7, "duplicate"), (8, "id_collision"), (9, "repeat"))]  # fmt: skip


def message(place: int, at: str = "10:00", **columns: Any) -> Row:
    """Make a message."""
    told = {
        "file_id": -1, "message_ref": place, "visitor_id": "v", "event_at": moment(at), "stream_id": "s",
        "message_index": place, "event_id": f"e{place}", "platform": "desktop_web", "schema": "page_view",
    }  # fmt: skip
    return told | columns


def number(*messages: Row, opened: Sequence[Row] = (), copies: Sequence[Row] = ()) -> dict[str, list[Row]]:
    """Number messages, of which backend's are of no session."""
    given = {"messages": messages, "copies": copies, "open_sessions": opened}
    return apply(steps.NUMBER, given, sessionless=["backend"])


def accepted(*messages: Row, **given: Sequence[Row]) -> list[Row]:
    """Number messages; in their order."""
    return sorted(number(*messages, **given)["accepted"], key=lambda row: row["message_ref"])


def test_refused_messages_are_not_accepted_and_repeats_are() -> None:
    assert refs(accepted(*(message(place) for place in range(6, 11)), copies=REFUSALS), "message_ref") == [6, 9, 10]


def test_visitors_of_the_day_and_of_open_sessions_have_a_number_each() -> None:
    opened = [{"visitor_id": name} for name in ("v", "old")]
    made = number(message(1), message(2), message(3, visitor_id="w"), opened=opened)
    numbers = {row["visitor_id"]: row["visitor"] for row in made["visitors"]}
    assert numbers.keys() == {"v", "w", "old"}
    assert len(set(numbers.values())) == 3
    found = {row["message_ref"]: row["visitor"] for row in made["accepted"]}
    assert found == {1: numbers["v"], 2: numbers["v"], 3: numbers["w"]}


def test_moments_that_a_visitor_has_twice_are_put_in_order_by_stream_index_and_id() -> None:
    rows = accepted(
        message(1, stream_id="b"), message(2, stream_id=None), message(3, stream_id="a", message_index=9),
        message(4, stream_id="a", message_index=None), message(5, stream_id="a", message_index=9, event_id="a"),
        message(6, "10:01"), message(7, visitor_id="w"),
    )  # fmt: skip
    assert refs(rows, "tie") == [4, 5, 2, 3, 1, 0, 0]


def test_campaigns_are_one_where_all_their_values_are() -> None:
    tagged = [message(place, **{name: "x"}) for place, name in enumerate(CAMPAIGN)]
    rows = accepted(
        *tagged,
        message(10, utm_source="x", utm_medium="y"), message(11, utm_source="x\x1f1:y"),
        message(12, utm_source="x", utm_medium="y"), message(13, utm_term="x"),
        message(14, utm_source="x", schema="click"),
    )  # fmt: skip
    keys = refs(rows, "campaign_key")
    assert len(set(keys[:6])) == 6
    assert all(key >= 0 for key in keys[:6])
    assert keys[6:] == [keys[4], None, None]


def test_platforms_without_sessions_have_no_session_events() -> None:
    assert refs(accepted(message(1), message(2, platform="backend")), "is_session_event") == [True, False]


def visit(*cases: str, visitor: int = 1) -> list[Row]:
    """Make accepted messages of "0", "12 c3" (campaign 3), "12 -" (of no session): at so many µs."""
    rows = []
    for place, case in enumerate(cases):
        at, _, word = case.partition(" ")
        rows.append(
            {
                "visitor": visitor, "event_us": int(at), "tie": 0, "is_session_event": word != "-", "file_id": -visitor,
                "campaign_key": int(word[1:]) if word[:1] == "c" else None, "message_ref": place,
            }
        )  # fmt: skip
    return rows


def sessions(rows: Sequence[Row], opened: Sequence[Row] = (), end_us: int = 10**9, rounds: int = 1) -> dict[str, Any]:
    """Cut sessions with a gap of 5000 µs."""
    visitors = [{"visitor_id": f"v{place}", "visitor": place} for place in range(1, 10)]
    given = {"accepted": rows, "visitors": visitors, "open_sessions": opened}
    return apply(steps.CUT_SESSIONS, given, rounds, gap_us=5000, end_us=end_us)


def starts(*cases: str, opened: Sequence[Row] = ()) -> list[Any]:
    """Say each message's session and number, as (start, number), in the order given."""
    rows = sorted(sessions(visit(*cases), opened)["event_sessions"], key=lambda row: row["message_ref"])
    return refs(rows, "session_start_us", "session_event_number")


OPENED = {
    "visitor_id": "v1", "session_start_us": -9000, "last_us": -1000, "campaign_key": 1, "session_event_number": 7
}  # fmt: skip


def test_a_gap_starts_a_session_and_so_does_another_campaign() -> None:
    assert starts("0", "5000", "10001", "12000") == [(0, 1), (0, 2), (10001, 1), (10001, 2)]
    assert starts("0 c1", "2000", "3000 c2", "4000 c2") == [(0, 1), (0, 2), (3000, 1), (3000, 2)]
    assert starts("0 c1", "900 c2", "1000 c3") == [(0, 1), (0, 2), (1000, 1)]


def test_what_was_left_open_goes_on() -> None:
    assert starts("4000", "4001 c2", opened=[OPENED]) == [(-9000, 8), (4001, 1)]
    assert starts("4001", opened=[OPENED]) == [(4001, 1)]
    assert starts("3999 c1", "4999 -", "9000 -", opened=[OPENED]) == [(-9000, 8), (-9000, None), (None, None)]


def test_events_of_no_session_belong_to_the_latest_that_is_open() -> None:
    assert starts("1000 -", "2000 c1", "4000 c2", "4000 -", "9000 -", "9001 -") == [
        (None, None), (2000, 1), (4000, 1), (4000, None), (4000, None), (None, None),
    ]  # fmt: skip


def test_what_the_next_day_could_extend_is_left_open() -> None:
    """Of two sessions that are open the latest-started; one that ended a gap before midnight and a bit is none."""
    rows = [
        *visit("1000 c1", "2000", "3000 c2", "3500"), *visit("5000", visitor=2), *visit("4999", visitor=3),
        *visit("9000 -", visitor=4),
    ]  # fmt: skip
    left = {row["visitor_id"]: row for row in sessions(rows, end_us=8500)["left_open"]}
    assert left == {
        "v1": {"visitor_id": "v1", "session_start_us": 3000, "last_us": 3500, "campaign_key": 2,
               "session_event_number": 2},
        "v2": {"visitor_id": "v2", "session_start_us": 5000, "last_us": 5000, "campaign_key": None,
               "session_event_number": 1},
        "v3": {"visitor_id": "v3", "session_start_us": 4999, "last_us": 4999, "campaign_key": None,
               "session_event_number": 1},
    }  # fmt: skip
    assert refs(sessions(rows, end_us=10_000)["left_open"], "visitor_id") == ["v2"]


def test_the_latest_campaign_is_handed_on_though_it_came_within_the_first_millisecond() -> None:
    """It started no session; what comes tomorrow is compared with it, and not with the one before."""
    (left,) = sessions(visit("1000 c1", "1500 c2", "1900 c3", "2000"), end_us=3000)["left_open"]
    assert (left["session_start_us"], left["campaign_key"], left["session_event_number"]) == (1000, 3, 4)


def test_visitors_in_rounds_are_cut_the_same() -> None:
    rows = [
        row
        for visitor in range(1, 10)
        for row in visit(*(f"{at * visitor} {'' if at % 5 else f'c{at % 3}'}" for at in range(0, 9000, 701)),
                         visitor=visitor)
    ]  # fmt: skip
    opened = [OPENED, OPENED | {"visitor_id": "v5"}]
    whole = sessions(rows, opened, end_us=20_000)
    assert len(whole["event_sessions"]) == len(rows)
    assert 0 < len(whole["left_open"]) < 9
    for rounds in (2, 7):
        assert sessions(rows, opened, end_us=20_000, rounds=rounds) == whole


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        ("visitor", "v", [1, 2]),
        ("user", "u", [2]),
        ("ip", "198.51.100.9", [3]),
        ("session", "v-12", [1]),
        ("visitor", "u", []),
        ("user", "v", []),
        ("session", "v-0", []),
    ],
)
def test_a_rule_excludes_by_its_own_kind(kind: str, value: str, found: list[int]) -> None:
    messages = [message(1), message(2, user_id="u"), message(3, visitor_id="w", ip="198.51.100.9")]
    event_sessions = [
        {"file_id": -1, "message_ref": place, "session_start_us": start} for place, start in ((1, 12_999), (2, None))
    ]
    given = {
        "messages": messages,
        "event_sessions": event_sessions,
        "rules": [{"kind": kind, "value": value}],
        "strays": [],
    }
    assert refs(apply(steps.EXCLUDE, given)["excluded"], "message_ref") == found


def test_what_was_received_on_a_stray_day_is_excluded_by_its_own_source() -> None:
    day = date(2026, 3, 1)
    messages = [
        message(place, received_at=moment(at), is_access=is_access)
        for place, (at, is_access) in enumerate(
            [("00:00", False), ("23:59:59.999999", False), ("24:00", False), ("10:00", True)]
        )
    ]  # fmt: skip
    given = {"messages": messages, "event_sessions": [], "rules": []}
    strays = [{"is_access": False, "received_date": day}]
    assert refs(apply(steps.EXCLUDE, given | {"strays": strays})["excluded"], "message_ref") == [0, 1]
    assert apply(steps.EXCLUDE, given | {"strays": []})["excluded"] == []


def test_a_rule_holds_from_its_beginning_until_before_its_end() -> None:
    messages = [message(place, at) for place, at in enumerate(("09:59", "10:00", "10:59:59.999999", "11:00"))]

    def found(**limits: Any) -> list[int]:
        rules = [{"kind": "visitor", "value": "v"} | limits] * 2
        given = {"messages": messages, "event_sessions": [], "rules": rules, "strays": []}
        return refs(apply(steps.EXCLUDE, given)["excluded"], "message_ref")

    assert found(since=moment("10:00"), until=moment("11:00")) == [1, 2]
    assert found(since=moment("10:00")) == [1, 2, 3]
    assert found(until=moment("11:00")) == [0, 1, 2]
    assert found() == [0, 1, 2, 3]


def test_no_address_is_shown_that_nobody_said_may_be() -> None:
    messages = [message(1, ip="a"), message(2, ip="b"), message(3, ip="c"), message(4)]
    shown = [{"ip": "a", "shown_ip": "A"}, {"ip": "b", "shown_ip": None}]
    rows = apply(steps.MASK, {"messages": messages, "shown_addresses": shown})["masked"]
    assert sorted(refs(rows, "message_ref", "ip"), key=str) == [(1, "A"), (2, None), (3, None), (4, None)]


def flagged(*messages: Row, **given: Sequence[Row]) -> list[Row]:
    """Flag messages, all in a session; in their order."""
    event_sessions = [
        {"file_id": -1, "message_ref": row["message_ref"], "session_start_us": 1_999, "session_event_number": 1}
        for row in messages
    ]
    nothing: dict[str, Sequence[Row]] = {
        "event_sessions": event_sessions, "copies": [], "fast_views": [], "excluded": [],
    }  # fmt: skip
    rows = apply(steps.FLAG, {"messages": messages, **nothing, **given})["events"]
    return sorted(rows, key=lambda row: row["message_index"])


def test_an_event_is_what_has_a_row_of_sessions() -> None:
    sessions_of = [
        {"file_id": -1, "message_ref": 1, "session_start_us": 1_999, "session_event_number": 3},
        {"file_id": -1, "message_ref": 2, "session_start_us": None, "session_event_number": None},
        {"file_id": -1, "message_ref": 3, "session_start_us": 0, "session_event_number": None},
    ]
    names = ("session_id", "session_date", "session_event_number", "is_session_event")
    rows = flagged(message(1), message(2, "23:59"), message(3), message(4), event_sessions=sessions_of)
    assert refs(rows, *names) == [
        ("v-1", date(1970, 1, 1), 3, True), (None, date(2026, 3, 1), None, False),
        ("v-0", date(1970, 1, 1), None, False),
    ]  # fmt: skip


def test_events_are_flagged_as_repeats_bots_and_excluded() -> None:
    one = {"file_id": -1, "message_ref": 9}
    rows = flagged(
        message(8), message(9), message(10, schema="click"), message(11, ua_bot_reason="declared"),
        copies=REFUSALS, fast_views=[one, {"file_id": -1, "message_ref": 11}], excluded=[one],
    )  # fmt: skip
    assert refs(rows, "is_repeat") == [False, True, None, False]
    assert refs(rows, "bot_reason", "is_bot") == [(None, False), ("rate", True), (None, False), ("declared", True)]
    assert refs(rows, "is_excluded") == [False, True, False, False]


def test_messages_are_counted_by_what_became_of_them() -> None:
    """`again` was sent anew, `copy` came in a file delivered twice, `late` has no index."""

    def sent(place: int, event_id: str, received: str, **columns: Any) -> Row:
        told = {"source_file": "f", "app_id": "shop", "received_at": moment(received), "request_id": "r", "position": 0}
        return message(place, event_id=event_id, **(told | columns))

    messages = [
        sent(1, "again", "10:00"), sent(2, "again", "10:01"), sent(3, "copy", "10:00"), sent(4, "copy", "10:00"),
        sent(5, "late", "10:00"), sent(6, "late", "10:02", message_index=None), sent(7, "taken", "10:00"),
        sent(8, "other", "10:00", app_id="blog"),
    ]  # fmt: skip
    kinds = {2: "duplicate", 4: "duplicate", 6: "duplicate", 7: "id_collision", 8: "repeat"}
    copies = [{"kind": kind, "file_id": -1, "message_ref": place} for place, kind in kinds.items()]
    rows = apply(steps.COUNT, {"messages": messages, "copies": copies})["event_counts"]
    counts = ("app_id", "accepted", "duplicates", "collisions", "resent", "resent_streamed")
    assert sorted(refs(rows, *counts)) == [("blog", 1, 0, 0, 0, 0), ("shop", 3, 3, 1, 2, 1)]
