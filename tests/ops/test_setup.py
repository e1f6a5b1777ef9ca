"""`make setup` mends what an interrupted one left behind, and says what a machine lacks."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from etl.settings import PROJECT


def make_setup(folder: Path, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    """Run the Makefile's set-up where nothing can be downloaded: it ends when uv is asked for."""
    shutil.copy(PROJECT / "Makefile", folder)
    (folder / "requirements.txt").write_text("uv==0.0.0\n")
    nothing = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": str(folder)}
    left_out = ("VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL")
    environment = {name: value for name, value in os.environ.items() if name not in left_out} | nothing
    command = ["make", "--no-print-directory", "setup", f"PYTHON={python}"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def prefix(folder: Path) -> Path:
    """Where the Python of `.venv` and its pip live."""
    asked = [".venv/bin/python", "-c", "import sys, pip; print(pip.__file__.startswith(sys.prefix), sys.prefix)"]
    said = subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=True).stdout.split()
    assert said[0] == "True"
    return Path(said[1])


def borrowed(venv: Path) -> None:
    """A Python, and nothing that says that it is not the machine's own: pip would install into the machine."""
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(Path(sys.base_prefix) / "bin" / "python3")


def without_pip(venv: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)


def half_a_pip(venv: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    (internal,) = venv.glob("lib/*/site-packages/pip/_internal")
    shutil.rmtree(internal / "cli")


def dangling(venv: Path) -> None:
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to("/nowhere/python3")


SLOW = [pytest.param(left, marks=pytest.mark.prove) for left in (without_pip, half_a_pip, dangling)]


@pytest.mark.parametrize("left", [borrowed, *SLOW])
def test_a_half_made_environment_is_made_again(tmp_path: Path, left: Callable[[Path], None]) -> None:
    left(tmp_path / ".venv")
    done = make_setup(tmp_path)
    assert "No matching distribution found for uv==0.0.0" in done.stderr, done.stderr
    assert prefix(tmp_path) == tmp_path / ".venv"


@pytest.mark.prove
def test_a_whole_environment_is_left_as_it_is(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / ".venv"], check=True)
    (tmp_path / ".venv" / "mine").touch()
    make_setup(tmp_path)
    assert (tmp_path / ".venv" / "mine").exists()


def test_a_python_without_venv_is_told_in_one_sentence(tmp_path: Path) -> None:
    """GIVEN a Debian's Python, which has no venv THEN what to install is said, and no half-made folder stays."""
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\ncase "$*" in *"-m venv"*) exit 1;; esac\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    done = make_setup(tmp_path, str(python))
    assert done.returncode != 0
    told = [line for line in done.stderr.splitlines() if line.startswith("bloodhound:")]
    assert len(told) == 1 and told[0].endswith("makes no virtual environment: apt-get install python3-venv")
    assert not (tmp_path / ".venv").exists()
