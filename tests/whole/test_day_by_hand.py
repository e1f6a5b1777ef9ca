"""A day that can be checked by hand, and real logs, on the command line that a user has."""

import csv
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest
from builders import House, shared
from builders.command import etl_alone

from etl import pipeline
from etl.settings import PROJECT, load_settings

DATA = PROJECT / "tests" / "data"


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run everything, as a user does, over the hand-checked day; return the home."""
    home = tmp_path_factory.mktemp("day")
    done = etl_alone("run", "--inbox", str(DATA / "day" / "inbox"), "--home", str(home))
    assert (done.returncode, done.stderr) == (0, "")
    return home


@pytest.mark.parametrize("table", sorted(path.stem for path in (DATA / "day" / "expected").glob("*.csv")))
def test_day_checked_by_hand(table: str, day: Path) -> None:
    with (DATA / "day" / "expected" / f"{table}.csv").open(newline="") as file:
        expected = list(csv.DictReader(file))
    columns = ", ".join(f'"{column}"::varchar as "{column}"' for column in expected[0])
    with duckdb.connect(str(day / "warehouse" / "bloodhound.duckdb"), read_only=True) as con:
        con.execute("set timezone = 'UTC'")
        rows = con.execute(f"select {columns} from {table} order by all").fetchall()
    found = [dict(zip(expected[0], row, strict=True)) for row in rows]
    assert [readable(row) for row in found] == [readable(row) for row in expected]


def readable(row: dict[str, str | None]) -> dict[str, Any]:
    """Read numbers, so that 20.5 is 20.5000, and nothing as null."""
    return {
        column: pytest.approx(float(text), rel=1e-9) if is_number(text) else text or None
        for column, text in row.items()
    }


def is_number(text: str | None) -> bool:
    return bool(re.fullmatch(r"-?[0-9.]+(e-?[0-9]+)?", text or ""))


def test_a_run_ends_with_the_page(day: Path) -> None:
    assert "Traffic" in (day / "report" / "index.html").read_text()


def test_second_run_says_that_nothing_is_new(day: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in day.rglob("*") if path.is_file() and path.name != ".lock"}
    done = etl_alone("run", "--inbox", str(DATA / "day" / "inbox"), "--home", str(day))
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.splitlines()) == {"land: nothing new", "nothing new"}
    after = {path: path.stat().st_mtime_ns for path in day.rglob("*") if path.is_file() and path.name != ".lock"}
    assert after == before


def test_airflow_is_not_started_when_nothing_is_new(day: Path, tmp_path: Path) -> None:
    """GIVEN a home that is up to date THEN `make run` says so at once; with one file more there is something to do."""
    inbox = tmp_path / "inbox"
    shutil.copytree(DATA / "day" / "inbox", inbox)
    command = [sys.executable, "-m", "ops", "run", "--inbox", str(DATA / "day" / "inbox"), "--home", str(day)]
    environment = os.environ | {"BLOODHOUND_AIRFLOW_HOME": str(tmp_path / "airflow")}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Nothing new in the inbox") and "Starting" not in done.stdout
    assert pipeline.is_up_to_date(load_settings(DATA / "day" / "inbox", day))
    (inbox / "access" / "site").mkdir(parents=True, exist_ok=True)
    (inbox / "access" / "site" / "new.log").write_bytes(b"")
    assert not pipeline.is_up_to_date(load_settings(inbox, day))


# Real input, where it lies beside the project.


def test_real_access_log_gives_the_page_views_a_plain_count_gives(house: House) -> None:
    path = shared("access/apache_2015.log")
    house.put("access/apache_2015.log", path.read_bytes())
    house.digest()
    shape = re.compile(
        r"^\S+ \S+ .*?\[[^\]]+\] "
        r'"(?P<method>[A-Z]+) (?P<target>\S+) HTTP/[\d.]+" (?P<status>\d{3}) (?:\d+|-) "[^"]*" "(?:[^"\\]|\\.)*"$'
    )
    assets = set(house.settings.asset_extensions)
    read = [(line, shape.match(line)) for line in path.read_text(errors="surrogateescape").splitlines()]
    bad = sum(found is None for _, found in read)
    views = set()
    for line, found in read:
        if found and found["method"] in {"GET", "HEAD"} and found["status"] in {"200", "304"}:
            ending = re.search(r"\.([A-Za-z0-9]+)$", re.split(r"[?#]", found["target"])[0])
            if not ending or ending[1].lower() not in assets:
                views.add(line)
    (file,) = house.scan("event_counts", columns="sum(accepted) as accepted, sum(duplicates) as duplicates")
    assert sum(1 for _ in path.open("rb")) == 10_000
    assert [reason for reason, _ in house.reasons()] == ["bad_line"] * bad == ["bad_line"]
    events = house.events()
    assert len(events) == file["accepted"] == len(views) > 3_000
    by_address = Counter(line.split(" ", 1)[0] for line in views)
    assert Counter(row["ip"] for row in events) == by_address and len(by_address) > 1_000


def test_real_collector_log_goes_through_and_balances(house: House) -> None:
    path = shared("events/snowplow_shop.jsonl")
    house.put("events/snowplow_shop.jsonl", path.read_bytes())
    house.digest()
    pipeline.build(house.settings)
    with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
        ((lines, messages, balance),) = con.execute("select lines, messages, balance from quality.ledger").fetchall()
        ((quarantined,),) = con.execute("select count(*) from quality.quarantine").fetchall()
    assert lines == sum(1 for _ in path.open("rb"))
    assert balance == 0
    assert messages >= quarantined
