"""People are taken out of landed lines in every format, and again whenever the same lines come; others' stay."""

import json
import shutil
from pathlib import Path

import duckdb
import pytest
from builders import House, Row, combined, event, events, lines, request
from builders.snowplow import PV, contexts, encoded, entity, gotten, posted

from etl import pipeline
from etl.lake.catalogue import Lake
from etl.lake.landed import landings
from etl.lake.manifests import Day
from etl.stages.build.ledger import files_table
from etl.tools import erase, forget

GONE, USER, ADDRESS = "visitor-gone-7f3a", "ana.b+c@shop.example", "203.0.113.99"
V1 = {
    "eid": "old", "type": "pv", "app": "shop", "plat": "web", "lib": "1.4", "idx": 1, "ts": 1772359260000, "uid": GONE,
    "pg": {"id": "p", "u": "https://shop.example/"},
}  # fmt: skip
NAMED = contexts(entity("client_session", {"userId": GONE, "sessionId": "s", "sessionIndex": 1, "eventIndex": 1}))
EVENTS = [
    request([event("10:00 /mine", 0, GONE), event("10:00 /theirs", 0, "other")]),
    request([event("10:01 /mine", 1, GONE), event("10:02 /mine", 2, GONE)]),
    request([V1], "10:07"),
    request([event("10:08 /said", 1, "other", data={"by": {"email": USER}}), event("10:08 /not", 2, "other")]),
    request([event("10:09 /as-user", 1, "third", user_id=USER)]),
    request([event("10:10 /linked", 3, "other", page_url=f"https://shop.example/u?mail={USER.replace('@', '%40')}")]),
    request([event("10:11 nonsense", 9, GONE), event("10:11 nonsense", 9, "other")]),
    request([event("10:12 /away", 4, "other")], remote_addr=ADDRESS),
    posted(PV | {"eid": "s1", "duid": GONE}, PV | {"eid": "s2", "duid": "other"}),
    gotten(PV | {"eid": "s3", "duid": "d9", "cx": encoded(NAMED)}),
    '{"cut": "' + GONE,
]
PIXEL = [
    combined(f"10:00:00 /px.gif?e={GONE}-p0&a=shop&p=desktop_web&v={GONE}"),
    combined("10:00:00 /px.gif?e=other-p0&a=shop&p=desktop_web&v=other"),
    combined("10:09:00 /px.gif?e=x&a=shop&p=desktop_web&v=nobody", ip=ADDRESS),
]
ACCESS = [
    combined("10:00:00 /page", ip=ADDRESS),
    combined("10:00:00 /page", ip="198.51.100.7", referrer=f"https://shop.example/?v={GONE}"),
    combined("10:00:00 /page", ip="198.51.100.8"),
]
OTHERS = {"other-0", "other-2", "s2"}
EXCLUSIONS = [b"kind,value", b"visitor,nobody", f"visitor,{GONE}".encode(), f"user,{USER}".encode()]


def fill(house: House, name: str = "a") -> None:
    house.put(f"events/{name}.jsonl", lines(EVENTS))
    house.put(f"pixel/{name}.log", lines(PIXEL))
    house.put(f"access/{name}.log", lines(ACCESS))
    house.put(f"exclusions/{name}.csv", lines(EXCLUSIONS))
    pipeline.land(house.settings)
    house.digest()


def enlist(house: House) -> None:
    person = forget.Person("user", [("visitor", GONE), ("user", USER), ("ip", ADDRESS)])
    forget.enlist(Lake(house.settings), [person])


def erased(house: House) -> list[erase.Found]:
    """Erase the person from what has landed, and make what follows."""
    enlist(house)
    with pipeline.writing(house.settings) as lake:
        found = erase.search_named(lake, [GONE, USER, ADDRESS])
        forget.clear(lake)
    house.digest()
    remove_old_events(house)
    return found


def remove_old_events(house: House) -> None:
    """What publishing does: nobody reads the versions of before."""
    kept = {path.name for path in house.files("events")}
    for path in (house.settings.lake / "versions").rglob("*.parquet"):
        if path.name not in kept:
            path.unlink()


def left(house: House) -> list[Path]:
    return forget.search(house.settings.home, [GONE, USER, ADDRESS])


def books(house: House) -> list[Row]:
    names = ("source_file", "lines", "messages", "valid", "quarantined", "erased")
    rows = files_table(Lake(house.settings)).to_pylist()
    return [{name: row[name] for name in names} for row in rows]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A home that holds the person everywhere."""
    house = House(tmp_path_factory.mktemp("before"))
    fill(house)
    return house


@pytest.fixture(scope="module")
def after(before: House, tmp_path_factory: pytest.TempPathFactory) -> tuple[House, list[erase.Found]]:
    """The same home after the erasure."""
    house = House(tmp_path_factory.mktemp("after"))
    shutil.copytree(before.root, house.root, dirs_exist_ok=True)
    return house, erased(house)


@pytest.fixture
def filled(before: House, tmp_path: Path) -> House:
    """A copy of the one to go on with."""
    shutil.copytree(before.root, tmp_path, dirs_exist_ok=True)
    return House(tmp_path)


@pytest.fixture
def gone(after: tuple[House, list[erase.Found]], tmp_path: Path) -> House:
    """A copy of the other to go on with."""
    shutil.copytree(after[0].root, tmp_path, dirs_exist_ok=True)
    return House(tmp_path)


def test_before_the_search_finds_the_person_in_every_kind_of_file(before: House) -> None:
    """A search that finds nothing would prove nothing."""
    places = {path.relative_to(before.settings.lake).parts[0] for path in left(before)}
    assert places >= {"raw", "messages", "pixel_hits", "quarantine", "versions", "exclusions"}


def test_nothing_is_left_and_others_keep_what_is_theirs(
    before: House, after: tuple[House, list[erase.Found]]
) -> None:  # fmt: skip
    house, found = after
    assert left(house) == []
    kept = [row["event_id"] for row in before.events() if row["event_id"] in OTHERS]
    assert [row["event_id"] for row in house.events() if not row["is_access"]] == kept
    assert len(kept) == len(OTHERS)
    assert {one.source_file: one.lines for one in found} == {
        "access/a.log": 2, "events/a.jsonl": 11, "exclusions/a.csv": 2, "pixel/a.log": 2,
    }  # fmt: skip


def test_books_balance_with_what_was_erased(before: House, after: tuple[House, list[erase.Found]]) -> None:
    then = {row["source_file"]: row["messages"] for row in books(before)}
    now = {row["source_file"]: row for row in books(after[0])}
    assert {name: row["messages"] for name, row in now.items()} == then
    assert (now["events/a.jsonl"]["erased"], now["access/a.log"]["erased"]) == (12, 2)
    assert all(row["messages"] == row["valid"] + row["quarantined"] + row["erased"] for row in now.values())


def test_tombstones_keep_number_and_length_and_nothing_else(after: tuple[House, list[erase.Found]]) -> None:
    raw = list((after[0].settings.lake / "raw" / "events").rglob("*.parquet"))
    with duckdb.connect() as con:
        rows = con.execute(
            "select line_number, line, line_bytes, line_sha256 from read_parquet(?) order by 1", [list(map(str, raw))]
        ).fetchall()
    written = lines(EVENTS).splitlines()
    assert [row[0] for row in rows] == list(range(1, len(EVENTS) + 1))
    assert [row[2] for row in rows] == list(map(len, written))
    assert [row[0] for row in rows if not row[1]] == [2, 3, 5, 6, 8, 10, 11]
    assert all(row[3].startswith("erased:") for row in rows)
    # Of a batch that is others' too all but the person's messages stays, byte for byte.
    shared, came = json.loads(bytes(rows[0][1])), json.loads(written[0])
    assert shared | {"body": ""} == came | {"body": ""}
    assert json.loads(shared["body"])["messages"] == [None, json.loads(came["body"])["messages"][1]]


def test_the_list_names_nobody_and_is_its_owners_alone(after: tuple[House, list[erase.Found]]) -> None:
    path = after[0].settings.home / "erasures.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert not any(value in path.read_text() for value in (GONE, USER, ADDRESS))


def test_what_comes_again_is_erased_on_its_way_in(gone: House) -> None:
    events = gone.events()
    fill(gone, "again")
    assert left(gone) == []
    assert gone.events() == events
    now = {row["source_file"]: row["erased"] for row in books(gone)}
    assert now["events/again.jsonl"] == now["events/a.jsonl"]
    assert now["access/again.log"] == now["access/a.log"]


def test_a_file_that_grew_is_erased_again_and_what_it_replaces_stays_replaced(gone: House) -> None:
    more = request([event("11:00 /later", 7, "other"), event("11:00 /later", 7, GONE)])
    gone.put("events/a.jsonl", lines([*EVENTS, more]))
    gone.digest()
    assert left(gone) == []
    (landing,) = [found for found in landings(Lake(gone.settings)) if found.source_file == "events/a.jsonl"]
    assert [content.status for content in landing.contents] == ["superseded", "landed"]
    assert "other-7" in {row["event_id"] for row in gone.events()}


def test_a_run_killed_after_the_request_is_ended_by_the_next(filled: House) -> None:
    enlist(filled)
    filled.digest()
    remove_old_events(filled)
    assert left(filled) == []


def test_erasing_twice_or_touching_the_file_changes_nothing(gone: House) -> None:
    events, before = gone.events(), books(gone)
    (gone.root / "inbox" / "events" / "a.jsonl").touch()
    assert erased(gone) == []
    assert (gone.events(), books(gone), left(gone)) == (events, before, [])
    assert pipeline.verify(gone.settings, deep=True)["found"] == []


def test_an_erased_file_that_is_damaged_lands_again_without_the_person(gone: House) -> None:
    events = gone.events()
    path = next((gone.settings.lake / "raw" / "events").rglob("*.parquet"))
    path.write_bytes(b"x" * path.stat().st_size)
    pipeline.verify(gone.settings, repair=True)
    gone.digest()
    remove_old_events(gone)
    assert left(gone) == []
    assert gone.events() == events
    assert pipeline.verify(gone.settings, deep=True)["found"] == []


def test_a_day_on_which_nobody_is_left_is_no_more(house: House) -> None:
    house.put("events/a.jsonl", lines([request(events("10:00 /a", visitor="stays"))]))
    house.put("events/b.jsonl", lines([request(events("23:59 /b", visitor=GONE, day="2026-03-05"))]))
    house.digest()
    assert len(house.events()) == 2
    erased(house)
    assert [row["visitor_id"] for row in house.events()] == ["stays"]
    assert "2026-03-05" not in Lake(house.settings).units("sessionize", Day)
    assert not any(
        "2026-03-05" in str(path) for name in ("events", "copies", "event_counts") for path in house.files(name)
    )


def test_of_a_shared_device_only_the_sessions_of_the_person_go(house: House) -> None:
    mine = events("10:00 /a", "10:05 /b", visitor="shared-device")
    theirs = events("14:00 /a", "14:05 /b", visitor="shared-device", first=2)
    house.put("events/a.jsonl", lines([request(mine), request(theirs)]))
    house.digest()
    since = int(house.events()[0]["event_at"].timestamp() * 1_000_000)
    person = forget.Person("user", [("user", USER)], [("shared-device", since, since + 300_000_000)])
    forget.enlist(Lake(house.settings), [person])
    house.digest()
    assert [row["event_id"] for row in house.events()] == ["shared-device-2", "shared-device-3"]
