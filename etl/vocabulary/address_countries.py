"""Which addresses are a country's: a file of ranges that the operator has, as several publishers give it away.

A line is `network,code` or `first,last,code`, addresses as text or as numbers; what follows is not looked at, and the
first line may name the columns. Versions 4 and 6 share one row of numbers, in which version 4 lies where
`::ffff:0:0/96` does: so numbers mean the same in the publishers' files of either version.
"""

import csv
import gzip
import hashlib
import socket
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network
from itertools import pairwise
from pathlib import Path

from etl.errors import BadUse

MAPPED = 0xFFFF << 32
LAST_OF_FOUR = 2**32 - 1
NOBODY = {"", "-", "ZZ"}
"""What publishers write of addresses that are no country's."""


@dataclass(frozen=True)
class Ranges:
    """Ranges of addresses in their order; no two of them overlap."""

    starts: list[int]
    ends: list[int]
    codes: list[str]

    def find(self, number: int) -> str | None:
        """Name the country of an address."""
        place = bisect_right(self.starts, number) - 1
        return self.codes[place] if place >= 0 and number <= self.ends[place] else None


def as_number(text: str) -> int:
    """Read an address as its number.

    Raises:
        ValueError: it is none.
    """
    if text.isascii() and text.isdigit():
        number = int(text)
        return number + MAPPED if number <= LAST_OF_FOUR else number
    try:
        if ":" in text:
            return int.from_bytes(socket.inet_pton(socket.AF_INET6, text))
        return int.from_bytes(socket.inet_pton(socket.AF_INET, text)) + MAPPED
    except OSError as error:
        raise ValueError(f"{text[:50]!r} is no address") from error


def read_digest(path: Path | None) -> str | None:
    """Name what a file says, so that another one is known; None without a file.

    Raises:
        BadUse: there is no such file.
    """
    return digest_at(path, *stamp(path)) if path else None


def read_ranges(path: Path | None) -> Ranges:
    """Read the ranges of a file, once for each state of it; without a file there are none.

    Raises:
        BadUse: the file is missing, or a line cannot be read, or two ranges overlap; the message names it.
    """
    return ranges_at(path, *stamp(path)) if path else Ranges([], [], [])


def stamp(path: Path) -> tuple[int, int]:
    """Say by what another state of a file is known: its size and when it was written."""
    try:
        found = path.stat()
    except OSError as error:
        raise BadUse(f"there are no countries of addresses at {path}", "Set `address_countries` to the file") from error
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=2)
def digest_at(path: Path, size: int, written: int) -> str:
    """Hash a file in the state that its stamp names."""
    del size, written
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=2)
def ranges_at(path: Path, size: int, written: int) -> Ranges:
    """Read a file in the state that its stamp names."""
    del size, written
    found = sorted(rows_of(path))
    for (_, end, _), (start, *_) in pairwise(found):
        if start <= end:
            raise BadUse(f"{path.name}: two ranges overlap at {as_text(start)}", "An address has one country")
    columns = [list(column) for column in zip(*found, strict=True)] or [[], [], []]
    return Ranges(*columns)


def rows_of(path: Path) -> Iterator[tuple[int, int, str]]:
    """Read a line after the other: first and last address as numbers, and the code."""
    opened = gzip.open if path.suffix == ".gz" else open
    number = 0
    try:
        with opened(path, "rt", newline="", encoding="utf-8-sig") as file:
            for number, row in enumerate(csv.reader(file), 1):
                try:
                    first, last, code = read_row([field.strip() for field in row])
                except ValueError:
                    # The first line may name the columns.
                    if number > 1 and row:
                        raise
                    continue
                if code not in NOBODY:
                    yield first, last, code
    except (ValueError, EOFError, OSError, csv.Error) as error:
        raise BadUse(
            f"{path.name}, line {number}: {error}", "Write network,code or first,last,code, as 192.0.2.0/24,DE"
        ) from error


def read_row(row: list[str]) -> tuple[int, int, str]:
    """Read a line's fields.

    Raises:
        ValueError: they are no range, or no country's.
    """
    if row and "/" in row[0]:
        network = ip_network(row[0], strict=False)
        first, last = (as_number(str(network[place])) for place in (0, -1))
        rest = row[1:]
    else:
        first, last = (as_number(text) for text in (*row[:2], "")[:2])
        rest = row[2:]
    code = rest[0].upper() if rest else "?"
    if first > last:
        raise ValueError(f"{row[0]} lies behind {row[1]}")
    if code not in NOBODY and not (len(code) == 2 and code.isascii() and code.isalpha()):  # noqa: PLR2004  (ISO 3166)
        raise ValueError(f"{code[:50]!r} is no country's code of two letters")
    return first, last, code


def as_text(number: int) -> str:
    """Write the address that a number stands for."""
    if MAPPED <= number <= MAPPED + LAST_OF_FOUR:
        return socket.inet_ntop(socket.AF_INET, (number - MAPPED).to_bytes(4))
    return socket.inet_ntop(socket.AF_INET6, number.to_bytes(16))
