"""Events go when they are not to be kept; what is kept of them holds, against kills, upgrades and damage."""

import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from builders import House, combined, each, events, lines
from pydantic import ValidationError

from etl import pipeline
from etl.errors import BadUse, Damaged
from etl.lake import sealed
from etl.lake.catalogue import Lake
from etl.settings import KeepDays, Settings
from etl.stages.parse import stage as parsing
from etl.tools import erase, forget, rebuild
from etl.tools.freeze import freeze
from etl.tools.let_go import leaving, waiting
from etl.tools.trace import trace
from etl.tools.usage import usage
from etl.tools.withdraw import withdraw

FIRST = date(2026, 1, 1)
OPEN = {"max_lateness_days": 2, "witness_days": 1, "stitch_days": 1, "attribution_window_days": 1}
KEEP = KeepDays(raw=4, events=11)
TABLES = (
    "core.sessions", "core.orders", "core.visitors", "executive.kpi_daily", "traffic.pages_daily", "traffic.hours",
    "quality.loss_hourly", "quality.stage_balance", "marketing.attribution",
)  # fmt: skip

Rows = dict[str, list[str]]


def day(number: int) -> str:
    return (FIRST + timedelta(days=number)).isoformat()


FIRST_KEPT = day(20)
"""Eleven days before the last, on which the last visit ends."""


def put_day(house: House, number: int) -> None:
    """Put a day's files: a visit with its hit, and one over midnight on a device that two people use."""
    on, name = day(number), f"v{number}"
    user = {"user_id": "ann" if number % 2 else "bob"}
    visit = events("10:00 /a", "10:05 order", visitor=name, day=on)
    visit += events("23:55 /b", visitor="shared", first=2 * number, day=on, **user)
    visit += events("00:05 /c", visitor="shared", first=2 * number + 1, day=day(number + 1), **user)
    house.put(f"events/{name}.jsonl", each(visit))
    clock = f"{on[8:]}/{FIRST + timedelta(days=number):%b/%Y}:10:00:00 +0000"
    hit = combined(f"10:00:00 /px.gif?e={name}-p0&a=shop&p=desktop_web&v={name}")
    house.put(f"pixel/{name}.log", lines([hit.replace("01/Mar/2026:10:00:00 +0000", clock)]))


def run(house: House) -> None:
    for task in (pipeline.land, pipeline.parse, pipeline.sessionize, pipeline.build):
        task(house.settings)


def figures(house: House) -> Rows:
    with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
        con.execute("set timezone = 'UTC'")
        told = "select columns(lambda name: name <> 'is_sealed') from"
        return {name: sorted(map(str, con.execute(f"{told} {name}").fetchall())) for name in TABLES}


def copied(house: House, target: Path) -> House:
    shutil.copytree(house.root, target)
    return House(target, OPEN | {"keep_days": KEEP})


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A home that keeps all, of eight days within thirty."""
    house = House(tmp_path_factory.mktemp("kept"), OPEN)
    for number in (0, 1, 2, 18, 19, 20, 29, 30):
        put_day(house, number)
    run(house)
    return house


@pytest.fixture(scope="module")
def gone(before: House, tmp_path_factory: pytest.TempPathFactory) -> House:
    """A copy whose events have gone: lines go in the first run, and events in the second."""
    house = copied(before, tmp_path_factory.mktemp("gone") / "copy")
    run(house)
    run(house)
    return house


@pytest.fixture
def house(gone: House, tmp_path: Path) -> House:
    return copied(gone, tmp_path / "copy")


def test_events_go_and_figures_stay(before: House, gone: House) -> None:
    assert sealed.edge(Lake(gone.settings)).gone_before == FIRST_KEPT
    assert min(row["event_date"] for row in gone.scan("events")) == date.fromisoformat(FIRST_KEPT)
    assert list(leaving(Lake(gone.settings), FIRST_KEPT)) == []
    assert figures(gone) == figures(before)


def test_a_run_that_is_killed_before_events_go_is_ended_by_the_next(before: House, tmp_path: Path) -> None:
    """GIVEN that what is to be kept has been written, and nothing has gone THEN the next run lets go of it."""
    house = copied(before, tmp_path / "copy")
    run(house)
    lake = Lake(house.settings)
    assert waiting(lake) == FIRST_KEPT
    (told,) = [row for row in usage(lake) if row.name == "messages and hits"]
    with pipeline.writing(house.settings):
        freeze(lake, FIRST_KEPT)
    pipeline.build(house.settings)
    assert figures(house) == figures(before)
    assert waiting(lake) == FIRST_KEPT
    assert not pipeline.is_up_to_date(house.settings)
    run(house)
    assert waiting(lake) is None
    assert figures(house) == figures(before)
    (left,) = [row for row in usage(lake) if row.name == "messages and hits"]
    assert left.bytes == told.bytes - told.freed
    assert told.freed > 0


def test_an_upgrade_brings_nothing_back_and_takes_nothing_away(
    before: House, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsing, "PARSER_VERSION", 999)
    run(house)
    assert figures(house) == figures(before)


def test_a_rebuild_keeps_what_is_kept_of_gone_days(before: House, house: House) -> None:
    with pipeline.writing(house.settings) as lake:
        rebuild.forget(lake)
    run(house)
    assert figures(house) == figures(before)


def test_a_file_whose_events_are_gone_cannot_be_withdrawn(house: House) -> None:
    with pipeline.writing(house.settings) as lake, pytest.raises(BadUse, match="what was made of them stays"):
        withdraw(lake, "events/v1.jsonl", "a test")
    with pipeline.writing(house.settings) as lake:
        assert withdraw(lake, "events/v29.jsonl", "a test") == [4]


def test_a_line_whose_events_are_gone_is_told_so(house: House) -> None:
    told = trace(house.settings, "events/v1.jsonl:1")
    assert told[-1] == f"message    none: events of days before {FIRST_KEPT} are gone, and what was made of them stays"


def test_a_manifest_that_cannot_be_read_is_made_again_of_its_files(before: House, house: House) -> None:
    run(house)
    for name in ("2026-01", sealed.EDGE):
        broken = Lake(house.settings).manifest_path(sealed.STAGE, name)
        broken.unlink()
        broken.write_text("{")
        with pytest.raises(Damaged):
            run(house)
        told = pipeline.verify(house.settings, repair=True)
        assert [damage.remedy for damage in told["found"]] == ["made again"]
        assert told["lost"] == []
        run(house)
        assert figures(house) == figures(before)


def test_damage_of_what_is_kept_is_told_and_not_made_worse(house: House) -> None:
    path = next(house.settings.lake.glob("sealed/int_sessions_totalled/*/*.parquet"))
    content = path.read_bytes()
    path.write_bytes(content[:-9])
    told = pipeline.verify(house.settings, repair=True)
    assert [damage.path for damage in told["lost"]] == [path]
    manifest = Lake(house.settings).manifest_path(sealed.STAGE, "2026-01")
    manifest.unlink()
    manifest.write_text("{")
    assert [damage.path for damage in pipeline.verify(house.settings, repair=True)["lost"]] == [manifest]


def test_a_device_that_is_shared_in_sealed_sessions_alone_is_shared(gone: House, house: House) -> None:
    """GIVEN that only sealed sessions tell that another used a device WHEN a user is erased THEN theirs alone go."""
    run(house)
    with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
        person = forget.person_of(con, Lake(house.settings), "user", "ann")
    assert ("visitor", "shared") not in person.names
    assert {visitor for visitor, _, _ in person.shared} == {"shared"}
    with pipeline.writing(house.settings) as lake:
        forget.enlist(lake, [person])
        found = erase.search_named(lake, ["ann"])
    run(house)
    assert sum(one.sessions for one in found) == 2
    with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
        left = con.execute("select distinct user_id from core.sessions where user_id is not null").fetchall()
    assert left == [("bob",)]


def test_whether_a_tracker_ever_spoke_is_known_when_its_events_are_gone(house: House) -> None:
    with pipeline.writing(house.settings) as lake:
        for number in (29, 30):
            withdraw(lake, f"events/v{number}.jsonl", "a test")
        forget.enlist(lake, [forget.Person("visitor", [("visitor", name) for name in ("v20", "shared")])])
        erase.search_named(lake, ["v20", "shared"])
    at = f"{day(30)[8:]}/{FIRST + timedelta(days=30):%b/%Y}:10:00:00 +0000"
    house.put("access/a.log", lines([combined("10:00:00 /page").replace("01/Mar/2026:10:00:00 +0000", at)]))
    run(house)
    with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
        assert con.execute("select count(*) from core.events where not is_access").fetchall() == [(0,)]
        assert con.execute("select bool_or(is_counted) from core.page_views where is_access").fetchall() == [(False,)]


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        ({"events": 200}, "keep_days.raw must be set"),
        ({"raw": 32, "events": 89}, "at least 95"),
        ({"raw": 60, "events": 122}, "at least 123"),
        ({"raw": 32, "addresses": 120, "events": 100}, "keep_days.addresses must be no longer"),
    ],
)
def test_events_that_are_needed_may_not_go(keep: dict[str, int], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Settings(keep_days=KeepDays.model_validate(keep))


def test_what_is_kept_says_which_days_it_stands_for(gone: House) -> None:
    edge = json.loads(Lake(gone.settings).manifest_path(sealed.STAGE, sealed.EDGE).read_text())["facts"]
    assert (edge["gone_before"], edge["rows_before"], edge["decided_before"]) == (FIRST_KEPT, day(23), day(26))
