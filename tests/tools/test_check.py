"""Check: what would become of what a tracker's author has at hand, without a lake."""

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

import pytest
from builders import combined, event, lines, request
from builders.landed import PACKED

from etl.settings import Settings
from etl.tools.check import check, check_file

PAGE_VIEW = {"e": "pv", "eid": "a860", "aid": "shop", "p": "web", "url": "https://shop.example/", "duid": "d"}


def said(content: bytes) -> list[str]:
    return [str(verdict) for verdict in check(content, Settings())]


def outcomes(content: bytes) -> list[tuple[str, str, str | None]]:
    return [(verdict.where, verdict.outcome, verdict.reason) for verdict in check(content, Settings())]


MESSAGE = event("10:00 /a")
AT_HAND = {
    "a collector line": lines([request([MESSAGE])]),
    "a batch": json.dumps({"sent_at": None, "messages": [MESSAGE]}).encode(),
    "a message": json.dumps(MESSAGE).encode(),
    "a message over many lines": json.dumps(MESSAGE, indent=2).encode(),
    "a payload": json.dumps(
        {"schema": "iglu:com.snowplow/payload_data/jsonschema/1-0-4", "data": [PAGE_VIEW]}
    ).encode(),
    "a Snowplow event": json.dumps(PAGE_VIEW).encode(),
    "a query": urlencode(PAGE_VIEW).encode(),
    "a path with a query": b"https://t.shop.example/i?" + urlencode(PAGE_VIEW).encode(),
}


@pytest.mark.parametrize("name", AT_HAND)
def test_accepts_what_is_at_hand(name: str) -> None:
    assert outcomes(AT_HAND[name]) == [("line 1, message 0", "accepted", None)]


def test_tells_each_message_and_why() -> None:
    good, twelve = event("10:00 /a", 0), event("10:01 /b", 1, index="twelve")
    content = lines([
        request([good, twelve], "10:05"), request([good], "10:06"), request([good | {"locale": "de"}], "10:07"),
        request([], "10:08", method="GET", path="/health"), "{cut",
    ])  # fmt: skip
    assert outcomes(content) == [
        ("line 1, message 0", "accepted", None),
        ("line 1, message 1", "quarantined", "malformed_key"),
        ("line 2, message 0", "duplicate", None),
        ("line 3, message 0", "quarantined", "id_collision"),
        ("line 4", "nothing", None),
        ("line 5", "quarantined", "bad_line"),
    ]
    assert said(content)[1].endswith("index is a string, not a whole number: 'twelve'")
    assert said(content)[2].endswith("duplicate: of line 1, message 0")


@pytest.mark.parametrize("packing", PACKED)
def test_a_file_is_judged_by_what_is_packed_in_it(tmp_path: Path, packing: str) -> None:
    """Whatever it is called: requests, a web server's log, and what is neither, in the ledger's words."""
    packed, path = PACKED[packing], tmp_path / f"some{packing}"
    path.write_bytes(packed(lines([request([MESSAGE])])))
    assert [verdict.outcome for verdict in check_file(path, Settings())] == ["accepted"]
    path.write_bytes(packed(lines([combined("10:00:00 /a")])))
    assert [(verdict.where, verdict.said) for verdict in check_file(path, Settings())] == [
        (f"access/some{packing}", "a combined log, 1 lines, 1 page views, 0 quarantined")
    ]
    path.write_bytes(packed(json.dumps([MESSAGE, MESSAGE], indent=1).encode()))
    said = "looks like an array of JSON (write an object a line, as jq -c '.[]' does); not read; see docs/formats.md"
    assert [(verdict.outcome, verdict.said) for verdict in check_file(path, Settings())] == [("ignored", said)]


def test_nothing_to_check_is_refused() -> None:
    assert said(b"") == said(b"\n\n") == []
    assert run("-").returncode == 2


def test_blank_lines_are_counted() -> None:
    content = b"\n\n" + AT_HAND["a message"] + b"\n\n5\n"
    assert [where for where, _, _ in outcomes(content)] == ["line 3, message 0", "line 5"]


def test_number_beyond_all_bounds_is_still_a_batch() -> None:
    assert outcomes(b'{"sent_at":null,"messages":[{"version":1e999}]}')[0][2] == "unknown_version"


def run(*arguments: str, content: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "etl", "check", *arguments], input=content, capture_output=True, check=False
    )


def test_command_reads_a_file_or_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "sample.json"
    path.write_bytes(AT_HAND["a message"])
    assert run(str(path)).returncode == run("-", content=AT_HAND["a message"]).returncode == 0
    refused = run("-", content=json.dumps(event("10:00 /a", visitor_id=...)).encode())
    assert (refused.returncode, b"visitor_id is missing" in refused.stdout) == (1, True)


def test_command_says_that_a_file_is_missing(tmp_path: Path) -> None:
    missing = run(str(tmp_path / "none.json"))
    assert (missing.returncode, b"none.json" in missing.stderr, b"Traceback" in missing.stderr) == (2, True, False)
