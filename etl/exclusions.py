"""Exclusions: what people asked to be thrown out, read whole from the inbox's files each time."""

import csv
import io
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from etl import lake, land
from etl.settings import Settings

KINDS = ("session", "visitor", "user", "ip")


@dataclass(frozen=True, order=True)
class Exclusion:
    """One row of an exclusion file; times in UTC, `until` not included."""

    kind: str
    value: str
    since: datetime | None
    until: datetime | None
    reason: str
    source_file: str
    line_number: int

    def overlaps(self, day: date) -> bool:
        """Say whether any moment of a UTC day is excluded."""
        start = datetime.combine(day, time(), UTC)
        return (self.since is None or self.since < start + timedelta(days=1)) and (
            self.until is None or self.until > start
        )


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be read, and why."""

    source_file: str
    line_number: int
    detail: str
    text: str


def read_exclusions(settings: Settings) -> tuple[list[Exclusion], list[BadRow]]:
    """Read the exclusion files that are in the inbox now; an exclusion taken out of it ends."""
    present = {file.name for file in land.find_files(settings.inbox) if file.source == "exclusions"}
    good: list[Exclusion] = []
    bad: list[BadRow] = []
    files = lake.manifests(settings, "files").values()
    for file in sorted(files, key=lambda entry: entry["source_file"]):
        if file["source_file"] in present and file["status"] in {"landed", "truncated"}:
            rows = parse_rows(file["source_file"], land.read_text(settings, file))
            good += [row for row in rows if isinstance(row, Exclusion)]
            bad += [row for row in rows if isinstance(row, BadRow)]
    return sorted(good, key=lambda row: (row.source_file, row.line_number)), bad


def parse_rows(source_file: str, text: str) -> list[Exclusion | BadRow]:
    """Read `kind,value,from,to,reason` with a header line."""
    reader = csv.DictReader(io.StringIO(text))
    rows: list[Exclusion | BadRow] = []
    try:
        for row in reader:
            rows.append(parse_row(source_file, reader.line_num, row))
    except csv.Error as error:
        rows.append(BadRow(source_file, reader.line_num, str(error), ""))
    return rows


def parse_row(source_file: str, line: int, row: dict[str, Any]) -> Exclusion | BadRow:
    """Read one row; a row of unknown kind, without a value or with an unreadable time is bad."""
    kind, value = (row.get("kind") or "").strip().lower(), (row.get("value") or "").strip()
    try:
        if kind not in KINDS or not value:
            raise ValueError(f"kind is {kind!r}, value is {value!r}")
        if kind == "ip":
            value = str(ipaddress.ip_network(value, strict=False))
        return Exclusion(
            kind,
            value,
            moment(row.get("from")),
            moment(row.get("to")),
            (row.get("reason") or "").strip(),
            source_file,
            line,
        )
    except (ValueError, OverflowError) as error:
        return BadRow(source_file, line, str(error), repr(row))


def moment(text: str | None) -> datetime | None:
    """Read a time or a day, UTC unless it says otherwise; nothing is no limit."""
    if not (text or "").strip():
        return None
    read = datetime.fromisoformat((text or "").strip())
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


def as_table(exclusions: Sequence[Exclusion], addresses: Iterable[str | None]) -> pa.Table:
    """Write exclusions as rows (kind, value, since, until) to join by equality.

    Args:
        addresses: the distinct addresses in question; each is listed under the networks it lies in.
    """
    rows = [(row.kind, row.value, row.since, row.until) for row in exclusions if row.kind != "ip"]
    networks = [(ipaddress.ip_network(row.value), row) for row in exclusions if row.kind == "ip"]
    for address in addresses if networks else ():
        try:
            parsed = ipaddress.ip_address(address or "")
        except ValueError:
            continue
        # A dual-stack server logs IPv4 clients as ::ffff:198.51.100.9.
        parsed = getattr(parsed, "ipv4_mapped", None) or parsed
        rows += [("ip", str(address), row.since, row.until) for network, row in networks if parsed in network]
    stamp = pa.timestamp("us", tz="UTC")
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    return pa.table(
        {
            "kind": pa.array(columns[0], pa.string()),
            "value": pa.array(columns[1], pa.string()),
            "since": pa.array(columns[2], stamp),
            "until": pa.array(columns[3], stamp),
        }
    )
