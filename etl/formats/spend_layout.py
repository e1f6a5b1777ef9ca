"""The layout of a spend export: where our columns stand, by the settings, the register of platforms, or our names."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import get_args

from etl.formats.amounts import evidence
from etl.formats.currencies import in_title
from etl.formats.delimited import DELIMITERS, Line, Record, split_row
from etl.formats.periods import day_orders
from etl.formats.refusal import Refusal
from etl.vocabulary.spend_exports import (
    AdPlatform,
    AdPlatforms,
    SpendColumn,
    SpendExport,
    column_name,
    first_title,
)

NAMED: tuple[SpendColumn, ...] = ("source", "medium", "campaign")
COST: tuple[SpendColumn, ...] = ("cost", "cost_micros")
SEPARATOR = re.compile(r'"?sep=(.)"?[,;\t|]*', re.IGNORECASE)
# Of a preamble so much is kept as tells which report it is.
PREAMBLE_LINES, PREAMBLE_TEXT = 500, 1000


@dataclass(frozen=True)
class Layout:
    """How a file's rows are read.

    Attributes:
        positions: where our columns stand.
        defaults: what holds where a row's cell is empty, or no column stands.
        currency: what stands beside the cost in its title.
        totals_lack: columns that are empty in rows of totals alone.
        mark: what stands before decimals, "." or ","; "" where the file's rows contradict each other.
        day_first: what 03/01/2026 means.
    """

    delimiter: str
    header_line: int
    header: tuple[str, ...]
    positions: Mapping[SpendColumn, int]
    defaults: Mapping[SpendColumn, str] = field(default_factory=dict)
    campaigns: Mapping[str, str] = field(default_factory=dict)
    currency: str | None = None
    platform: str | None = None
    totals_lack: tuple[SpendColumn, ...] = ()
    decimal: str | None = None
    date_format: str | None = None
    covers: str = "day"
    mark: str | None = None
    day_first: bool | None = None

    @property
    def width(self) -> int:
        """The number of the header's columns."""
        return len(self.header)

    @property
    def missing(self) -> list[str]:
        """Our columns without which a row cannot be told from another."""
        return [name for name in NAMED if name not in self.positions and name not in self.defaults]


@dataclass(frozen=True)
class Formats:
    """What exports are known: those of the settings, which win, and the register's.

    Attributes:
        home: the reporting currency.
    """

    exports: Sequence[SpendExport] = ()
    register: AdPlatforms = field(default_factory=AdPlatforms)
    home: str = "USD"

    @cached_property
    def titles(self) -> frozenset[str]:
        """Every title that is known, in its one spelling: a line without two of them is no header."""
        entries = (*self.exports, *self.register.platform)
        named = [titles for entry in entries for titles in entry.columns.values()]
        return frozenset(get_args(SpendColumn)) | {column_name(title) for titles in named for title in titles}


DAYS = {"date", "day", "start_date", "start_time", "date_start", "time"}
"""With one of these an export names days, if in another's words than the platform that it resembles."""


def find_layout(lines: Iterable[Line], source_file: str, formats: Formats) -> Layout:
    """Find the header, however many lines stand before it, and what its columns are to us.

    Raises:
        Refusal: no line is one; said in a sentence for the whole file.
    """
    before: list[str] = []
    delimiters = DELIMITERS
    incomplete: Layout | None = None
    undated: str | None = None
    for line in lines:
        text = line.text or ""
        if (said := SEPARATOR.fullmatch(text)) and said[1] not in delimiters:
            delimiters += said[1]
        for delimiter in delimiters:
            cells = split_row(text, delimiter) if delimiter in text else None
            if not cells or not is_header(cells, formats):
                continue
            layout = read_header(line.number, cells, delimiter, before, source_file, formats)
            if layout and not layout.missing:
                return layout
            incomplete = incomplete or layout
            undated = undated or (None if layout else undated_platform(cells, formats.register))
        if len(before) < PREAMBLE_LINES:
            before.append(text[:PREAMBLE_TEXT])
    if incomplete:
        missing = ", ".join(incomplete.missing)
        said_by = f"looks like an export of {incomplete.platform}; its" if incomplete.platform else "the"
        raise Refusal(
            "unknown_schema", f"{said_by} header has no {missing}: name a column or a value in spend_exports; not read"
        )
    if undated:
        raise Refusal("unknown_schema", f"looks like an export of {undated} without days: export it by day; not read")
    raise Refusal(
        "unknown_schema", "no line names both a date and a cost that are known: name them in spend_exports; not read"
    )


def is_header(cells: Sequence[str], formats: Formats) -> bool:
    """Say whether a line can be a header at all."""
    names, _ = header_names(cells)
    return len(names.keys() & formats.titles) > 1


def read_header(
    number: int, cells: Sequence[str], delimiter: str, before: Sequence[str], source_file: str, formats: Formats
) -> Layout | None:
    """Read a line's cells as a header; None when they name no day and no cost."""
    names, currencies = header_names(cells)
    file = source_file.removeprefix("spend/")
    ours = next((entry for entry in formats.exports if fits(entry, names, file)), SpendExport())
    positions = {name: names[title] for name, titles in ours.columns.items() if (title := first_title(titles, names))}
    fixed = {name: value for name, value in ours.values.items() if name not in positions}
    own = own_names(names, positions, fixed)
    platform = None
    if not ({*NAMED, "date"} <= {*positions, *fixed, *own} and {*COST} & {*positions, *own}):
        platform = next((entry for entry in formats.register.platform if fits_platform(entry, names, before)), None)
    if platform:
        positions = with_platforms(positions, fixed, platform, names)
        own = own_names(names, positions, fixed)
    positions = {**own, **positions}
    cost = next((positions[name] for name in COST if name in positions), None)
    if "date" not in positions or cost is None:
        return None
    return Layout(
        delimiter, number, tuple(cells), positions,
        defaults={**(platform.values if platform else {}), **ours.values},
        campaigns=ours.campaigns,
        currency=currencies.get(cost),
        platform=platform.name if platform else None,
        totals_lack=tuple(name for name in platform.totals_lack if name in positions) if platform else (),
        decimal=ours.decimal or (platform.decimal if platform else None),
        date_format=ours.date_format or (platform.date_format if platform else None),
        covers=ours.covers or (platform.covers if platform else None) or "day",
        day_first=platform.day_first if platform else None,
    )  # fmt: skip


def header_names(cells: Sequence[str]) -> tuple[dict[str, int], dict[int, str]]:
    """Find where each title stands, with and without the currency beside it, and which currency that is."""
    names: dict[str, int] = {}
    currencies: dict[int, str] = {}
    for position, cell in enumerate(cells):
        names.setdefault(column_name(cell), position)
    for position, cell in enumerate(cells):
        if found := in_title(cell):
            names.setdefault(column_name(found[0]), position)
            currencies[position] = found[1]
    return names, currencies


def fits(entry: SpendExport, names: Mapping[str, int], file: str) -> bool:
    """Say whether an entry is about this file: by its name, and the titles that it must have."""
    needed = entry.header or [entry.columns[name] for name in ("date", *COST) if name in entry.columns]
    return fnmatchcase(file, entry.files) and all(first_title(titles, names) for titles in needed)


def fits_platform(entry: AdPlatform, names: Mapping[str, int], before: Sequence[str]) -> bool:
    """Say whether a header, with what stands before it, is a platform's beyond mistake."""
    if entry.says and not any(entry.says in text for text in before):
        return False
    return fits(entry, names, "") and any(
        first_title(entry.columns[name], names) for name in COST if name in entry.columns
    )


def own_names(
    names: Mapping[str, int], positions: Mapping[SpendColumn, int], fixed: Mapping[SpendColumn, str]
) -> dict[SpendColumn, int]:
    """Find the columns that bear our own names; one that has been given a meaning loses that of its name."""
    taken = set(positions.values())
    found = {
        name: names[name]
        for name in get_args(SpendColumn)
        if name in names and name not in positions and name not in fixed and names[name] not in taken
    }
    if {*COST} & positions.keys():
        found = {name: position for name, position in found.items() if name not in COST}
    return found


def with_platforms(
    positions: Mapping[SpendColumn, int],
    fixed: Mapping[SpendColumn, str],
    platform: AdPlatform,
    names: Mapping[str, int],
) -> dict[SpendColumn, int]:
    """Add a platform's columns to those of the settings, which win."""
    given = {*positions, *fixed}
    if given & {*COST}:
        given |= {*COST}
    if "date" in given:
        given.add("until")
    return {
        **{
            name: names[title]
            for name, titles in platform.columns.items()
            if name not in given and (title := first_title(titles, names)) and names[title] not in positions.values()
        },
        **positions,
    }


def undated_platform(cells: Sequence[str], register: AdPlatforms) -> str | None:
    """Name the platform whose export this header would be if it named days."""
    names, _ = header_names(cells)
    if names.keys() & DAYS:
        return None
    for entry in register.platform:
        days = entry.columns.get("date", [])
        if not entry.says and fits_platform(entry, {**names, **{column_name(day): -1 for day in days}}, []):
            return entry.name
    return None


def told_by_rows(rows: Iterable[Record], layout: Layout) -> Layout:
    """Add to a layout what only the rows together tell: how numbers and days are written that could be either.

    1.234 alone is one or a thousand; 1.234,5 or 0,50 in another row says which. Counts are whole, so that
    12.345 clicks tell as well. Without any such row a semicolon between cells speaks for ",". What 03/01/2026 means,
    a 13th day says, else the platform's habit.
    """
    counted: tuple[SpendColumn, ...] = ("cost", "impressions", "clicks")
    amounts = [(layout.positions[name], name != "cost") for name in counted if name in layout.positions]
    dated: tuple[SpendColumn, ...] = ("date", "until")
    days = [layout.positions[name] for name in dated if name in layout.positions]
    marks: set[str] = set()
    orders: set[bool] = set()
    for _, cells in rows:
        if cells and len(cells) >= layout.width:
            for position, is_count in amounts:
                marks |= evidence(cells[position].strip(), is_count=is_count)
            for position in days:
                orders |= day_orders(cells[position].strip())
    mark = "" if len(marks) > 1 else next(iter(marks), "," if layout.delimiter == ";" else None)
    return replace(
        layout, mark=layout.decimal or mark, day_first=next(iter(orders)) if len(orders) == 1 else layout.day_first
    )
