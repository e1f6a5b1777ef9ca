"""How a panel is said: a heading, its columns, and how its rows are drawn. The rows are made in assets/, by its id."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Column:
    """A column of a panel's table.

    Attributes:
        format: text, prose, name, bar, count, number, mean, money, rate, change, points, times, seconds, day, status,
            range, trend or moved. A `name` may set a filter; a `bar` is a number whose share is drawn behind the row's
            name.
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


def by_day(panel: str, unit: str) -> Panel:
    """The figure chosen above, a bar a day, beside the days compared."""
    kpi = "executive.kpi_daily"
    columns = [
        Column("day", "Day", "day", f"{kpi}.date"),
        Column("value", "This period", unit),
        Column("before", "Compared", unit),
        Column("whole", "Whole day", "text", f"{kpi}.is_complete"),
    ]
    note = "Hatched: only part of the day is in the data. A bar opens its day."
    return Panel(panel, "Day by day", note, columns, drawn="days", size=8)


def shares(panel: str, title: str, note: str, first: Column, weight: Column, *more: Column, **looks: Any) -> Panel:
    """Values, how much each weighs as a bar behind its name, and its share of all; a third of the width."""
    share = Column("share", "Share", "rate")
    return Panel(panel, title, note, [first, replace(weight, format="bar"), share, *more], **({"size": 4} | looks))


def lost(panel: str, title: str, note: str, first: Column, rate: str, *more: Column, **looks: Any) -> Panel:
    """What share of something was lost, with its range by chance.

    Args:
        rate: schema.table.column that says what the share is.
    """
    columns = [first, Column("range", "Lost, and its range", "range", rate), Column("loss_rate", "Lost", "rate", rate)]
    return Panel(panel, title, note, [*columns, *more], **looks)
