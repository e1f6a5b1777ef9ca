"""What deduplication leaves: copies by day, and quarantine for messages that borrow an id."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from etl.lake import sql
from etl.lake.datasets import PARQUET
from etl.lake.days import parts_of
from etl.stages.deduplicate import steps
from etl.stages.deduplicate.contents import Reference, message_texts, references
from etl.stages.deduplicate.decide import Decided, Messages
from etl.stages.stage import Output
from etl.vocabulary.columns import COPIES, QUARANTINE


def write_copies(
    con: duckdb.DuckDBPyConnection, folder: Path, decided: Decided, days: Collection[str]
) -> Iterator[Output]:
    """Write the copies of some days; a day without any has no file."""
    names = ", ".join(name for name in COPIES.names if name != "event_date")
    for day in sorted(days & decided.contents.keys()):
        path = folder / f"copies-{day}.parquet"
        con.execute(
            f"copy (select {names} from {decided.relation} where event_date = date '{day}'"
            f" order by file_id, message_ref) to {sql.text(path)} ({PARQUET})"
        )
        yield Output("copies", path, day=day, content=decided.contents[day])


def write_collisions(
    con: duckdb.DuckDBPyConnection, folder: Path, decided: Decided, days: Collection[str], messages: Messages
) -> Iterator[Output]:
    """Quarantine those messages of some days whose id belongs to a message with other content."""
    collisions: dict[Reference, str] = {
        (number, reference): str(day)
        for number, reference, day in con.execute(
            f"select file_id, message_ref, event_date from {decided.relation}"
            " where kind = 'id_collision' and cast(event_date as varchar) in (select unnest($days))",
            {"days": sorted(days)},
        ).fetchall()
    }
    if not collisions:
        return
    texts = message_texts(messages.lake, collisions)
    scan = messages.lake.scan("messages", parts_of(messages.days, sorted(set(collisions.values()))))
    collided = steps.FIND_COLLIDED.run(con, {"collisions": references(collisions), "messages": scan})["collided"]
    rows: dict[str, list[dict[str, Any]]] = {}
    for said in con.sql(f"from {collided} order by file_id, message_ref").to_arrow_table().to_pylist():
        message = said["file_id"], said["message_ref"]
        text = texts.get(message)
        rows.setdefault(collisions[message], []).append(quarantined(said, text.sent if text else None))
    for day, found in rows.items():
        path = folder / f"collisions-{day}.parquet"
        pq.write_table(pa.Table.from_pylist(found, schema=QUARANTINE), path, compression="zstd")
        yield Output("quarantine", path, day=day)


def quarantined(said: dict[str, Any], payload: str | None) -> dict[str, Any]:
    """Write a message with another's id as a row of quarantine; without a payload where its line is gone."""
    line_number, position = said["message_ref"] >> 24, said["message_ref"] & 0xFFFFFF
    detail = f"id {said['event_id']} belongs to another message with other content"
    return said | {
        "line_number": line_number, "position": position, "reason": "id_collision", "detail": detail,
        "payload": payload, "payload_key": None,
    }  # fmt: skip
