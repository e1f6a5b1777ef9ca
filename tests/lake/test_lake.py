"""Manifests: read once, and never stale."""

import os
import time
from pathlib import Path

import pytest

from etl.lake import files as lake
from etl.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home whose folder of batches holds one manifest and has long been at rest."""
    found = Settings(home=tmp_path)
    lake.write_manifest(lake.manifest_path(found, "batches", "a"), {"name": "a"})
    settle(found)
    return found


def settle(settings: Settings, seconds: int = 3600) -> None:
    past = time.time() - seconds
    os.utime(lake.lake_path(settings, "manifests", "batches"), (past, past))


def test_folder_at_rest_is_listed_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    first = lake.manifests(settings, "batches")
    monkeypatch.setattr(os, "scandir", lambda _: pytest.fail("listed again"))
    assert lake.manifests(settings, "batches") == first == {"a": {"name": "a"}}


def test_what_a_reader_does_to_the_listing_stays_with_it(settings: Settings) -> None:
    lake.manifests(settings, "batches").clear()
    assert lake.manifests(settings, "batches").keys() == {"a"}


def test_written_replaced_and_removed_manifests_are_seen(settings: Settings) -> None:
    one, other = (lake.manifest_path(settings, "batches", name) for name in ("a", "b"))
    assert lake.manifests(settings, "batches").keys() == {"a"}
    lake.write_manifest(other, {"name": "b"})
    settle(settings, 1800)
    assert lake.manifests(settings, "batches").keys() == {"a", "b"}
    lake.write_manifest(one, {"name": "replaced"})
    settle(settings, 900)
    assert lake.manifests(settings, "batches")["a"] == {"name": "replaced"}
    one.unlink()
    settle(settings, 450)
    assert lake.manifests(settings, "batches").keys() == {"b"}


def test_two_changes_within_a_tick_of_the_clock_are_both_seen(settings: Settings) -> None:
    now = time.time_ns()
    for number in range(20):
        lake.write_manifest(lake.manifest_path(settings, "batches", "a"), {"name": str(number)})
        os.utime(lake.lake_path(settings, "manifests", "batches"), ns=(now, now))
        assert lake.manifests(settings, "batches") == {"a": {"name": str(number)}}


def test_no_folder_is_no_manifests(tmp_path: Path) -> None:
    assert lake.manifests(Settings(home=tmp_path), "days") == {}
