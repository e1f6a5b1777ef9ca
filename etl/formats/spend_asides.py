"""Rows that speak of the other rows: totals, titles and footers, told apart from rows that cannot be read.

A row of totals says so (a word of the register, a column that its platform leaves empty), or it is the sum of the
others and names neither day nor campaign of its own. A title or footer has no number where a row has its own, and no
row that can be read follows it, unless the header comes again.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

from etl.formats.amounts import NOTHING, read_amount, read_count
from etl.formats.delimited import Line
from etl.formats.refusal import Refusal
from etl.formats.spend_layout import COST, NAMED, Layout

Kind = Literal["spend", "quarantine", "totals", "titles"]

# Of what is held until a file has been read so many characters; of more, each row is judged at once.
MOST_HELD = 16 * 2**20
# Of a footer so many cells may hold something: a word and its value.
FOOTER_CELLS = 2
HALF_CENT = Decimal("0.005")
NUMBER = re.compile(
    r"[-+(\u2212$€£¥]{0,3} ?\d[\d.,'/: -]*[T€$£]?[\d:.Z]*\)?"
    r"|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? \d.*",
    re.IGNORECASE,
)
"""An amount or a day, or the beginning of one."""


class Amounts(Protocol):
    """What a readable row says that sums are made of."""

    @property
    def cost(self) -> Decimal: ...
    @property
    def impressions(self) -> int | None: ...
    @property
    def clicks(self) -> int | None: ...
    @property
    def first(self) -> object: ...
    @property
    def last(self) -> object: ...


Held = tuple[Line, Amounts | None, Refusal | None]


@dataclass
class Sum:
    """Rows added up."""

    rows: int = 0
    cost: Decimal = Decimal(0)
    impressions: int = 0
    clicks: int = 0

    def add(self, row: Amounts) -> None:
        """Take a row in."""
        self.rows += 1
        self.cost += row.cost
        self.impressions += row.impressions or 0
        self.clicks += row.clicks or 0

    def equals(self, cost: Decimal, impressions: int | None, clicks: int | None, *, least: int) -> bool:
        """Say whether a row is the sum of at least so many; each of them may have been rounded to the cent."""
        return (
            self.rows >= least
            and abs(self.cost - cost) <= HALF_CENT * (self.rows + 1)
            and impressions in {None, self.impressions}
            and clicks in {None, self.clicks}
        )


class Asides:
    """Judges the rows of one file in their order; what only the whole file decides is held until it has been seen."""

    def __init__(self, layout: Layout, words: Iterable[str]) -> None:
        self.layout = layout
        spelt = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) or r"(?!)"
        self.word = re.compile(rf"(?:{spelt})\s*(?:$|[:(\-\u2013\u2014\d]|of \d)", re.IGNORECASE)
        self.header = [cell.strip() for cell in layout.header]
        self.named = [layout.positions[name] for name in NAMED if name in layout.positions]
        self.lacking = [layout.positions[name] for name in layout.totals_lack]
        self.cost = next(layout.positions[name] for name in COST if name in layout.positions)
        self.all, self.block = Sum(), Sum()
        self.periods: dict[tuple[object, object], Sum] = {}
        self.candidates: list[tuple[Held, tuple[Decimal, int | None, int | None], bool]] = []
        self.footers: list[Held] = []
        self.previous = ""
        self.held = 0

    def take(
        self, line: Line, cells: Sequence[str], spent: Amounts | None, refusal: Refusal | None
    ) -> Iterator[tuple[Kind, Held]]:
        """Judge a row, and those held that it decides."""
        held: Held = (line, spent, refusal)
        texts = [cell.strip() for cell in cells]
        if texts[: len(self.header)] == self.header:
            yield from (("titles", footer) for footer in self.footers)
            self.footers = []
            yield "titles", held
        elif spent is not None:
            if self.lacking and all(texts[position] in NOTHING for position in self.lacking):
                yield "totals", held
            elif self.is_unnamed(texts) and self.named and self.holds(line):
                self.candidates.append((held, (spent.cost, spent.impressions, spent.clicks), True))
            else:
                yield from (("quarantine", footer) for footer in self.footers)
                self.footers = []
                self.count(spent)
                self.previous = line.text or ""
                yield "spend", held
        elif self.says_total(texts):
            self.block = Sum()
            yield "totals", held
        elif (amounts := self.amounts(texts)) and self.holds(line):
            is_block = self.block.equals(*amounts, least=2)
            self.block = Sum()
            if is_block:
                yield "totals", held
            else:
                self.candidates.append((held, amounts, self.is_unnamed(texts)))
        elif self.is_footer(line.text or "", texts) and self.holds(line):
            self.footers.append(held)
        else:
            yield "quarantine", held

    def holds(self, line: Line) -> bool:
        """Say whether one more row may be held, and count it."""
        self.held += len(line.text or "") + 200
        return self.held < MOST_HELD

    def count(self, spent: Amounts) -> None:
        """Add a row to the sums that others may be."""
        for total in self.all, self.block, self.periods.setdefault((spent.first, spent.last), Sum()):
            total.add(spent)

    def rest(self) -> Iterator[tuple[Kind, Held]]:
        """Judge what was held until the file's end."""
        for held, amounts, is_unnamed in self.candidates:
            _, spent, _ = held
            if spent is None:
                yield ("totals" if self.all.equals(*amounts, least=1 if is_unnamed else 2) else "quarantine"), held
            else:
                sums = self.all, self.periods.get((spent.first, spent.last), Sum())
                is_total = spent.cost and any(found.equals(*amounts, least=2) for found in sums)
                yield ("totals" if is_total else "spend"), held
        yield from (("titles", footer) for footer in self.footers)

    def is_unnamed(self, texts: Sequence[str]) -> bool:
        """Say whether a row names no source, medium or campaign, or has a word for totals there."""
        return all(texts[position] in NOTHING or self.word.match(texts[position]) for position in self.named)

    def says_total(self, texts: Sequence[str]) -> bool:
        """Say whether a row without a readable day calls itself one of totals."""
        first = next((text for text in texts if text not in NOTHING), "")
        day = texts[self.layout.positions["date"]] if self.layout.positions["date"] < len(texts) else ""
        return any(self.word.match(text) for text in (first, day))

    def amounts(self, texts: Sequence[str]) -> tuple[Decimal, int | None, int | None] | None:
        """Read the amounts of a row that names no day; None when it names one, or its cost cannot be read."""
        positions = self.layout.positions
        if len(texts) < self.layout.width or NUMBER.fullmatch(texts[positions["date"]]):
            return None
        counts = [texts[positions[name]] if name in positions else None for name in ("impressions", "clicks")]  # type: ignore[index]
        name = "cost" if "cost" in positions else "cost_micros"
        try:
            impressions, clicks = (read_count("count", text) for text in counts)
            return read_amount(name, texts[self.cost], self.layout.mark), impressions, clicks
        except Refusal:
            return None

    def is_footer(self, text: str, texts: Sequence[str]) -> bool:
        """Say whether a row is text alone: no number where a row has its day or its cost, and no row cut short."""
        places = [texts[position] for position in (self.layout.positions["date"], self.cost) if position < len(texts)]
        filled = sum(bool(cell) for cell in texts)
        return (
            (filled <= FOOTER_CELLS or len(texts) < self.layout.width)
            and not any(NUMBER.fullmatch(cell) for cell in (places if filled <= FOOTER_CELLS else texts))
            and not self.previous.startswith(text)
        )
