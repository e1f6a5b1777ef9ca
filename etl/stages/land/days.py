"""Received days: into which partition a line goes, as far as a glance at it can tell."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from etl.lake.manifests import UNKNOWN_DAY

RECEIVED_AT = rb'"received_at"\s*:\s*"?(?P<seconds>[0-9]{1,11})'
LOGGED_AT = (
    rb"^[^\[]{1,400}\[(?P<minute>[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}):[0-9]{2} (?P<zone>[+-][0-9]{4})\]"
)
ISO_AT = (
    rb"(?P<minute>[0-9]{4}-[0-9]{2}-[0-9]{2}[T\t ][0-9]{2}:[0-9]{2})(?::[0-9.]+)?(?P<zone>Z|[+-][0-9]{2}:?[0-9]{2})?"
)
EPOCH_AT = rb"[\":](?P<seconds>[0-9]{10})(?:\.[0-9]+)?[\",}]"
"""How other formats of the register write a time: the first of a line counts."""
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2100, 1, 1)


def received_days(source: str, lines: pa.LargeBinaryArray) -> pa.StringArray:
    """Say on which UTC day each line was received, as ISO days; the unknown day where it can't be read.

    A coordinate for partitions only: what a line means is decided when it is parsed.
    """
    if source == "events":
        found = pc.struct_field(pc.extract_regex(lines, pattern=RECEIVED_AT), "seconds")
        days = pc.divide(pc.cast(pc.cast(found, pa.large_string()), pa.int64()), 86_400)
        names = {day.as_py(): epoch_day(day.as_py()) for day in pc.unique(days)}
        return relabel(days, names)
    if source in {"pixel", "access"}:
        found = pc.extract_regex(lines, pattern=LOGGED_AT)
        minutes = pc.struct_field(found, "minute").cast(pa.large_string())
        zones = pc.struct_field(found, "zone").cast(pa.large_string())
        stamps = pc.binary_join_element_wise(minutes, zones, pa.scalar(" ", pa.large_string()))
        names = {stamp.as_py(): log_day(stamp.as_py()) for stamp in pc.unique(stamps)}
        named = relabel(stamps, names)
        if UNKNOWN_DAY not in names.values():
            return named
        return pc.if_else(pc.equal(named, UNKNOWN_DAY), other_days(lines), named)
    return pa.array([UNKNOWN_DAY] * len(lines), pa.string())


def other_days(lines: pa.LargeBinaryArray) -> pa.StringArray:
    """Say on which UTC day lines were received that do not write their time as Apache does."""
    found = pc.extract_regex(lines, pattern=ISO_AT)
    minutes = pc.struct_field(found, "minute").cast(pa.large_string())
    zones = pc.struct_field(found, "zone").cast(pa.large_string())
    stamps = pc.binary_join_element_wise(minutes, pc.fill_null(zones, ""), pa.scalar(" ", pa.large_string()))
    named = relabel(stamps, {stamp.as_py(): iso_day(stamp.as_py()) for stamp in pc.unique(stamps)})
    seconds = pc.struct_field(pc.extract_regex(lines, pattern=EPOCH_AT), "seconds")
    days = pc.divide(pc.cast(pc.cast(seconds, pa.large_string()), pa.int64()), 86_400)
    by_epoch = relabel(days, {day.as_py(): epoch_day(day.as_py()) for day in pc.unique(days)})
    return pc.if_else(pc.equal(named, UNKNOWN_DAY), by_epoch, named)


def relabel(values: pa.Array, names: dict[Any, str]) -> pa.StringArray:
    """Replace each value by its name."""
    keys = pa.array(list(names), values.type)
    return pa.array(list(names.values()), pa.string()).take(pc.index_in(values, keys))


def epoch_day(day: int | None) -> str:
    """Name the day that lies this many days after 1970-01-01."""
    if day is None or not (FIRST_DAY - date(1970, 1, 1)).days <= day < (LAST_DAY - date(1970, 1, 1)).days:
        return UNKNOWN_DAY
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def iso_day(stamp: str | None) -> str:
    """Name the UTC day of `2026-03-10T10:00 +00:00`; without a zone it is UTC."""
    minute, _, zone = (stamp or "").rpartition(" ")
    try:
        read = datetime.fromisoformat(f"{minute}{zone}")
        day = (read.astimezone(UTC) if read.tzinfo else read).date()
    except (ValueError, OverflowError):
        return UNKNOWN_DAY
    return day.isoformat() if FIRST_DAY <= day < LAST_DAY else UNKNOWN_DAY


def log_day(stamp: str | None) -> str:
    """Name the UTC day of `17/May/2015:10:05 +0000`."""
    try:
        day = datetime.strptime(stamp or "", "%d/%b/%Y:%H:%M %z").astimezone(UTC).date()
    except (ValueError, OverflowError):
        return UNKNOWN_DAY
    return day.isoformat() if FIRST_DAY <= day < LAST_DAY else UNKNOWN_DAY
