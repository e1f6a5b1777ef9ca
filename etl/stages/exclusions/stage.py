"""Exclusions: what people asked to be thrown out, read whole from the inbox's files each time.

A row that cannot be read excludes nothing. It stands in quarantine, so that somebody sees it.
"""

import csv
import hashlib
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from etl.errors import BadUse
from etl.lake import files as lake
from etl.settings import Settings
from etl.stages.land import stage as land
from etl.vocabulary.columns import QUARANTINE

EXCLUSIONS_VERSION = 1
KINDS = ("session", "visitor", "user", "ip")
COLUMNS = ("kind", "value", "from", "to", "reason")


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
    """Read the exclusion files that are in the inbox now; an exclusion taken out of it ends.

    Raises:
        BadUse: there is no inbox. One that is not mounted must not take back every exclusion.
    """
    if not settings.inbox.is_dir():
        raise BadUse(f"the inbox {settings.inbox} does not exist", "Its exclusions hold too: name it by --inbox")
    present = {file.name for file in land.find_files(settings.inbox, ["exclusions"])}
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
    """Read `kind,value,from,to,reason`, each line by itself; the header may be absent or order the columns anew."""
    columns: tuple[str, ...] = COLUMNS
    separator = ","
    rows: list[Exclusion | BadRow] = []
    for number, line in enumerate(text.lstrip("\ufeff").split("\n"), 1):
        if not line.strip():
            continue
        if not rows and columns is COLUMNS and (header := read_header(line)):
            columns, separator = header
            continue
        rows.append(parse_row(source_file, number, line.rstrip("\r"), columns, separator))
    return rows


def read_header(line: str) -> tuple[tuple[str, ...], str] | None:
    """Read the names of the columns and what separates them; None when the line is no header."""
    for separator in (",", ";", "\t"):
        names = tuple(cell.strip().lower() for cell in line.split(separator))
        if {"kind", "value"} <= set(names):
            return names, separator
    return None


def parse_row(source_file: str, number: int, line: str, columns: Sequence[str], separator: str) -> Exclusion | BadRow:
    """Read one row; of unknown kind, without a value or with times that exclude nothing it is bad."""
    try:
        cells = next(csv.reader([line], delimiter=separator, strict=True))
        row = dict(zip(columns, map(str.strip, cells), strict=False))
        if columns[-1] == "reason":
            # Commas in a reason that nobody quoted are the reason's.
            row["reason"] = separator.join(cells[len(columns) - 1 :]).strip()
        kind, value = row.get("kind", "").lower(), row.get("value", "")
        if kind not in KINDS or not value:
            raise ValueError(f"kind is {kind!r}, value is {value!r}")
        if kind == "ip":
            value = str(ipaddress.ip_network(value, strict=False))
        since, until = moment(row.get("from")), moment(row.get("to"))
        if since and until and since >= until:
            raise ValueError(f"from {since} is not before to {until}")
        return Exclusion(kind, value, since, until, row.get("reason", ""), source_file, number)
    except (ValueError, OverflowError, csv.Error) as error:
        return BadRow(source_file, number, str(error), line)


def moment(text: str | None) -> datetime | None:
    """Read a time or a day, UTC unless it says otherwise; nothing is no limit."""
    if not (text or "").strip():
        return None
    read = datetime.fromisoformat((text or "").strip())
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


def readings(settings: Settings) -> dict[str, dict[str, Any]]:
    """The landed exclusion files, by the name of their reading; one taken out of the inbox stays accounted for."""
    return {
        hashlib.sha256(repr((EXCLUSIONS_VERSION, file["file_id"])).encode()).hexdigest()[:16]: file
        for file in lake.manifests(settings, "files").values()
        if file["source"] == "exclusions" and file["status"] in {"landed", "truncated"}
    }


def unread(settings: Settings) -> list[str]:
    """Name the readings that are missing or no longer hold."""
    return sorted(readings(settings).keys() ^ lake.manifests(settings, "exclusions").keys())


def counts(settings: Settings) -> dict[str, dict[str, int]]:
    """Count each file's unreadable rows, by file id, as `parse` counts messages; the other rows are no messages."""
    return {f"{entry['file_id']:016x}": entry["counts"] for entry in lake.manifests(settings, "exclusions").values()}


def quarantine(settings: Settings) -> list[dict[str, Any]]:
    """Quarantine the rows that cannot be read of files not looked at yet; return their manifests."""
    files, known = readings(settings), lake.manifests(settings, "exclusions")
    for name in known.keys() - files.keys():
        lake.manifest_path(settings, "exclusions", name).unlink()
    for path in lake.lake_path(settings, "quarantine").glob("exclusions-*.parquet"):
        if path.stem.removeprefix("exclusions-") not in files.keys() & known.keys():
            path.unlink()
    made = []
    for name in sorted(files.keys() - known.keys()):
        file = files[name]
        rows = parse_rows(file["source_file"], land.read_text(settings, file))
        bad = [
            {
                "source_file": row.source_file, "line_number": row.line_number, "reason": "bad_line",
                "detail": f"no exclusion: {row.detail}", "payload": row.text, "file_id": file["file_id"],
            }
            for row in rows if isinstance(row, BadRow)
        ]  # fmt: skip
        if bad:
            table = pa.Table.from_pylist(bad, schema=QUARANTINE)
            lake.write_table(lake.lake_path(settings, "quarantine", f"exclusions-{name}.parquet"), table)
        tally = {"valid": 0, "quarantined": len(bad), "bad_lines": len(bad)}
        made.append({"name": name, "file_id": file["file_id"], "source_file": file["source_file"], "counts": tally})
        lake.write_manifest(lake.manifest_path(settings, "exclusions", name), made[-1])
    return made


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
