"""The catalogue: manifests are read once, and never stale."""

import os
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from etl.errors import Locked
from etl.lake.catalogue import Lake, write_note
from etl.lake.fingerprint import Fingerprint
from etl.lake.manifests import Commit, Nothing, Unit
from etl.settings import Settings


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake whose folder of manifests holds one and has long been at rest."""
    found = Lake(Settings(home=tmp_path))
    commit(found, "a")
    settle(found)
    return found


def commit(lake: Lake, name: str, data: str = "1") -> None:
    """Write a manifest of one unit."""
    content = Commit("parse", name, 1, {name: Unit(Fingerprint(data))}, [], Nothing())
    write_note(lake.manifest_path("parse", name), content)


def settle(lake: Lake, seconds: int = 3600) -> None:
    past = time.time() - seconds
    os.utime(lake.path("manifests", "parse"), (past, past))


def units(lake: Lake) -> dict[str, str]:
    return {name: unit.fingerprint.data for name, (_, unit) in lake.units("parse", Nothing).items()}


def test_folder_at_rest_is_listed_once(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    first = units(lake)
    monkeypatch.setattr(os, "scandir", lambda _: pytest.fail("listed again"))
    assert units(lake) == first == {"a": "1"}


def test_what_a_reader_does_to_the_listing_stays_with_it(lake: Lake) -> None:
    lake.commits("parse", Nothing).clear()
    assert units(lake) == {"a": "1"}


def test_written_replaced_and_removed_manifests_are_seen(lake: Lake) -> None:
    assert units(lake) == {"a": "1"}
    commit(lake, "b")
    settle(lake, 1800)
    assert units(lake) == {"a": "1", "b": "1"}
    commit(lake, "a", "2")
    settle(lake, 900)
    assert units(lake) == {"a": "2", "b": "1"}
    lake.manifest_path("parse", "a").unlink()
    settle(lake, 450)
    assert units(lake) == {"b": "1"}


def test_two_changes_within_a_tick_of_the_clock_are_both_seen(lake: Lake) -> None:
    now = time.time_ns()
    for number in range(20):
        commit(lake, "a", str(number))
        os.utime(lake.path("manifests", "parse"), ns=(now, now))
        assert units(lake) == {"a": str(number)}


def test_no_folder_is_no_manifests(tmp_path: Path) -> None:
    assert units(Lake(Settings(home=tmp_path))) == {}


def test_who_has_begun_waits_for_who_slipped_in_and_who_has_not_ends(tmp_path: Path) -> None:
    lake = Lake(Settings(home=tmp_path))
    lock = FileLock(tmp_path / ".lock", thread_local=False)
    with lock, pytest.raises(Locked), lake.writing():
        pass
    with lake.writing():
        pass
    lock.acquire()
    threading.Timer(0.3, lock.release).start()
    with lake.writing():
        assert not lock.is_locked
