"""Raw lines go when they are not to be kept; what was parsed of them holds, against upgrades, late lines, repairs."""

import json
import shutil
from dataclasses import replace
from datetime import date, timedelta
from hashlib import md5
from pathlib import Path

import pyarrow as pa
import pytest
from builders import House, Row, combined, each, event, events, lines, request
from builders.landed import contents, statuses
from pydantic import ValidationError

from etl import pipeline
from etl.errors import Damaged
from etl.lake.catalogue import Lake
from etl.lake.datasets import DATASETS
from etl.settings import KeepDays, Settings
from etl.stages.parse import stage as parsing
from etl.tools import backup, erase, forget, rebuild
from etl.tools.retain import waiting
from etl.tools.trace import trace
from etl.tools.usage import usage

FIRST = date(2026, 1, 1)
KEEP = 32


def day(number: int) -> str:
    return (FIRST + timedelta(days=number)).isoformat()


def put_day(house: House, number: int, visitor: str = "v") -> None:
    """Put a day's files: two visits, one of somebody else, a refused message, hits and access lines."""
    name, on = f"{visitor}{number}", day(number)
    house.put(
        f"events/{name}.jsonl",
        each([*events("10:00 /a", "10:05 order", visitor=name, day=on), event("11:00 /b", 0, f"other{name}", on),
              event("12:00 nonsense", 7, name, on)]),
    )  # fmt: skip
    at = f"{on} 10:00:00 /px.gif?e={name}-p0&a=shop&p=desktop_web&v={name}"
    house.put(f"pixel/{name}.log", lines([pixel(at)]))
    house.put(f"access/{name}.log", lines([pixel(f"{on} 10:00:00 /page")]))


def pixel(case: str) -> str:
    on, clock, target = case.split()
    when = f"{on[8:]}/{date.fromisoformat(on):%b/%Y}:{clock} +0000"
    return combined(f"10:00:00 {target}").replace("01/Mar/2026:10:00:00 +0000", when)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A home of forty days that keeps all; five of them have files."""
    house = House(tmp_path_factory.mktemp("kept"))
    for number in (0, 1, 2, 30, 40):
        put_day(house, number)
    house.digest()
    return house


@pytest.fixture
def house(before: House, tmp_path: Path) -> House:
    """A copy of it that keeps raw lines for 32 days, and has let go of what is older."""
    shutil.copytree(before.root, tmp_path / "copy")
    house = House(tmp_path / "copy", {"keep_days": KeepDays(raw=KEEP)})
    pipeline.land(house.settings)
    return house


def rows(house: House) -> dict[str, list[Row]]:
    """Read what marts are made of, without the names of files and folders that a copy has anew."""
    return {name: house.scan(name) for name in ("events", "event_counts", "pixel_hits", "quarantine")}


def test_lines_go_once_all_of_their_file_are_older_and_what_was_made_of_them_stays(before: House, house: House) -> None:
    assert {name: status for name, status in statuses(house).items() if "events/" in name} == {
        "events/v0.jsonl": "expired", "events/v1.jsonl": "expired", "events/v2.jsonl": "expired",
        "events/v30.jsonl": "landed", "events/v40.jsonl": "landed",
    }  # fmt: skip
    assert not [path for path in house.settings.lake.rglob("raw/**/*.parquet") if day(2) in str(path)]
    house.digest()
    assert rows(house) == rows(before)
    assert "bytes were freed" in str(contents(house, "events/v0.jsonl")[0].detail)


def test_what_is_kept_for_ever_never_goes(before: House) -> None:
    assert waiting(Lake(before.settings)) == []


def test_status_and_the_next_run_agree_on_what_goes(before: House, tmp_path: Path) -> None:
    shutil.copytree(before.root, tmp_path / "copy")
    house = House(tmp_path / "copy", {"keep_days": KeepDays(raw=KEEP)})
    (raw,) = [row for row in usage(Lake(house.settings)) if row.name == "landed lines"]
    assert not pipeline.is_up_to_date(house.settings)
    assert raw.freed > 0
    assert pipeline.land(house.settings)["bytes_freed"] == raw.freed
    assert usage(Lake(house.settings))[0].bytes == raw.bytes - raw.freed


def test_lines_that_would_be_parsed_otherwise_stay_until_they_are(
    before: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(before.root, tmp_path / "copy")
    house = House(tmp_path / "copy", {"keep_days": KeepDays(raw=KEEP)})
    monkeypatch.setattr(parsing, "PARSER_VERSION", 999)
    pipeline.land(house.settings)
    assert "expired" not in statuses(house).values()
    house.digest()
    pipeline.land(house.settings)
    assert statuses(house)["events/v0.jsonl"] == "expired"


def test_an_upgrade_reads_what_is_there_and_keeps_what_is_gone(
    before: House, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsing, "PARSER_VERSION", 999)
    house.digest()
    assert rows(house) == rows(before)


def test_a_rebuild_keeps_what_is_gone(before: House, house: House) -> None:
    house.digest()
    with pipeline.writing(house.settings) as lake:
        rebuild.forget(lake)
    house.digest()
    assert rows(house) == rows(before)


def test_a_version_with_other_columns_reads_what_is_gone(
    before: House, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN a column that files written before do not have THEN it is null in what cannot be parsed again."""
    house.digest()
    known = DATASETS["messages"]
    columns = known.columns.insert(0, pa.field("told_since", pa.string()))
    monkeypatch.setitem(DATASETS, "messages", replace(known, columns=columns))
    with pipeline.writing(house.settings):
        pass
    found = house.scan("messages", columns="told_since, event_id")
    assert {row["told_since"] for row in found} == {None}
    assert len(found) == len(before.scan("messages"))
    assert pipeline.verify(house.settings, deep=True) == {"found": [], "lost": []}


def test_a_backup_holds_what_is_gone(before: House, house: House, tmp_path: Path) -> None:
    house.digest()
    with pipeline.writing(house.settings) as lake:
        backup.take(lake, tmp_path / "backup")
    other = House(tmp_path / "other", house.keys)
    shutil.copytree(house.root / "inbox", other.root / "inbox")
    with Lake(other.settings).writing():
        backup.put_back(Lake(other.settings), tmp_path / "backup")
    other.digest()
    assert rows(other) == rows(before)


def test_damage_of_what_cannot_be_made_again_is_not_made_worse(before: House, house: House) -> None:
    house.digest()
    path = next(path for path in house.files("messages") if day(1) in str(path))
    content = path.read_bytes()
    path.write_bytes(b"x" * len(content))
    done = pipeline.verify(house.settings, deep=True, repair=True)
    assert [(damage.path, damage.remedy) for damage in done["lost"]] == [(path, "restore")]
    path.write_bytes(content)
    house.digest()
    assert rows(house) == rows(before)


def test_copies_in_other_words_stay_copies_and_collisions_collisions(tmp_path: Path) -> None:
    """Only lines tell one from the other: what they told is kept, whoever compares all copies anew."""
    one = event("10:00 /a", 0, "v", day(0))
    reordered = dict(reversed(one.items()))
    house = House(tmp_path)
    for name, message in {"a": one, "b": reordered, "c": one | {"locale": "de_DE"}}.items():
        house.put(f"events/{name}.jsonl", each([message]))
    put_day(house, 40)
    house.digest()
    counted = house.scan("event_counts")
    assert [row["kind"] for row in house.scan("copies")] == ["duplicate", "id_collision"]
    house = House(tmp_path, {"keep_days": KeepDays(raw=KEEP)})
    house.digest()
    assert statuses(house)["events/b.jsonl"] == "expired"
    with pipeline.writing(house.settings) as lake:
        rebuild.forget(lake)
    house.digest()
    assert [row["kind"] for row in house.scan("copies")] == ["duplicate", "id_collision"]
    assert house.scan("event_counts") == counted


def test_a_manifest_that_names_all_there_is_is_never_removed(house: House) -> None:
    """GIVEN it cannot be read, or is gone, THEN nothing goes on without what it held."""
    house.digest()
    paths = list(house.settings.lake.glob("manifests/parse/*.json"))
    contents_of = {path: path.read_bytes() for path in paths}
    for path in paths:
        path.write_bytes(b"{")
    done = pipeline.verify(house.settings, repair=True)
    assert {damage.path for damage in done["lost"]} == set(paths)
    for path in paths:
        path.unlink()
    with pytest.raises(Damaged, match="not to be kept"):
        pipeline.parse(house.settings)
    (damage,) = pipeline.verify(house.settings, repair=True)["lost"]
    assert "what was read of access/v0.log is gone" in str(damage)
    for path, content in contents_of.items():
        path.write_bytes(content)
    house.digest()
    assert pipeline.verify(house.settings, deep=True) == {"found": [], "lost": []}


@pytest.mark.parametrize("kind", ["messages", "hits", "access"])
def test_a_line_for_a_sealed_day_is_quarantined(before: House, house: House, kind: str) -> None:
    put_day(house, 1, "late")
    keep = {"messages": "events", "hits": "pixel", "access": "access"}[kind]
    for path in house.root.rglob("inbox/*/late1*"):
        if path.parent.name != keep:
            path.unlink()
    house.digest()
    found = rows(house)
    late = [row for row in found["quarantine"] if "late1" in row["source_file"]]
    assert {row["reason"] for row in late} == ({"sealed", "unknown_schema"} if kind == "messages" else {"sealed"})
    assert all(row["payload"] for row in late)
    assert f"before {day(8)}" in next(row["detail"] for row in late if row["reason"] == "sealed")
    was = rows(before)
    assert [row for row in found["quarantine"] if row not in late] == was["quarantine"]
    assert found["events"] == was["events"] and found["pixel_hits"] == was["pixel_hits"]


def test_a_line_of_a_day_that_is_not_sealed_counts(house: House) -> None:
    put_day(house, 9, "late")
    house.digest()
    assert "late9" in {row["visitor_id"] for row in house.events()}


def test_what_landed_before_the_seal_counts_though_it_is_parsed_again_or_grows(
    before: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN a file that holds lines of sealed days and of later ones WHEN it grows THEN those added are late alone."""
    shutil.copytree(before.root, tmp_path / "copy")
    house = House(tmp_path / "copy")
    grown = [pixel(f"{day(number)} 10:00:00 /mine{number}") for number in (1, 2, 39)]
    house.put("access/month.log", lines(grown))
    house.digest()
    house = House(tmp_path / "copy", {"keep_days": KeepDays(raw=KEEP)})
    house.digest()
    assert statuses(house)["access/month.log"] == "landed" and statuses(house)["access/v1.log"] == "expired"
    more = [pixel(f"{day(2)} 11:00:00 /late"), pixel(f"{day(39)} 11:00:00 /well")]
    house.put("access/month.log", lines([*grown, *more]))
    house.digest()
    monkeypatch.setattr(parsing, "PARSER_VERSION", 999)
    house.digest()
    paths = {row["url_path"] for row in house.events()}
    assert {"/mine1", "/mine2", "/mine39", "/well"} <= paths and "/late" not in paths
    assert [reason for reason, _ in house.reasons() if reason == "sealed"] == ["sealed"]


def test_the_same_file_again_adds_nothing(before: House, house: House) -> None:
    house.put("events/again.jsonl", (house.root / "inbox/events/v1.jsonl").read_bytes())
    touched = house.root / "inbox/events/v0.jsonl"
    touched.write_bytes(touched.read_bytes())
    house.digest()
    assert statuses(house)["events/v0.jsonl"] == "expired"
    assert rows(house)["events"] == rows(before)["events"]
    again = [row["reason"] for row in house.quarantine() if row["source_file"] == "events/again.jsonl"]
    assert sorted(again) == ["sealed", "sealed", "sealed", "unknown_schema"]


def test_a_person_is_erased_from_what_is_gone(before: House, house: House) -> None:
    house.digest()
    gone = "v1"
    person = forget.Person("visitor", [("visitor", gone)])
    with pipeline.writing(house.settings) as lake:
        forget.enlist(lake, [person])
        found = erase.search_named(lake, [gone])
    house.digest()
    assert {(one.source_file, one.lines, one.messages) for one in found} >= {("events/v1.jsonl", 3, 3)}
    left, was = rows(house), rows(before)
    assert left["events"] == [row for row in was["events"] if row["visitor_id"] != gone]
    assert left["pixel_hits"] == [row for row in was["pixel_hits"] if row["visitor_id"] != gone]
    assert [row for row in left["quarantine"] if row["source_file"] == "events/v1.jsonl"] == []
    (content,) = contents(house, "events/v1.jsonl")
    assert content.erased == 3
    with pipeline.writing(house.settings) as lake:
        assert erase.search_new(lake) == []
        rebuild.forget(lake)
    house.digest()
    assert rows(house)["events"] == left["events"]


def test_days_are_not_counted_from_a_clock_that_is_wrong(before: House, tmp_path: Path) -> None:
    shutil.copytree(before.root, tmp_path / "copy")
    house = House(tmp_path / "copy", {"keep_days": KeepDays(raw=45)})
    many = [pixel(f"{day(40)} 11:00:00 /page{number}") for number in range(200)]
    house.put("access/future.log", lines([*many, pixel("2099-01-01 10:00:00 /page")]))
    house.digest()
    house.digest()
    assert "expired" not in statuses(house).values()


def test_a_line_that_is_gone_is_told_by_what_was_made_of_it(house: House) -> None:
    told = trace(house.settings, "events/v1.jsonl:1")
    assert "events/v1.jsonl line 1, of which its raw lines were kept for 32 days" in told[0]
    assert any("v1-0" in line for line in told[1:])
    assert trace(house.settings, "v1-0")[0] == told[1]


def test_addresses_go_after_days_and_what_was_made_of_them_stays(tmp_path: Path) -> None:
    """GIVEN an office that is excluded by its address THEN it stays out when nobody can tell its address any more."""
    office, other = "203.0.113.50", "203.0.113.60"
    batches = [
        request(events("10:00 /a", visitor="clerk", day=day(0)), remote_addr=office),
        request(events("10:00 /a", visitor="guest", day=day(0)), remote_addr=other),
        request(events("10:00 /a", visitor="later", day=day(40)), remote_addr=other),
        '{"cut": 1, "remote_addr": "' + other,
    ]
    for number, batch in enumerate(batches):
        house = House(tmp_path)
        house.put(f"events/{number}.jsonl", lines([batch] if number < 3 else [batches[0] | {"path": "/x"}, batch]))
    house.put("exclusions/office.csv", f"kind,value\nip,{office}/32\n".encode())
    house.put("access/a.log", lines([pixel(f"{day(0)} 10:00:00 /page")]))
    house.digest()
    before = house.events()
    assert {row["visitor_id"] for row in before if row["is_excluded"]} == {"clerk"}
    said = str(house.quarantine())
    house = House(tmp_path, {"keep_days": KeepDays(raw=KEEP, addresses=KEEP)})
    house.digest()
    after = house.events()
    gone = [row for row in before if row["event_at"].date() < date.fromisoformat(day(40))]
    assert after == [row | {"ip": None} if row in gone else row for row in before]
    assert {row["ip"] for row in after} == {None, other}
    assert not [row for row in house.scan("messages") if row["ip"] and row["visitor_id"] in {"clerk", "guest"}]
    assert other in said and other not in str(house.quarantine())
    with pipeline.writing(house.settings) as lake:
        rebuild.forget(lake)
    house.digest()
    assert house.events() == after


def test_payloads_go_after_days_and_their_rows_stay(tmp_path: Path) -> None:
    """GIVEN refused messages, a copy of one in a file that is kept, and a borrowed id THEN each stays what it was."""
    exposure = event("10:00 experiment_exposure", 0, "v", day(0)) | {
        "data": {"experiment": "green", "variant": "b"}, "app_id": "",
    }  # fmt: skip
    refused, one = event("10:01 nonsense", 1, "v", day(0)), event("10:02 /a", 2, "v", day(0))
    house = House(tmp_path)
    house.put("events/a.jsonl", each([exposure, refused, one]))
    house.put("events/b.jsonl", each([one | {"locale": "de_DE"}]))
    house.put("events/again.jsonl", each([refused, event("10:00 /z", 9, "z", day(40))]))
    house.put("pixel/a.log", b"no log line\n")
    put_day(house, 40)
    house.digest()
    before = house.quarantine()
    assert all(row["payload"] for row in before)
    house = House(tmp_path, {"keep_days": KeepDays(raw=KEEP, quarantine=KEEP)})
    house.digest()
    after = house.quarantine()
    gone = [row for row in after if row["source_file"] in {"events/a.jsonl", "events/b.jsonl"}]
    assert len(gone) == 3 and [row for row in after if row not in gone] == [
        row for row in before if row["source_file"] not in {"events/a.jsonl", "events/b.jsonl"}
    ]
    said = {"payload", "payload_key"}
    assert [{name: row[name] for name in row.keys() - said} for row in after] == [
        {name: row[name] for name in row.keys() - said} for row in before
    ]
    (narrow,) = [json.loads(row["payload"]) for row in gone if row["payload"]]
    assert narrow == {
        "schema": "experiment_exposure", "visitor_id": "v", "data": {"experiment": "green", "variant": "b"},
    }  # fmt: skip
    assert [row["payload_key"] for row in gone] == [
        md5(str(row["payload"]).encode()).hexdigest() for row in before
        if row["source_file"] in {"events/a.jsonl", "events/b.jsonl"}
    ]  # fmt: skip
    with pipeline.writing(house.settings) as lake:
        rebuild.forget(lake)
    house.digest()
    made_again = [row | {"payload_key": None} if row["reason"] == "id_collision" else row for row in after]
    assert house.quarantine() == made_again
    with pipeline.writing(house.settings) as lake:
        forget.enlist(lake, [forget.Person("visitor", [("visitor", "v")])])
        erase.search_named(lake, ["v"])
    house.digest()
    assert not [row for row in house.quarantine() if narrow == json.loads(row["payload"] or "null")]


@pytest.mark.parametrize("what", ["addresses", "quarantine"])
def test_nothing_is_kept_for_less_than_the_lines_that_hold_it(what: str) -> None:
    for keep in ({what: 40}, {"raw": 60, what: 40}):
        with pytest.raises(ValidationError, match=f"keep_days.{what}: raw lines hold"):
            Settings(keep_days=KeepDays.model_validate(keep))


def test_less_than_lateness_is_bad_use() -> None:
    with pytest.raises(ValidationError, match="at least 32"):
        Settings(keep_days=KeepDays(raw=31))
    assert Settings(keep_days=KeepDays(raw=0)).keep_days.raw == 0
