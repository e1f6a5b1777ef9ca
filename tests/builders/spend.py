"""Exports of ads, read without a lake."""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from etl.formats.spend import read_export
from etl.formats.spend_layout import Formats
from etl.settings import PROJECT
from etl.vocabulary.spend_exports import SpendExport, load_platforms

HEADER = "date,source,medium,campaign,impressions,clicks,cost,currency\n"
REGISTER = load_platforms(PROJECT / "conf" / "ad_platforms.toml")


@dataclass
class Export:
    """What was read of an export."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def cost(self) -> Decimal:
        """All that was spent."""
        return sum((row["cost"] for row in self.rows), Decimal(0))

    @property
    def details(self) -> list[str]:
        """What was wrong with each refused line, in their order."""
        return [row["detail"] for row in sorted(self.refused, key=lambda row: row["line_number"])]

    def values(self, *names: str) -> list[tuple[Any, ...]]:
        """List some columns of the rows."""
        return [tuple(row[name] for name in names) for row in self.rows]


def read(
    content: str | bytes, *exports: SpendExport, home: str = "USD", name: str = "spend/a.csv", longest: int = 2**24
) -> Export:
    """Read a file's content as landing hands it on."""
    lines = (content.encode() if isinstance(content, str) else content).split(b"\n")
    raw = [
        (number, line[:longest], "sha" if len(line) > longest else None)
        for number, line in enumerate(lines if lines[-1] else lines[:-1], 1)
    ]
    found = Export()
    for kind, row in read_export(lambda: raw, name, Formats(exports, REGISTER, home)):
        found.counts[kind] += 1
        if kind == "spend":
            found.rows.append(row)
        elif kind == "quarantine":
            found.refused.append(row)
    found.rows.sort(key=lambda row: (row["line_number"], row["date"]))
    return found
