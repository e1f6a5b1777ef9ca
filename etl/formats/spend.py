"""Ad spend exports: where their columns stand, and what a row says; what cannot be read is refused by row."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from etl.formats.amounts import MINUS, evidence, read_amount, read_count
from etl.formats.refusal import Refusal
from etl.settings import SpendExport

# Reports that people download begin with a title and a period before their header.
HEADER_WITHIN_LINES = 20
# A quoted name may hold line breaks; a quote that is never closed must not swallow the file.
QUOTED_LINES = 20
LONGEST_ROW = 128 * 2**10
DELIMITERS = ",;\t|"
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2100, 1, 1)

NAMED = ("source", "medium", "campaign")


class Line(NamedTuple):
    """A line of the file; `text` is None when it was longer than the limit or no text."""

    number: int
    text: str | None
    reason: str = "bad_line"
    detail: str = ""
    kept: str = ""


@dataclass(frozen=True)
class Layout:
    """How a file's rows are read: where our columns stand, and what is the same in every row."""

    delimiter: str
    header_line: int
    width: int
    positions: dict[str, int]
    export: SpendExport = field(default_factory=SpendExport)

    @property
    def missing(self) -> list[str]:
        """Our columns without which a row cannot be told from another."""
        return [name for name in NAMED if name not in self.positions and name not in self.export.values]


def find_layout(lines: Iterable[Line], source_file: str, exports: Sequence[SpendExport]) -> Layout | None:
    """Find the header among the first lines, and what its columns are to us."""
    for line in lines:
        if line.number > HEADER_WITHIN_LINES:
            break
        for delimiter in DELIMITERS:
            layout = read_header(line, delimiter, source_file, exports)
            if layout:
                return layout
    return None


def read_header(line: Line, delimiter: str, source_file: str, exports: Sequence[SpendExport]) -> Layout | None:
    """Read a line as a header; None when it names no day and no cost."""
    cells = split_row(line.text or "", delimiter) or []
    names = {column_name(cell): position for position, cell in reversed(list(enumerate(cells)))}
    file = PurePosixPath(source_file).relative_to("spend").as_posix()
    export = next(
        (
            entry
            for entry in exports
            if fnmatchcase(file, entry.files) and {column_name(name) for name in entry.header} <= names.keys()
        ),
        SpendExport(),
    )
    theirs = {ours: names.get(column_name(name)) for ours, name in export.columns.items()}
    positions = {name: names[name] for name in ("date", *NAMED, *NUMBERS, "currency") if name in names}
    positions |= {ours: position for ours, position in theirs.items() if position is not None}
    if "date" not in positions or not {"cost", "cost_micros"} & positions.keys():
        return None
    return Layout(delimiter, line.number, len(cells), positions, export)


NUMBERS = ("impressions", "clicks", "cost", "cost_micros")


def column_name(cell: str) -> str:
    """Bring a column's title to one spelling: "Cost Micros" is cost_micros."""
    return "_".join(cell.strip().lower().split())


def split_row(text: str, delimiter: str) -> list[str] | None:
    """Split a row into cells; None while a quote is open."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return None


Record = tuple[Line, list[str] | None]


def records(lines: Iterable[Line], layout: Layout) -> Iterator[Record]:
    """Read the rows after the header: the line on which each begins, with its text, and its cells if it has any.

    A row goes on over the next lines while a quote is open; when that does not close soon, the line is bad alone.
    """
    waiting: list[Line] = []
    stream = iter(lines)
    while True:
        line = waiting.pop(0) if waiting else next(stream, None)
        if line is None:
            return
        if line.number <= layout.header_line or line.text is None:
            if line.number != layout.header_line:
                yield line, None
            continue
        cells, text, taken = split_row(line.text, layout.delimiter), line.text, 0
        while cells is None and taken < QUOTED_LINES and len(text) < LONGEST_ROW:
            if taken == len(waiting):
                more = next(stream, None)
                if more is None:
                    break
                waiting.append(more)
            following = waiting[taken].text
            if following is None:
                break
            taken += 1
            text += "\n" + following
            cells = split_row(text, layout.delimiter)
        if cells is None:
            yield line._replace(text=None, detail="a quote is not closed", kept=line.text), None
            continue
        del waiting[:taken]
        if any(cell.strip() for cell in cells):
            yield line._replace(text=text), cells


def judged(
    lines: Iterable[Line], where: dict[str, Any], layout: Layout | None, mark: str | None
) -> Iterator[tuple[bool, dict[str, Any]]]:
    """Read every row of a file: (True, a row of `SPEND`) or (False, a row of `QUARANTINE`).

    Args:
        where: what both kinds of rows say of their file: source_file, file_id.
        mark: the file's decimal mark, as `decimal_mark` says.
    """
    if layout is None:
        for line in lines:
            if line.text is None or line.text.strip():
                refusal = Refusal("unknown_schema", "no header within 20 lines names a date and a cost")
                yield False, refused(where, line, refusal if line.text is not None else None)
        return
    for line, cells in records(lines, layout):
        if cells is None:
            title = line.text is not None
            if title and not (line.text or "").strip():
                continue
            before = Refusal("bad_line", "stands before the header") if title else None
            yield False, refused(where, line, before)
            continue
        try:
            yield True, where | {"line_number": line.number} | read_row(cells, layout, mark)
        except Refusal as refusal:
            yield False, refused(where, line, refusal)


def refused(where: dict[str, Any], line: Line, refusal: Refusal | None) -> dict[str, Any]:
    """Make the quarantine's row of a line; without a refusal, the line says itself what is wrong."""
    return where | {
        "line_number": line.number,
        "reason": refusal.reason if refusal else line.reason,
        "detail": refusal.detail if refusal else line.detail,
        "payload": line.kept if line.text is None else line.text,
    }


def read_row(cells: Sequence[str], layout: Layout, mark: str | None) -> dict[str, Any]:
    """Read one row's cells into the columns of `SPEND`.

    Raises:
        Refusal: a cell that must be there is not, or cannot be read.
    """
    if len(cells) < layout.width or any(cell.strip() for cell in cells[layout.width :]):
        raise Refusal("bad_line", f"{len(cells)} cells, the header has {layout.width}")
    if layout.missing:
        raise Refusal(
            "unknown_schema",
            f"the header has no {', '.join(layout.missing)}: name a column or a value in spend_exports",
        )
    given = {name: cells[position].strip() for name, position in layout.positions.items()}
    read = layout.export.values | {name: text for name, text in given.items() if text}
    if "date" not in read:
        raise Refusal("missing_key", "date is empty")
    if not {"cost", "cost_micros"} & read.keys():
        raise Refusal("missing_key", "cost is empty")
    campaign = read.get("campaign")
    return {
        "date": read_date(read["date"], layout.export.date_format),
        "source": read.get("source"),
        "medium": read.get("medium"),
        "campaign": layout.export.campaigns.get(campaign, campaign) if campaign else None,
        "impressions": read_count("impressions", read.get("impressions")),
        "clicks": read_count("clicks", read.get("clicks")),
        "cost": (
            read_amount("cost", read["cost"], mark)
            if "cost" in read
            else read_amount("cost_micros", read["cost_micros"], mark)
        ),
        "currency": read_currency(read.get("currency")),
    }


ISO_DAY = re.compile(r"(\d{4})([-/]?)(\d\d)\2(\d\d)(?:[T ].*)?")
DOTTED_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")


def read_date(text: str, pattern: str | None = None) -> date:
    """Read 2026-03-01, 2026/03/01, 20260301 (a time of day may follow) or 01.03.2026, or what the settings say.

    Raises:
        Refusal: neither. 03/01/2026 is March or January, so it is not guessed.
    """
    try:
        if pattern:
            day = datetime.strptime(text, pattern).date()
        elif iso := ISO_DAY.fullmatch(text):
            day = date(int(iso[1]), int(iso[3]), int(iso[4]))
        elif dotted := DOTTED_DAY.fullmatch(text):
            day = date(int(dotted[3]), int(dotted[2]), int(dotted[1]))
        else:
            raise ValueError
    except ValueError as error:
        raise Refusal("malformed_key", f"date is {text[:100]!r}") from error
    if not FIRST_DAY <= day < LAST_DAY:
        raise Refusal("malformed_key", f"date is {text[:100]!r}, which is no day of ours")
    return day


def read_currency(text: str | None) -> str | None:
    """Read an ISO 4217 code; none is the reporting currency's, and said so where money is converted."""
    code = (text or "").upper()
    if code and not re.fullmatch("[A-Z]{3}", code):
        raise Refusal("malformed_key", f"currency is {(text or '')[:100]!r}")
    return code or None


def decimal_mark(rows: Iterable[Record], layout: Layout) -> str | None:
    """Say which mark stands before a file's decimals: "." or ","; "" when its rows contradict each other.

    1.234 alone is one or a thousand; 1.234,5 or 0,50 in another row says which. Counts are whole, so that
    12.345 clicks tell as well. Without any such row it is None, and a semicolon between cells speaks for ",".
    """
    if layout.export.decimal:
        return layout.export.decimal
    places = [(layout.positions[name], name) for name in ("cost", "impressions", "clicks") if name in layout.positions]
    found: set[str] = set()
    for _, cells in rows:
        for position, name in places if cells and len(cells) >= layout.width else ():
            found |= evidence((cells or [])[position].strip().lstrip(f"+{MINUS}"), is_count=name != "cost")
    if len(found) > 1:
        return ""
    return next(iter(found), "," if layout.delimiter == ";" else None)
