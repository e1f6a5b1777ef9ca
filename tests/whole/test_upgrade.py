"""A home of version 0.1, and what the next run makes of it; `tests/data/make_old_home.py` says how it came to be."""

import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from backports import zstd
from builders import House

from benchmarks.equality.tables import Allowed, differences, snapshot
from etl import incidents
from etl.lake.catalogue import Lake
from etl.settings import PROJECT
from etl.tools import probe_look

pytestmark = pytest.mark.prove
ARCHIVE = PROJECT / "tests" / "data" / "home_of_0_1.tar.zst"
MADE_IN = "/tmp/bloodhound-0.1"
LIMITS = {"page_views_low", "page_views_high"}
"""Since then they are made a cell at a time, log-normal."""
TAKEN_BACK = {("message_gaps", "shop", "desktop_web")}
"""An incident that has ended with the rule that called it one: two messages of a batch lost at once are one case."""
Row = tuple[Any, ...]


@dataclass
class Upgraded:
    """A home before and after the run that upgrades it, and one made anew of the same inbox."""

    house: House
    old: dict[str, bytes]
    restated: list[Row]
    said: str
    fresh: House

    def note(self, name: str) -> Any:
        """Read a manifest of the old home."""
        return json.loads(self.old[f"lake/manifests/{name}.json"])

    def raw(self) -> dict[str, bytes]:
        return {name: content for name, content in self.old.items() if name.startswith("lake/raw/")}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def move_here(warehouse: Path, here: Path) -> None:
    """Let the warehouse's views read their Parquet where it was unpacked, as if the home had been made there."""
    with duckdb.connect(str(warehouse)) as con:
        con.execute("set timezone = 'UTC'")
        found = con.execute("select sql from duckdb_views() where not internal and contains(sql, ?)", [MADE_IN])
        views = found.fetchall()
        assert views
        for (sql,) in views:
            con.execute(sql.replace("CREATE VIEW", "create or replace view", 1).replace(MADE_IN, str(here)))


def run(house: House) -> str:
    """Do all stages in a process of its own; return what it said. Its checks are in error, as they were."""
    folders = ["--inbox", str(house.settings.inbox), "--home", str(house.settings.home)]
    done = subprocess.run(
        [sys.executable, "-m", "etl", "run", *folders], cwd=PROJECT, capture_output=True, text=True, check=False,
        env={name: text for name, text in os.environ.items() if not name.startswith("BLOODHOUND_")}
        | {"BLOODHOUND_KEY": "the same for both homes"},
    )  # fmt: skip
    assert done.returncode == 1 and " in error: event_loss" in done.stderr, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Upgraded:
    house, fresh = House(tmp_path_factory.mktemp("old")), House(tmp_path_factory.mktemp("fresh"))
    for root, names in ((house.root, ("home", "inbox")), (fresh.root, ("inbox",))):
        with zstd.open(ARCHIVE) as packed, tarfile.open(fileobj=packed) as archive:
            members = [member for member in archive if member.name.split("/")[0] in names]
            archive.extractall(root, members, filter="data")
    home = house.settings.home
    move_here(house.settings.warehouse, house.root)
    old = contents(home)
    with duckdb.connect() as con:
        history = home / "lake" / "restatements" / "restatements.parquet"
        restated = con.execute(f"from read_parquet('{history}') order by all").fetchall()
    said = run(house)
    run(fresh)
    return Upgraded(house, old, restated, said, fresh)


def test_every_table_is_as_if_made_anew(upgraded: Upgraded, tmp_path: Path) -> None:
    snapshot(upgraded.house.settings.home, tmp_path / "upgraded")
    snapshot(upgraded.fresh.settings.home, tmp_path / "fresh")
    tables, rows, found = differences(tmp_path / "fresh", tmp_path / "upgraded", Allowed(["*quality.restatements"]))
    assert not found
    assert tables > 50 and rows > 1000


def test_what_has_landed_stays_as_it_lies(upgraded: Upgraded) -> None:
    now = contents(upgraded.house.settings.home)
    assert upgraded.raw()
    assert {name: now[name] for name in now if name.startswith("lake/raw/")} == upgraded.raw()


def test_what_was_published_before_is_told_as_before(upgraded: Upgraded) -> None:
    """Figures that did not change are not restated, whatever became of the code; new limits are a new definition."""
    with duckdb.connect(str(upgraded.house.settings.warehouse), read_only=True) as con:
        now = con.execute("from quality.restatements order by all").fetchall()
        told = con.execute("select metric, reason from quality.restatements").fetchall()
    assert not set(upgraded.restated) - set(now)
    assert {metric for metric, reason in told if reason == "definition"} == LIMITS
    assert {reason for _, reason in told} == {"first", "data", "definition"}
    restated_now = [row for row in now if row not in set(upgraded.restated)]
    firsts = sum(reason == "first" for metric, reason in told if metric == "page_views_dependent_high")
    assert len(restated_now) == sum(reason == "definition" for _, reason in told) + firsts


def test_probes_alerts_and_mail_are_remembered(upgraded: Upgraded) -> None:
    lake = Lake(upgraded.house.settings)
    (run,) = probe_look.look_for_probes(upgraded.house.settings)
    assert run["state"] == "found" and len(run["messages"]) == len(run_messages(upgraded))
    told = upgraded.note("state/alerts")
    assert told["told"] and told["waiting"] and told["tasks"]
    with incidents.alert_state(lake) as state:
        keys = {tuple(one["key"]) for one in told["told"]}
        assert {tuple(one["key"]) for one in state.told} == keys - TAKEN_BACK and state.tasks == told["tasks"]
        news = [one for one in state.waiting if one not in told["waiting"]]
        assert [(one["kind"], tuple(one["key"])) for one in news] == [("recovered", key) for key in TAKEN_BACK]
    assert json.loads(lake.history("mailed.json").read_bytes()) == upgraded.note("state/mailed")


def run_messages(upgraded: Upgraded) -> list[Any]:
    """Read the messages of the probe that was sent from the old home."""
    (name,) = [name for name in upgraded.old if name.startswith("lake/manifests/probes/")]
    return list(json.loads(upgraded.old[name])["messages"])


def test_upgrade_is_told_in_one_line_and_once(upgraded: Upgraded) -> None:
    told = [line for line in upgraded.said.splitlines() if "earlier version" in line]
    assert len(told) == 1 and "13 landed files" in told[0]
    assert "earlier version" not in run(upgraded.house)
