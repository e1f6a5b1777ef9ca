"""Bots by rate: page views that come faster than people read.

The user agent's own reasons (`declared`, `malformed_ua`) stand in the messages already. This rule
needs the days around: windows reach over midnight.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from etl.formats.collector import sql_list
from etl.lake import files as lake
from etl.settings import Settings
from etl.vocabulary.bot_rules import PLATFORMS, WINDOWS, digest

RATED = pa.schema([("file_id", pa.uint64()), ("message_ref", pa.int64())])


def rate_path(settings: Settings, day: date) -> Path:
    """Name the file of one day's page views that came too fast."""
    return lake.lake_path(settings, "rates", f"event_date={day}", "rates.parquet")


def update(
    settings: Settings,
    inputs: Mapping[str, str],
    messages: Mapping[str, Sequence[Path]],
    verdicts: Mapping[str, Path],
) -> dict[str, str]:
    """Judge the days whose messages changed, and their neighbours; return each day's content hash.

    Args:
        inputs: a fingerprint of each event day's accepted messages, by ISO day.
        messages: each day's message files.
        verdicts: each day's verdict file, where there is one.
    """
    path = lake.manifest_path(settings, "state", "rates")
    state: dict[str, Any] = lake.read_manifest(path) or {"inputs": {}, "hashes": {}}
    # Under other rules every day is judged anew.
    inputs = {day: f"{value}-{digest('rate', 'platforms')}" for day, value in inputs.items()}
    changed = {day for day in {*inputs, *state["inputs"]} if inputs.get(day) != state["inputs"].get(day)}
    if not changed:
        return state["hashes"]
    around = {near.isoformat() for day in changed for near in neighbours(day)}
    hashes = {day: value for day, value in state["hashes"].items() if day in inputs and day not in around}
    for day in sorted(around & set(inputs)):
        near = [name.isoformat() for name in neighbours(day)]
        files = [file for name in near for file in messages.get(name, ())]
        decided = [verdicts[name] for name in near if name in verdicts]
        table = fast_page_views(settings, date.fromisoformat(day), files, decided)
        if table.num_rows:
            target = rate_path(settings, date.fromisoformat(day))
            lake.write_table(target, table)
            hashes[day] = hashlib.sha256(target.read_bytes()).hexdigest()[:16]
    lake.write_manifest(path, {"inputs": inputs, "hashes": hashes})
    return hashes


def neighbours(day: str) -> list[date]:
    """The day before, the day, the day after."""
    middle = date.fromisoformat(day)
    return [middle + timedelta(days=offset) for offset in (-1, 0, 1)]


def fast_page_views(settings: Settings, day: date, messages: Sequence[Path], verdicts: Sequence[Path]) -> pa.Table:
    """Find the day's page views inside a window that holds too many (columns of `RATED`)."""
    fewest = min(count for _, count in WINDOWS)
    refused = (
        f"anti join (select * from {lake.scan(verdicts)} where verdict <> 'repeat') as refused"
        " using (file_id, message_ref)"
        if verdicts
        else ""
    )
    starts = ", ".join(
        f"lead(event_us, {count - 1}) over visits - event_us <= {width} as starts_{count}" for width, count in WINDOWS
    )
    flags = " or ".join(
        f"bool_or(coalesce(starts_{count}, false)) over (visits rows between {count - 1} preceding and current row)"
        for _, count in WINDOWS
    )
    with lake.staging(settings) as folder, lake.engine(settings, folder) as con:
        return (
            con.sql(
                f"""
            with views as (
                select visitor_id, epoch_us(event_at) as event_us, file_id, message_ref
                from {lake.scan(messages)} {refused}
                where schema = 'page_view' and platform in ({sql_list(PLATFORMS)})
            ),
            busy as (
                select * from views
                where visitor_id in (select visitor_id from views group by visitor_id having count(*) >= {fewest})
            ),
            windowed as (
                select *, {starts}
                from busy window visits as (partition by visitor_id order by event_us, file_id, message_ref)
            ),
            flagged as (
                select *, {flags} as is_fast
                from windowed window visits as (partition by visitor_id order by event_us, file_id, message_ref)
            )
            select file_id, message_ref from flagged
            where is_fast and cast(make_timestamp(event_us) as date) = $day
            order by file_id, message_ref
            """,
                params={"day": day},
            )
            .to_arrow_table()
            .cast(RATED)
        )
