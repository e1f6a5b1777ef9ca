"""Reseal: the manifest of sealed rows, written again from their files, whose names say what was written.

What it says beside them every other manifest of sealed rows says too. Where a file is not what its name says, nothing
can be made again, and it is a backup's turn.
"""

from pathlib import Path

import msgspec

from etl.lake import files, sealed
from etl.lake.catalogue import Lake, write_note
from etl.lake.datasets import DATASETS
from etl.lake.fingerprint import Fingerprint, digest
from etl.lake.manifests import Commit, Part, Unit
from etl.lake.sealed import Kept


def known(lake: Lake) -> list[Kept]:
    """Read what the manifests that can be read say."""
    found = []
    for path in lake.path("manifests", sealed.STAGE).glob("[!.]*.json"):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Commit[Kept]).facts)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    return found


def made_again(lake: Lake, name: str) -> Commit[Kept] | None:
    """Write a commit from its files; None where one is not what its name says, or no other manifest is there."""
    folder = lake.path(DATASETS[sealed.DATASET].place)
    parts = [part_of(lake, path) for path in sorted(folder.glob(f"*/*/{name}-*.parquet"))]
    if not parts or not known(lake) or any(Path(part.path).stem != f"{name}-{part.sha256[:8]}" for part in parts):
        return None
    if len({Path(part.path).parent for part in parts}) < len(parts):  # A run that was killed left one of two.
        return None
    said = max(known(lake), key=lambda kept: kept.gone_before)
    # What erasures took out of it is not known: its days are built once more.
    facts = msgspec.structs.replace(said, erased=digest("made again", name))
    unit = Unit(Fingerprint(digest(sorted(part.sha256 for part in parts))))
    return Commit(sealed.STAGE, name, 1, {name: unit}, parts, facts)


def part_of(lake: Lake, path: Path) -> Part:
    """Say of a file what a manifest does."""
    return Part(
        dataset=sealed.DATASET, path=path.relative_to(lake.root).as_posix(), size=path.stat().st_size,
        sha256=files.sha256_of(path), day=path.parent.name.partition("=")[2],
    )  # fmt: skip


def reseal(lake: Lake, name: str) -> bool:
    """Put a manifest that cannot be read back; say whether it could be made."""
    commit = made_again(lake, name)
    if commit is None:
        return False
    write_note(lake.manifest_path(sealed.STAGE, name), commit)
    return True
