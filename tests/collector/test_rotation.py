"""Hours on their way into the inbox: none lost, none twice, whatever dies on the way."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from backports import zstd
from builders.collector import Running, made, waited

from collector import rotation
from collector.rotation import closed_folder, rotate
from collector.settings import CollectorSettings
from etl import pipeline
from etl.lake import files
from etl.settings import load_settings

NAME = "web-1-tracker-2026-03-01T10+0000.jsonl"
IN_TIME = datetime(2026, 3, 1, 11, 2, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> CollectorSettings:
    """A collector whose nginx has written, or not yet."""
    settings = made(tmp_path / "home")
    for witness in ("tracker", "pixel"):
        settings.live(witness).mkdir(parents=True)
        closed_folder(settings, witness).mkdir(parents=True)
    return settings


def wrote(settings: CollectorSettings, content: bytes, name: str = NAME, witness: str = "tracker") -> Path:
    path = settings.live(witness) / name
    path.write_bytes(content)
    return path


def delivered(settings: CollectorSettings) -> dict[str, bytes]:
    """What lies in the inbox, hidden files too."""
    found = sorted(path for path in settings.inbox.rglob("*") if path.is_file())
    return {str(path.relative_to(settings.inbox)): zstd.decompress(path.read_bytes()) for path in found}


def test_an_hour_is_delivered_when_it_and_its_grace_are_over(settings: CollectorSettings) -> None:
    wrote(settings, b"{}\n")
    wrote(settings, b"a hit\n", "web-1-pixel-2026-03-01T10+0000.log", "pixel")
    assert rotate(settings, IN_TIME - timedelta(seconds=1)) == []
    assert delivered(settings) == {}
    rotate(settings, IN_TIME)
    assert delivered(settings) == {
        f"events/{NAME}.zst": b"{}\n",
        "pixel/web-1-pixel-2026-03-01T10+0000.log.zst": b"a hit\n",
    }
    assert rotate(settings, IN_TIME) == []


def test_an_hour_is_told_by_its_own_zone(settings: CollectorSettings) -> None:
    wrote(settings, b"{}\n", "web-1-tracker-2026-03-01T15+0530.jsonl")
    assert rotate(settings, datetime(2026, 3, 1, 10, 31, tzinfo=UTC)) == []
    assert len(rotate(settings, datetime(2026, 3, 1, 10, 32, tzinfo=UTC))) == 1


@pytest.mark.parametrize(("seconds", "name"), [(60, "T1059+0000"), (10, "T105950+0000")])
def test_shorter_files_are_over_sooner(tmp_path: Path, seconds: int, name: str) -> None:
    settings = made(tmp_path / "home", rotate_seconds=seconds, grace_seconds=5)
    for witness in ("tracker", "pixel"):
        settings.live(witness).mkdir(parents=True)
        closed_folder(settings, witness).mkdir(parents=True)
    wrote(settings, b"{}\n", f"web-1-tracker-2026-03-01{name}.jsonl")
    assert rotate(settings, datetime(2026, 3, 1, 11, 0, 4, tzinfo=UTC)) == []
    assert len(rotate(settings, datetime(2026, 3, 1, 11, 0, 5, tzinfo=UTC))) == 1


def test_what_was_delivered_is_kept_for_a_while_and_then_gone(settings: CollectorSettings) -> None:
    wrote(settings, b"{}\n")
    rotate(settings, IN_TIME)
    (kept,) = closed_folder(settings, "tracker").iterdir()
    assert kept.name == f"{NAME}@3"
    rotate(settings, datetime.now(UTC) + timedelta(minutes=settings.keep_minutes, seconds=5))
    assert list(closed_folder(settings, "tracker").iterdir()) == []
    assert delivered(settings) == {f"events/{NAME}.zst": b"{}\n"}


def test_a_line_that_comes_after_delivery_is_delivered_under_the_same_name(settings: CollectorSettings) -> None:
    path = wrote(settings, b"1\n")
    with path.open("ab", buffering=0) as hung:
        rotate(settings, IN_TIME)
        hung.write(b"2\n")
    rotate(settings, IN_TIME)
    assert delivered(settings) == {f"events/{NAME}.zst": b"1\n2\n"}


def test_an_hour_that_comes_twice_takes_no_other_file_s_name(settings: CollectorSettings) -> None:
    for content in (b"1\n", b"2\n", b"3\n"):
        wrote(settings, content)
        rotate(settings, IN_TIME)
    assert delivered(settings) == {
        f"events/{NAME}.zst": b"1\n",
        "events/web-1-tracker-2026-03-01T10+0000.1.jsonl.zst": b"2\n",
        "events/web-1-tracker-2026-03-01T10+0000.2.jsonl.zst": b"3\n",
    }


class Killed(BaseException):
    """The end of a process, at a place of our choice."""


@pytest.mark.parametrize("dies_at", range(8))
def test_a_kill_at_any_moment_loses_and_doubles_nothing(
    settings: CollectorSettings, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    wrote(settings, b"1\n")
    wrote(settings, b"2\n", NAME.replace("T10", "T09"))
    calls = 0

    def dying(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **keys: object) -> object:
            nonlocal calls
            calls += 1
            if calls == dies_at + 1:
                raise Killed
            return real(*arguments, **keys)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(rotation.shutil, "copyfileobj", dying(rotation.shutil.copyfileobj))
        patched.setattr(files, "move_into_place", dying(files.move_into_place))
        patched.setattr(Path, "rename", dying(Path.rename))
        with pytest.raises(Killed):
            rotate(settings, IN_TIME)
    assert calls == dies_at + 1
    rotate(settings, IN_TIME)
    assert delivered(settings) == {f"events/{NAME.replace('T10', 'T09')}.zst": b"2\n", f"events/{NAME}.zst": b"1\n"}


def test_a_missing_inbox_keeps_all_where_it_is(settings: CollectorSettings) -> None:
    wrote(settings, b"1\n")
    settings.inbox.rmdir()
    settings.inbox.write_text("not a folder")
    with pytest.raises(OSError, match="inbox"):
        rotate(settings, IN_TIME)
    settings.inbox.unlink()
    settings.inbox.mkdir()
    rotate(settings, IN_TIME)
    assert delivered(settings) == {f"events/{NAME}.zst": b"1\n"}


def test_what_nginx_writes_the_keeper_brings_and_the_lake_reads(start: Callable[..., Running]) -> None:
    running = start(rotate_seconds=10, grace_seconds=1)
    answers = [running.post({"sent_at": None, "messages": []}) for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200}
    inbox = running.settings.inbox

    def lines() -> int:
        whole = [path.read_bytes() for path in inbox.glob("events/[!.]*.zst")]
        return sum(zstd.decompress(content).count(b"\n") for content in whole)

    assert waited(lambda: lines() >= 20, seconds=40)
    landed = pipeline.land(load_settings(inbox, running.settings.home))
    assert landed["lines"] == 20 and landed["failed"] == []


def test_logs_are_closed_to_other_users(start: Callable[..., Running]) -> None:
    running = start()
    for witness in ("tracker", "pixel"):
        for folder in (running.settings.live(witness), closed_folder(running.settings, witness)):
            assert oct(os.stat(folder).st_mode & 0o777) == "0o700"
