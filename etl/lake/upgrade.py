"""Homes made before the catalogue: what cannot be made again is kept, the rest is made again by the next run.

Kept are the raw lines with what is known of their files, restatements, probes, and what people were told and mailed.
The published warehouse and the files that it reads stay until the next publication takes their place.
"""

import shutil
from pathlib import Path
from typing import Any

import orjson
import structlog

from etl.lake import files
from etl.lake.catalogue import Lake, write_note
from etl.lake.fingerprint import Fingerprint, digest
from etl.lake.landed import STAGE
from etl.lake.manifests import Commit, Content, Landing, Part, Unit

OLD_DATASETS = (
    "messages",
    "ids",
    "pixel_hits",
    "quarantine",
    "verdicts",
    "rates",
    "carry",
    "ledger",
    "declared",
    "spend",
)
OLD_MANIFESTS = ("files", "batches", "days", "spend", "exclusions", "state", "probes")


def upgrade(lake: Lake) -> bool:
    """Bring a home of an earlier layout to this one; say so in one line; False when there was nothing to do.

    Each step leaves what the one before has made, so that a run that is killed goes on where it stopped.
    """
    old = lake.path("manifests", "files")
    if not old.is_dir():
        return False
    landed = [orjson.loads(path.read_bytes()) for path in sorted(old.glob("[!.]*.json"))]
    structlog.get_logger("bloodhound").warning(
        f"This home was made by an earlier version: {len(landed):,} landed files and its history are kept, the rest is"
        " made again by this run"
    )
    for entry in landed:
        convert(lake, entry)
    keep_history(lake)
    for name in OLD_DATASETS:
        shutil.rmtree(lake.path(name), ignore_errors=True)
    for path in lake.path("events").glob("*/*.parquet"):
        # A second name of a version that the published warehouse reads.
        path.unlink()
    for path in lake.settings.home.joinpath("warehouse", "build").glob("build.duckdb*"):
        if path.is_file():
            path.unlink()
    # Last of all: while these are there, an upgrade has not come to its end.
    for name in (*OLD_MANIFESTS[1:], "files"):
        shutil.rmtree(lake.path("manifests", name), ignore_errors=True)
    return True


def convert(lake: Lake, entry: dict[str, Any]) -> None:
    """Write the manifest of a landed file anew: its lines stay where they lie."""
    number = entry["file_id"]
    signed = number - (1 << 64) if number >> 63 else number
    content = Content(
        signed, entry["status"], sha256=entry.get("sha256"), detail=entry["detail"], lines=entry["lines"],
        bytes=entry["bytes"], days=entry["partitions"], limits=entry.get("limits", []),
    )  # fmt: skip
    folder = Path("raw", entry["source"])
    paths = [folder / f"received_date={day}" / f"{number:016x}.parquet" for day in entry["partitions"]]
    parts = [
        Part("raw", path.as_posix(), lake.path(str(path)).stat().st_size, files.sha256_of(lake.path(str(path))), day)
        for path, day in zip(paths, entry["partitions"], strict=True)
    ]
    name = digest(entry["source_file"])
    # What its size and times were is forgotten: the file is looked at once more, and found to be what it was.
    fingerprint = Fingerprint("upgraded")
    facts = Landing(entry["source_file"], entry["source"], [content])
    commit = Commit(STAGE, name, 1, {entry["source_file"]: Unit(fingerprint)}, parts, facts)
    write_note(lake.manifest_path(STAGE, name), commit)


def keep_history(lake: Lake) -> None:
    """Move what cannot be made again to where it lies now."""
    moved = [
        (lake.path("restatements", "restatements.parquet"), lake.history("restatements.parquet")),
        (lake.path("manifests", "state", "alerts.json"), lake.history("alerts.json")),
        (lake.path("manifests", "state", "mailed.json"), lake.history("mailed.json")),
        *((path, lake.history("probes", path.name)) for path in lake.path("manifests", "probes").glob("[!.]*.json")),
    ]
    for source, target in moved:
        if source.exists():
            files.move_into_place(source, target)
