"""Spend: what ads cost, read row by row from the landed exports; what cannot be read goes to quarantine.

Each file is read by itself, so which others there are changes no row of it. Which file's word holds for a day and
campaign is decided where the marts are built.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from etl.formats.delimited import RawLine
from etl.formats.spend import read_export
from etl.formats.spend_layout import Formats
from etl.lake.catalogue import Lake
from etl.lake.fingerprint import Fingerprint, digest
from etl.lake.landed import LandedFile, expected, landed_files
from etl.lake.manifests import Nothing
from etl.settings import Settings
from etl.stages.stage import Made, Output, Stage, Work
from etl.vocabulary.columns import QUARANTINE, SPEND
from etl.vocabulary.spend_exports import load_platforms

SPEND_VERSION = 6
CHUNK_ROWS = 50_000
COUNTS = {"spend": "valid", "quarantine": "quarantined", "totals": "totals", "titles": "titles"}
SCHEMAS = {"spend": SPEND, "quarantine": QUARANTINE}


class Spend(Stage[Nothing]):
    """A unit is a landed export that is in the inbox now, by its number."""

    name = "spend"
    facts = Nothing
    gives = ("spend", "quarantine")

    def wanted(self, lake: Lake) -> Mapping[str, Fingerprint]:
        now = Fingerprint(digest(self.definition(lake)))
        return expected(landed_files(lake, "spend"), now, lake.units(self.name, self.facts))

    def definition(self, lake: Lake) -> object:
        known = formats(lake.settings)
        return (
            SPEND_VERSION,
            [export.model_dump(mode="json") for export in known.exports],
            known.register.model_dump(mode="json"),
            known.home,
        )

    def make(self, work: Work[Nothing]) -> Made[Nothing]:
        (name,) = work.units
        file = landed_files(work.lake, "spend")[name]
        where = {"source_file": file.source_file, "file_id": file.file_id}
        counts = dict.fromkeys((*COUNTS.values(), "bad_lines"), 0)
        rows = Rows(work.folder)
        for kind, row in read_export(lambda: raw_lines(file), file.source_file, formats(work.lake.settings)):
            counts[COUNTS[kind]] += 1
            counts["bad_lines"] += row.get("reason") in {"bad_line", "too_large"}
            if kind in SCHEMAS:
                rows.add(kind, where | row)
        return Made(Nothing(), rows.close(), {name: counts})


def formats(settings: Settings) -> Formats:
    """Say which exports are known."""
    return Formats(settings.spend_exports, load_platforms(settings.ad_platforms), settings.reporting_currency)


class Rows:
    """Rows of two datasets, written in pieces of bounded size; a dataset without any has no file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.waiting: dict[str, list[dict[str, Any]]] = {dataset: [] for dataset in SCHEMAS}
        self.writers: dict[str, pq.ParquetWriter] = {}

    def add(self, dataset: str, row: dict[str, Any]) -> None:
        """Take a row."""
        self.waiting[dataset].append(row)
        if len(self.waiting[dataset]) >= CHUNK_ROWS:
            self.flush(dataset)

    def flush(self, dataset: str) -> None:
        """Write what waits."""
        rows, self.waiting[dataset] = self.waiting[dataset], []
        if rows:
            schema = SCHEMAS[dataset]
            if dataset not in self.writers:
                self.writers[dataset] = pq.ParquetWriter(self.path(dataset), schema, compression="zstd")
            self.writers[dataset].write_table(pa.Table.from_pylist(rows, schema=schema))

    def path(self, dataset: str) -> Path:
        """Name a dataset's file."""
        return self.folder / f"{dataset}.parquet"

    def close(self) -> list[Output]:
        """Write the rest; list the files."""
        for dataset in SCHEMAS:
            self.flush(dataset)
        for writer in self.writers.values():
            writer.close()
        return [Output(dataset, self.path(dataset)) for dataset in self.writers]


def raw_lines(file: LandedFile) -> Iterator[RawLine]:
    """Read a landed file's lines, in their order and in bounded memory."""
    columns = ["line_number", "line", "line_sha256"]
    for path in file.parts.values():
        with pq.ParquetFile(path) as raw:
            for batch in raw.iter_batches(batch_size=10_000, columns=columns):
                yield from zip(*(batch[name].to_pylist() for name in columns), strict=True)
