"""What a request of a client comes to: batches, answers, clocks, identities, and the counts of a file."""

import json
import random
import re
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from builders import House, combined, event, events, lines, moment, parsed, request

from etl import pipeline
from etl.enrich.addresses import client_of_head
from etl.formats import access_log
from etl.formats.recognise import WITH_AGENT
from etl.lake.catalogue import Lake
from etl.lake.manifests import Reading
from etl.vocabulary.log_formats import FORMATS

GOOD = event("10:00 /a")


def test_messages_of_a_batch_are_judged_one_by_one(house: House) -> None:
    good = parsed(
        house, request([event("10:00 /a", 0), event("10:00 /b", 1, id=None), None, event("10:00 /c", 2)], "10:05")
    )
    assert [(row["position"], row["url_path"]) for row in good] == [(0, "/a"), (3, "/c")]
    assert [(row["position"], row["reason"]) for row in house.quarantine()] == [(1, "missing_key"), (2, "bad_body")]


def test_empty_batch_and_other_requests_are_no_messages(house: House) -> None:
    good = parsed(
        house, request([], "10:05"), request([GOOD], method="GET"), request([GOOD], path="/x", body='{"batch":[]}'),
        request([GOOD], path="/x", body='{"messages":'), request([GOOD], method="OPTIONS", body=None),
        request([GOOD], method=...),
    )  # fmt: skip
    assert good == [] and house.quarantine() == []


def test_request_for_a_path_that_nobody_knows_is_told_by_its_body(house: House) -> None:
    snowplow = {"schema": "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4", "data": [
        {"e": "pv", "eid": "s1", "aid": "shop", "p": "web", "url": "https://shop.example/", "duid": "d"}]}  # fmt: skip
    good = parsed(
        house, request([GOOD], path="/other"), request([], "10:05", path="/com.acme/track", body=json.dumps(snowplow)),
        request([GOOD], "10:05", path="/e/", body='{"event":"$pageview"}'),
    )  # fmt: skip
    assert {row["event_id"] for row in good} == {GOOD["id"], "s1"}
    (unit,) = Lake(house.settings).units("parse", Reading).values()
    assert unit[1].counts == {"valid": 2, "unrouted": 1}
    assert list(unit[0].facts.unrouted.values()) == ["/e/ (1)"]


@pytest.mark.parametrize(("status", "kept"), [(200, 1), ("204", 1), (499, 1), (403, 1), (404, 0), (413, 0), (502, 0)])
def test_what_a_client_will_send_again_is_no_message(house: House, status: Any, kept: int) -> None:
    assert len(parsed(house, request([GOOD], status=status))) == kept
    (unit,) = Lake(house.settings).units("parse", Reading).values()
    assert unit[1].counts.get("refused_at_edge", 0) == 1 - kept
    assert house.quarantine() == []


def test_unreadable_body_that_the_client_drops_is_quarantined(house: House) -> None:
    rows = [request([], "10:05", body="{", status=status) for status in (400, 422, 429, 500)]
    assert parsed(house, *rows) == []
    assert [(row["line_number"], row["reason"]) for row in house.quarantine()] == [(1, "bad_body"), (2, "bad_body")]


def test_collector_says_what_it_would_rather_not_have(house: House) -> None:
    good = parsed(
        house, request([GOOD], blocked="block list"), request([event("10:00 /", 1)], sec_purpose="prefetch;prerender"),
        request([event("10:00 click", 2)], sec_purpose="prefetch"),
    )  # fmt: skip
    assert [(row["blocked"], row["schema"]) for row in good] == [
        ("block list", "page_view"), (None, "custom.prefetch"), (None, "click"),
    ]  # fmt: skip


def test_nobody_has_no_id_of_any_kind(house: House) -> None:
    bare = event("10:00 /", 3, visitor_id=None, anonymous=True)
    good = parsed(
        house, request([GOOD], privacy="anonymous"),
        request([event("10:00 /", 1, visitor_id=None)], privacy="anonymous"),
        request([event("10:00 /", 2, visitor_id=None, stream_id=..., index=...)], privacy="anonymous"), request([bare]),
        request([event("10:00 /", 4, visitor_id=None)]), request([event("10:00 /", 5)], privacy="gpc"),
    )  # fmt: skip
    assert [(row["visitor_id"], row["user_id"], row["stream_id"]) for row in good] == [
        (None, None, None), (None, None, None), (None, None, None), (None, None, "s-v"), ("v", None, "s-v"),
    ]  # fmt: skip
    assert house.reasons() == [("missing_key", "visitor_id is missing")]


def test_clock_is_corrected_by_what_the_batch_waited(house: House) -> None:
    """Created 10:00:00 and sent 10:00:05 by the client's clock, received 10:20:07: it happened at 10:20:02."""
    good = parsed(
        house,
        request([event("10:00:00 /")], "10:20:07", sent_at="2026-03-01T10:00:05Z"),
        request([event("10:00:05 /", 1)], "10:20:07", sent_at="2026-03-01T10:00:00Z"),
        request([event("10:00:00 /", 2)], "10:20:07", sent_at="2026-03-01T10:00:00Z"),
        request([event("10:00:00 /", 3)], "10:20:07", sent_at=...),
        request([event("10:00 /", 4, created_at="2036-01-01T10:00:00Z")], "10:20:07", sent_at="2036-01-01T10:00:05Z"),
        request([event("10:00:00 /", 5)], "10:20:07", sent_at="2026-03-01T12:00:05+02:00"),
    )
    assert [f"{row['event_at']:%H:%M:%S}" for row in good] == [
        "10:20:02", "10:20:07", "10:20:07", "10:20:07", "10:20:02", "10:20:02",
    ]  # fmt: skip
    assert good[0]["created_at"] == moment("10:00:00") and good[0]["sent_at"] == moment("10:00:05")
    assert good[4]["event_date"].isoformat() == "2026-03-01"


def test_event_day_may_lie_before_the_received_day(house: House) -> None:
    good = parsed(house, request([event("23:59 /")], "24:01"), request([event("23:59 /", 1)], "24:01", sent_at=...))
    assert [str(row["event_date"]) for row in good] == ["2026-03-01", "2026-03-02"]


@pytest.mark.parametrize("hour", ["0", "23:59:59.999999"])
def test_received_at_is_read_to_the_microsecond(house: House, hour: str) -> None:
    when = moment("00:00" if hour == "0" else hour)
    good = parsed(
        house, request([event("00:00 /")], when), request([event("00:00 /", 1)], when, received_at="1772323201.5")
    )
    assert good[0]["received_at"] == when
    assert good[1]["received_at"] == datetime(2026, 3, 1, 0, 0, 1, 500000, tzinfo=UTC)


def test_counts_of_a_file_add_up(house: House) -> None:
    rows = [
        request(events("10:00 /a", "10:01 /b")),
        request([event("10:00 /", id=None)]),
        "cut",
        request([], "10:00", body="x"),
    ]
    house.put("events/a.jsonl", lines(rows))
    pipeline.land(house.settings)
    counts = pipeline.parse(house.settings)
    assert (counts["files"], counts["messages"], counts["quarantined"]) == (1, 5, 3)
    assert pipeline.parse(house.settings)["files"] == 0


def test_a_line_cut_at_its_quotes_reads_as_the_whole_expression_says() -> None:
    chance = random.Random(5)
    pieces = ['"', "\\", " ", "[", "]", "\t", "\r", "-", '"-"', '\\"', '" "', "é", "[x] ", "200", ""]
    written = []
    for _ in range(2000):
        line = combined("10:00:00 /a")
        for _ in range(chance.randrange(4)):
            at = chance.choice([chance.randrange(len(line) + 1), line.find('"'), len(line)])
            line = line[:at] + chance.choice(pieces) + line[at + chance.randrange(3) :]
        written.append(line)
    matches = [re.fullmatch(WITH_AGENT, line.rstrip("\r"), re.A) for line in written]
    expected = [found.groups() if found else None for found in matches]
    raw = pa.table(
        {
            "file_id": pa.array([1] * len(written), pa.int64()),
            "source_file": ["a"] * len(written),
            "line_number": range(len(written)),
            "line": pa.array([line.encode() for line in written], pa.large_binary()),
            "line_bytes": [len(line) for line in written],
            "line_sha256": pa.nulls(len(written), pa.string()),
        }
    )
    entry = FORMATS["combined"]
    files = pa.table(
        {"file_id": [1], "format_name": [entry.name], "kind": [entry.kind], "layout": ["client"], "has_agent": [True],
         "forwarded_place": [0]}
    )  # fmt: skip
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        con.register("lines", raw)
        con.register("log_files", files)
        access_log.read_lines(con, "true", ())
        found = con.execute("select detail, ip, status, method from logged order by line_number").fetchall()
    assert [row[0] == "not in combined format" for row in found] == [groups is None for groups in expected]
    for (detail, ip, status, _), groups in zip(found, expected, strict=True):
        if groups and detail is None:
            client = client_of_head(groups[0], ("client",), None, ())
            assert client is not None and (ip, status) == (client.ip, int(groups[3]))
    assert 500 < sum(groups is not None for groups in expected) < 1900
