"""What is damaged is found, named, and made again where it can be: each kind of file, each kind of damage."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import msgspec
import pytest
from builders import House, Row, each, event, events
from builders import lines as written_lines

from etl import pipeline
from etl.errors import Damaged
from etl.lake.catalogue import Lake, write_note
from etl.lake.landed import landings
from etl.lake.manifests import Landing, Unit
from etl.settings import PROJECT
from etl.stages.land.stage import Land
from etl.tools.withdraw import withdraw


def flip(path: Path) -> None:
    """Turn one bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def swap(path: Path) -> None:
    """Put as many other bytes in the place of a file's."""
    path.write_bytes(b"x" * path.stat().st_size)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a bit turned": flip,
    "cut short": cut,
    "empty": lambda path: path.write_bytes(b""),
    "other bytes": swap,
    "gone": lambda path: path.unlink(),
}
SEEN_BY_SIZE = {"cut short", "empty", "gone"}
DATASETS = ("raw", "messages", "keys", "quarantine", "copies", "events", "event_counts", "spend", "exclusions")


@pytest.fixture(scope="module")
def digested(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, list[Row]]:
    """A home with something of everything, marts apart."""
    house = House(tmp_path_factory.mktemp("whole"))
    copy = event("10:00 /a", 0, "a")
    house.put("events/a.jsonl", each([*events("10:00 /a", "10:10 /b", "23:50 order", visitor="a"), copy]))
    house.put("events/b.jsonl", each(events("10:00 /a", "10:10 nonsense", visitor="b", day="2026-03-02")))
    house.put("spend/a.csv", b"date,source,medium,campaign,cost\n2026-03-01,google,cpc,spring,1\n")
    house.put("exclusions/a.csv", b"kind,value\nvisitor,nobody\n")
    pipeline.land(house.settings)
    house.digest()
    return house, house.events()


@pytest.fixture
def home(digested: tuple[House, list[Row]], tmp_path: Path) -> House:
    """A copy of it to break."""
    house, _ = digested
    shutil.copytree(house.root / "home", tmp_path / "home")
    shutil.copytree(house.root / "inbox", tmp_path / "inbox", copy_function=shutil.copy2)
    copied = House(tmp_path)
    pipeline.land(copied.settings)
    return copied


def test_a_whole_home_is_whole(home: House) -> None:
    assert pipeline.verify(home.settings, deep=True) == {"found": [], "lost": []}


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_and_what_can_be_made_again_is(
    home: House, digested: tuple[House, list[Row]], dataset: str, damage: str
) -> None:
    path = home.files(dataset)[0] if dataset != "raw" else next((home.settings.lake / "raw").rglob("*.parquet"))
    DAMAGES[damage](path)
    if damage in SEEN_BY_SIZE:
        with pytest.raises(Damaged, match=path.name):
            pipeline.require_whole(home.settings)
        assert [found.path for found in pipeline.verify(home.settings)["found"]] == [path]
    assert [found.path for found in pipeline.verify(home.settings, deep=True)["found"]] == [path]
    assert pipeline.verify(home.settings, repair=True)["lost"] == []
    pipeline.land(home.settings)
    home.digest()
    assert pipeline.verify(home.settings, deep=True)["found"] == []
    assert home.events() == digested[1]


def test_what_is_made_again_otherwise_leaves_nothing_behind(home: House) -> None:
    """GIVEN a file counts no more THEN the rows that it shared files with are written anew, and the old files go."""
    home.put("events/more.jsonl", written_lines(["more"]))
    home.put("events/most.jsonl", written_lines(["most"]))
    home.digest()
    withdraw(Lake(home.settings), "events/most.jsonl", "a test")
    for path in home.files("messages"):
        cut(path)
    assert pipeline.verify(home.settings, repair=True)["lost"] == []
    home.digest()
    assert pipeline.verify(home.settings, deep=True)["found"] == []


@pytest.mark.parametrize("damage", ["cut short", "empty", "other bytes"])
@pytest.mark.parametrize("stage", ["land", "parse", "deduplicate", "sessionize", "spend"])
def test_a_manifest_that_cannot_be_read_is_named_and_made_again(
    home: House, digested: tuple[House, list[Row]], stage: str, damage: str
) -> None:
    path = next((home.settings.lake / "manifests" / stage).glob("*.json"))
    DAMAGES[damage](path)
    with pytest.raises(Damaged, match=path.name):
        pipeline.require_whole(home.settings)
    assert path in [found.path for found in pipeline.verify(home.settings)["found"]]
    pipeline.verify(home.settings, repair=True)
    pipeline.land(home.settings)
    home.digest()
    pipeline.verify(home.settings, repair=True)
    assert pipeline.verify(home.settings, deep=True)["found"] == []
    assert home.events() == digested[1]


def test_raw_lines_that_the_inbox_has_no_more_are_lost_and_what_was_made_of_them_holds(
    home: House, digested: tuple[House, list[Row]]
) -> None:
    path = next((home.settings.lake / "raw" / "events").rglob("*.parquet"))
    flip(path)
    shutil.rmtree(home.settings.inbox / "events")
    assert [found.path for found in pipeline.verify(home.settings, repair=True)["lost"]] == [path]
    pipeline.land(home.settings)
    home.digest()
    assert home.events() == digested[1]
    statuses = [content.status for landing in landings(Lake(home.settings)) for content in landing.contents]
    assert sorted(statuses) == ["landed", "landed", "landed", "lost"]
    assert pipeline.verify(home.settings, deep=True)["found"] == []


def test_raw_lines_of_a_file_that_is_another_now_are_lost_and_the_other_lands(home: House) -> None:
    path = next((home.settings.lake / "raw" / "spend").rglob("*.parquet"))
    before = landings(Lake(home.settings))
    flip(path)
    assert pipeline.verify(home.settings, repair=True)["lost"] == []
    home.put("events/b.jsonl", written_lines(["other"]))
    pipeline.land(home.settings)
    assert {landing.source_file for landing in before} == {
        landing.source_file for landing in landings(Lake(home.settings))
    }
    assert path.exists()


NO_TABLE = "without a table"
WAREHOUSE = ["cut short", "empty", "other bytes", NO_TABLE]


@pytest.mark.parametrize("damage", WAREHOUSE)
def test_a_damaged_warehouse_is_named_before_a_run_says_nothing_new(home: House, damage: str) -> None:
    path = home.settings.warehouse
    path.parent.mkdir(exist_ok=True)
    with duckdb.connect(str(path)) as con:
        con.execute("create schema core")
        if damage != NO_TABLE:
            con.execute("create table core.sessions as select range as session_id from range(100000)")
    if damage != NO_TABLE:
        DAMAGES[damage](path)
    with pytest.raises(Damaged, match=path.name):
        pipeline.require_whole(home.settings)
    assert [found.path for found in pipeline.verify(home.settings)["found"]] == [path]
    assert pipeline.verify(home.settings, repair=True)["lost"] == []
    assert not path.exists(), "the next run publishes it again"


def test_the_page_of_damages_says_what_is_tried_here() -> None:
    page, _, history = (PROJECT / "docs" / "trust.md").read_text().partition("Of what cannot be made again")
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|", page, re.MULTILINE)
    assert re.findall(r"^\| `([^`]+)`", history, re.MULTILINE)[:3] == ["history/", "key", "erasures.json"]
    folders = {"versions/events/": "events", "warehouse/bloodhound.duckdb": "warehouse"}
    told = {(folders.get(where, where.strip("/")), damage): says for where, damage, says in rows}
    tried = {(dataset, damage) for dataset in DATASETS for damage in DAMAGES}
    tried |= {("manifests", damage) for damage in ("cut short", "empty", "other bytes")}
    tried |= {("warehouse", damage) for damage in WAREHOUSE}
    assert told.keys() == tried
    for (where, damage), says in told.items():
        is_seen = damage in SEEN_BY_SIZE or where in {"manifests", "warehouse"}
        assert says == ("refuses, and names the file" if is_seen else "says nothing new"), (where, damage)


def test_files_that_no_manifest_names_are_told_and_removed(home: House) -> None:
    path = home.files("messages")[0].with_name("stray.parquet")
    path.write_bytes(home.files("messages")[0].read_bytes())
    (found,) = pipeline.verify(home.settings)["found"]
    assert (found.path, found.what) == (path, "no manifest names it")
    pipeline.verify(home.settings, repair=True)
    assert not path.exists()


HISTORY = {
    "restatements.parquet": b"hi",
    "alerts.json": b"{",
    "probes/p1.json": b"\xff",
}


@pytest.mark.parametrize("name", HISTORY)
def test_what_cannot_be_made_again_is_looked_at_before_anything_is_made(home: House, name: str) -> None:
    """GIVEN history that cannot be read THEN verify names it, no run begins, and repair leaves it as it is."""
    path = Lake(home.settings).history(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(HISTORY[name])
    (damage,) = pipeline.verify(home.settings)["found"]
    assert (damage.path, damage.remedy) == (path, "restore")
    with pytest.raises(Damaged, match=re.escape(str(path))):
        pipeline.parse(home.settings)
    assert pipeline.verify(home.settings, repair=True)["lost"] == [damage]
    assert path.read_bytes() == HISTORY[name]


KEYS: dict[str, Callable[[Path], object]] = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "other bytes": lambda path: path.write_bytes(b"\x00\xff" * 32),
    "another": lambda path: path.write_bytes(b"0" * 64),
}


@pytest.mark.parametrize("damage", KEYS)
def test_a_home_goes_on_under_no_other_key(home: House, damage: str) -> None:
    """GIVEN a key that is gone or another THEN nobody becomes somebody else: runs refuse, and verify says so."""
    key = home.settings.home / "key"
    kept = key.read_bytes()
    KEYS[damage](key)
    (found,) = pipeline.verify(home.settings)["found"]
    assert (found.path, found.remedy) == (key, "restore")
    with pytest.raises(Damaged, match="key"):
        pipeline.parse(home.settings)
    key.write_bytes(kept)
    assert pipeline.parse(home.settings)["files"] == 0


def test_a_key_that_is_set_is_obeyed(home: House) -> None:
    """GIVEN a key in the settings THEN the file is not asked for."""
    (home.settings.home / "key").unlink()
    home.keys["key"] = "k" * 32
    assert pipeline.parse(home.settings)["files"] > 0


def test_a_file_that_was_changed_unseen_is_found_by_hash_and_lands(home: House) -> None:
    """GIVEN a file whose size, times and number say that nothing has changed WHEN something has THEN both count."""
    name = "events/a.jsonl"
    house_path = home.settings.inbox / name
    house_path.write_bytes(house_path.read_bytes().replace(b'"/a', b'"/z').replace(b'"a-', b'"z-'))
    lake, land = Lake(home.settings), Land()
    (commit,) = [one for one in lake.commits("land", Landing) if one.facts.source_file == name]
    unseen = {name: Unit(land.wanted(lake)[name], commit.units[name].counts)}
    write_note(lake.manifest_path("land", commit.name), msgspec.structs.replace(commit, units=unseen))
    assert pipeline.land(home.settings)["files"] == 0
    assert pipeline.verify(home.settings)["found"] == []
    (damage,) = pipeline.verify(home.settings, deep=True, repair=True)["found"]
    assert (damage.path, damage.remedy) == (house_path, "landed by the next run")
    assert pipeline.land(home.settings)["files"] == 1
    assert pipeline.verify(home.settings, deep=True)["found"] == []
    assert len(next(one for one in landings(lake) if one.source_file == name).contents) == 2
