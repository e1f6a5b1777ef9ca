"""Spend: what ads cost, read row by row from the landed exports; what cannot be read goes to quarantine.

Each file is read by itself, so which others there are changes no row of it. Which file's word holds for a day and
campaign is decided where the marts are built.
"""

import codecs
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from etl.formats.spend import Line, decimal_mark, find_layout, judged, records
from etl.lake.catalogue import Lake
from etl.lake.fingerprint import Fingerprint, digest
from etl.lake.landed import LandedFile, landed_files
from etl.lake.manifests import Nothing
from etl.stages.runner import Made, Output, Stage, Work
from etl.vocabulary.columns import QUARANTINE, SPEND

SPEND_VERSION = 2
CHUNK_ROWS = 50_000


class Spend(Stage[Nothing]):
    """A unit is a landed export that is in the inbox now, by its number."""

    name = "spend"
    facts = Nothing
    gives = ("spend", "quarantine")

    def wanted(self, lake: Lake) -> Mapping[str, Fingerprint]:
        now = Fingerprint(digest(self.definition(lake)))
        return dict.fromkeys(landed_files(lake, "spend"), now)

    def definition(self, lake: Lake) -> object:
        return SPEND_VERSION, [export.model_dump(mode="json") for export in lake.settings.spend_exports]

    def make(self, work: Work[Nothing]) -> Made[Nothing]:
        (name,) = work.units
        file = landed_files(work.lake, "spend")[name]
        exports = work.lake.settings.spend_exports
        layout = find_layout(lines_of(file), file.source_file, exports)
        mark = decimal_mark(records(lines_of(file), layout), layout) if layout else None
        paths = {"spend": work.folder / "spend.parquet", "quarantine": work.folder / "quarantine.parquet"}
        schemas = {"spend": SPEND, "quarantine": QUARANTINE}
        writers: dict[str, pq.ParquetWriter] = {}
        counts = {"valid": 0, "quarantined": 0, "bad_lines": 0}
        where = {"source_file": file.source_file, "file_id": file.file_id}
        for good, bad in chunks(judged(lines_of(file), where, layout, mark)):
            for dataset, rows in (("spend", good), ("quarantine", bad)):
                if rows and dataset not in writers:
                    writers[dataset] = pq.ParquetWriter(paths[dataset], schemas[dataset], compression="zstd")
                if rows:
                    writers[dataset].write_table(pa.Table.from_pylist(rows, schema=schemas[dataset]))
            counts["valid"] += len(good)
            counts["quarantined"] += len(bad)
            counts["bad_lines"] += sum(row["reason"] in {"bad_line", "too_large"} for row in bad)
        for writer in writers.values():
            writer.close()
        return Made(Nothing(), [Output(dataset, paths[dataset]) for dataset in writers], {name: counts})


def chunks(
    rows: Iterable[tuple[bool, dict[str, Any]]],
) -> Iterator[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Gather judged rows into pieces of bounded size: (good, bad)."""
    good: list[dict[str, Any]] = []
    bad: list[dict[str, Any]] = []
    for is_good, row in rows:
        (good if is_good else bad).append(row)
        if len(good) + len(bad) >= CHUNK_ROWS:
            yield good, bad
            good, bad = [], []
    yield good, bad


def lines_of(file: LandedFile) -> Iterator[Line]:
    """Read a landed file's lines back as text, in their order and in bounded memory."""
    columns = ["line_number", "line", "line_sha256"]
    wide: codecs.IncrementalDecoder | None = None
    held, number = "", 0
    for path in file.parts.values():
        with pq.ParquetFile(path) as raw:
            for batch in raw.iter_batches(batch_size=10_000, columns=columns):
                for line_number, line, digest in zip(*(batch[name].to_pylist() for name in columns), strict=True):
                    if line_number == 1 and line[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
                        wide = codecs.getincrementaldecoder("utf-16")(errors="replace")
                    if wide:
                        # A newline of two bytes: what was landed as a line ends in its middle.
                        *whole, held = (held + wide.decode(line + b"\n")).split("\n")
                        for text in whole:
                            number += 1
                            yield Line(number, text.rstrip("\r"))
                    else:
                        yield read_line(line_number, line, digest)
    if held.strip("\0\r\ufffd"):
        yield Line(number + 1, held.rstrip("\r\0\ufffd"))


def read_line(number: int, line: bytes, digest: str | None) -> Line:
    """Decode one line; a mark of the byte order before the first is no text."""
    if digest is not None:
        return Line(number, None, "too_large", f"a longer line begins so, its SHA-256 is {digest}", repr(line)[2:-1])
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r")
    except UnicodeDecodeError as error:
        return Line(number, None, "bad_line", f"not UTF-8: {error.reason}", line.decode("utf-8", "backslashreplace"))
    return Line(number, text)
