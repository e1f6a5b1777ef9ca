"""The README shows what a first run prints: a fresh clone is run, and every line that is shown must have come."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from etl.settings import PROJECT, load_settings
from etl.stages.build.plan import read_plan
from etl.stages.build.project import variables

README = PROJECT / "README.md"
BLOCK = re.compile(r"(?<=```console\n\$ make run\n).*?(?=```)", re.DOTALL)
SPENT = re.compile(r" +\d+\.\d s")
# What the page weighs changes with every change of its scripts.
PAGE_SIZE = re.compile(r"(?<= )[\d,]+(?= bytes$)")

HEAD = 10


def lasting(line: str) -> str:
    """Leave out of a line what hangs on time."""
    line = SPENT.sub(" _ s", line)
    return PAGE_SIZE.sub("_", line) if line.startswith("  report ") else line


def differing(shown: str, printed: str) -> list[str]:
    """Name the lines that are shown and were not printed."""
    came = {lasting(line) for line in printed.splitlines()}
    return [line for line in shown.splitlines() if lasting(line) not in came]


def shown_anew(shown: str, printed: str) -> str:
    """Show the same lines as they were printed, by how they begin, with the seconds that were shown.

    Of a task that is the last that was said of it.
    """
    latest = {line[:HEAD]: line for line in printed.splitlines()}
    lines = []
    for line in shown.splitlines():
        spent = SPENT.search(line)
        printed_line = latest.get(line[:HEAD], line)
        lines.append(SPENT.sub(spent[0], printed_line) if spent else printed_line)
    return "".join(f"{line}\n" for line in lines)


def clone(folder: Path) -> Path:
    """Copy what the project tracks, as it stands, to another place."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (PROJECT / name).is_file() and not (PROJECT / name).is_symlink():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)
    return folder


@pytest.mark.prove
def test_the_readme_shows_what_a_first_run_prints(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """GIVEN a fresh clone THEN `make run`, whose setup is done, prints each line of the README but for its seconds."""
    place = clone(tmp_path / "clone")
    unset = {name: value for name, value in os.environ.items() if not name.startswith("BLOODHOUND_")}
    done = subprocess.run(
        [sys.executable, "-m", "ops", "run"], cwd=place, capture_output=True, text=True, check=False,
        env=unset | {"PYTHONPATH": str(place)}, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (shown,) = BLOCK.findall(README.read_text())
    printed = done.stdout.replace(f"{place}/", "")
    if request.config.getoption("--accept-outputs"):
        shown = shown_anew(shown, printed)
        README.write_text(BLOCK.sub(lambda _: shown, README.read_text()))
    assert len(shown.splitlines()) > 10
    assert differing(shown, printed) == [], f"accept it by pytest --accept-outputs:\n{shown_anew(shown, printed)}"


def test_the_readme_counts_the_models_and_tests_that_there_are(tmp_path: Path) -> None:
    """GIVEN a model or test more THEN what README shows of the build is no more so, which a whole run tells late."""
    kinds = Counter(node.kind for node in read_plan(variables(load_settings()), tmp_path).nodes)
    models = sum(count for kind, count in kinds.items() if kind not in {"seed", "test"})
    (shown,) = BLOCK.findall(README.read_text())
    assert f" {kinds['test']} tests, {models} models\n" in shown


def test_another_number_is_seen_and_other_seconds_are_not() -> None:
    line = "  build      done                 25.9 s  3 days, 114 tests, 129 models"
    assert differing(line, line.replace("25.9", "101.2").replace("   101", "  101")) == []
    assert differing(line, line.replace("114", "115")) == [line]
    page = "  report     done                  1.5 s  1,239,232 bytes"
    assert differing(page, page.replace("1,239,232", "7")) == []
    assert shown_anew(line, line.replace("114", "115").replace("25.9", "77.7")) == line.replace("114", "115") + "\n"
