"""What is imported is named in requirements.in, and what is named there is used."""

import subprocess
import sys
from pathlib import Path

import pytest

from etl.settings import PROJECT

NAMED = (PROJECT / "requirements.in").read_text()


def deptry(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "deptry"), ".", "--config", ".deptry.toml", "--no-ansi"]
    return subprocess.run([*command, *map(str, arguments)], cwd=PROJECT, capture_output=True, text=True, check=False)


def test_the_list_is_what_is_used() -> None:
    done = deptry()
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("named", "complaint"),
    [
        (NAMED.replace("\nnumpy\n", "\n"), "DEP003 'numpy'"),
        (NAMED + "tenacity\n", "DEP002 'tenacity' defined as a dependency but not used"),
    ],
    ids=["used and not named", "named and not used"],
)
def test_a_list_that_differs_is_found(named: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "requirements.in"
    path.write_text(named)
    done = deptry("--requirements-files", path)
    assert done.returncode == 1
    assert complaint in done.stderr
