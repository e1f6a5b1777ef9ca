"""Exclusions: what people asked to be thrown out, read whole from the statements that are in the inbox now.

A row that cannot be read excludes nothing. It stands in quarantine, so that somebody sees it.
"""

from collections.abc import Mapping
from dataclasses import asdict

import pyarrow as pa
import pyarrow.parquet as pq

from etl.formats.exclusions import BadRow, Exclusion, parse_rows
from etl.lake.catalogue import Lake
from etl.lake.fingerprint import Fingerprint, digest
from etl.lake.landed import expected, landed_files, read_text
from etl.lake.manifests import Nothing
from etl.stages.stage import Made, Output, Stage, Work
from etl.vocabulary.columns import EXCLUSIONS, QUARANTINE

EXCLUSIONS_VERSION = 4


class Exclusions(Stage[Nothing]):
    """A unit is a landed exclusion file that is in the inbox now, by its number."""

    name = "exclusions"
    facts = Nothing
    gives = ("exclusions", "quarantine")

    def wanted(self, lake: Lake) -> Mapping[str, Fingerprint]:
        now = Fingerprint(digest(EXCLUSIONS_VERSION))
        return expected(landed_files(lake, "exclusions"), now, lake.units(self.name, self.facts))

    def make(self, work: Work[Nothing]) -> Made[Nothing]:
        (name,) = work.units
        file = landed_files(work.lake, "exclusions")[name]
        rows = parse_rows(file.source_file, read_text(file))
        good = [asdict(row) for row in rows if isinstance(row, Exclusion)]
        bad = [
            {
                "source_file": row.source_file, "line_number": row.line_number, "reason": "bad_line",
                "detail": f"no exclusion: {row.detail}", "payload": row.text, "file_id": file.file_id,
            }
            for row in rows if isinstance(row, BadRow)
        ]  # fmt: skip
        outputs = []
        for dataset, found, schema in (("exclusions", good, EXCLUSIONS), ("quarantine", bad, QUARANTINE)):
            if found:
                path = work.folder / f"{dataset}.parquet"
                pq.write_table(pa.Table.from_pylist(found, schema=schema), path, compression="zstd")
                outputs.append(Output(dataset, path))
        # Rows that exclude are no messages, so that the books count those alone that say nothing.
        counts = {"valid": 0, "quarantined": len(bad), "bad_lines": len(bad)}
        return Made(Nothing(), outputs, {name: counts})
