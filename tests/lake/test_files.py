"""What a power cut may take: names whose content or folder was not synced."""

import os
from pathlib import Path

import pytest
from builders import House, each, events

from etl.lake import files

Calls = list[tuple[str, Path]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Note each sync and each renaming, in the order in which the system is asked; they take place."""
    noted: Calls = []
    sync, replace = os.fsync, Path.replace

    def noting_sync(handle: int) -> None:
        noted.append(("sync", Path(os.readlink(f"/proc/self/fd/{handle}"))))
        sync(handle)

    def noting_replace(self: Path, target: Path) -> Path:
        noted.append(("from", self))
        noted.append(("name", Path(target)))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noting_sync)
    monkeypatch.setattr(Path, "replace", noting_replace)
    return noted


def test_a_file_is_synced_before_it_is_named_and_its_folder_after(calls: Calls, tmp_path: Path) -> None:
    files.write_bytes(tmp_path / "a" / "b" / "note.json", b"{}")
    # Each new folder's name is synced too.
    assert calls[:2] == [("sync", tmp_path), ("sync", tmp_path / "a")]
    (_, partial), _, _, _ = calls[2:]
    assert calls[2:] == [
        ("sync", partial), ("from", partial), ("name", tmp_path / "a" / "b" / "note.json"),
        ("sync", tmp_path / "a" / "b"),
    ]  # fmt: skip


def test_a_second_name_is_synced_with_its_folder(calls: Calls, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    files.link_into_place(tmp_path / "file", tmp_path / "a" / "shown")
    assert calls[-2:] == [("name", tmp_path / "a" / "shown"), ("sync", tmp_path / "a")]
    files.link_into_place(tmp_path / "file", tmp_path / "a" / "shown")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["shown"]


def test_no_manifest_is_named_before_what_it_names_is_safe(calls: Calls, house: House) -> None:
    """At each manifest every file of the lake that has a name has been synced, and so has its folder since."""
    house.put("events/a.jsonl", each(events("10:00 /a", "10:05 /b", "10:06 nonsense")))
    house.put("spend/a.csv", b"date,source,medium,campaign,cost\n2026-03-01,google,cpc,spring,1\n")
    house.digest()
    synced: set[Path] = set()
    unsafe: dict[Path, Path] = {}
    manifests = 0
    for call, path in calls:
        if call == "sync":
            synced.add(path)
            unsafe = {file: folder for file, folder in unsafe.items() if folder != path}
        elif call == "from":
            assert path in synced, f"{path} was named before it was synced"
        elif path.suffix == ".json" and "manifests" in path.parts:
            manifests += 1
            assert not unsafe, f"{path} names {unsafe}"
            unsafe[path] = path.parent
        else:
            unsafe[path] = path.parent
    assert manifests >= 5 and not unsafe
