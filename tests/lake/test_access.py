"""Who may read a home: its owner, a group that is named, and nobody else."""

import grp
import os
from pathlib import Path

import pytest
from builders import House, each, events

from etl import pipeline
from etl.enrich.addresses import mask_text
from etl.errors import BadUse


def modes(home: Path) -> set[str]:
    return {oct(path.stat().st_mode & 0o7777) for name in ("lake", "warehouse") for path in (home / name).rglob("*")}


def test_what_is_written_is_the_owners_alone(house: House) -> None:
    before = os.umask(0o022)
    try:
        house.put("events/a.jsonl", each(events("10:00 /a")))
        house.digest()
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    assert modes(house.settings.home) == {"0o700", "0o600"}


def test_a_group_that_is_named_reads_all_but_whole_addresses(house: House) -> None:
    """A home that was closed before is opened as a whole."""
    house.put("events/a.jsonl", each(events("10:00 /a")))
    house.digest()
    group = grp.getgrgid(os.getgid())
    house.keys["readers_group"] = group.gr_name
    house.put("events/b.jsonl", each(events("11:00 /b", first=1)))
    house.digest()
    lake = house.settings.lake
    for name in ("raw", "messages", "pixel_hits", "quarantine"):
        assert (lake / name).stat().st_mode & 0o777 == 0o700, name
    read = [path for name in ("versions", "keys", "schemas") for path in (lake / name).rglob("*")]
    assert {path.stat().st_gid for path in read} == {group.gr_gid}
    assert {oct(path.stat().st_mode & 0o777) for path in read} == {"0o750", "0o640"}


def test_a_group_that_is_not_there_is_bad_use(house: House) -> None:
    house.keys["readers_group"] = "nobody-has-this-group"
    (house.root / "inbox").mkdir()
    with pytest.raises(BadUse, match="nobody-has-this-group"):
        pipeline.land(house.settings)


def test_addresses_in_a_text_are_cut_or_hashed_and_nothing_else() -> None:
    text = 'at 10:00:10, v1.2.3, "203.0.113.7:8080" and [2001:db8::7], ::ffff:198.51.100.9'
    assert mask_text(text, "truncate") == 'at 10:00:10, v1.2.3, "203.0.113.0:8080" and [2001:db8::], 198.51.100.0'
    assert "203.0.113.7" not in mask_text(text, "hash", b"key") and "v1.2.3" in mask_text(text, "hash", b"key")
    assert mask_text(text, "keep") == text
