"""Land: every line byte for byte, whole or not at all, whatever the file."""

import gzip
import hashlib
import os
import random
import socket
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from backports import zstd
from builders import House, combined, each, event, lines
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl import pipeline as tasks
from etl.lake import files as lake
from etl.stages.land import stage as land

HOSTILE = {
    "plain lines": b"one\ntwo\nthree\n",
    "no final newline": b"one\ntwo",
    "carriage returns": b"one\r\ntwo\r\n",
    "a lone carriage return": b"one\rtwo\n",
    "blank lines": b"\n\none\n\n\n",
    "one newline": b"\n",
    "nothing": b"",
    "NUL and other controls": b"a\x00b\n\x0b\x0c\x85\x1c\n",
    "no UTF-8": b"\xff\xfe\n\xc3\x28\n\xed\xa0\x80\n",
    "a byte order mark": b"\xef\xbb\xbfone\n",
    "Unicode's line ends": "one\u2028two\u2029three\u0085four\n".encode(),
    "no line at all but blanks": b"   ",
}
PACKED = {"": bytes, ".gz": gzip.compress, ".zst": zstd.compress}


def landed(house: House, name: str) -> list[dict[str, Any]]:
    """Read a landed file's raw rows back, in order of line."""
    manifest = manifest_of(house, name)
    rows: list[dict[str, Any]] = []
    for day in manifest["partitions"]:
        path = land.raw_path(house.settings, manifest["source"], day, manifest["file_id"])
        rows += pq.read_table(path, partitioning=None).to_pylist()
    return sorted(rows, key=lambda row: row["line_number"])


def manifest_of(house: House, name: str) -> dict[str, Any]:
    found = [entry for entry in lake.manifests(house.settings, "files").values() if entry["source_file"] == name]
    assert len(found) == 1, name
    return found[0]


def statuses(house: House) -> dict[str, str]:
    return {entry["source_file"]: entry["status"] for entry in lake.manifests(house.settings, "files").values()}


def whole(rows: list[dict[str, Any]], content: bytes) -> None:
    """Check that rows are the content's lines, with their numbers and places."""
    expected = content.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    assert [row["line"] for row in rows] == expected
    assert [row["line_number"] for row in rows] == list(range(1, len(expected) + 1))
    for row in rows:
        assert content[row["byte_offset"] :].startswith(row["line"])
        assert row["byte_offset"] == 0 or content[row["byte_offset"] - 1 : row["byte_offset"]] == b"\n"
        assert row["line_bytes"] == len(row["line"]) and row["line_sha256"] is None


@pytest.mark.parametrize("source", ["events", "access", "pixel", "spend", "exclusions"])
def test_lines_land_byte_for_byte(house: House, source: str) -> None:
    ending = land.SOURCES[source]
    for title, content in HOSTILE.items():
        for suffix, pack in PACKED.items():
            house.put(f"{source}/{title}{ending}{suffix}", pack(content))
    counts = tasks.land(house.settings)
    assert counts["files"] == len(HOSTILE) * len(PACKED) and counts["failed"] == []
    for title, content in HOSTILE.items():
        for suffix in PACKED:
            whole(landed(house, f"{source}/{title}{ending}{suffix}"), content)
            assert manifest_of(house, f"{source}/{title}{ending}{suffix}")["bytes"] == len(content), title


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.lists(st.sampled_from([b"\n", b"\r", b"a", b"bb" * 9, b"\x00", b"\xff", b"c" * 30])).map(b"".join))
def test_any_bytes_land_whole_in_pieces_of_any_size(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Pieces of seven bytes and lines of at most twenty: every edge case of both lies within a few bytes."""
    monkeypatch.setattr(land, "CHUNK_BYTES", 7)
    house = House(tmp_path_factory.mktemp("pieces"), {"max_line_bytes": 20})
    house.put("access/a.log", content)
    (file,) = land.find_files(house.settings.inbox)
    digest = hashlib.sha256()
    found, offset = [], 0
    for chunk in land.read_chunks(house.settings, file, digest):
        found += list(
            zip(
                chunk.lines.to_pylist(),
                chunk.line_bytes.tolist(),
                chunk.sha256 or [None] * len(chunk.lines),
                strict=True,
            )
        )
    expected = content.removesuffix(b"\n").split(b"\n") if content else []
    for (line, size, sha256), wanted in zip(found, expected, strict=True):
        assert (line, size) == (wanted, len(wanted))
        assert sha256 == (hashlib.sha256(wanted).hexdigest() if len(wanted) > 20 else None)
        offset += size + 1
    assert digest.hexdigest() == hashlib.sha256(content).hexdigest()


def test_overlong_line_keeps_its_beginning_length_and_hash(house: House) -> None:
    house.keys["max_line_bytes"] = 100_000
    long, longest = b"x" * 100_001, random.Random(1).randbytes(9_000_000).replace(b"\n", b"")
    exact = b"y" * 100_000
    house.put("access/a.log", b"\n".join([b"before", long, exact, longest, b"after", longest]))
    tasks.land(house.settings)
    rows = landed(house, "access/a.log")
    assert [row["line"] for row in rows] == [
        b"before", long[: land.OVERLONG_HEAD_BYTES], exact, longest[: land.OVERLONG_HEAD_BYTES], b"after",
        longest[: land.OVERLONG_HEAD_BYTES],
    ]  # fmt: skip
    assert [row["line_bytes"] for row in rows] == [6, 100_001, 100_000, len(longest), 5, len(longest)]
    digests = [None, long, None, longest, None, longest]
    assert [row["line_sha256"] for row in rows] == [value and hashlib.sha256(value).hexdigest() for value in digests]
    assert [row["byte_offset"] for row in rows] == [
        0,
        7,
        100_009,
        200_010,
        200_011 + len(longest),
        200_017 + len(longest),
    ]


def test_lines_lie_by_the_day_they_were_received(house: House) -> None:
    bad = b'{"request_id":"r","received_at":17723\nnonsense\n'
    house.put("events/a.jsonl", each([event("10:00 /"), event("24:10 /", 1), event("23:59:55 /", 2)]) + bad)
    house.put("access/a.log", lines([combined("10:00:00 /").replace("+0000", "-2300"), "cut"]))
    tasks.land(house.settings)
    unknown = lake.UNKNOWN_DAY
    assert manifest_of(house, "events/a.jsonl")["partitions"] == ["2026-03-01", "2026-03-02", unknown]
    assert manifest_of(house, "access/a.log")["partitions"] == ["2026-03-02", unknown]


def test_raw_lines_are_closed_to_others(house: House) -> None:
    house.put("access/a.log", b"x\n")
    tasks.land(house.settings)
    assert (house.settings.lake / "raw").stat().st_mode & 0o077 == 0


def log(count: int = 3000) -> bytes:
    """Make a log that does not compress to nothing."""
    chance = random.Random(4)
    return lines(combined(f"10:00:00 /{chance.getrandbits(64):x}") for _ in range(count))


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_truncated_stream_lands_what_can_be_read(house: House, suffix: str) -> None:
    content = log()
    packed = PACKED[suffix](content)
    house.put(f"access/cut.log{suffix}", packed[: len(packed) // 2])
    house.put("access/whole.log", b"x\n")
    counts = tasks.land(house.settings)
    assert statuses(house) == {f"access/cut.log{suffix}": "truncated", "access/whole.log": "landed"}
    assert [failure["file"] for failure in counts["failed"]] == [f"access/cut.log{suffix}"]
    rows = landed(house, f"access/cut.log{suffix}")
    assert len(rows) > 100
    assert content.startswith(b"\n".join(row["line"] for row in rows))
    house.put(f"access/cut.log{suffix}", packed)
    tasks.land(house.settings)
    whole(landed(house, f"access/cut.log{suffix}"), content)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_damaged_stream_lands_what_can_be_read(house: House, suffix: str) -> None:
    content = log(40_000)
    packed = bytearray(PACKED[suffix](content))
    packed[len(packed) * 3 // 4 :] = b"\xff" * 1000
    house.put(f"access/damaged.log{suffix}", bytes(packed))
    house.put("access/whole.log", b"x\n")
    tasks.land(house.settings)
    assert statuses(house)["access/whole.log"] == "landed"
    assert statuses(house)[f"access/damaged.log{suffix}"] == "truncated"
    rows = landed(house, f"access/damaged.log{suffix}")
    assert len(rows) > 1000


def test_wrong_checksum_lands_what_was_read(house: House) -> None:
    content = log()
    packed = bytearray(gzip.compress(content))
    packed[-8] ^= 0xFF
    house.put("access/a.log.gz", bytes(packed))
    tasks.land(house.settings)
    assert statuses(house) == {"access/a.log.gz": "truncated"}
    whole(landed(house, "access/a.log.gz"), content)


def test_junk_after_a_stream_lands_what_was_read(house: House) -> None:
    content = log()
    house.put("access/a.log.gz", gzip.compress(content) + b"junk junk junk")
    house.put("access/b.log.zst", zstd.compress(content) + b"junk junk junk")
    tasks.land(house.settings)
    assert set(statuses(house).values()) == {"truncated"}
    whole(landed(house, "access/a.log.gz"), content)
    whole(landed(house, "access/b.log.zst"), content)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_stream_of_several_members_lands_whole(house: House, suffix: str) -> None:
    pack = PACKED[suffix]
    house.put(f"access/a.log{suffix}", pack(b"one\ntw") + pack(b"") + pack(b"o\nthree\n"))
    tasks.land(house.settings)
    assert statuses(house) == {f"access/a.log{suffix}": "landed"}
    whole(landed(house, f"access/a.log{suffix}"), b"one\ntwo\nthree\n")


@pytest.mark.parametrize("content", [b"this is no archive\n" * 9, b"", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"])
def test_file_that_is_no_archive_is_reported_and_others_land(house: House, content: bytes) -> None:
    house.put("access/a.log.gz", content)
    house.put("access/b.log.zst", content)
    house.put("access/whole.log", b"x\n")
    counts = tasks.land(house.settings)
    assert statuses(house).pop("access/whole.log") == "landed"
    assert counts["lines"] == 1
    assert set(statuses(house).values()) <= {"landed", "unreadable", "truncated"}
    if content:
        assert {failure["file"] for failure in counts["failed"]} == {"access/a.log.gz", "access/b.log.zst"}


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_bomb_is_stopped_and_others_land(house: House, suffix: str) -> None:
    house.keys["max_decompressed_bytes"] = 50 * 2**20
    house.put(f"access/bomb.log{suffix}", PACKED[suffix](b"0" * (200 * 2**20)))
    house.put("access/whole.log", b"x\n")
    counts = tasks.land(house.settings)
    assert statuses(house) == {f"access/bomb.log{suffix}": "bomb", "access/whole.log": "landed"}
    assert "unpacks to more than" in counts["failed"][0]["reason"]
    assert [path.stem for path in house.settings.lake.rglob("raw/access/**/*.parquet")] == [
        f"{manifest_of(house, 'access/whole.log')['file_id']:016x}"
    ]


def test_bomb_by_ratio_is_stopped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(land, "BOMB_FLOOR_BYTES", 2**20)
    house.put("access/bomb.log.gz", gzip.compress(b"0" * (20 * 2**20)))
    house.put("access/log.log.gz", gzip.compress(log(30_000)))
    tasks.land(house.settings)
    assert statuses(house) == {"access/bomb.log.gz": "bomb", "access/log.log.gz": "landed"}


def test_bomb_lands_when_the_limit_is_raised(house: House) -> None:
    house.put("access/a.log.gz", gzip.compress(b"0" * 5000 + b"\n"))
    house.keys["max_decompressed_bytes"] = 1000
    tasks.land(house.settings)
    assert statuses(house) == {"access/a.log.gz": "bomb"}
    house.keys["max_decompressed_bytes"] = 10_000
    tasks.land(house.settings)
    assert statuses(house) == {"access/a.log.gz": "landed"}


def test_growing_file_lands_when_it_has_stopped(house: House) -> None:
    path = house.put("access/a.log", b"one\n")
    lake.initialise(house.settings)
    (found,) = land.find_files(house.settings.inbox)
    path.write_bytes(b"one\ntwo\n")
    assert land.land_file(house.settings, found, None)["status"] == "growing"
    assert tasks.land(house.settings)["failed"] == []
    whole(landed(house, "access/a.log"), b"one\ntwo\n")


def test_file_that_vanishes_is_reported(house: House) -> None:
    path = house.put("access/a.log", b"one\n")
    lake.initialise(house.settings)
    (found,) = land.find_files(house.settings.inbox)
    path.unlink()
    assert land.land_file(house.settings, found, None)["status"] == "unreadable"


def test_file_that_vanishes_while_it_is_read_is_reported(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    path = house.put("access/a.log", b"one\n" * 100)
    lake.initialise(house.settings)
    (found,) = land.find_files(house.settings.inbox)
    split = land.split_lines

    def split_and_remove(*arguments: Any) -> Any:
        path.unlink(missing_ok=True)
        return split(*arguments)

    monkeypatch.setattr(land, "split_lines", split_and_remove)
    assert land.land_file(house.settings, found, None)["status"] in {"growing", "unreadable"}


def test_changed_file_supersedes_what_it_was(house: House) -> None:
    house.put("access/a.log", b"one\n")
    tasks.land(house.settings)
    before = manifest_of(house, "access/a.log")
    house.put("access/a.log", b"one\ntwo\n")
    tasks.land(house.settings)
    assert manifest_of(house, "access/a.log")["file_id"] != before["file_id"]
    whole(landed(house, "access/a.log"), b"one\ntwo\n")
    stems = [path.stem for path in (house.settings.lake / "raw").rglob("*.parquet")]
    assert stems == [f"{manifest_of(house, 'access/a.log')['file_id']:016x}"]


def test_changed_file_that_cannot_be_read_keeps_what_it_landed(house: House) -> None:
    house.put("access/a.log.gz", gzip.compress(b"one\n"))
    tasks.land(house.settings)
    house.put("access/a.log.gz", b"junk")
    assert tasks.land(house.settings)["failed"][0]["file"] == "access/a.log.gz"
    whole(landed(house, "access/a.log.gz"), b"one\n")


def test_removed_file_keeps_what_it_landed(house: House) -> None:
    house.put("access/a.log", b"one\n").unlink()
    house.put("access/b.log", b"one\n")
    tasks.land(house.settings)
    (house.settings.inbox / "access/b.log").unlink()
    assert tasks.land(house.settings)["files"] == 0
    whole(landed(house, "access/b.log"), b"one\n")


def test_same_content_under_another_name_is_another_file(house: House) -> None:
    house.put("access/a.log", b"one\n")
    house.put("access/b.log", b"one\n")
    assert tasks.land(house.settings)["files"] == 2
    assert manifest_of(house, "access/a.log")["file_id"] != manifest_of(house, "access/b.log")["file_id"]
    assert manifest_of(house, "access/a.log")["sha256"] == manifest_of(house, "access/b.log")["sha256"]


def test_second_run_lands_nothing(house: House) -> None:
    house.put("access/a.log", b"one\n")
    house.put("events/b.jsonl.zst", zstd.compress(b"two\n"))
    tasks.land(house.settings)
    before = {path: path.stat().st_mtime_ns for path in house.settings.lake.rglob("*") if path.is_file()}
    assert tasks.land(house.settings) == {"files": 0, "lines": 0, "bytes": 0, "failed": [], "days": []}
    assert before == {path: path.stat().st_mtime_ns for path in house.settings.lake.rglob("*") if path.is_file()}


def test_file_touched_without_a_change_writes_no_raw_file(house: House) -> None:
    path = house.put("access/a.log", b"one\n")
    tasks.land(house.settings)
    (raw,) = (house.settings.lake / "raw").rglob("*.parquet")
    written = raw.stat().st_ino
    os.utime(path, (1, 1))
    tasks.land(house.settings)
    assert raw.stat().st_ino == written


def test_only_regular_files_of_the_known_folders_land(house: House, tmp_path: Path) -> None:
    inbox = house.settings.inbox
    outside = tmp_path / "secret.log"
    outside.write_bytes(b"secret\n")
    wanted = house.put("access/deep/er/a.log", b"one\n")
    for name in ("access/notes.txt", "access/.hidden.log", "other/a.log", "events/a.log", "a.log", "access/a.log.bz2"):
        house.put(name, b"no\n")
    (inbox / "access/link.log").symlink_to(outside)
    (inbox / "access/dangling.log").symlink_to(tmp_path / "nowhere")
    (inbox / "access/linked").symlink_to(tmp_path)
    (inbox / "access/folder.log").mkdir()
    os.mkfifo(inbox / "access/pipe.log")
    with socket.socket(socket.AF_UNIX) as door:
        here = Path.cwd()
        os.chdir(inbox / "access")
        door.bind("door.log")
        os.chdir(here)
        assert [file.path for file in land.find_files(inbox)] == [wanted]


def test_odd_names_land(house: House) -> None:
    names = ["access/a b'c\"d.log", "access/ü\n.log", "access/%2e%2e.log", "access/[x]*?.log", "access/$(id);.log"]
    for name in names:
        house.put(name, lines([combined("10:00:00 /a")]))
    (house.settings.inbox / "access" / os.fsdecode(b"\xff.log")).write_bytes(lines([combined("10:00:00 /b")]))
    house.digest()
    assert set(statuses(house)) == {*names, "access/\\xff.log"}
    assert len(house.events()) == 2


def test_failed_file_leaves_nothing_behind(house: House) -> None:
    house.put("access/a.log.zst", b"junk")
    tasks.land(house.settings)
    assert list((house.settings.lake / "raw").rglob("*.parquet")) == []
    assert not list((house.settings.lake / "staging").glob("*"))


def test_what_an_interrupted_landing_left_is_landed_again(house: House) -> None:
    """A raw file that no manifest names does not exist."""
    house.put("access/a.log", lines([combined("10:00:00 /a")]))
    tasks.land(house.settings)
    for manifest in (house.settings.lake / "manifests/files").iterdir():
        manifest.unlink()
    tasks.parse(house.settings)
    assert house.scan("messages") == []
    tasks.land(house.settings)
    tasks.parse(house.settings)
    assert len(house.scan("messages")) == 1


def test_unreadable_file_is_reported_and_others_land(house: House) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads every file")
    house.put("access/a.log", b"one\n").chmod(0)
    house.put("access/b.log", b"one\n")
    counts = tasks.land(house.settings)
    assert counts["failed"] == [{"file": "access/a.log", "reason": "unreadable: Permission denied"}]
    assert counts["files"] == 1
