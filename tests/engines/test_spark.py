"""Spark itself: on this machine's cores, and on a cluster of this machine whose workers are killed."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from builders import House
from builders.cluster import Cluster, cluster, kill_tree, wait
from builders.engines import KEYS, PLAN, assert_same_rows, bring_late

from benchmarks.equality.tables import Allowed, differences, snapshot
from etl import pipeline
from etl.engines.choose import has_java
from etl.errors import BloodhoundError
from etl.lake.catalogue import Lake
from etl.settings import PROJECT
from etl.simulate import simulate
from etl.stages.sessionize import shares

pytestmark = pytest.mark.skipif(
    find_spec("pyspark") is None or not has_java(), reason="there is no Spark: make setup-spark"
)
CUT_SMALL = """
import sys
from etl.stages.parse import slices
from etl.stages.sessionize import shares
slices.SLICE_BYTES, shares.SHARE_BYTES = 1_000_000, int(sys.argv.pop(1))
from etl.commands.main import main
sys.argv = ["etl", *sys.argv[1:]]
main()
"""
"""The command line, with slices and shares (of so many bytes) so small that a few rows make many tasks."""


def test_the_rows_of_this_machines_cores_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    plain = House(tmp_path / "plain", KEYS)
    simulate(plain.settings.inbox, **PLAN | {"messages": 400, "days": 1})
    plain.digest()
    monkeypatch.setattr(shares, "SHARE_BYTES", 10_000)
    spark = {"engine": "spark", "spark_master": "local[2]", "inbox": plain.settings.inbox}
    house = House(tmp_path / "spark", KEYS | spark)
    house.digest()
    assert len(house.files("events")) > len(plain.files("events"))
    assert_same_rows(house, plain)
    assert list(Lake(house.settings).path("staging").iterdir()) == []
    told = capfd.readouterr()
    assert KEYS["key"] not in told.out + told.err


def test_a_machine_with_other_code_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.engines.spark.code_digest", lambda settings: "the driver's")
    house = House(tmp_path, KEYS | {"engine": "spark", "spark_master": "local[2]"})
    simulate(house.settings.inbox, messages=20, days=1)
    with pytest.raises(BloodhoundError, match=r"a task on Spark failed: .* has other code, configuration or librar"):
        house.digest()
    assert pipeline.pending(house.settings)


@pytest.fixture
def lent(tmp_path: Path) -> Iterator[Cluster]:
    """A master and two workers."""
    with cluster(tmp_path / "cluster") as made:
        yield made


def begin(house: House, lent: Cluster, command: str, share: int) -> "subprocess.Popen[bytes]":
    """Start a command that runs on the cluster."""
    house.root.mkdir(exist_ok=True)
    with (house.root / "driver.log").open("ab") as log:
        folders = ["--inbox", house.settings.inbox, "--home", house.settings.home]
        return subprocess.Popen(
            [sys.executable, "-c", CUT_SMALL, str(share), command, *folders], cwd=PROJECT, stdout=log, stderr=log,
            env=os.environ | lent.environment | {"BLOODHOUND_KEY": KEYS["key"]},
        )  # fmt: skip


def run(
    house: House, lent: Cluster, command: str, disturb: Callable[[], None] | None = None, share: int = 100_000
) -> None:
    """Run a command on the cluster, and disturb it once tasks have written something."""
    driver = begin(house, lent, command, share)
    try:
        if disturb is not None:
            staging = house.settings.lake / "staging"
            wait(lambda: driver.poll() is not None or any(staging.glob("*/*/*")), "no task has begun")
            assert driver.poll() is None, "it had ended before it could be disturbed"
            disturb()
        assert driver.wait(timeout=900) == 0, (house.root / "driver.log").read_text()[-3000:]
    finally:
        kill_tree(driver)


def pythons_of(worker: int) -> list[psutil.Process]:
    """List the Python processes in which a worker's tasks run."""
    found = []
    for process in psutil.Process(worker).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "pyspark.daemon" in " ".join(process.cmdline()):
                found.append(process)
    return found


@pytest.mark.prove
def test_a_cluster_whose_workers_are_killed_publishes_the_same(tmp_path: Path, lent: Cluster) -> None:
    plain = House(tmp_path / "plain", KEYS)
    simulate(plain.settings.inbox, **PLAN | {"messages": int(os.environ.get("MESSAGES", "6000"))})
    house = House(tmp_path / "spark", KEYS | {"inbox": plain.settings.inbox})
    disturbed: list[str] = []

    def lose_a_worker() -> None:
        lent.kill_worker()
        lent.add_worker()
        disturbed.append("worker")

    def lose_the_python_of_a_worker() -> None:
        wait(lambda: pythons_of(lent.workers[0].pid), "no task has begun")
        for process in pythons_of(lent.workers[0].pid):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        disturbed.append("python")

    pipeline.land(plain.settings)
    run(house, lent, "land")
    run(house, lent, "parse", lose_a_worker)
    run(house, lent, "sessionize", lose_a_worker)
    bring_late(plain)
    for withdrawn in (plain.settings.inbox / "exclusions").iterdir():
        withdrawn.unlink()
    run(house, lent, "run", lose_the_python_of_a_worker, share=40_000)
    for command in (pipeline.land, pipeline.parse, pipeline.sessionize, pipeline.build):
        command(plain.settings)
    assert disturbed == ["worker", "worker", "python"]
    for one in (plain, house):
        snapshot(one.settings.home, tmp_path / f"{one.root.name}.duckdb")
    tables, rows, found = differences(tmp_path / "plain.duckdb", tmp_path / "spark.duckdb", Allowed())
    assert found == []
    assert tables > 50
    assert rows > 10_000
    assert len(house.files("events")) > len(plain.files("events"))
    assert {path.stat().st_mode & 0o077 for path in house.settings.lake.rglob("*.parquet")} == {0}
    logs = [house.root / "driver.log", *(path for path in lent.root.rglob("*") if path.is_file())]
    assert [path for path in logs if KEYS["key"].encode() in path.read_bytes()] == []
    # What was written by attempts that did not count is named nowhere, and nothing reads by looking.
    for dataset in ("messages", "keys", "open_sessions", "event_counts"):
        assert sorted(house.files(dataset)) == sorted((house.settings.lake / dataset).rglob("*.parquet"))
