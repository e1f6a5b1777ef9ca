"""Rebuild: everything that can be made again is made again, and said whether it came out the same."""

import shutil

from etl.lake.catalogue import Lake
from etl.lake.landed import STAGE
from etl.stages.build.workplace import workplace

KEPT = ("raw", "manifests", "schemas", "versions", "marts", "events", "sessions", "page_views")
"""Folders of the lake that stay: landed lines, and what those read who read the warehouse of now."""
KEPT_MANIFESTS = (STAGE, "publish")


def forget(lake: Lake) -> None:
    """Remove what can be made again; the published warehouse and its files stay until another takes their place.

    Manifests go first: what they name is gone as soon as they are.
    """
    for folder in lake.path("manifests").iterdir():
        if folder.name not in KEPT_MANIFESTS:
            shutil.rmtree(folder)
    for folder in lake.root.iterdir():
        if folder.is_dir() and folder.name not in KEPT:
            shutil.rmtree(folder)
    shutil.rmtree(workplace(lake.settings).folder, ignore_errors=True)
