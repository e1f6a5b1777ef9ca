"""Compressed files, whole and damaged: what can be read lands, and a bomb does not."""

import gzip
import random

import pytest
from backports import zstd
from builders import House, lines
from builders.landed import PACKED, content_of, landed, statuses, whole

from etl import pipeline
from etl.lake.landed import file_name
from etl.stages.land import streams


def log(count: int = 3000) -> bytes:
    """Make a log that does not compress to nothing."""
    chance = random.Random(4)
    return lines({"request_id": f"{chance.getrandbits(600):x}", "path": "/t"} for _ in range(count))


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_truncated_stream_lands_what_can_be_read(house: House, suffix: str) -> None:
    content = log()
    packed = PACKED[suffix](content)
    house.put(f"events/cut.log{suffix}", packed[: len(packed) // 2])
    house.put("events/whole.log", b"x\n")
    counts = pipeline.land(house.settings)
    assert statuses(house) == {f"events/cut.log{suffix}": "truncated", "events/whole.log": "landed"}
    assert [failure["file"] for failure in counts["failed"]] == [f"events/cut.log{suffix}"]
    rows = landed(house, f"events/cut.log{suffix}")
    assert len(rows) > 100
    assert content.startswith(b"\n".join(row["line"] for row in rows))
    house.put(f"events/cut.log{suffix}", packed)
    pipeline.land(house.settings)
    whole(landed(house, f"events/cut.log{suffix}"), content)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_damaged_stream_lands_what_can_be_read(house: House, suffix: str) -> None:
    content = log(40_000)
    packed = bytearray(PACKED[suffix](content))
    packed[len(packed) * 3 // 4 :] = b"\xff" * 1000
    house.put(f"events/damaged.log{suffix}", bytes(packed))
    house.put("events/whole.log", b"x\n")
    pipeline.land(house.settings)
    assert statuses(house)["events/whole.log"] == "landed"
    assert statuses(house)[f"events/damaged.log{suffix}"] == "truncated"
    rows = landed(house, f"events/damaged.log{suffix}")
    assert len(rows) > 1000


def test_wrong_checksum_lands_what_was_read(house: House) -> None:
    content = log()
    packed = bytearray(gzip.compress(content))
    packed[-8] ^= 0xFF
    house.put("events/a.log.gz", bytes(packed))
    pipeline.land(house.settings)
    assert statuses(house) == {"events/a.log.gz": "truncated"}
    whole(landed(house, "events/a.log.gz"), content)


def test_junk_after_a_stream_lands_what_was_read(house: House) -> None:
    content = log()
    house.put("events/a.log.gz", gzip.compress(content) + b"junk junk junk")
    house.put("events/b.log.zst", zstd.compress(content) + b"junk junk junk")
    pipeline.land(house.settings)
    assert set(statuses(house).values()) == {"truncated"}
    whole(landed(house, "events/a.log.gz"), content)
    whole(landed(house, "events/b.log.zst"), content)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_stream_of_several_members_lands_whole(house: House, suffix: str) -> None:
    pack = PACKED[suffix]
    house.put(f"events/a.log{suffix}", pack(b"one\ntw") + pack(b"") + pack(b"o\nthree\n"))
    pipeline.land(house.settings)
    assert statuses(house) == {f"events/a.log{suffix}": "landed"}
    whole(landed(house, f"events/a.log{suffix}"), b"one\ntwo\nthree\n")


@pytest.mark.parametrize("content", [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh9no", b"\x1f\x8bno archive"])
def test_file_that_is_no_archive_is_reported_and_others_land(house: House, content: bytes) -> None:
    house.put("events/a.log.gz", content)
    house.put("events/b.log.zst", content)
    house.put("events/whole.log", b"x\n")
    counts = pipeline.land(house.settings)
    assert statuses(house).pop("events/whole.log") == "landed"
    assert counts["lines"] == 1
    assert set(statuses(house).values()) == {"landed", "unreadable"}
    assert {failure["file"] for failure in counts["failed"]} == {"events/a.log.gz", "events/b.log.zst"}


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_bomb_is_stopped_and_others_land(house: House, suffix: str) -> None:
    house.keys["max_decompressed_bytes"] = 50 * 2**20
    house.put(f"events/bomb.log{suffix}", PACKED[suffix](b"0" * (200 * 2**20)))
    house.put("events/whole.log", b"x\n")
    counts = pipeline.land(house.settings)
    assert statuses(house) == {f"events/bomb.log{suffix}": "bomb", "events/whole.log": "landed"}
    assert "unpacks to more than" in counts["failed"][0]["reason"]
    assert [path.stem for path in house.settings.lake.rglob("raw/events/**/*.parquet")] == [
        file_name(content_of(house, "events/whole.log").file_id)
    ]


def test_bomb_by_ratio_is_stopped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "BOMB_FLOOR_BYTES", 2**20)
    house.put("events/bomb.log.gz", gzip.compress(b"0" * (20 * 2**20)))
    house.put("events/log.log.gz", gzip.compress(log(30_000)))
    pipeline.land(house.settings)
    assert statuses(house) == {"events/bomb.log.gz": "bomb", "events/log.log.gz": "landed"}


def test_bomb_lands_when_the_limit_is_raised(house: House) -> None:
    house.put("events/a.log.gz", gzip.compress(b"0" * 5000 + b"\n"))
    house.keys["max_decompressed_bytes"] = 1000
    pipeline.land(house.settings)
    assert statuses(house) == {"events/a.log.gz": "bomb"}
    house.keys["max_decompressed_bytes"] = 10_000
    pipeline.land(house.settings)
    assert statuses(house) == {"events/a.log.gz": "landed"}
