"""The list of who asked to be forgotten: keyed hashes, so that it names nobody, and works on whatever comes later.

It lies beside the lake (`erasures.json` in the home), for its owner alone, with the key of its hashes; what is restored
from a backup does not take its place. Beside visitors, users and addresses it may name a visitor for a time: of a
device that several people share the sessions of one of them.
"""

import hmac
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Literal

import msgspec
import pyarrow as pa

from etl.lake import files
from etl.lake.catalogue import Lake, read_note
from etl.lake.fingerprint import digest
from etl.vocabulary.columns import ERASURES

Kind = Literal["visitor", "user", "ip"]
NAME = "erasures.json"


class Entry(msgspec.Struct, frozen=True, order=True):
    """An identifier that is to be forgotten, by its keyed hash; a visitor perhaps only between two times (µs)."""

    kind: Kind
    hash: str
    since_us: int | None = None
    until_us: int | None = None


class Request(msgspec.Struct, frozen=True):
    """What was asked for by what kind of identifier, of how many persons, and what was found when it was done."""

    number: str
    asked_at: str
    kind: Kind | Literal["several"]
    persons: int = 1
    lines: int = 0
    messages: int = 0
    first_day: str | None = None
    last_day: str | None = None


class Erasures(msgspec.Struct, frozen=True):
    """The list: entries by the key of their hashes (a restored list may bring its own), and requests in their order."""

    entries: dict[str, list[Entry]] = {}
    requests: list[Request] = []


def requests_table(lake: Lake) -> pa.Table:
    """Write the requests as rows (columns of `ERASURES`)."""
    rows = [
        {
            "erasure": request.number, "asked_at": datetime.fromisoformat(request.asked_at), "kind": request.kind,
            "persons": request.persons, "lines": request.lines, "messages": request.messages,
            "first_day": request.first_day and date.fromisoformat(request.first_day),
            "last_day": request.last_day and date.fromisoformat(request.last_day),
        }
        for request in read(lake).requests
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=ERASURES)


def path_of(lake: Lake) -> Path:
    """Name the file of the list."""
    return lake.settings.home / NAME


def read(lake: Lake) -> Erasures:
    """Read the list; an empty one while nobody has asked."""
    return read_note(path_of(lake), Erasures) or Erasures()


def write(lake: Lake, erasures: Erasures) -> None:
    """Write the list whole, for its owner alone."""
    files.make_folder(lake.settings.home)
    partial = path_of(lake).with_name(f".{NAME}.{secrets.token_hex(8)}")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(erasures, order="sorted"))
        files.move_into_place(partial, path_of(lake))
    finally:
        partial.unlink(missing_ok=True)


def merged(one: Erasures, other: Erasures) -> Erasures:
    """Put two lists together: whoever asked either is forgotten."""
    entries = {
        key: sorted({*one.entries.get(key, ()), *other.entries.get(key, ())}, key=repr)
        for key in one.entries.keys() | other.entries.keys()
    }
    requests = {request.number: request for request in (*other.requests, *one.requests)}
    return Erasures(entries, sorted(requests.values(), key=lambda request: request.asked_at))


def name_of(erasures: Erasures) -> str:
    """Name what the list asks for; nothing while it asks for nothing."""
    if not erasures.entries:
        return ""
    return digest(sorted((key, sorted(map(repr, entries))) for key, entries in erasures.entries.items()))


def hashed(key: str, value: str) -> str:
    """Hash a value under a list's key."""
    return hmac.digest(key.encode(), value.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


def new_key(erasures: Erasures) -> str:
    """Take the key of a list, or make its first."""
    return next(iter(erasures.entries), "") or secrets.token_hex(32)


@dataclass
class Wanted:
    """Who is looked for: by hash alone, whatever comes; values that were hashed are remembered."""

    entries: dict[str, list[Entry]]
    known: dict[str, bool] = field(default_factory=dict)
    whole: dict[str, set[str]] = field(init=False)
    timed: dict[str, dict[str, list[Entry]]] = field(init=False)

    def __post_init__(self) -> None:
        self.whole = {
            key: {entry.hash for entry in entries if entry.since_us is None} for key, entries in self.entries.items()
        }
        self.timed = {}
        for key, entries in self.entries.items():
            for entry in entries:
                if entry.since_us is not None:
                    self.timed.setdefault(key, {}).setdefault(entry.hash, []).append(entry)

    def holds(self, value: str) -> bool:
        """Say whether a value is an identifier that is to be forgotten, wherever it stands."""
        found = self.known.get(value)
        if found is None:
            found = any(hashed(key, value) in hashes for key, hashes in self.whole.items())
            if len(self.known) > 1_000_000:  # noqa: PLR2004  (a bound on memory)
                self.known.clear()
            self.known[value] = found
        return found

    def times(self, visitor: str) -> list[tuple[int, int]]:
        """Say between which times (µs) a visitor is to be forgotten."""
        return [
            (int(entry.since_us or 0), int(entry.until_us or 0))
            for key, hashes in self.timed.items()
            for entry in hashes.get(hashed(key, visitor), ())
        ]


def wanted(erasures: Erasures, values: Iterable[str] = ()) -> Wanted:
    """Make ready to look; `values` are known to be wanted before they are hashed."""
    found = Wanted(erasures.entries)
    found.known |= dict.fromkeys(values, True)
    return found
