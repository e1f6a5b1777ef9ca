"""What follows from the program alone is kept for all homes, where nobody else writes, and not for ever."""

import os
from pathlib import Path

import pytest

from etl.lake import kept


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "bloodhound" / "plans"


def test_the_folder_is_the_users_alone(folder: Path) -> None:
    assert kept.cache_folder("plans") == folder
    assert folder.stat().st_mode & 0o077 == 0


def test_a_folder_that_others_may_write_is_none(folder: Path) -> None:
    kept.cache_folder("plans")
    folder.chmod(0o777)
    assert kept.cache_folder("plans") is None


def test_those_used_last_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 2)
    kept.cache_folder("plans")
    for number, name in enumerate("abc"):
        (folder / name).write_text(name)
        os.utime(folder / name, (number, number))
    kept.forget_oldest(folder, "*")
    assert sorted(path.name for path in folder.iterdir()) == ["b", "c"]
