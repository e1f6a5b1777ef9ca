"""Whatever a client sends: no crash, no hang, memory bounded, every message in the ledger."""

import gzip
import json
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from builders import House, Message, Row, event, lines, request, written
from builders.snowplow import BASE, PV, contexts, described, encoded, gotten, posted
from builders.versions import V1, V2
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from etl.formats import collector
from etl.formats.messages import Limits, decode_messages, name_people
from etl.lake.catalogue import Lake
from etl.lake.landed import landed_files, landings
from etl.lake.manifests import Reading
from etl.settings import PROJECT, Settings
from etl.vocabulary import tracking_plan as plan
from etl.vocabulary.reasons import PARSER_REASONS

HOSTILE_TEXTS = [
    "", " ", "\x00", "a\x00b", "\ud800", "caf\udcff", "\U0001f600", "\ufeff", "\u202e", "\u2028", "null", "true", "NaN",
    "0", "-0", "1e400", "[", "{", '"', "\\", "\\u0000", "'; drop table events; --", "' or 1=1", "=cmd|' /C calc'!A0",
    "@SUM(1)", "+1+1", "../../../etc/passwd", "%00", "%zz", "%", "{{7*7}}", "<script>alert(1)</script>", "__proto__",
    "constructor", "0000-01-01T00:00:00Z", "99999-01-01T00:00:00Z", "-infinity", "infinity", "2026-02-30T00:00:00Z",
    "x" * 5000, "https://[::1", "javascript:x", "custom.", "custom.\n", "9" * 400, "é" * 999,
    "2026-03-01T10:00:00.9999999999Z",
]  # fmt: skip
HOSTILE_NUMBERS = [
    0, -0.0, -1, 1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**30, 10**400, 1.5, 1e-320, 1e308, 253402300800000,
    -62135596800001, float("nan"), float("inf"), float("-inf"),
]  # fmt: skip

scalars = st.one_of(
    st.none(), st.booleans(), st.sampled_from(HOSTILE_NUMBERS), st.sampled_from(HOSTILE_TEXTS), st.integers(),
    st.text(max_size=12), st.floats(),
)  # fmt: skip
names = st.sampled_from(["__proto__", "id", "data", "page", "", "\x00", "a.b", "$", "x", "schema"]) | st.text(
    max_size=6
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8
)
SEEDS: list[Message] = [
    event("10:00 /a"), event("10:00 click", data={"click_id": "c"}), V1, V2,
    event("10:00 order", data={"order_id": "o", "revenue": "1.50", "currency": "EUR", "quantity": 1}),
    V1 | {"type": "ord", "d": {"oid": "o", "amt_cents": 150}},
]  # fmt: skip
EVENTS: list[Message] = [
    PV, BASE | {"e": "ue", "ue_pr": described("x", {"a": 1})}, BASE | {"e": "ue", "ue_px": encoded(described("x", {}))},
    PV | {"co": contexts({"schema": "iglu:a/client_session/1", "data": {"sessionId": "S", "eventIndex": 1}})},
    BASE | {"e": "tr", "tr_id": "o", "tr_tt": "1.5"},
]  # fmt: skip


@st.composite
def messages(draw: st.DrawFn, seeds: list[Message]) -> Any:
    """A message with some of its keys, or some of its page's or data's, put to other values; or any value."""
    message = dict(draw(st.sampled_from(seeds)))
    holders = [message]
    for key in ("page", "pg", "data", "d"):
        if isinstance(message.get(key), dict):
            message[key] = dict(message[key])
            holders.append(message[key])
    for _ in range(draw(st.integers(0, 3))):
        holder = draw(st.sampled_from(holders))
        key = draw(st.sampled_from(sorted(holder)) if holder and draw(st.booleans()) else names)
        if draw(st.booleans()) and key in holder:
            del holder[key]
        else:
            holder[key] = draw(values)
    return draw(st.one_of(*[st.just(message)] * 9, values))


def spoiled(draw: st.DrawFn, text: str) -> str:
    """A text with a piece cut out, put twice, or put in."""
    first, last = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
    piece = draw(st.sampled_from([
        "", text[first:last], ",", "}", "]", '"', "\\", "NaN", "Infinity", "1e999", "\ud800", "\x00", '"id":1,', "\n",
    ]))  # fmt: skip
    return text[:first] + piece + text[draw(st.sampled_from([first, last])) :]


@st.composite
def sent(draw: st.DrawFn) -> tuple[bytes, int | None]:
    """A collector line, and how many messages it holds (None: as many as can be read)."""
    how = draw(st.sampled_from(["batch", "batch", "payload", "query", "body", "envelope", "line", "bytes"]))
    if how == "bytes":
        return draw(st.binary(max_size=60)).replace(b"\n", b""), None
    batch = draw(st.lists(messages(EVENTS if how == "payload" else SEEDS), max_size=4))
    row = posted(*batch) if how == "payload" else request(batch, "10:05")
    if how == "query":
        item = {
            key: str(value).encode("utf-8", "replace").decode() for key, value in draw(st.sampled_from(EVENTS)).items()
        }
        row = gotten(item)
        row["query"] = spoiled(draw, row["query"]).encode("utf-8", "replace").decode()
        return written(row), None
    if how == "body":
        row["body"] = spoiled(draw, row["body"])
        return written(row), None
    if how == "envelope":
        row[draw(st.sampled_from(sorted(row)))] = draw(values)
        return written(row), None
    if how == "line":
        return spoiled(draw, written(row).decode()).encode("utf-8", "surrogatepass").replace(b"\n", b" "), None
    return written(row), len(batch)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


def decode(con: duckdb.DuckDBPyConnection, content: list[bytes]) -> list[Row]:
    """Judge lines as the parser does; return each message, and each line that cannot be read."""
    sent = pa.table(
        {
            "file_id": pa.array([1] * len(content), pa.int64()),
            "source_file": pa.array(["a"] * len(content), pa.string()),
            "line_number": pa.array(range(len(content)), pa.int64()),
            "line": pa.array(content, pa.large_binary()),
            "line_bytes": pa.array([len(line) for line in content], pa.int64()),
            "line_sha256": pa.nulls(len(content), pa.string()),
        }
    )
    knobs = Settings()
    con.register("lines", sent)
    collector.decode_requests(con)
    known = plan.load_plan(knobs.tracking_plan)
    collector.list_messages(con, knobs.max_message_bytes, list(known))
    limits = Limits(knobs.max_message_bytes, knobs.max_lateness_days)
    decode_messages(con, limits, known)
    name_people(con, b"key", [])
    found = con.execute("select * from decoded order by line_number, position")
    columns = [column[0] for column in found.description]
    return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


def refuse_constant(text: str) -> None:
    raise ValueError(text)


def check(rows: list[Row], content: list[tuple[bytes, int | None]]) -> None:
    """Check that each line's messages are all there once, and that what was accepted keeps its promises."""
    positions: dict[int, list[int | None]] = {}
    for row in rows:
        positions.setdefault(row["line_number"], []).append(row["position"])
    for number, (line, count) in enumerate(content):
        found = positions.get(number, [])
        assert found == [None] or found == list(range(len(found))), line
        assert count is None or found == list(range(count)), line
    for row in rows:
        if row["reason"] in ("unrouted", "refused_at_edge"):
            # No message, counted by file.
            assert row["position"] is None
            continue
        assert (row["reason"] is None) == (row["detail"] is None)
        if row["reason"]:
            assert row["reason"] in PARSER_REASONS and row["payload"] is not None and len(row["detail"]) < 400
            continue
        assert all(row[key] for key in ("event_id", "schema", "app_id", "platform", "visitor_id"))
        assert row["platform"] in collector.PLATFORMS
        assert row["received_us"] - row["event_us"] <= 30 * 86_400_000_000
        assert row["schema"] != "page_view" or (row["page_id"] and row["url"])
        assert row["version"] is None or (row["stream_id"] and row["message_index"] >= 0)
        if row["data"] is not None:
            json.loads(row["data"], parse_constant=refuse_constant)
        if row["schema"] == "order":
            data = json.loads(row["data"])
            assert data["order_id"] and float(data["revenue"]) < 1e15


unhurried: Any = {
    "deadline": None, "phases": [Phase.explicit, Phase.generate], "print_blob": True,
    "suppress_health_check": list(HealthCheck),
}  # fmt: skip


@settings(max_examples=5, **unhurried)
@given(content=st.lists(sent(), min_size=20, max_size=40))
def test_any_line_ends_in_one_place(con: duckdb.DuckDBPyConnection, content: list[tuple[bytes, int | None]]) -> None:
    check(decode(con, [line for line, _ in content]), content)


@pytest.mark.prove
@settings(max_examples=150, **unhurried)
@given(content=st.lists(sent(), min_size=20, max_size=60))
def test_any_line_ends_in_one_place_many_times(
    con: duckdb.DuckDBPyConnection, content: list[tuple[bytes, int | None]]
) -> None:
    check(decode(con, [line for line, _ in content]), content)


# The same through the lake, with its ledger.


def digested(house: House) -> dict[str, Row]:
    """Digest the inbox; return the ledger's line of each file, and check that it balances."""
    house.digest()
    found: dict[str, Row] = {}
    counts = Counter[tuple[str, str]]()
    for row in house.scan("event_counts"):
        for key in ("accepted", "duplicates", "collisions"):
            counts[row["source_file"], key] += row[key]
    lake = Lake(house.settings)
    names = {number: file.source_file for number, file in landed_files(lake).items()}
    for commit in lake.commits("parse", Reading):
        for number, unit in commit.units.items():
            name, parsed = names[number], unit.counts
            valid = parsed.get("valid", 0)
            assert valid == sum(counts[name, key] for key in ("accepted", "duplicates", "collisions")), name
            found[name] = {"valid": valid, "quarantined": parsed.get("quarantined", 0)} | {
                key: counts[name, key] for key in ("accepted", "duplicates", "collisions")
            }
    told = Counter(row["source_file"] for row in house.quarantine() if row["reason"] != "id_collision")
    assert told == Counter({name: row["quarantined"] for name, row in found.items() if row["quarantined"]})
    assert len(house.events()) == sum(row["accepted"] for row in found.values())
    return found


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + closing * depth


def raw_batch(*texts: str, **keys: Any) -> Row:
    """Receive messages written by hand."""
    return request([], "10:05", **({"body": f'{{"messages":[{",".join(texts)}]}}'} | keys))


def with_data(number: int, data: str, seed: Message | None = None) -> str:
    """Write a message whose data is a JSON text."""
    message = seed or event("10:00 custom.x", number)
    key = "data" if "data" in message else "d"
    name = "id" if "id" in message else "eid"
    return json.dumps({k: v for k, v in message.items() if k != key} | {name: f"m{number}"})[:-1] + f',"{key}":{data}}}'


def test_hostile_values_are_all_accounted_for(house: House) -> None:
    """Values in every place of every version, by name; what is accepted comes out as it went in."""
    good = [
        nested(400), '{"a":' * 400 + "1" + "}" * 400, "1e400", "-0",
        '{"__proto__":{"x":1},"constructor":null}', '{"a":1,"a":2}', "9" * 400, '"\\u0000"',
        '"\'; drop table events; --"', '"=cmd|\' /C calc\'!A0"', '"\\ud83d\\ude00"', "[1,]", json.dumps("\ud83d"),
        '{"":{"$":[null]}}', '"-nan"', '"a:NaN"',
    ]  # fmt: skip
    bad = ["NaN", "-Infinity", "[nan]", '{"a":-inf}', '{"a":[1,NaN]}']
    for number, seed in enumerate([event("10:00 custom.x"), V1 | {"type": "custom.x"}, V2 | {"schema": "custom.x"}]):
        house.put(f"events/good{number}.jsonl", lines(
            raw_batch(with_data(100 * number + place, data, seed)) for place, data in enumerate(good)
        ))  # fmt: skip
        house.put(f"events/bad{number}.jsonl", lines(
            raw_batch(with_data(1000 + 100 * number + place, data, seed)) for place, data in enumerate(bad)
        ))  # fmt: skip
    ledger = digested(house)
    for number in range(3):
        assert ledger[f"events/good{number}.jsonl"]["accepted"] == len(good), house.reasons()
        assert ledger[f"events/bad{number}.jsonl"]["quarantined"] == len(bad)
    assert {row["reason"] for row in house.quarantine()} == {"bad_body"}
    by_id = {row["event_id"]: row["data"] for row in house.events()}
    for number in range(0, 300, 100):
        assert by_id[f"m{number}"] == good[0] and by_id[f"m{number + 1}"] == good[1]
        assert json.loads(by_id[f"m{number + 4}"]) == json.loads(good[4])
        assert by_id[f"m{number + 5}"] == good[5] and by_id[f"m{number + 8}"] == good[8]


def test_copies_with_a_key_twice_are_compared_by_the_first(house: House) -> None:
    """As the columns are read: else two messages could pass for one, or one for two."""
    first = with_data(1, '{"a":1,"a":2}')
    turned = with_data(1, '{"a":1,"a":3}')
    other = with_data(1, '{"a":2,"a":1}')
    house.put("events/a.jsonl", lines(
        raw_batch(text, received_at=1772359500.0 + number) for number, text in enumerate([first, turned, other])
    ))  # fmt: skip
    assert digested(house)["events/a.jsonl"] == {
        "valid": 3, "quarantined": 0, "accepted": 1, "duplicates": 1, "collisions": 1,
    }  # fmt: skip


def test_message_too_deep_to_compare_is_refused(house: House) -> None:
    deep = with_data(1, f'{{"a":{nested(10_000)},"b":1}}')
    house.put("events/a.jsonl", lines([raw_batch(deep), raw_batch(with_data(2, nested(400)))]))
    assert digested(house)["events/a.jsonl"] == {
        "valid": 1, "quarantined": 1, "accepted": 1, "duplicates": 0, "collisions": 0,
    }  # fmt: skip
    assert [reason for reason, _ in house.reasons()] == ["malformed_key"]


# In a process of its own, with bounds on its memory and its time.

MOST_MEGABYTES = 2600
"""Above `memory_limit`, which is of DuckDB alone, for what Python, Arrow and the copies at hand take beside it."""

DIGEST = """
import resource, sys
from pathlib import Path
sys.path[:0] = [sys.argv[1]]
from builders import House
House(Path(sys.argv[2])).digest()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def bounded(house: House, most_seconds: int) -> None:
    """Digest the inbox in a process of its own, which the kernel ends when it computes too long."""
    done = subprocess.run(
        [sys.executable, "-c", DIGEST, str(PROJECT / "tests"), str(house.root)], cwd=PROJECT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (most_seconds, most_seconds)),
        capture_output=True, text=True, timeout=10 * most_seconds, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.splitlines()[-1]) < MOST_MEGABYTES * 1024


def test_large_bodies_stay_within_memory(house: House) -> None:
    """Ten bodies of many megabytes or many messages in one file, read together until that is too much."""
    large = json.dumps(event("10:00 /a", data={"x": "y" * 10_000_000}))
    house.put("events/a.jsonl", lines([
        raw_batch(large), raw_batch(*["{}"] * 100_000), raw_batch(*["null"] * 1000), raw_batch(nested(5_000_000)),
        request([], "10:05", body=nested(5_000_000, '{"messages":')), posted(BASE | {"e": "x" * 10_000_000}),
        gotten(PV | {"page": "%" * 1_000_000}), request([], "10:05", body="x" * 10_000_000),
        raw_batch(with_data(1, nested(400_000), V1 | {"type": "custom.x"})),
        raw_batch(with_data(2, '{"a":' * 90_000 + "1" + "}" * 90_000, V2)),
        raw_batch(with_data(3, f"[{'1,' * 7_000_000}1]")),
    ]))  # fmt: skip
    bounded(house, 60)
    (counts,) = digested(house).values()
    reasons = Counter(row["reason"] for row in house.quarantine())
    assert counts["accepted"] == 1
    assert reasons == {"missing_key": 100_000, "bad_body": 1001, "too_large": 5, "malformed_key": 2}, reasons


def test_list_longer_than_any_batch_is_one_bad_body(house: House) -> None:
    house.put("events/a.jsonl", lines([raw_batch(*["0"] * 250_001), raw_batch(*["0"] * 2)]))
    assert digested(house)["events/a.jsonl"]["quarantined"] == 3
    assert house.reasons()[0] == ("bad_body", "the list of messages holds 250001")


@pytest.mark.prove
@pytest.mark.parametrize("title", ["values", "zeros", "keys", "large messages"])
def test_file_of_nothing_but_attacks_is_read_in_pieces(house: House, title: str) -> None:
    """What fits into lines that land and costs the most: each file holds more than memory could at once."""
    attacks = {
        "values": (8, lambda: raw_batch("{}", *["0"] * 249_999), {"missing_key": 8, "bad_body": 8 * 249_999}),
        "zeros": (4, lambda: raw_batch(*["0"] * 8_300_000), {"bad_body": 4}),
        "keys": (8, lambda: raw_batch(json.dumps(dict.fromkeys(map(str, range(10**6)), 1))), {"too_large": 8}),
        "large messages": (25, lambda: raw_batch(json.dumps(event("10:00 /a", data="y" * 10**7))), {"too_large": 25}),
    }  # fmt: skip
    count, attack, expected = attacks[title]
    house.put("events/a.jsonl", lines([attack()] * count))
    bounded(house, 300)
    assert Counter(row["reason"] for row in house.scan("quarantine", columns="reason")) == expected


@pytest.mark.prove
def test_gzip_bombs_are_stopped_within_memory(house: House) -> None:
    house.put("events/zeros.jsonl.gz", gzip.compress(b"\0" * 2**20) * 1100)
    line = written(raw_batch(*["0"] * 1000)) + b"\n"
    house.put("events/lines.jsonl.gz", gzip.compress(line * 1000) * 600)
    house.put("events/good.jsonl", lines([request([event("10:00 /a")])]))
    bounded(house, 300)
    assert [row["event_id"] for row in house.events()] == ["v-0"]
    files = {file.source_file: file.contents[-1].status for file in landings(Lake(house.settings))}
    assert files == {
        "events/zeros.jsonl.gz": "bomb", "events/lines.jsonl.gz": "bomb", "events/good.jsonl": "landed",
    }  # fmt: skip
