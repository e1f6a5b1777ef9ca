"""Sources: the files that manifests name, as the relations that dbt reads in the schema `lake`."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import duckdb

from etl.lake import files as lake
from etl.settings import Settings


class Source(NamedTuple):
    """The files of a dataset, and the column that stands in the names of their folders."""

    files: list[Path]
    partition: str | None = None


def lake_views(settings: Settings) -> dict[str, Source]:
    """Name the files of each dataset that hold now. What no manifest names is in none."""
    batches = [output for batch in lake.manifests(settings, "batches").values() for output in batch["outputs"]]
    days = lake.manifests(settings, "days")
    spend = lake.manifests(settings, "spend")
    quarantine = [
        *(output for output in batches if output.startswith("quarantine/")),
        *(f"quarantine/collisions-{name}.parquet" for name, day in days.items() if day["collisions"]),
        *(f"quarantine/spend-{name}.parquet" for name, file in spend.items() if file["counts"]["quarantined"]),
        *(
            f"quarantine/exclusions-{name}.parquet"
            for name, file in lake.manifests(settings, "exclusions").items()
            if file["counts"]["quarantined"]
        ),
    ]
    told = "restatements/restatements.parquet"

    def source(names: Iterable[str], partition: str | None = None) -> Source:
        return Source([lake.lake_path(settings, name) for name in sorted(names)], partition)

    return {
        "events": source((f"events/event_date={name}/events.parquet" for name in days), "event_date"),
        "messages": source((name for name in batches if name.startswith("messages/")), "event_date"),
        "pixel_hits": source((name for name in batches if name.startswith("pixel_hits/")), "hit_date"),
        "quarantine": source(quarantine),
        "event_counts": source(f"ledger/event_counts/event_date={name}.parquet" for name in days),
        "spend": source(f"spend/{name}.parquet" for name, file in spend.items() if file["counts"]["valid"]),
        # Until something is published there is nothing that was said before.
        "restatements": source([told] if lake.lake_path(settings, told).exists() else []),
        # Written whole before each build.
        "files": source(["ledger/files.parquet"]),
        "conversions": source(["declared/conversions.parquet"]),
        "thresholds": source(["declared/thresholds.parquet"]),
    }


def create_views(con: duckdb.DuckDBPyConnection, views: Mapping[str, Source], schemas: Path) -> None:
    """Give each dataset its view in the schema `lake`.

    Args:
        con: open on the database that dbt builds in.
        schemas: the folder of the zero-row files, which stand for datasets without any file.
    """
    con.execute("create schema if not exists lake")
    for name, (files, partition) in views.items():
        listed = ", ".join(quoted(path) for path in files or [schemas / f"{name}.parquet"])
        hive = f"hive_partitioning = true, hive_types = {{'{partition}': date}}"
        options = hive if files and partition else "hive_partitioning = false"
        con.execute(f"create or replace view lake.{name} as select * from read_parquet([{listed}], {options})")


def quoted(value: object) -> str:
    """Write a value as SQL text."""
    return "'" + str(value).replace("'", "''") + "'"
