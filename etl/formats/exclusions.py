"""Exclusion files: `kind,value,from,to,reason`; a row that cannot be read excludes nothing."""

import csv
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from etl.enrich.addresses import read_address

KINDS = ("session", "visitor", "user", "ip")
MAPPED_BITS = 96
"""So many bits stand before an IPv4 address within an IPv6 one."""
COLUMNS = ("kind", "value", "from", "to", "reason")


@dataclass(frozen=True, order=True)
class Exclusion:
    """One row of an exclusion file; times in UTC, `until` not included; a network is a value as CIDR."""

    kind: str
    value: str
    since: datetime | None
    until: datetime | None
    reason: str
    source_file: str
    line_number: int


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be read, and why."""

    source_file: str
    line_number: int
    detail: str
    text: str


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
            value = read_network(value)
        since, until = moment(row.get("from")), moment(row.get("to"))
        if since and until and since >= until:
            raise ValueError(f"from {since} is not before to {until}")
        return Exclusion(kind, value, since, until, row.get("reason", ""), source_file, number)
    except (ValueError, OverflowError, csv.Error) as error:
        return BadRow(source_file, number, str(error), line)


def read_network(text: str) -> str:
    """Read an address, however a log writes it, or a network, as CIDR; one of IPv4 within IPv6 is one of IPv4."""
    network = ipaddress.ip_network(read_address(text) or text, strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= MAPPED_BITS:
        network = ipaddress.ip_network(f"{mapped}/{network.prefixlen - MAPPED_BITS}", strict=False)
    return str(network)


def moment(text: str | None) -> datetime | None:
    """Read a time or a day, UTC unless it says otherwise; nothing is no limit."""
    if not (text or "").strip():
        return None
    read = datetime.fromisoformat((text or "").strip())
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
