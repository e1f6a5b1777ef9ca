"""Land: every line byte for byte, whole or not at all, whatever the file."""

import gzip
import hashlib
import os
import random
from pathlib import Path
from typing import Any

import pytest
from backports import zstd
from builders import House, combined, each, event, lines
from builders.landed import PACKED, content_of, contents, land_one, landed, statuses, whole
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl import pipeline
from etl.lake.catalogue import Lake
from etl.lake.landed import file_name
from etl.lake.manifests import UNKNOWN_DAY
from etl.stages.land import lines as cutting
from etl.stages.land import streams
from etl.stages.land.inbox import find_files

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


@pytest.mark.parametrize("source", ["events", "spend", "exclusions"])
def test_lines_land_byte_for_byte(house: House, source: str) -> None:
    for title, content in HOSTILE.items():
        for suffix, pack in PACKED.items():
            house.put(f"{source}/{title}{suffix}", pack(content))
    counts = pipeline.land(house.settings)
    assert counts["files"] == len(HOSTILE) * len(PACKED) - 1 and counts["failed"] == []
    for title, content in HOSTILE.items():
        for suffix in PACKED:
            whole(landed(house, f"{source}/{title}{suffix}"), content)
            assert content_of(house, f"{source}/{title}{suffix}").bytes == len(content), title
    assert content_of(house, f"{source}/nothing").detail == "an empty file"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.lists(st.sampled_from([b"\n", b"\r", b"a", b"bb" * 9, b"\x00", b"\xff", b"c" * 30])).map(b"".join))
def test_any_bytes_land_whole_in_pieces_of_any_size(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Pieces of seven bytes and lines of at most twenty: every edge case of both lies within a few bytes."""
    monkeypatch.setattr(streams, "CHUNK_BYTES", 7)
    house = House(tmp_path_factory.mktemp("pieces"), {"max_line_bytes": 20})
    house.put("events/a.log", content)
    (file,) = find_files(house.settings.inbox)
    digest = hashlib.sha256()
    found, offset = [], 0
    for chunk in cutting.read_chunks(house.settings, file, digest):
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
    house.put("events/a.log", b"\n".join([b"before", long, exact, longest, b"after", longest]))
    pipeline.land(house.settings)
    rows = landed(house, "events/a.log")
    assert [row["line"] for row in rows] == [
        b"before", long[: cutting.OVERLONG_HEAD_BYTES], exact, longest[: cutting.OVERLONG_HEAD_BYTES], b"after",
        longest[: cutting.OVERLONG_HEAD_BYTES],
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
    pipeline.land(house.settings)
    unknown = UNKNOWN_DAY
    assert content_of(house, "events/a.jsonl").days == ["2026-03-01", "2026-03-02", unknown]
    assert content_of(house, "access/a.log").days == ["2026-03-02", unknown]


def test_raw_lines_are_closed_to_others(house: House) -> None:
    house.put("events/a.log", b"x\n")
    pipeline.land(house.settings)
    assert (house.settings.lake / "raw").stat().st_mode & 0o077 == 0


def test_growing_file_lands_when_it_has_stopped(house: House) -> None:
    path = house.put("events/a.log", b"one\n")
    Lake(house.settings).initialise()
    (found,) = find_files(house.settings.inbox)
    path.write_bytes(b"one\ntwo\n")
    assert land_one(house, found) == "growing"
    assert pipeline.land(house.settings)["failed"] == []
    whole(landed(house, "events/a.log"), b"one\ntwo\n")


def test_file_that_vanishes_is_reported(house: House) -> None:
    path = house.put("events/a.log", b"one\n")
    Lake(house.settings).initialise()
    (found,) = find_files(house.settings.inbox)
    path.unlink()
    assert land_one(house, found) == "unreadable"


def test_file_that_vanishes_while_it_is_read_is_reported(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    path = house.put("events/a.log", b"one\n" * 100)
    Lake(house.settings).initialise()
    (found,) = find_files(house.settings.inbox)
    split = cutting.split_lines

    def split_and_remove(*arguments: Any) -> Any:
        path.unlink(missing_ok=True)
        return split(*arguments)

    monkeypatch.setattr(cutting, "split_lines", split_and_remove)
    assert land_one(house, found) in {"growing", "unreadable"}


def test_changed_file_supersedes_what_it_was(house: House) -> None:
    house.put("events/a.log", b"one\n")
    pipeline.land(house.settings)
    before = content_of(house, "events/a.log").file_id
    house.put("events/a.log", b"one\ntwo\n")
    pipeline.land(house.settings)
    assert content_of(house, "events/a.log").file_id != before
    whole(landed(house, "events/a.log"), b"one\ntwo\n")
    stems = [path.stem for path in (house.settings.lake / "raw").rglob("*.parquet")]
    assert stems == [file_name(content_of(house, "events/a.log").file_id)]


def test_a_change_is_seen_though_size_and_time_are_as_before(house: House) -> None:
    """What copies times along, or writes within a tick of the clock, changes the file's number or its other time."""
    path = house.put("events/a.log", b"one\n")
    pipeline.land(house.settings)
    before = path.stat()
    house.put("events/new.log", b"two\n").replace(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns and path.stat().st_size == before.st_size
    pipeline.land(house.settings)
    assert [content.status for content in contents(house, "events/a.log")] == ["landed", "landed"]
    path.write_bytes(b"six\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    pipeline.land(house.settings)
    assert len(contents(house, "events/a.log")) == 3


def test_changed_file_that_cannot_be_read_keeps_what_it_landed(house: House) -> None:
    house.put("events/a.log.gz", gzip.compress(b"one\n"))
    pipeline.land(house.settings)
    house.put("events/a.log.gz", b"\x1f\x8bjunk")
    assert pipeline.land(house.settings)["failed"][0]["file"] == "events/a.log.gz"
    whole(landed(house, "events/a.log.gz"), b"one\n")


def test_removed_file_keeps_what_it_landed(house: House) -> None:
    house.put("events/a.log", b"one\n").unlink()
    house.put("events/b.log", b"one\n")
    pipeline.land(house.settings)
    (house.settings.inbox / "events/b.log").unlink()
    assert pipeline.land(house.settings)["files"] == 0
    whole(landed(house, "events/b.log"), b"one\n")


def test_same_content_under_another_name_is_another_file(house: House) -> None:
    house.put("events/a.log", b"one\n")
    house.put("events/b.log", b"one\n")
    assert pipeline.land(house.settings)["files"] == 2
    assert content_of(house, "events/a.log").file_id != content_of(house, "events/b.log").file_id
    assert content_of(house, "events/a.log").sha256 == content_of(house, "events/b.log").sha256


def test_second_run_lands_nothing(house: House) -> None:
    house.put("events/a.log", b"one\n")
    house.put("events/b.jsonl.zst", zstd.compress(b"two\n"))
    pipeline.land(house.settings)
    before = {path: path.stat().st_mtime_ns for path in house.settings.lake.rglob("*") if path.is_file()}
    assert pipeline.land(house.settings) == {"files": 0, "lines": 0, "bytes": 0, "failed": [], "days": []}
    assert before == {path: path.stat().st_mtime_ns for path in house.settings.lake.rglob("*") if path.is_file()}


def test_file_touched_without_a_change_writes_no_raw_file(house: House) -> None:
    path = house.put("events/a.log", b"one\n")
    pipeline.land(house.settings)
    (raw,) = (house.settings.lake / "raw").rglob("*.parquet")
    written = raw.stat().st_ino
    os.utime(path, (1, 1))
    pipeline.land(house.settings)
    assert raw.stat().st_ino == written


def test_every_file_of_the_inbox_has_a_row_and_only_logs_land(house: House, tmp_path: Path) -> None:
    inbox = house.settings.inbox
    outside = tmp_path / "secret.log"
    outside.write_bytes(b"secret\n")
    log = lines([combined("10:00:00 /a")])
    house.put("access/deep/er/a.log", log)
    house.put("access/notes.txt", b"remember the milk\n")
    house.put("access/trace.zip", b"PK\x03\x04" + bytes(30))
    for name in ("access/.hidden.log", "access/.git/config", "other/a.log", "a.log", "access/empty.log"):
        house.put(name, b"" if "empty" in name else log)
    (inbox / "access/link.log").symlink_to(outside)
    (inbox / "access/dangling.log").symlink_to(tmp_path / "nowhere")
    (inbox / "access/linked").symlink_to(tmp_path)
    (inbox / "access/folder.log").mkdir()
    os.mkfifo(inbox / "access/pipe.log")
    counts = pipeline.land(house.settings)
    read = "events, pixel, access, spend, exclusions"
    expected = {
        "a.log": f"in none of the folders {read}", "other/a.log": f"in none of the folders {read}",
        "access/.git/config": "a dot file", "access/.hidden.log": "a dot file", "access/empty.log": "an empty file",
        "access/link.log": "a link, which is not followed", "access/dangling.log": "a link, which is not followed",
        "access/linked": "a link, which is not followed", "access/pipe.log": "no regular file",
        "access/notes.txt": "looks like no log that is known; not read; see docs/formats.md",
        "access/trace.zip": "looks like a ZIP archive; not read; see docs/formats.md",
    }  # fmt: skip
    ignored = {name: content_of(house, name).detail for name, status in statuses(house).items() if status == "ignored"}
    assert ignored == expected
    assert {name for name, status in statuses(house).items() if status == "landed"} == {"access/deep/er/a.log"}
    told = {failure["file"] for failure in counts["failed"]}
    assert told == expected.keys() - {"access/.git/config", "access/.hidden.log", "access/empty.log"}
    assert pipeline.land(house.settings)["failed"] == []


@pytest.mark.usefixtures("unprivileged")
def test_folder_that_cannot_be_read_is_told(house: House) -> None:
    folder = house.put("access/closed/a.log", b"x\n").parent
    folder.chmod(0)
    try:
        (failure,) = pipeline.land(house.settings)["failed"]
    finally:
        folder.chmod(0o700)
    assert failure == {"file": "access/closed", "reason": "ignored: a folder that cannot be read: Permission denied"}


ROTATED = ("access.log", "access.log.1", "access.log.2.gz", "access_log-20260310", "ssl_access_log", "LOG.TXT", "x.zst")


@pytest.mark.parametrize("name", ROTATED)
def test_a_file_is_what_it_holds_whatever_its_name(house: House, name: str) -> None:
    content = lines([combined("10:00:00 /a")])
    for how, pack in PACKED.items():
        house.put(f"access/{how[1:] or 'plain'}/{name}", pack(content))
    pipeline.land(house.settings)
    assert set(statuses(house).values()) == {"landed"}


def test_statement_that_was_emptied_holds_no_more_and_a_log_does(house: House) -> None:
    for name in ("spend/a.csv", "events/a.jsonl"):
        house.put(name, b"one\n")
    pipeline.land(house.settings)
    for name in ("spend/a.csv", "events/a.jsonl"):
        house.put(name, b"")
    pipeline.land(house.settings)
    assert [content.status for content in contents(house, "spend/a.csv")] == ["replaced", "ignored"]
    assert [content.status for content in contents(house, "events/a.jsonl")] == ["landed", "ignored"]


def test_odd_names_land(house: House) -> None:
    names = ["access/a b'c\"d.log", "access/ü\n.log", "access/%2e%2e.log", "access/[x]*?.log", "access/$(id);.log"]
    for name in names:
        house.put(name, lines([combined("10:00:00 /a")]))
    (house.settings.inbox / "access" / os.fsdecode(b"\xff.log")).write_bytes(lines([combined("10:00:00 /b")]))
    house.digest()
    assert set(statuses(house)) == {*names, "access/\\xff.log"}
    assert len(house.events()) == 2


def test_failed_file_leaves_nothing_behind(house: House) -> None:
    house.put("events/a.log.zst", b"\x28\xb5\x2f\xfdjunk")
    pipeline.land(house.settings)
    assert list((house.settings.lake / "raw").rglob("*.parquet")) == []
    assert not list((house.settings.lake / "staging").glob("*"))


def test_what_an_interrupted_landing_left_is_landed_again(house: House) -> None:
    """A raw file that no manifest names does not exist."""
    house.put("access/a.log", lines([combined("10:00:00 /a")]))
    pipeline.land(house.settings)
    for manifest in (house.settings.lake / "manifests/land").iterdir():
        manifest.unlink()
    pipeline.parse(house.settings)
    assert house.scan("messages") == []
    pipeline.land(house.settings)
    pipeline.parse(house.settings)
    assert len(house.scan("messages")) == 1


@pytest.mark.usefixtures("unprivileged")
def test_unreadable_file_is_reported_and_others_land(house: House) -> None:
    house.put("events/a.log", b"one\n").chmod(0)
    house.put("events/b.log", b"one\n")
    counts = pipeline.land(house.settings)
    assert counts["failed"] == [{"file": "events/a.log", "reason": "unreadable: Permission denied"}]
    assert counts["files"] == 1
