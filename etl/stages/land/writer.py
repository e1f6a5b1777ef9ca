"""The raw zone's files: one Parquet file for each received day of an inbox file's lines."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.lake.manifests import UNKNOWN_DAY
from etl.stages.land.days import received_days
from etl.stages.land.lines import Chunk
from etl.vocabulary.columns import RAW

MOST_DAYS_A_FILE = 400


@dataclass
class DayWriter:
    """Write a file's lines into one Parquet file per received day."""

    folder: Path
    source: str
    lines: int = 0
    bytes: int = 0
    writers: dict[str, pq.ParquetWriter] = field(default_factory=dict)
    rows: Counter[str] = field(default_factory=Counter)

    def write(self, chunk: Chunk) -> None:
        count = len(chunk.lines)
        table = pa.table(
            [
                np.arange(chunk.first_line, chunk.first_line + count),
                chunk.first_byte + np.concatenate(([0], np.cumsum(chunk.line_bytes[:-1] + 1))),
                chunk.lines,
                chunk.line_bytes.astype(np.int64),
                pa.array(chunk.sha256 or pa.nulls(count), pa.string()),
            ],
            schema=RAW,
        )
        self.lines += count
        self.bytes += int(chunk.line_bytes.sum()) + count - chunk.is_open
        days = received_days(self.source, chunk.lines)
        distinct = pc.unique(days).to_pylist()
        for day in distinct:
            part = table if len(distinct) == 1 else table.filter(pc.equal(days, day))
            self.write_day(day, part)

    def write_day(self, day: str, part: pa.Table) -> None:
        if day not in self.writers and len(self.writers) >= MOST_DAYS_A_FILE:
            day = UNKNOWN_DAY
        if day not in self.writers:
            self.writers[day] = pq.ParquetWriter(
                self.folder / f"{day}.parquet", RAW, compression="zstd", compression_level=1,
                use_dictionary=False, write_statistics=["line_number"],
            )  # fmt: skip
        self.writers[day].write_table(part)
        self.rows[day] += len(part)

    def close(self) -> list[str]:
        for writer in self.writers.values():
            writer.close()
        return sorted(self.writers)
