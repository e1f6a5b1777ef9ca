"""What follows from the program alone is made once and kept for all homes, as long as it is what was written."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etl.lake import files, kept

Counting = Callable[[], str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "bloodhound" / "page"


@pytest.fixture
def make() -> Iterator[Counting]:
    """Say how often it was asked."""
    numbers = iter(range(1, 100))
    return lambda: f"made {next(numbers)}"


def test_a_text_is_made_once_and_another_key_is_another(folder: Path, make: Counting) -> None:
    assert [kept.kept("page", key, make) for key in ("a", "a", "b", "a")] == ["made 1", "made 1", "made 2", "made 1"]
    assert folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", [lambda text: text[:-1], lambda text: text[:-1] + b"X", lambda text: b""])
def test_what_is_no_longer_what_was_written_is_made_again(
    folder: Path, make: Counting, damage: Callable[[bytes], bytes]
) -> None:
    kept.kept("page", "a", make)
    (folder / "a").write_bytes(damage((folder / "a").read_bytes()))
    assert [kept.kept("page", "a", make) for _ in range(2)] == ["made 2", "made 2"]


def test_a_folder_that_others_may_write_is_not_read(folder: Path, make: Counting) -> None:
    kept.kept("page", "a", make)
    folder.chmod(0o777)
    assert kept.kept("page", "a", make) == "made 2"


def test_a_full_disk_keeps_nothing_and_stops_nobody(
    folder: Path, make: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device", str(path), content)

    monkeypatch.setattr(files, "write_bytes", full)
    assert kept.kept("page", "a", make) == "made 1"
    assert list(folder.iterdir()) == []


def test_those_used_last_are_kept(folder: Path, make: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 2)
    for number, key in enumerate("abc"):
        kept.kept("page", key, make)
        os.utime(folder / key, (number, number))
    kept.kept("page", "b", make)
    kept.kept("page", "d", make)
    assert {path.name for path in folder.iterdir()} == {"b", "d"}
