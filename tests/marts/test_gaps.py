"""Gaps: what the indexes of a stream say about messages that never came."""

import random
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from builders import House, event, iso, lines, moment, request
from builders.quality import START, Models, Row, counted, message, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

GAP_MODELS = ("int_stream_islands", "int_stream_runs", "int_stream_rejections", "message_gaps")
GAPS = """
    select date, streams, expected, received, rejected, lost, restarts
    from build.quality.message_gaps order by date
"""


def find_gaps(models: Models, messages: list[Row], quarantine: Iterable[Row] = (), now: datetime | None = None) -> None:
    """Run the gap models over these messages."""
    models.fill("stg_lake__events", messages)
    models.fill("stg_lake__quarantine", list(quarantine))
    models.fill("stg_lake__event_counts", [])
    latest = now or max((row["received_at"] for row in messages), default=None)
    models.fill("int_lake_now", [{"latest_received_at": latest}])
    models.make(*GAP_MODELS)


def test_a_gap_belongs_to_the_day_of_the_message_that_closes_it(models: Models) -> None:
    find_gaps(models, [*counted(0, 1, 2, at=23), *counted(5, 6, at=25), *counted(8, at=49)])
    assert models.query(GAPS) == [
        (date(2026, 3, 1), 1, 3, 3, 0, 0, 0),
        (date(2026, 3, 2), 1, 4, 2, 0, 2, 0),
        (date(2026, 3, 3), 1, 2, 1, 0, 1, 0),
    ]


def test_a_late_message_fills_its_gap_on_whatever_day_it_comes(models: Models) -> None:
    find_gaps(models, [*counted(0, 2, at=1), message(1, 1.005, received_at=START + timedelta(days=9))])
    assert models.query(GAPS) == [(date(2026, 3, 1), 1, 3, 3, 0, 0, 0)]


def test_an_index_that_comes_again_begins_the_next_run(models: Models) -> None:
    """GIVEN a run with a hole and after it a whole one THEN the hole stays where it was."""
    find_gaps(models, [*counted(0, 1, 3, 4, at=1), *counted(0, 1, 2, 3, 4, 5, at=30)])
    assert models.query(GAPS) == [(date(2026, 3, 1), 1, 5, 4, 0, 1, 0), (date(2026, 3, 2), 1, 6, 6, 0, 0, 1)]


def test_a_run_whose_beginning_was_lost_is_still_a_run(models: Models) -> None:
    find_gaps(models, [*counted(0, 1, 2, 3, 0, 5, 6, 7), *counted(5, 6, 7, at=2)])
    ((_, _, expected, received, _, lost, restarts),) = models.query(GAPS)
    assert (expected, received, lost, restarts) == (4 + 8 + 3, 11, 4, 2)


@pytest.mark.parametrize(("jump", "lost", "restarts"), [(10_000, 9_999, 0), (10_001, 0, 1)])
def test_a_jump_of_more_than_ten_thousand_is_another_run(models: Models, jump: int, lost: int, restarts: int) -> None:
    find_gaps(models, counted(0, 1, 1 + jump, 2 + jump))
    ((_, _, expected, received, _, found, begun),) = models.query(GAPS)
    assert (expected, received, found, begun) == (4 + lost, 4, lost, restarts)


def test_a_refused_message_is_rejected_and_not_lost(models: Models) -> None:
    """GIVEN refusals inside a gap, twice, of an accepted index and beyond the end THEN one is rejected."""
    quarantine = [
        refused(2, 0.02),
        refused(2, 0.03),
        refused(1, 0.01),
        refused(99, 0.04),
        refused(3, 1, stream="other"),
    ]
    find_gaps(models, counted(0, 1, 4), quarantine)
    assert models.query(GAPS) == [(date(2026, 3, 1), 1, 5, 3, 1, 1, 0)]


def test_a_refused_message_lies_in_the_run_that_was_going_on(models: Models) -> None:
    """GIVEN the same index missing in two runs and refused in the second THEN the second's day has it."""
    find_gaps(models, [*counted(0, 1, 3, at=1), *counted(0, 1, 3, at=30)], [refused(2, 30.015)])
    assert models.query(GAPS) == [(date(2026, 3, 1), 1, 4, 3, 0, 1, 0), (date(2026, 3, 2), 1, 4, 3, 1, 0, 1)]


CLIENT_GAPS = """
    select expected, received, rejected, lost, contended, restarts, heads_unknown, lost_sessions
    from build.quality.message_gaps order by date
"""


def of_session(stream: str, *indexes: int, number: int = 1, before: str | None = None, at: float = 1) -> list[Row]:
    """Make the messages of a session that Snowplow's client counts."""
    told = {"message_version": None, "stream_number": number, "previous_stream_id": before, "visitor_id": "v"}
    return [message(index, at + place / 100, stream, **told) for place, index in enumerate(indexes)]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (of_session("s", 1, 2, 3), [(3, 3, 0, 0, 0, 0, 0, 0)]),
        # Its beginning was lost, and something in its middle.
        (of_session("s", 3, 5), [(5, 2, 0, 3, 0, 0, 0, 0)]),
        # Two tabs raced for an index: nothing is lost, and nothing started again.
        (of_session("s", 1, 2, 2, 2, 3, 4, 4), [(4, 4, 0, 0, 3, 0, 0, 0)]),
        (of_session("s", 1, 2, 3, at=23) + of_session("s", 2, 4, 6, at=25),
         [(3, 3, 0, 0, 0, 0, 0, 0), (3, 2, 0, 1, 1, 0, 0, 0)]),
        # The session between was never heard of, but for its name or its number.
        (of_session("s", 1) + of_session("u", 1, number=3, before="t", at=30),
         [(1, 1, 0, 0, 0, 0, 0, 0), (1, 1, 0, 0, 0, 0, 0, 1)]),
        (of_session("s", 1) + of_session("u", 1, number=5, before="t", at=30),
         [(1, 1, 0, 0, 0, 0, 0, 0), (1, 1, 0, 0, 0, 0, 0, 3)]),
        (of_session("s", 1, number=4, before="r"), [(1, 1, 0, 0, 0, 0, 0, 1)]),
        (of_session("s", 1) + of_session("t", 1, number=2, before="s"), [(2, 2, 0, 0, 0, 0, 0, 0)]),
        # A stream that may be older than the lake: its first index, once, and of its first run alone.
        (counted(4, 5, 4, 5), [(4, 4, 0, 0, 0, 1, 4, 0)]),
        (counted(7, 9) + counted(3, stream="b"), [(4, 3, 0, 1, 0, 0, 10, 0)]),
        (counted(10**18 - 1), [(1, 1, 0, 0, 0, 0, 10**12, 0)]),
    ],
)  # fmt: skip
def test_sessions_of_clients_are_counted_by_their_own_rule(
    models: Models, messages: list[Row], expected: list[tuple[int, ...]]
) -> None:
    find_gaps(models, messages)
    assert models.query(CLIENT_GAPS) == expected


def test_a_refused_beginning_of_a_session_is_rejected(models: Models) -> None:
    find_gaps(models, of_session("s", 2, 3), [refused(1, 0.99, stream="s")])
    assert models.query(CLIENT_GAPS) == [(3, 2, 1, 0, 0, 0, 0, 0)]


def test_a_gap_is_open_until_its_messages_would_be_too_late(models: Models) -> None:
    gap = counted(0, 2)
    for days, is_open in ((29, 1), (31, 0)):
        find_gaps(models, gap, now=START + timedelta(days=days))
        assert models.query("select lost_open, lost_for_good from build.quality.message_gaps") == [
            (is_open, 1 - is_open)
        ]


def oracle(messages: list[Row]) -> dict[date, tuple[int, int]]:
    """Say expected and received of each day, message by message as the definition reads."""
    by_stream: dict[str, list[Row]] = {}
    for row in messages:
        by_stream.setdefault(row["stream_id"], []).append(row)
    days: dict[date, list[int]] = {}
    for rows in by_stream.values():
        ordered = sorted(rows, key=lambda row: (row["event_at"], row["received_at"], row["batch_position"],
                                                row["message_index"]))  # fmt: skip
        seen: dict[int, int] = {}
        runs: dict[tuple[int, int], dict[int, Row]] = {}
        number = 1
        for row in ordered:
            index = row["message_index"]
            seen[index] = seen.get(index, 0) + 1
            number = max(number, seen[index])
            layer = 1
            while index in runs.get((number, layer), {}):
                layer += 1
            runs.setdefault((number, layer), {})[index] = row
        for run in runs.values():
            before = None
            for index in sorted(run):
                day = days.setdefault(run[index]["event_date"], [0, 0])
                day[1] += 1
                day[0] += 1 if before is None or index - before > 10_000 else index - before
                before = index
    return {day: (expected, received) for day, (expected, received) in days.items()}


hostile = st.lists(
    st.builds(
        lambda index, hour, late, position, stream: message(
            index, hour, stream, received_at=START + timedelta(hours=hour + late), batch_position=position
        ),
        st.one_of(st.integers(0, 12), st.sampled_from([9_999, 10_000, 10_001, 20_005, 10**18 - 1])),
        st.sampled_from([1, 2, 23, 24, 25, 47, 700]),
        st.sampled_from([0, 0.5, 30]),
        st.integers(0, 3),
        st.sampled_from(["s", "t"]),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=hostile, refusals=st.lists(st.tuples(st.integers(0, 12), st.sampled_from([1, 24, 48])), max_size=6),
       seed=st.randoms(use_true_random=False))  # fmt: skip
def test_hostile_streams_count_as_the_definition_reads(
    models: Models, messages: list[Row], refusals: list[tuple[int, int]], seed: Any
) -> None:
    """GIVEN repeats, jumps, ties and disorder, in any order of arrival THEN the oracle's figures come out."""
    quarantine = [refused(index, hour) for index, hour in refusals]
    find_gaps(models, messages, quarantine)
    found = {row[0]: row for row in models.query(GAPS)}
    assert {day: (row[2], row[3]) for day, row in found.items()} == oracle(messages)
    assert all(row[2] == row[3] + row[4] + row[5] and min(row[4], row[5]) >= 0 for row in found.values())
    assert sum(row[4] for row in found.values()) <= len(set(refusals))
    shuffled = list(messages)
    seed.shuffle(shuffled)
    find_gaps(models, shuffled, quarantine[::-1])
    assert {row[0]: row for row in models.query(GAPS)} == found


def test_a_file_delivered_again_is_no_second_copy_of_its_messages(house: House) -> None:
    """GIVEN a message, its file once more, its batch sent again THEN of two duplicates one was sent again."""
    batch = [event("10:00 /a")]
    first = lines([request([*batch], "10:01", sent_at=iso(moment("10:00:30")))])
    house.put("events/a.jsonl", first)
    house.put("events/b.jsonl", first)
    house.put("events/c.jsonl", lines([request([*batch], "10:02", sent_at=iso(moment("10:00:30")))]))
    house.digest()
    rows = house.scan("event_counts", columns="accepted, duplicates, resent, resent_streamed")
    assert {name: sum(row[name] for row in rows) for name in rows[0]} == {
        "accepted": 1, "duplicates": 2, "resent": 1, "resent_streamed": 1,
    }  # fmt: skip


def short_streams(days: int, streams: int, lost: float, seed: int) -> tuple[list[Row], list[int]]:
    """Make streams of three messages on average, each message lost by itself; and say what a day lost at their ends."""
    chance = random.Random(seed)
    rows, tails = [], []
    for day in range(days):
        tail = 0
        for number in range(streams):
            length = 1
            while chance.random() < 2 / 3:
                length += 1
            came = [index for index in range(length) if chance.random() >= lost]
            rows += counted(*came, at=24 * day + 1, stream=f"{day}-{number}", step=0.001)
            tail += length - 1 - came[-1] if came else 0
        tails.append(tail)
    return rows, tails


@pytest.mark.parametrize("lost", [0.02, 0.2])
def test_ends_of_short_streams_are_estimated_within_their_limits(models: Models, lost: float) -> None:
    """GIVEN 100 days of short streams THEN what was lost behind their last messages lies within the limits on 95."""
    rows, tails = short_streams(100, 60, lost, seed=4)
    find_gaps(models, rows)
    found = models.query(
        "select streams_ended, streams_ended_short, tail_estimated, tail_low, tail_high "
        "from build.quality.message_gaps order by date"
    )
    ends = Counter(str(row["stream_id"]) for row in rows)
    assert [row[:2] for row in found] == [
        (len(of_day), sum(count <= 2 for count in of_day))
        for day in range(100)
        for of_day in [[count for stream, count in ends.items() if stream.startswith(f"{day}-")]]
    ]
    held = [low <= tail <= high for tail, (_, _, _, low, high) in zip(tails, found, strict=True)]
    assert sum(held) >= 95 and sum(tails) > 0
    assert all(low <= estimated <= high for _, _, estimated, low, high in found)
    # Not for being boundless: sixty ends, behind each a message or two in which one in fifty, or in five, is lost.
    assert sorted(high for *_, high in found)[50] < 8 + 100 * lost


def test_nothing_lost_between_messages_is_no_proof_for_their_ends(models: Models) -> None:
    find_gaps(models, [*counted(0, 1, 2, stream="a"), *counted(0, stream="b")])
    ((estimated, low, high, short),) = models.query(
        "select tail_estimated, tail_low, tail_high, streams_ended_short from build.quality.message_gaps"
    )
    assert (estimated, low, short) == (0, 0, 1) and high > 1
