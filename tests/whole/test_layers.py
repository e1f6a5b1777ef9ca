"""The layers of the house hold, and what would break them is found: the contracts stand in pyproject.toml."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from etl.settings import PROJECT

ROOTS = ("etl", "dags", "ops", "plugins", "collector")
CONTRACTS = {
    contract["id"]: contract
    for contract in tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """The sources alone, at a place where they may be spoiled."""
    for root in ROOTS:
        shutil.copytree(PROJECT / root, tmp_path / root, ignore=shutil.ignore_patterns("__pycache__", "*.json", "*.js"))
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(house: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=house, capture_output=True, text=True, check=False)


def test_the_layers_hold(house: Path) -> None:
    assert lint(house).returncode == 0, lint(house).stdout


@pytest.mark.parametrize(
    ("contract", "path", "line"),
    [
        ("rooms", "etl/vocabulary/columns.py", "from etl.lake import files"),
        ("rooms", "etl/lake/files.py", "from etl.stages.land import stage"),
        ("rooms", "etl/tools/trace.py", "def late():\n    from etl import pipeline"),
        ("rooms", "etl/drawer.py", ""),
        ("stages", "etl/stages/land/stage.py", "from etl.stages.sessionize.stage import sessionize"),
        ("airflow", "etl/pipeline/tasks.py", "from airflow.sdk import task"),
        ("airflow", "etl/warehouse/mail/post.py", "import ops.embedded"),
        ("dags", "dags/bloodhound.py", "from etl.lake.files import scan"),
        ("spark", "etl/stages/parse/task.py", "def late():\n    from pyspark.sql import SparkSession"),
        ("spark", "etl/engines/choose.py", "import py4j"),
        ("pure", "etl/formats/versions.py", "from pathlib import Path"),
        ("pure", "etl/enrich/urls.py", "def late():\n    import time"),
        ("simulator", "etl/simulate/wire.py", "from etl.formats import collector"),
    ],
)
def test_a_breach_is_found(house: Path, contract: str, path: str, line: str) -> None:
    with (house / path).open("a") as file:
        file.write(f"\n{line}\n")
    done = lint(house)
    assert done.returncode == 1
    assert f"{CONTRACTS[contract]['name']} BROKEN" in done.stdout


def test_every_stage_is_under_contract() -> None:
    folders = {path.parent.name for path in (PROJECT / "etl" / "stages").glob("*/stage.py")}
    assert {f"etl.stages.{name}" for name in folders} == set(CONTRACTS["stages"]["modules"])
