"""Ad spend exports, row by row: what ads cost; what only speaks of the other rows; and what cannot be read, refused."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import chain
from typing import Any, Literal

from etl.formats import periods
from etl.formats.amounts import NOTHING, read_amount, read_count
from etl.formats.currencies import currency_of, read_currency, unmark
from etl.formats.delimited import Line, RawLine, Record, decoded, find_encoding, looks_like, records, split_row
from etl.formats.refusal import Refusal
from etl.formats.spend_asides import Asides, Kind
from etl.formats.spend_layout import COST, Formats, Layout, find_layout, told_by_rows

Said = tuple[Kind, dict[str, Any]]
"""What a row is, and its columns: of `SPEND` or `QUARANTINE`, none of what stands aside."""


@dataclass(frozen=True)
class Spent:
    """What one row of an export says, of all the days that it covers together."""

    first: date
    last: date
    source: str | None
    medium: str | None
    campaign: str | None
    impressions: int | None
    clicks: int | None
    cost: Decimal
    currency: str | None

    def by_day(self) -> Iterator[dict[str, Any]]:
        """Say it day by day (columns of `SPEND`, but for the file's)."""
        days = [self.first] if self.first == self.last else list(periods.days_between(self.first, self.last))
        shares = zip(
            days,
            periods.spread(self.cost, len(days)),
            periods.spread_count(self.impressions, len(days)),
            periods.spread_count(self.clicks, len(days)),
            strict=True,
        )
        for day, cost, impressions, clicks in shares:
            yield {
                "date": day, "source": self.source, "medium": self.medium, "campaign": self.campaign,
                "impressions": impressions, "clicks": clicks, "cost": cost, "currency": self.currency,
            }  # fmt: skip


def read_export(raw: Callable[[], Iterable[RawLine]], source_file: str, formats: Formats) -> Iterator[Said]:
    """Read a file whole: its rows, in bounded memory.

    Args:
        raw: gives the file's landed lines from its beginning, each time that it is called.
    """
    encoding = find_encoding(raw())
    try:
        if form := looks_like(raw()) if encoding == "utf-8" else None:
            raise Refusal("unknown_schema", f"looks like {form}: save it as CSV; not read")
        layout = find_layout(decoded(raw(), encoding), source_file, formats)
    except Refusal as refusal:
        # One sentence for the file, whatever it holds; nothing for a file in which nothing stands.
        first = next((line for line in decoded(raw(), encoding) if line.text is None or line.text.strip()), None)
        if first:
            sentence = Refusal(refusal.reason, f"{source_file}: {refusal.detail}; see docs/spend.md")
            yield "quarantine", refused(first, sentence)
        return

    def rows() -> Iterator[Record]:
        lines = decoded(raw(), encoding)
        return records((line for line in lines if line.number > layout.header_line), layout.delimiter)

    layout = told_by_rows(rows(), layout)
    before = (line for line in decoded(raw(), encoding) if line.number < layout.header_line)
    yield from chain(judged_preamble(before, layout, formats), judged(rows(), layout, formats))


def judged_preamble(lines: Iterable[Line], layout: Layout, formats: Formats) -> Iterator[Said]:
    """Judge what stands before the header: titles, but for lines that are no text or would be rows."""
    for line in lines:
        if line.text is None:
            yield "quarantine", refused(line, None)
        elif line.text.strip():
            try:
                read_row(split_row(line.text, layout.delimiter) or [], layout, formats.home)
            except Refusal:
                yield "titles", {}
            else:
                yield "quarantine", refused(line, Refusal("bad_line", "stands before the header"))


def judged(rows: Iterable[Record], layout: Layout, formats: Formats) -> Iterator[Said]:
    """Judge every row after the header; what may speak of the others is judged when all have been seen."""
    asides = Asides(layout, formats.register.totals)
    for line, cells in rows:
        if cells is None:
            yield "quarantine", refused(line, None)
            continue
        spent: Spent | None = None
        refusal: Refusal | None = None
        try:
            spent = read_row(cells, layout, formats.home)
        except Refusal as error:
            refusal = error
        for kind, held in asides.take(line, cells, spent, refusal):
            yield from said(kind, *held)
    for kind, held in asides.rest():
        yield from said(kind, *held)


def said(kind: Kind, line: Line, spent: Any, refusal: Refusal | None) -> Iterator[Said]:
    """Write out what was judged."""
    if kind == "spend":
        yield from (("spend", {"line_number": line.number} | row) for row in spent.by_day())
    elif kind == "quarantine":
        yield kind, refused(line, refusal)
    else:
        yield kind, {}


def refused(line: Line, refusal: Refusal | None) -> dict[str, Any]:
    """Make the quarantine's row of a line; without a refusal, the line says itself what is wrong."""
    return {
        "line_number": line.number,
        "reason": refusal.reason if refusal else line.reason,
        "detail": refusal.detail if refusal else line.detail,
        "payload": line.kept if line.text is None else line.text,
    }


def read_row(cells: Sequence[str], layout: Layout, home: str) -> Spent:
    """Read one row's cells.

    Raises:
        Refusal: a cell that must be there is not, or cannot be read.
    """
    if len(cells) < layout.width or any(cell.strip() for cell in cells[layout.width :]):
        raise Refusal("bad_line", f"{len(cells)} cells, the header has {layout.width}")
    given = {name: cells[position].strip() for name, position in layout.positions.items()}
    read = {**layout.defaults, **{name: text for name, text in given.items() if text not in NOTHING}}
    if "date" not in read:
        raise Refusal("missing_key", "date is empty")
    first, last = periods.read_period(
        read["date"], read.get("until"), layout.date_format, day_first=layout.day_first, covers=layout.covers
    )
    impressions = read_count("impressions", read.get("impressions"))
    clicks = read_count("clicks", read.get("clicks"))
    amount: Literal["cost", "cost_micros"] = "cost" if "cost" in read else "cost_micros"
    if amount not in read and layout.platform and not (impressions or clicks):
        # Platforms list campaigns that did nothing on a day, and leave their cells empty.
        read[amount] = "0"
    if amount not in read:
        refuse_cost(given)
    campaign = read.get("campaign")
    signs = (*((layout.currency,) if layout.currency else ()), *unmark(read[amount]).signs)
    return Spent(
        first, last, read.get("source"), read.get("medium"),
        layout.campaigns.get(campaign, campaign) if campaign else None,
        impressions, clicks,
        read_amount(amount, read[amount], layout.mark),
        currency_of(read_currency(read.get("currency")), signs, home),
    )  # fmt: skip


def refuse_cost(given: dict[Any, str]) -> None:
    """Refuse a row whose cost says nothing.

    Raises:
        Refusal: always.
    """
    text = next((given[name] for name in COST if given.get(name)), "")
    if text:
        raise Refusal("malformed_key", f"cost is {text!r}")
    raise Refusal("missing_key", "cost is empty")
