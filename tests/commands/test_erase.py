"""People are forgotten on the command line, and what others read is made anew at once."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from builders import House, combined, event, events, lines, request
from builders.command import etl
from builders.snowplow import PV, posted

ANA, PHONE, SHARED = "ana-laptop-51c2", "ana-phone-90ff", "family-tablet-7"
USER = "ana@shop.example"


def rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(home / "warehouse" / "bloodhound.duckdb"), read_only=True) as con:
        return con.execute(query).fetchall()


def folders(house: House) -> list[str | Path]:
    return ["--inbox", house.root / "inbox", "--home", house.root / "home"]


@pytest.fixture(scope="module", autouse=True)
def masked() -> Iterator[None]:
    """Addresses are hidden in what is published."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("BLOODHOUND_IP_ADDRESSES", "truncate")
        yield


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, str]:
    """Ana has a laptop, a phone, and a tablet that Ben uses too; she is forgotten, after a page and an export."""
    house = House(tmp_path_factory.mktemp("erased"))
    ben = events("10:00 /a", "10:05 order", visitor="ben")
    batches = [
        request([*events("09:00 /a", "09:05 /b", visitor=ANA), *ben]),
        request(events("11:00 /c", visitor=ANA, first=2, user_id=USER)),
        request(events("12:00 /d", "12:05 order", visitor=PHONE, user_id=USER)),
        request(events("20:00 /e", visitor=SHARED, user_id=USER)),
        request(events("22:00 /f", visitor=SHARED, first=1, user_id="ben@shop.example")),
        posted(PV | {"eid": "s1", "duid": ANA}, PV | {"eid": "s2", "duid": "carla"}),
        request([event("10:20 nonsense", 7, ANA)]),
        '{"request_id":"r","remote_addr":"203.0.113.77","received_at":',
    ]
    house.put("events/a.jsonl", lines(batches))
    seen = [
        ("09:00", "p0", ANA), ("09:05", "p1", ANA), ("10:00", "p0", "ben"), ("11:00", "p2", ANA),
        ("12:00", "p0", PHONE), ("20:00", "p0", SHARED), ("22:00", "p1", SHARED), ("10:00", "s1", ANA),
        ("10:00", "s2", "carla"),
    ]  # fmt: skip
    hits = [
        combined(f"{at}:00 /px.gif?e={page if page[0] == 's' else f'{who}-{page}'}&a=shop&p=desktop_web&v={who}")
        for at, page, who in seen
    ]  # fmt: skip
    house.put("pixel/a.log", lines(hits))
    etl("run", *folders(house))
    etl("report", "--home", house.root / "home")
    etl("export", "core.sessions", "--home", house.root / "home")
    etl("backup", house.root / "backup", "--home", house.root / "home")
    return house, etl("erase", "--user", USER, *folders(house))


def test_the_person_is_gone_on_every_device_and_nobody_else(house: tuple[House, str]) -> None:
    home = house[0].root / "home"
    assert rows(home, "select visitor_id, count(*) from core.events group by 1 order by 1") == [
        ("ben", 2), ("carla", 1), (SHARED, 1),
    ]  # fmt: skip
    assert rows(home, "select person_id from core.sessions order by 1") == [("ben",), ("ben@shop.example",), ("carla",)]
    assert rows(home, "select count(*) from core.orders") == [(1,)]


def test_the_books_say_so_and_balance(house: tuple[House, str]) -> None:
    home = house[0].root / "home"
    assert rows(home, "select source_file, erased, balance from quality.ledger order by 1") == [
        ("events/a.jsonl", 8, 0), ("pixel/a.log", 0, 0),
    ]  # fmt: skip
    assert rows(home, "select kind, person_count, message_count, first_date::varchar from quality.erasures") == [
        ("user", 1, 8, "2026-03-01")
    ]  # fmt: skip


def test_the_receipt_names_what_still_holds_the_person_and_not_the_person(house: tuple[House, str]) -> None:
    at, said = house
    assert "inbox      events/a.jsonl still holds it" in said
    assert f"backup     {at.root / 'backup'} still holds it" in said
    assert "nothing is left" in said
    (receipt,) = (at.root / "home" / "history" / "erasures").iterdir()
    assert not re.search("ana|family", receipt.read_text())


def test_what_others_read_is_made_anew_at_once(house: tuple[House, str]) -> None:
    home = house[0].root / "home"
    assert not (home / "exports").exists()
    assert (home / "report" / "index.html").exists()
    assert "every file is what was written" in etl("verify", "--deep", "--home", home)
    assert len(list((home / "lake" / "versions" / "events").rglob("*.parquet"))) == 1


@pytest.mark.prove
def test_files_and_a_backup_that_come_again_bring_nobody_back(house: tuple[House, str], tmp_path: Path) -> None:
    at, _ = house
    before = rows(at.root / "home", "select * from core.events order by all")
    shutil.copytree(at.root / "home", tmp_path / "home")
    shutil.rmtree(tmp_path / "home" / "lake")
    shutil.rmtree(tmp_path / "home" / "warehouse")
    (tmp_path / "inbox" / "events").mkdir(parents=True)
    etl("restore", at.root / "backup", "--home", tmp_path / "home", exit_code=1)
    shutil.copy(at.root / "inbox" / "events" / "a.jsonl", tmp_path / "inbox" / "events" / "b.jsonl")
    etl("run", "--inbox", tmp_path / "inbox", "--home", tmp_path / "home")
    assert rows(tmp_path / "home", "select * from core.events order by all") == before
    assert rows(tmp_path / "home", "select source_file, erased from quality.ledger where erased > 0 order by 1") == [
        ("events/a.jsonl", 8), ("events/b.jsonl", 8),
    ]  # fmt: skip


def test_what_is_published_hides_addresses_and_what_is_whole_is_the_owners_alone(house: tuple[House, str]) -> None:
    home = house[0].root / "home"
    (payload,) = rows(home, "select payload from quality.quarantine")
    assert "203.0.113.0" in payload[0] and "203.0.113.77" not in payload[0]
    shown = home / "lake" / "marts" / "quality" / "quarantine.parquet"
    with duckdb.connect() as con:
        assert con.execute("select payload from read_parquet(?)", [str(shown)]).fetchall() == [payload]
        kept = [str(path) for path in (home / "lake" / "quarantine").glob("*.parquet")]
        assert "203.0.113.77" in str(con.execute("select payload from read_parquet(?)", [kept]).fetchall())
    for name in ("lake/quarantine", "lake/raw", "lake/messages", "warehouse/build", "lake", "warehouse", "history"):
        assert (home / name).stat().st_mode & 0o777 == 0o700, name
    made = [path for name in ("lake", "warehouse") for path in (home / name).rglob("*")]
    assert [path for path in made if path.stat().st_mode & 0o007] == []


def test_marts_without_persons_lie_in_a_file_of_their_own(house: tuple[House, str]) -> None:
    home = house[0].root / "home"
    with duckdb.connect(str(home / "warehouse" / "marts.duckdb"), read_only=True) as con:
        tables = {f"{schema}.{name}" for schema, name in con.execute(
            "select schema_name, table_name from duckdb_tables()"
        ).fetchall()}  # fmt: skip
        columns = {name for (name,) in con.execute("select column_name from duckdb_columns()").fetchall()}
        days = con.execute("select count(*) from executive.kpi_daily").fetchall()
    assert tables >= {"executive.kpi_daily", "marketing.channel_performance", "quality.checks", "quality.ledger"}
    assert not {table for table in tables if table.startswith("core.")} | (tables & {"quality.quarantine"})
    assert not columns & {"visitor_id", "person_id", "user_id", "session_id", "ip", "payload"}
    assert days == rows(home, "select count(*) from executive.kpi_daily")


def test_bad_use_is_one_sentence(house: tuple[House, str]) -> None:
    home = house[0].root / "home"
    assert "say whom to erase" in etl("erase", "--home", home, exit_code=2)
    assert "is no address" in etl("erase", "--ip", "somewhere", "--home", home, exit_code=2)
    assert "means nobody" in etl("erase", "--user", " ", "--home", home, exit_code=2)
