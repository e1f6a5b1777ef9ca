"""Rebuild: everything that can be made again is made again, and said whether it came out the same."""

import shutil
from collections.abc import Collection
from pathlib import Path

from etl.lake import sealed
from etl.lake.catalogue import Lake
from etl.lake.landed import PARSED, STAGE, holds_all_there_is, without_raw
from etl.lake.manifests import Reading
from etl.stages.build.workplace import workplace

KEPT = ("raw", "manifests", "schemas", "versions", "marts", "events", "sessions", "page_views", sealed.DATASET)
"""Folders of the lake that stay: landed lines, sealed rows, and what those read who read the warehouse of now."""
KEPT_MANIFESTS = (STAGE, "publish", sealed.STAGE)


def forget(lake: Lake) -> None:
    """Remove what can be made again; the published warehouse and its files stay until another takes their place.

    Manifests go first: what they name is gone as soon as they are. A commit of parse stays if it holds what was read of
    lines that are there no more.
    """
    gone = without_raw(lake)
    kept = [commit for commit in lake.commits(PARSED, Reading) if holds_all_there_is(commit, gone)]
    manifests = {lake.manifest_path(PARSED, commit.name) for commit in kept}
    files = {lake.path(part.path) for commit in kept for part in commit.parts}
    for folder in lake.path("manifests").iterdir():
        if folder.is_dir() and folder.name not in KEPT_MANIFESTS:
            remove_all_but(folder, manifests)
    for folder in lake.root.iterdir():
        if folder.is_dir() and folder.name not in KEPT:
            remove_all_but(folder, files)
    shutil.rmtree(workplace(lake.settings).folder, ignore_errors=True)


def remove_all_but(folder: Path, kept: Collection[Path]) -> None:
    """Remove a folder, but for some files of it."""
    inside = [path for path in kept if path.is_relative_to(folder)]
    if not inside:
        shutil.rmtree(folder)
        return
    for path in folder.rglob("*"):
        if path.is_file() and path not in kept:
            path.unlink()
