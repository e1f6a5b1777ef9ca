"""The lake's datasets: each declared once, with its columns, its partition and who may read its files."""

from dataclasses import dataclass

import pyarrow as pa

from etl.vocabulary import columns

ROW_GROUP_ROWS = 122_880
PARQUET = f"format parquet, compression zstd, compression_level 1, row_group_size {ROW_GROUP_ROWS}"
# Sorted by visitor: with small groups a visitor's events, or a few visitors', are all that is read.
EVENTS_PARQUET = "format parquet, compression zstd, compression_level 1, row_group_size 32768"
# Sorted by visitor too, and read by tasks that want a hundredth of the visitors each, of every file.
SORTED_PARQUET = "format parquet, compression zstd, compression_level 1, row_group_size 8192"


@dataclass(frozen=True)
class Dataset:
    """A kind of rows in the lake.

    Attributes:
        partition: the column that its folders name, by day; none where files lie in one folder.
        folder: where its files lie below the lake; a folder of its name, unless said otherwise.
        is_private: its rows hold full addresses or whole payloads, so that its folder is closed to other users.
        is_kept: its files are removed by who publishes them, since readers of the warehouse may have them open.
    """

    name: str
    columns: pa.Schema
    partition: str | None = None
    folder: str = ""
    is_private: bool = False
    is_kept: bool = False

    @property
    def place(self) -> str:
        """The folder of its files, below the lake."""
        return self.folder or self.name


DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset("raw", columns.RAW, "received_date", is_private=True),
        Dataset("messages", columns.MESSAGES, "event_date", is_private=True),
        Dataset("keys", columns.KEYS, "received_date"),
        Dataset("pixel_hits", columns.PIXEL_HITS, "hit_date", is_private=True),
        Dataset("agents", columns.AGENTS),
        Dataset("hosts", columns.HOSTS),
        Dataset("quarantine", columns.QUARANTINE, is_private=True),
        Dataset("spend", columns.SPEND),
        Dataset("exclusions", columns.EXCLUSIONS),
        Dataset("copies", columns.COPIES, "event_date"),
        Dataset("fast_views", columns.FAST_VIEWS, "event_date"),
        Dataset("events", columns.EVENTS, "event_date", "versions/events", is_kept=True),
        Dataset("open_sessions", columns.OPEN_SESSIONS, "event_date"),
        Dataset("event_counts", columns.EVENT_COUNTS, "event_date"),
        Dataset("files", columns.FILES),
        Dataset("conversions", columns.CONVERSIONS),
        Dataset("thresholds", columns.THRESHOLDS),
        Dataset("holidays", columns.HOLIDAYS),
        Dataset("restatements", columns.RESTATEMENTS),
        Dataset("erasures", columns.ERASURES),
        Dataset("strays", columns.STRAYS),
        Dataset("seals", columns.SEALS),
        Dataset("sealed", columns.SEALED, "part"),
    )
}
