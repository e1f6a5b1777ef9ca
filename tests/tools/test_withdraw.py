"""What somebody has withdrawn counts no more, says why, and does not come back by itself."""

from pathlib import Path

import pytest
from builders import House, each, events
from builders.command import etl
from builders.landed import contents, landed, statuses

from etl.errors import BadUse
from etl.lake.catalogue import Lake
from etl.stages.build.ledger import files_table
from etl.tools.withdraw import withdraw

FILE = "events/a.jsonl"


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    house.put(FILE, each(events("10:00 /a", "10:05 /b", visitor="wrong")))
    house.put("events/b.jsonl", each(events("10:00 /a", visitor="right")))
    house.digest()
    said = etl("withdraw", FILE, "--reason", "a test of the shop", "--home", tmp_path / "home")
    assert "2 lines of events/a.jsonl count no more" in said
    house.digest()
    return house


def visitors(house: House) -> set[str]:
    return {row["visitor_id"] for row in house.events()}


def test_its_events_are_gone_and_its_row_says_why(house: House) -> None:
    assert visitors(house) == {"right"}
    rows = {row["source_file"]: row for row in files_table(Lake(house.settings)).to_pylist()}
    assert (rows[FILE]["status"], rows[FILE]["detail"], rows[FILE]["messages"]) == (
        "withdrawn", "a test of the shop", 0,
    )  # fmt: skip
    assert rows["events/b.jsonl"]["status"] == "landed"


def test_the_same_content_stays_withdrawn_and_another_counts(house: House) -> None:
    path = house.root / "inbox" / FILE
    path.write_bytes(path.read_bytes())
    house.digest()
    assert visitors(house) == {"right"}
    house.put(FILE, each(events("11:00 /a", visitor="new")))
    house.digest()
    assert visitors(house) == {"right", "new"}
    assert [content.status for content in contents(house, FILE)] == ["withdrawn", "landed"]


def test_its_lines_are_kept(house: House) -> None:
    assert len(list((house.settings.lake / "raw").rglob("*.parquet"))) == 2
    assert landed(house, FILE) == [], "for no stage"


def test_what_could_not_be_read_and_is_gone_fails_no_run_for_good(house: House) -> None:
    """GIVEN a file nobody can read WHEN it is mended under another name and withdrawn THEN its row says so."""
    house.put("events/broken.jsonl.gz", b"\x1f\x8b\x08 and no more of it")
    house.put("notes/read me", b"what is where")
    house.digest()
    assert statuses(house)["events/broken.jsonl.gz"] == "unreadable"
    assert statuses(house)["notes/read me"] == "ignored"
    for name in ("events/broken.jsonl.gz", "notes/read me"):
        (house.root / "inbox" / name).unlink()
    withdraw(Lake(house.settings), "events/broken.jsonl.gz", "sent again")
    house.digest()
    rows = {row["source_file"]: row for row in files_table(Lake(house.settings)).to_pylist()}
    told = rows["events/broken.jsonl.gz"]
    assert (told["status"], told["detail"], told["is_unread"]) == ("withdrawn", "sent again", False)
    assert "notes/read me" not in rows, "what was not for us, and is gone, is nobody's concern"


def test_bad_use_is_told(house: House) -> None:
    lake = Lake(house.settings)
    for name, reason, told in (("events/x.jsonl", "x", "nothing counts"), (FILE, "x", "nothing counts"),
                               ("events/b.jsonl", " ", "say why")):  # fmt: skip
        with pytest.raises(BadUse, match=told):
            withdraw(lake, name, reason)
