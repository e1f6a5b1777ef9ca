"""Other readers of the same access log count what this project counts: goaccess, and a few lines of plain Python."""

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from builders import House, combined, shared

from benchmarks import access, readers
from benchmarks.readers import Count
from etl import pipeline

KNOWN = [
    combined("10:00:00 /"),
    combined("10:00:01 /shop/?page=2", ip="203.0.113.9"),
    combined("10:00:02 /style.CSS?v=3"),
    combined("10:00:03 /feed.xml"),
    combined("10:00:04 /old", status=301),
    combined("10:00:05 /a/b.html", status=304),
    combined("10:00:06 /nothing", status=404),
    combined("10:00:07 /order", method="POST", ip="203.0.113.9"),
    combined("10:00:08 /v1.2/", method="HEAD", ip="2001:db8::7"),
    combined("10:00:09 /api/cart"),
]
TRUTH = Count(read=10, statuses=Counter({200: 7, 301: 1, 304: 1, 404: 1}), addresses=3, pages=4)


def needs_goaccess() -> None:
    """Skip where goaccess is not installed; CI installs it."""
    if shutil.which("goaccess") is None:
        assert not os.environ.get("CI"), "goaccess is missing"
        pytest.skip("goaccess is not installed")


def read(house: House, log: Path) -> Count:
    """Let this project read a log."""
    house.put("access/access.log", log.read_bytes())
    pipeline.land(house.settings)
    pipeline.parse(house.settings)
    return readers.ours(house.settings)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "known.log"
    path.write_text("".join(f"{line}\n" for line in KNOWN))
    return path


def test_each_reader_counts_what_is_known(house: House, log: Path) -> None:
    assert read(house, log) == TRUTH
    assert readers.plain(log, tuple(house.settings.asset_extensions)) == TRUTH


def test_goaccess_counts_what_is_known(house: House, log: Path) -> None:
    needs_goaccess()
    assert readers.goaccess(log, tuple(house.settings.asset_extensions)) == TRUTH


def test_plain_python_reads_the_real_log_as_this_project_does(house: House) -> None:
    log = shared("access/apache_2015.log")
    found = read(house, log)
    assert found == readers.plain(log, tuple(house.settings.asset_extensions))
    assert (found.read, found.addresses, found.pages) == (9_999, 1_753, 3_903)


def test_goaccess_reads_the_real_log_as_this_project_does(house: House, tmp_path: Path) -> None:
    needs_goaccess()
    real = shared("access/apache_2015.log")
    found = read(house, real)
    # goaccess takes a line that was cut short within the user agent; here it is in quarantine.
    (refused,) = house.quarantine()
    log = tmp_path / "whole.log"
    lines = real.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(line for line in lines if line != f"{refused['payload']}\n".encode()))
    assert readers.goaccess(log, tuple(house.settings.asset_extensions)) == found


def test_a_log_is_repeated_with_other_addresses(log: Path) -> None:
    known = [combined(f"10:00:0{number} /", ip="198.18.0.1") for number in range(2)]
    log.write_text("".join(f"{line}\n" for line in known))
    lines = b"".join(access.repeated(log, 2 * (len(access.OCTETS) + 2))).decode().splitlines()
    assert lines[:2] == known
    addresses = [line.split(" ", 1)[0] for line in lines[::2]]
    assert len(set(addresses)) == len(addresses) == len(access.OCTETS) + 2
    assert {line.split(" ", 1)[1] for line in lines} == {line.split(" ", 1)[1] for line in known}
