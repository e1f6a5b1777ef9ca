"""What has landed, as tests ask for it."""

import bz2
import gzip
from typing import Any

import pyarrow.parquet as pq
from backports import zstd

from builders import House
from etl.lake.catalogue import Lake
from etl.lake.landed import landed_files, landings
from etl.lake.manifests import Content, Landing
from etl.stages.land import stage as land
from etl.stages.land.inbox import InboxFile
from etl.stages.stage import Work

PACKED = {"": bytes, ".gz": gzip.compress, ".zst": zstd.compress, ".bz2": bz2.compress}


def landed(house: House, name: str) -> list[dict[str, Any]]:
    """Read a landed file's raw rows back, in order of line."""
    rows: list[dict[str, Any]] = []
    for file in landed_files(Lake(house.settings)).values():
        if file.source_file == name:
            for path in file.parts.values():
                rows += pq.read_table(path, partitioning=None).to_pylist()
    return sorted(rows, key=lambda row: row["line_number"])


def contents(house: House, name: str) -> list[Content]:
    """Read what is known of every content that a file has had."""
    (found,) = [landing for landing in landings(Lake(house.settings)) if landing.source_file == name]
    return found.contents


def content_of(house: House, name: str) -> Content:
    """Read what is known of the content that a file has now."""
    return contents(house, name)[-1]


def statuses(house: House) -> dict[str, str]:
    return {landing.source_file: landing.contents[-1].status for landing in landings(Lake(house.settings))}


def land_one(house: House, file: InboxFile) -> str:
    """Read a file as it was found, whatever has become of it since; say what it landed as."""
    lake = Lake(house.settings)
    lake.initialise()
    with lake.staging() as folder:
        work: Work[Landing] = Work(lake, [file.name], {}, folder, [])
        return land.land_file(work, file, None).content.status


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
