"""Bad use and bad luck on the command line: one clear line, the right exit code, and no traceback."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from builders import House, combined, each, events, lines, request
from filelock import FileLock

from etl.settings import PROJECT


def etl(*arguments: str | Path, limit: int | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of `python -m etl`, if need be with a limit on the size of files."""

    def shrink() -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        [sys.executable, "-m", "etl", *map(str, arguments)], cwd=PROJECT, capture_output=True, text=True, check=False,
        env=os.environ | environment, preexec_fn=shrink,
    )  # fmt: skip


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line on stderr."""
    assert "Traceback" not in done.stderr, done.stderr
    found = done.stderr.strip().splitlines()
    assert len(found) == 1, done.stderr
    assert found[0].startswith("bloodhound: "), found[0]
    return found[0]


def test_missing_inbox(tmp_path: Path) -> None:
    for stage in ("run", "land"):
        done = etl(stage, "--inbox", tmp_path / "none", "--home", tmp_path / "home")
        assert done.returncode == 2
        assert f"the inbox {tmp_path / 'none'} does not exist" in said(done)
    assert not (tmp_path / "home").exists()


def test_inbox_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "inbox").write_text("x")
    done = etl("run", "--inbox", tmp_path / "inbox", "--home", tmp_path / "home")
    assert done.returncode == 2
    assert "does not exist" in said(done)


def test_empty_inbox(tmp_path: Path) -> None:
    (tmp_path / "inbox/events").mkdir(parents=True)
    done = etl("run", "--inbox", tmp_path / "inbox", "--home", tmp_path / "home")
    assert done.returncode == 2
    assert "holds no logs" in said(done)


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "1 March"])
def test_day_that_is_none(house: House, day: str) -> None:
    house.put("events/a.jsonl", b"")
    done = etl("run", "--inbox", house.settings.inbox, "--home", house.settings.home, "--day", day)
    assert done.returncode == 2
    assert day in said(done)


def test_day_of_which_nothing_is_known(house: House) -> None:
    house.take(*events("10:00 /a"))
    done = etl("sessionize", "--inbox", house.settings.inbox, "--home", house.settings.home, "--day", "2031-01-01")
    assert done.returncode == 2
    assert "2031-01-01" in said(done)


@pytest.mark.parametrize("arguments", [["fly"], ["run", "--fast"], ["run", "--inbox"]])
def test_command_nobody_knows(arguments: list[str]) -> None:
    done = etl(*arguments)
    assert done.returncode == 2
    said(done)


def test_setting_without_sense(house: House) -> None:
    house.put("events/a.jsonl", b"")
    done = etl(
        "run", "--inbox", house.settings.inbox, "--home", house.settings.home, BLOODHOUND_SESSION_GAP_MINUTES="-3"
    )
    assert done.returncode == 2
    assert "session_gap_minutes" in said(done)


def test_second_run_at_once(house: House) -> None:
    house.take(*events("10:00 /a"))
    with FileLock(house.settings.home / ".lock"):
        for stage in ("land", "parse", "sessionize", "build", "run"):
            done = etl(stage, "--inbox", house.settings.inbox, "--home", house.settings.home)
            assert done.returncode == 1
            assert f"another run is writing to {house.settings.home}" in said(done)
    assert etl("land", "--inbox", house.settings.inbox, "--home", house.settings.home).returncode == 0


def test_home_below_a_file(house: House, tmp_path: Path) -> None:
    house.put("events/a.jsonl", each(events("10:00 /a")))
    (tmp_path / "file").write_text("x")
    done = etl("run", "--inbox", house.settings.inbox, "--home", tmp_path / "file" / "home")
    assert done.returncode == 1
    assert str(tmp_path / "file") in said(done)


def test_home_not_writable(house: House, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    house.put("events/a.jsonl", each(events("10:00 /a")))
    (tmp_path / "shut").mkdir(mode=0o500)
    done = etl("run", "--inbox", house.settings.inbox, "--home", tmp_path / "shut" / "home")
    assert done.returncode == 1
    assert "Permission denied" in said(done)


@pytest.mark.prove
def test_no_room_for_what_is_written(house: House) -> None:
    """A limit on the size of files stands for a full disk; the next run, with room, completes."""
    house.put("access/a.log", lines(combined(f"10:00:00 /{os.urandom(16).hex()}") for _ in range(20_000)))
    folders = ("--inbox", house.settings.inbox, "--home", house.settings.home)
    for stage, limit in (("land", 100_000), ("parse", 100_000), ("sessionize", 100_000)):
        done = etl(stage, *folders, limit=limit)
        assert done.returncode == 1, stage
        assert "no space is left" in said(done)
        assert etl(stage, *folders).returncode == 0
    assert len(house.events()) == 20_000


@pytest.mark.prove
def test_full_disk_at_any_stage(tmp_path: Path) -> None:
    """A disk that is too small for each stage in turn; with room at last, the run completes."""
    inbox, disk = tmp_path / "inbox", tmp_path / "disk"
    etl("simulate", "--out", inbox, "--messages", "20000", "--days", "2")
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=False, capture_output=True
    ).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        for size in ("1m", "4m", "8m", "12m", "16m", "500m"):
            subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)
            done = etl("run", "--inbox", inbox, "--home", disk / "home")
            if size == "500m":
                assert done.returncode == 0, done.stderr
            else:
                assert done.returncode == 1
                assert "no space is left" in said(done)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_file_that_cannot_be_read_fails_the_run_and_the_rest_is_done(house: House) -> None:
    house.put("events/a.jsonl", each(events("10:00 /a")))
    house.put("events/b.jsonl.gz", b"\x1f\x8b\x08junk")
    done = etl("land", "--inbox", house.settings.inbox, "--home", house.settings.home)
    assert "events/b.jsonl.gz" in done.stderr and "Traceback" not in done.stderr
    assert "land: 1 files, 1 lines" in done.stdout


def test_garbage_in_every_file_crashes_nothing(house: House) -> None:
    """Each source fed with each other's lines, random bytes and bad CSV goes through to the events."""
    good = [request(events("10:00 /a"))]
    logs = [combined("10:00:00 /a"), combined("10:00:00 /px.gif?e=p")]
    table = [
        "kind,value,from,to,reason",
        "visitor,v,0001-01-01T00:00:00+23:59,9999-12-31T23:59:59-23:59,",
        "ip,::/0,,,all",
        'ip,999.1.1.1,,,"',
        "session,,,,",
        "user,u,yesterday,,",
        "x" * 200_000 + ",y",
        "\x00,\x00",
        ",,,,,,,,,,",
    ]
    junk = os.urandom(5000)
    endings = {"events": ".jsonl", "pixel": ".log", "access": ".log", "spend": ".csv", "exclusions": ".csv"}
    for source, ending in endings.items():
        house.put(f"{source}/mixed{ending}", lines([*good, *logs, *table, junk]))
        house.put(f"{source}/table{ending}", lines(table))
        house.put(f"{source}/junk{ending}", junk * 10)
    house.digest()
    assert sorted(row["schema"] for row in house.events()) == ["page_view", "page_view"]


def test_stopped_while_it_starts() -> None:
    """An operator's Ctrl-C comes when it comes: before anything has begun there is one line too."""
    with subprocess.Popen(
        [sys.executable, "-m", "etl", "summary"], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        maps = Path(f"/proc/{started.pid}/maps")
        while "_duckdb" not in maps.read_text():
            assert started.poll() is None, "it ended before it could be stopped"
        started.send_signal(signal.SIGINT)
        out, told = started.communicate(timeout=60)
    assert (out, told) == ("", "bloodhound: stopped; the next run goes on from here\n")
    assert started.returncode == 130


REGISTERS = {
    "bots.toml": ("shortest = 25", "shortst = 25", "unknown field `shortst`"),
    "log_formats.toml": ('title = "a combined log"', 'titel = "a combined log"', "unknown field `titel`"),
    "tracker_exports.toml": ("[[exports]]", "[[exports", "is not TOML"),
    "thresholds.toml": ("[event_loss]", "note = 1\n[event_loss]", "Expected `object`, got `int`"),
}


@pytest.mark.parametrize("name", REGISTERS)
@pytest.mark.parametrize("damage", ["misspelt", "other bytes", "empty", "gone"])
def test_a_register_without_sense_is_one_line(tmp_path: Path, name: str, damage: str) -> None:
    """GIVEN a file of conf/ that everything reads, and a mistake in it THEN any command says where, and exits 2."""
    shutil.copytree(PROJECT / "etl", tmp_path / "etl", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(PROJECT / "conf", tmp_path / "conf")
    shutil.copytree(PROJECT / "dbt_project" / "seeds", tmp_path / "dbt_project" / "seeds")
    path = tmp_path / "conf" / name
    right, wrong, _ = REGISTERS[name]
    if damage == "misspelt":
        assert right in path.read_text()
        path.write_text(path.read_text().replace(right, wrong, 1))
    elif damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b"\xff" if damage == "other bytes" else b"")
    done = subprocess.run(
        [sys.executable, "-m", "etl", "plan"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    told = said(done)
    assert str(path) in told
    assert damage != "misspelt" or REGISTERS[name][2] in told


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["trace", "a\udcffb"], 2, "is not UTF-8"),
        (["query", "sessions", "--where", "channel=\udcff"], 2, "is not UTF-8"),
        (["simulate", "--out", "{}/inbox", "--seed", "-1"], 2, "--seed"),
        (["simulate", "--out", "{}/inbox", "--start", "9999-12-31"], 2, "9999-12-31"),
        (["backup", "{}/copy", "--wait", "nan", "--home", "{}"], 2, "--wait"),
        (["restore", "{}/nothing", "--home", "{}/new"], 2, "nothing"),
    ],
)
def test_what_has_no_sense_is_refused(tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    done = etl(*(os.fsencode(one.format(tmp_path)).decode("utf-8", "surrogateescape") for one in arguments))
    assert done.returncode == code
    assert message in said(done)
    assert not (tmp_path / "new").exists()


def test_a_secret_that_is_no_text_is_not_shown() -> None:
    done = etl("plan", BLOODHOUND_KEY="hush\udcff")
    assert (done.returncode, said(done)) == (2, "bloodhound: BLOODHOUND_KEY is not UTF-8. Write it in UTF-8")


def test_no_command_is_the_help_and_nothing_more() -> None:
    done = etl()
    assert (done.returncode, done.stderr) == (2, "")
    assert "Usage" in done.stdout


def test_a_place_that_cannot_be_written_is_named_as_it_was_given(tmp_path: Path) -> None:
    done = etl("simulate", "--out", "/proc/nothing/inbox", "--truth", tmp_path / "truth")
    assert done.returncode == 1
    assert "/proc/nothing" in said(done) and "Name another place" in said(done)
