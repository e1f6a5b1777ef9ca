"""Play the scenarios, take the way through Airflow, and judge."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from playwright.async_api import async_playwright
from rich.console import Console

from collector.demo.judge import as_table, judge
from collector.demo.scenarios import SCENARIOS, Scenario
from collector.demo.scene import Scene, set_up, tear_down
from collector.demo.truth import Truth
from collector.demo.visit import DESKTOP, Visit
from collector.processes import CollectorFailed
from collector.rotation import rotate
from etl.errors import BadUse
from etl.settings import PROJECT

AT_ONCE = 3


def demo(folder: Path, *, is_short: bool, console: Console) -> bool:
    """Play in a folder that is emptied before; return whether truth and warehouse agree.

    Raises:
        BadUse: the folder holds something else.
        CollectorFailed: the run through Airflow failed.
    """
    mark = folder / ".demo"
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise BadUse(f"{folder} holds something that is no demo", "Name another folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    mark.touch()
    began = time.monotonic()
    chosen = [scenario for scenario in SCENARIOS if scenario.is_short or not is_short]
    scene = set_up(folder)
    try:
        console.print(f"Playing {len(chosen)} scenarios at https://shop.example, on loopback")
        visits = asyncio.run(play(scene, chosen, console))
    finally:
        tear_down(scene)
    truths = [visit.truth for visit in visits]
    (folder / "truth.json").write_bytes(msgspec.json.format(msgspec.json.encode(truths)))
    rotate(scene.settings, datetime.now(UTC) + timedelta(hours=1))
    access = scene.settings.inbox / "access" / "shop"
    access.mkdir(parents=True)
    shutil.copyfile(scene.shop_log, access / "shop.log")
    files = sum(1 for path in scene.settings.inbox.rglob("*") if path.is_file())
    console.print(f"Played in {time.monotonic() - began:.0f} s; {files} files came into the inbox")
    run_through_airflow(folder)
    rows = judge(truths, scene.settings.home)
    console.print(as_table(rows))
    console.print(f"The page  {scene.settings.home}/report/index.html\nIn all    {time.monotonic() - began:.0f} s")
    return not any(row.differences for row in rows)


async def play(scene: Scene, chosen: Sequence[Scenario], console: Console) -> list[Visit]:
    """Play scenarios side by side, and then those that others would feel."""
    visits: list[Visit] = []
    places = asyncio.Semaphore(AT_ONCE)
    async with async_playwright() as driver:

        def make(name: str, *, agent: str | None = DESKTOP, address: str | None = None) -> Visit:
            truth = Truth(name, address or f"203.0.113.{len(visits) + 10}")
            visits.append(Visit(scene, driver, truth, agent))
            return visits[-1]

        async def perform(scenario: Scenario) -> None:
            async with places:
                began = time.monotonic()
                await scenario.act(make)
                for visit in visits:
                    if visit.truth.name == scenario.name:
                        await visit.leave()
                console.print(f"  {scenario.name:28}{time.monotonic() - began:5.1f} s")

        await asyncio.gather(*(perform(scenario) for scenario in chosen if not scenario.is_alone))
        for scenario in chosen:
            if scenario.is_alone:
                await perform(scenario)
    return visits


def run_through_airflow(folder: Path) -> None:
    """Take the inbox through the DAG, in an Airflow of the demo's own.

    Raises:
        CollectorFailed: the run failed.
    """
    command = [sys.executable, "-m", "ops", "run", "--inbox", str(folder / "inbox"), "--home", str(folder / "home")]
    surroundings = os.environ | {"BLOODHOUND_AIRFLOW_HOME": str(folder / "airflow")}
    sys.stdout.flush()
    done = subprocess.run(command, cwd=PROJECT, env=surroundings, stdin=subprocess.DEVNULL, check=False)
    # A check in error fails the run and not the publication: with trackers blocked, loss is what must be found.
    if not (folder / "home" / "warehouse" / "bloodhound.duckdb").exists():
        raise CollectorFailed(f"the run through Airflow failed ({done.returncode})", "See above")
