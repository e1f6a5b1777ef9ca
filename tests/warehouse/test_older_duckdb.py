"""Tools bring a DuckDB of their own: what is published opens in those of version 1, every table and view of it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from builders import House, events, lines, request

from etl import pipeline
from etl.settings import PROJECT

OLDEST, NEWEST = "1.2.2", "1.5.6"
PAGE = (PROJECT / "docs" / "other-tools.md").read_text()
STATEMENTS = [
    *re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL),
    *(
        found.replace("{{day}}", "date '2026-03-01'")
        for found in re.findall(r"```text\n(select .*?)```", PAGE, re.DOTALL)
    ),
    *re.findall(r'"(select [^"]*)"', PAGE),
]
READ_ALL = """
import json, sys
import duckdb

con = duckdb.connect(sys.argv[1], read_only=True)
names = con.execute(
    "select schema_name || '.' || table_name from duckdb_tables() union all "
    "select schema_name || '.' || view_name from duckdb_views() where not internal order by 1"
).fetchall()
for (name,) in names:
    con.execute(f"select count(columns(*)) from {name}").fetchall()
for statement in sys.argv[2:]:
    con.execute(statement).fetchall()
print(json.dumps({"version": duckdb.__version__, "names": [name for (name,) in names]}))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A home that is published, with a few visits in it."""
    house = House(tmp_path_factory.mktemp("published"))
    house.put("events/a.jsonl", lines([request(events("10:00 /a", "10:01 /b", "10:02 order"))]))
    for task in (pipeline.land, pipeline.parse, pipeline.sessionize, pipeline.build):
        task(house.settings)
    return house


def install(version: str, folder: Path) -> Path:
    """Unpack a wheel of DuckDB; without a network the test is skipped, but not in CI."""
    uv = str(Path(sys.executable).parent / "uv")
    done = subprocess.run(
        [uv, "pip", "install", "--quiet", "--no-deps", "--target", str(folder), f"duckdb=={version}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"DuckDB {version} cannot be had: {done.stderr}")
    return folder


@pytest.mark.prove
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("file", ["warehouse", "marts"])
def test_opens_in_version_1(version: str, file: str, home: House, tmp_path: Path) -> None:
    path = str(getattr(home.settings, file))
    assert len(STATEMENTS) == 5
    done = subprocess.run(
        [sys.executable, "-S", "-c", READ_ALL, path, *STATEMENTS], capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(install(version, tmp_path))},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["version"] == version
    assert {"executive.kpi_daily", "traffic.pages_daily"} <= set(told["names"])
    assert ("core.events" in told["names"]) == (file == "warehouse")
