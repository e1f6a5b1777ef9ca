"""One line whose clock was wrong moves nothing: no calendar, no now, no restatement; and somebody is told."""

from pathlib import Path
from typing import Any

import duckdb
import pytest
from builders import House, combined, event, events, lines, request
from builders.command import etl

LONG_AGO, LATER = "1999-01-01", "2099-01-01"
DAYS = ("2026-03-01", "2026-03-02")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days, a line of 1999 and one of 2099, and a hit of 2099."""
    house = House(tmp_path_factory.mktemp("strays"))
    rows: list[Any] = [
        request([event(f"10:{number % 60:02} /a", 0, f"v{day[-1]}-{number}", day=day)])
        for day in DAYS for number in range(120)
    ]  # fmt: skip
    rows[7:7] = [request(events("10:00 /old", visitor="old", day=LONG_AGO))]
    rows.append(request(events("10:00 /new", visitor="new", day=LATER)))
    house.put("events/a.jsonl", lines(rows))
    hits = [
        combined(f"{day} 10:{number % 60:02}:00 /px.gif?e={name}-p0&a=shop&p=desktop_web&v={name}")
        for day in DAYS for number in range(120) for name in [f"v{day[-1]}-{number}"]
    ]  # fmt: skip
    house.put("pixel/a.log", lines([*hits, combined(f"{LATER} 10:00:00 /px.gif?e=x&a=shop&p=desktop_web&v=x")]))
    etl("run", "--inbox", house.root / "inbox", "--home", house.root / "home")
    return house.root / "home"


def rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(home / "warehouse" / "bloodhound.duckdb"), read_only=True) as con:
        con.execute("set timezone = 'UTC'")
        return con.execute(query).fetchall()


def test_calendars_and_restatements_have_days_with_data_only(home: Path) -> None:
    days = [(day,) for day in DAYS]
    assert rows(home, "select date::varchar from executive.kpi_daily order by 1") == days
    assert rows(home, "select distinct date::varchar from quality.restatements order by 1") == days


def test_events_are_accepted_and_excluded(home: Path) -> None:
    assert rows(home, "select visitor_id from core.events where is_excluded order by 1") == [("new",), ("old",)]
    assert rows(home, "select accepted, balance from quality.ledger where source_file like 'events/%'") == [(242, 0)]
    assert rows(home, "select sum(sessions) from executive.kpi_daily") == [(240,)]


def test_the_check_names_file_and_line(home: Path) -> None:
    ((status, value, hint),) = rows(
        home, "select status, value, hint from quality.checks where \"check\" = 'stray_days'"
    )
    assert (status, value) == ("warn", 3)
    for place in ("events/a.jsonl line 8 (1999-01-01)", "events/a.jsonl line 242 (2099-01-01)", "pixel/a.log line 241"):
        assert place in hint
