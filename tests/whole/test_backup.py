"""A backup that is taken while a run writes and people read is a home, wherever it is restored."""

import subprocess
import sys
from pathlib import Path

import pytest
from builders import House
from builders.command import etl
from builders.tables import differing, tables

from etl.settings import PROJECT

HISTORY = {"quality.restatements", "quality.erasures"}
"""What was published when: a home of its own has its own."""
READER = """
import sys, time
from pathlib import Path
import duckdb

warehouse, stop = map(Path, sys.argv[1:])
reads = 0
while not stop.exists():
    with duckdb.connect(str(warehouse), read_only=True) as con:
        ((views, sessions),) = con.execute(
            "select (select count(*) from core.page_views), (select sum(page_view_count) from core.sessions)"
        ).fetchall()
    assert views > 0 and sessions > 0
    reads += 1
    time.sleep(0.2)
print(reads)
"""


def started(*arguments: str | Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-u", *map(str, arguments)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.prove
def test_backup_of_a_home_at_work_restores_to_what_was_published(tmp_path: Path) -> None:
    """GIVEN files that have landed WHEN a run takes them, readers read and a backup is taken THEN it is equal, and goes
    on to be equal to the home it was taken of."""
    house, home, copy = House(tmp_path), tmp_path / "home", tmp_path / "elsewhere" / "home"
    folders = ["--inbox", house.root / "inbox", "--home"]
    etl("simulate", "--out", tmp_path / "inbox", "--messages", "5000", "--days", "2")
    inbox, later = tmp_path / "inbox", tmp_path / "later"
    second = [path.relative_to(inbox) for path in sorted(inbox.rglob("*2026-03-02*")) if path.is_file()]
    assert {path.parts[0] for path in second} >= {"events", "pixel"}
    for path in second:
        (later / path).parent.mkdir(parents=True, exist_ok=True)
        (inbox / path).rename(later / path)
    etl("run", *folders, home)
    for path in second:
        (later / path).rename(inbox / path)
    etl("land", *folders, home)
    etl("backup", tmp_path / "before", "--home", home)
    said = etl("restore", tmp_path / "before", "--home", tmp_path / "elsewhere" / "before")
    assert "landed after the last publication; the next run takes them" in said

    stop = tmp_path / "stop"
    readers = [started("-c", READER, home / "warehouse" / "bloodhound.duckdb", stop) for _ in range(2)]
    run = started("-m", "etl", "run", *folders, home)
    assert run.stdout and "land" in run.stdout.readline()
    said = etl("backup", tmp_path / "backup", "--home", home)
    at_work = run.poll() is None
    assert run.wait() == 0, run.communicate()[0]
    stop.touch()
    assert [reader.wait() for reader in readers] == [0, 0], [reader.communicate()[0] for reader in readers]
    assert all(int(reader.communicate()[0].split()[-1]) > 2 for reader in readers)
    assert "files" in said and at_work, "the backup was taken before the run came to its end"

    said = etl("restore", tmp_path / "backup", "--home", copy)
    assert "every table is equal to the last publication" in said
    etl("run", *folders, copy)
    assert differing(tables(home, HISTORY), tables(copy, HISTORY)) == []
    assert "every file is what was written" in etl("verify", "--deep", "--home", copy)
