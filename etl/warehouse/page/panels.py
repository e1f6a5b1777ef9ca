"""How a panel is said: a heading, its columns, and how its rows are drawn. The rows are made in assets/, by its id."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Column:
    """A column of a panel's table.

    Attributes:
        format: text, prose, name, bar, count, number, money, rate, change, points, times, seconds, day, status, range,
            trend or moved. A `name` may set a filter; a `bar` is a number whose share is drawn behind the row's name.
        definition: schema.table.column that says what it means.
        on_phone: whether it stands in the first screen of a phone; the others are one button away.
    """

    name: str
    title: str
    format: str = "text"
    definition: str = ""
    on_phone: bool = True


@dataclass(frozen=True)
class Panel:
    """A heading, what it shows, the rows behind it.

    Attributes:
        drawn: what stands above the table: days, hours, scatter, fall, weeks, bounds; empty: the table is the drawing.
        size: columns of twelve that it takes where there is room.
        sets: the filter that a click on a row sets: platform, channel, country, browser or visitor_kind.
        choice: what a reader may choose in this panel: value → words.
        rows: shown at first; the rest is one button away.
        sortable: whether a reader may sort by any column.
    """

    id: str
    title: str
    note: str
    columns: list[Column]
    drawn: str = ""
    size: int = 6
    sets: str = ""
    choice: dict[str, str] = field(default_factory=dict)
    rows: int = 10
    sortable: bool = False
    empty: str = "Nothing happened in this period."

    def described(self) -> dict[str, Any]:
        """Say it as JSON."""
        return asdict(self)
