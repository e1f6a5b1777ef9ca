"""Only the set of inputs counts: order, grouping, repetition and interruption change no number."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest
from backports import zstd
from builders import House, combined, each, event, events, lines, request
from builders.command import etl_alone
from builders.snowplow import PV, posted
from builders.versions import V1, V2, V3
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from etl import pipeline
from etl.errors import BadUse
from etl.lake import sql
from etl.settings import PROJECT
from etl.simulate import simulate

SOURCE_COLUMNS = {"source_file", "line_number", "position", "file_id"}
HISTORY = {"quality.restatements"}
"""What was published when is outside the promise."""
BY_FILE = {
    "quality.ledger": "select sum(accepted), sum(abs(balance)) from quality.ledger",
    "quality.stage_balance": "select distinct stage, balance from quality.stage_balance order by all",
    # The share of requests that are none of messages' is one of the requests delivered.
    "quality.checks": "select * exclude (value) from quality.checks"
    " where \"check\" = 'unrouted_requests' union all by name select * from quality.checks"
    " where \"check\" <> 'unrouted_requests' order by all",
    "quality.quarantine": "select count(distinct (reason, detail, payload, received_at)) from quality.quarantine",
}
"""Count a file delivered again as often as it comes; of these what does not depend on that is compared."""


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[bytes]]:
    """A small simulated inbox in all formats that are read: the lines of each source."""
    inbox = tmp_path_factory.mktemp("simulated")
    simulate(
        inbox, messages=2500, days=3, seed=11, compress="none", v1=0.1, v2=0.2, snowplow=0.2, retries=0.05, late=0.02,
        garbage=0.01,
    )  # fmt: skip
    found: dict[str, list[bytes]] = {}
    for path in sorted(inbox.rglob("*")):
        if path.is_file():
            source = path.relative_to(inbox).parts[0]
            found.setdefault(source, []).extend(path.read_bytes().splitlines(keepends=True))
    # An app that was updated sends what it could not send before once more, in the newest version.
    again = [request([V1], "10:01"), request([V2, V3], "10:02"), request([V2 | {"nav": 0}], "10:03")]
    again += [posted(PV), posted(PV, received="10:01:10"), posted({key: PV[key] for key in PV if key != "eid"})]
    found["events"] += lines(again).splitlines(keepends=True)
    return {source: found[source] for source in ("events", "pixel")}


SUFFIX = {"events": "jsonl", "pixel": "log"}


def fingerprint(con: duckdb.DuckDBPyConnection, table: str, without: set[str]) -> tuple[int, Any]:
    """Count a table's rows and add up their hashes, some columns apart."""
    columns = [row[0] for row in con.execute(f"describe select * from {table}").fetchall()]
    kept = sorted(column for column in columns if column not in without)
    rows = ", ".join(f'"{column}"' for column in kept)
    return con.execute(f"select count(*), sum(hash(row({rows})::varchar)::hugeint) from {table}").fetchall()[0]


def lake_outcome(house: House) -> tuple[int, Any]:
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        events = f"read_parquet([{sql.texts(house.files('events'))}], hive_partitioning = true)"
        return fingerprint(con, events, SOURCE_COLUMNS)


def outcome(house: House) -> dict[str, Any]:
    """Fingerprint the canonical events and every mart."""
    found: dict[str, Any] = {"lake events": lake_outcome(house)}
    with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
        con.execute("set timezone = 'UTC'")
        tables = con.execute(
            "select table_schema || '.' || table_name from information_schema.tables order by 1"
        ).fetchall()
        for (table,) in tables:
            if table in BY_FILE:
                found[table] = con.execute(BY_FILE[table]).fetchall()
            elif table not in HISTORY:
                found[table] = fingerprint(con, table, SOURCE_COLUMNS)
    return found


def run(house: House) -> None:
    """Do all stages; sample logs lose more than the checks allow, which is no matter here."""
    house.digest()
    pipeline.build(house.settings)


def whole(root: Path, logs: dict[str, list[bytes]], **keys: Any) -> House:
    """Put all rows into one file a source."""
    house = House(root, keys)
    for source, rows in logs.items():
        house.put(f"{source}/all.{SUFFIX[source]}", b"".join(rows))
    return house


def scatter(house: House, logs: dict[str, list[bytes]], chance: random.Random, runs: int) -> Any:
    """Bring the rows in as many runs: shuffled, cut into files anyhow, some files twice."""
    files: list[tuple[str, bytes]] = []
    for source, rows in logs.items():
        shuffled = chance.sample(rows, len(rows)) if chance.random() < 0.7 else rows
        cuts = sorted(chance.randrange(len(rows)) for _ in range(chance.randrange(1, 6)))
        for number, (first, last) in enumerate(zip([0, *cuts], [*cuts, len(rows)], strict=True)):
            content = b"".join(shuffled[first:last])
            packed = chance.random() < 0.3
            ending = SUFFIX[source] + (".zst" if packed else "")
            name = f"{source}/{chance.choice('abc')}/{chance.randrange(10**6)}-{number}.{ending}"
            files.append((name, zstd.compress(content) if packed else content))
            if source == "events" and chance.random() < 0.3:
                files.append((name.replace("-", "-again-"), files[-1][1]))
    chance.shuffle(files)
    for number in range(runs):
        for name, content in files[number::runs]:
            house.put(name, content)
        yield number


@pytest.fixture(scope="module")
def at_once(simulated: dict[str, list[bytes]], tmp_path_factory: pytest.TempPathFactory) -> House:
    """One run over everything, marts included."""
    house = whole(tmp_path_factory.mktemp("at_once"), simulated)
    run(house)
    return house


unhurried: Any = {
    "deadline": None, "phases": [Phase.explicit, Phase.generate], "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
}  # fmt: skip


@settings(max_examples=1, **unhurried)
@given(seed=st.integers(0, 2**32), runs=st.integers(2, 4))
def test_events_are_the_same_however_the_lines_come(
    at_once: House, simulated: dict[str, list[bytes]], tmp_path_factory: pytest.TempPathFactory, seed: int, runs: int
) -> None:
    house = House(tmp_path_factory.mktemp("scattered"))
    for _ in scatter(house, simulated, random.Random(seed), runs):
        house.digest()
    assert lake_outcome(house) == lake_outcome(at_once)


@pytest.mark.prove
@settings(max_examples=6, **unhurried)
@given(seed=st.integers(0, 2**32), runs=st.integers(2, 5))
def test_marts_are_the_same_however_the_lines_come(
    at_once: House, simulated: dict[str, list[bytes]], tmp_path_factory: pytest.TempPathFactory, seed: int, runs: int
) -> None:
    house = House(tmp_path_factory.mktemp("scattered"))
    for _ in scatter(house, simulated, random.Random(seed), runs):
        run(house)
    assert outcome(house) == outcome(at_once)


@pytest.mark.prove
@pytest.mark.parametrize(("threads", "memory"), [(1, "512MB"), (2, "512MB"), (4, "1500MB")])
def test_threads_and_memory_change_no_figure(
    at_once: House, simulated: dict[str, list[bytes]], tmp_path: Path, threads: int, memory: str
) -> None:
    house = whole(tmp_path, simulated, threads=threads, memory_limit=memory)
    run(house)
    assert outcome(house) == outcome(at_once)


def test_all_formats_are_among_what_comes(at_once: House) -> None:
    versions = {row["version"] for row in at_once.scan("messages", columns="distinct version")}
    assert versions == {1, 2, 3, None}
    assert {"duplicates", "collisions"} <= {
        key for row in at_once.scan("event_counts") for key, count in row.items() if count
    }


def test_fingerprint_sees_a_changed_value() -> None:
    with duckdb.connect() as con:
        con.execute("create table a as select * from (values (1, 'x'), (2, null)) as t(n, s)")
        con.execute("create table b as select * from (values (2, null), (1, 'x')) as t(n, s)")
        con.execute("create table c as select * from (values (2, ''), (1, 'x')) as t(n, s)")
        assert fingerprint(con, "a", set()) == fingerprint(con, "b", set())
        assert fingerprint(con, "a", set()) != fingerprint(con, "c", set())
        assert fingerprint(con, "b", {"s"}) == fingerprint(con, "c", {"s"})


def written(house: House) -> dict[str, tuple[int, int]]:
    """Say when every file of the home was written."""
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_ino)
        for path in house.settings.home.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_run_again_writes_nothing(at_once: House) -> None:
    before = written(at_once)
    settings_now = at_once.settings
    assert pipeline.land(settings_now)["files"] == 0
    assert pipeline.parse(settings_now)["files"] == 0
    assert pipeline.sessionize(settings_now)["days"] == []
    assert pipeline.build(settings_now)["published"] is None
    changed = {path for path, when in written(at_once).items() if before.get(path) != when}
    assert {Path(path).name for path in changed} <= {"sessionized.json"}
    assert before.keys() == written(at_once).keys()


def test_backfill_of_a_day_changes_no_number(at_once: House, tmp_path: Path) -> None:
    before = lake_outcome(at_once)
    day = min(at_once.events("event_date"), key=lambda row: row["event_date"])["event_date"]
    assert pipeline.parse(at_once.settings, days=[day])["files"] > 0
    assert pipeline.sessionize(at_once.settings, days=[day])["days"][0] == day.isoformat()
    assert lake_outcome(at_once) == before


def test_files_a_killed_parse_left_are_not_read(house: House) -> None:
    """Killed between a batch's manifest and its files, parse has no work left, but dbt would read the files."""
    house.put("events/a.jsonl", lines(["cut", request(events("10:00 /a"))]))
    house.put("pixel/a.log", lines([combined("10:00:00 /px.gif?e=p")]))
    house.digest()
    for path in [*house.settings.lake.glob("quarantine/*"), *house.settings.lake.glob("pixel_hits/*/*")]:
        shutil.copy(path, path.with_name("left.parquet"))
    # A killed run leaves its staging folder: what it had placed is swept by the next.
    (house.settings.lake / "staging" / "killed").mkdir(parents=True)
    pipeline.sessionize(house.settings)
    assert list(house.settings.lake.rglob("left.parquet")) == []
    assert len(house.quarantine()) == 1
    assert len(house.scan("pixel_hits")) == 1


def test_numbers_that_no_client_means_do_not_stop_publication(house: House) -> None:
    """GIVEN the largest index and the largest sums that are read THEN the marts are built all the same."""
    house.put(
        "events/a.jsonl",
        each(
            [
                event("10:00 /", 0, index=2**63 - 1), event("10:01 /", 1, index=2**62), event("10:02 /", 2, index=0),
                event("10:03 order", 3, data={"order_id": "a", "revenue": "1000000000000.00"}),
                event("10:04 order", 4, data={"order_id": "b", "revenue": "999999999999.9999", "quantity": 10**17}),
                event("10:05 order", 5, data={"order_id": "c", "revenue": "-999999999999.99"}),
            ]
        ),
    )  # fmt: skip
    house.digest()
    assert [reason for reason, _ in house.reasons()] == ["malformed_key", "malformed_key"]
    pipeline.build(house.settings)


def test_missing_inbox_takes_back_no_exclusion(house: House) -> None:
    house.put("exclusions/a.csv", b"kind,value,from,to,reason\nvisitor,v,,,test\n")
    house.take(event("10:00 /"))
    house.keys["inbox"] = house.root / "not mounted"
    for stage in (pipeline.land, pipeline.is_up_to_date):
        with pytest.raises(BadUse, match="not mounted"):
            stage(house.settings)
    assert pipeline.sessionize(house.settings)["days"] == []
    assert [row["is_excluded"] for row in house.events()] == [True]


def test_copies_of_a_message_months_apart_do_not_fail_the_build(house: House) -> None:
    """Both are kept (duplicates are exact within the lateness allowed): no client may stop the marts so."""
    message = event("10:00 order", data={"order_id": "o1", "revenue": "5.00", "currency": "USD", "quantity": 1})
    view = event("10:00 /a", 1)
    received = ("2026-03-01 10:00", "2026-05-01 10:00")
    house.put("events/a.jsonl", lines(request([message, view], when, sent_at=...) for when in received))
    run(house)
    with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
        assert con.execute("select count(*) from core.events").fetchall() == [(4,)]
        assert con.execute("select count(*) from core.orders").fetchall() == [(1,)]
        # Beyond the lateness limit the same page is seen anew.
        assert con.execute("select count(*) filter (not is_repeat) from core.page_views").fetchall() == [(2,)]
        assert con.execute("select sum(page_views) from executive.kpi_daily").fetchall() == [(2,)]


# Interruption: a run killed anywhere is completed by the next.


@pytest.mark.prove
def test_run_killed_fifty_times_comes_out_as_one_left_alone(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    etl_alone("simulate", "--out", str(inbox), "--messages", "6000", "--days", "3", "--seed", "3")
    quiet = House(tmp_path / "quiet")
    started = time.monotonic()
    etl_alone("run", "--inbox", str(inbox), "--home", str(quiet.settings.home))
    usual = time.monotonic() - started
    expected = outcome(quiet)
    chance, kills, homes = random.Random(8), 0, 0
    while kills < 50:
        homes += 1
        house = House(tmp_path / f"killed{homes}")
        for number in range(8):
            # What is done stays done, so most kills come early; some reach the publishing.
            late = number % 3 == 2
            if not kill_run(
                inbox, house.settings.home, usual * chance.uniform(0.5 if late else 0.06, 0.85 if late else 0.45)
            ):
                break
            kills += 1
        done = etl_alone("run", "--inbox", str(inbox), "--home", str(house.settings.home))
        assert "Traceback" not in done.stderr
        assert outcome(house) == expected, f"home {homes} after {kills} kills"


def kill_run(inbox: Path, home: Path, after: float) -> bool:
    """Start a run and kill it -9 after so many seconds, with all it started; say whether it was still running."""
    command = [sys.executable, "-m", "etl", "run", "--inbox", str(inbox), "--home", str(home)]
    process = subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False
