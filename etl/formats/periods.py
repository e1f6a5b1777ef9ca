"""Periods: the days that a row of spend covers, as people and platforms write them, and its amounts day by day."""

import calendar
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from etl.formats.refusal import Refusal

FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2100, 1, 1)
MOST_DAYS = 2 * 366
CENT = Decimal("0.01")

CLOCK = r"(?:,?[T ] ?\d{1,2}(?::\d\d.*)?)?"
YEAR_FIRST = re.compile(rf"(\d{{4}})([-/.])(\d{{1,2}})\2(\d{{1,2}}){CLOCK}")
COMPACT = re.compile(rf"(\d{{4}})(\d\d)(\d\d){CLOCK}")
DOTTED = re.compile(rf"(\d{{1,2}})\.(\d{{1,2}})\.(\d{{4}}){CLOCK}")
SLASHED = re.compile(rf"(\d{{1,2}})([/-])(\d{{1,2}})\2(\d{{4}}){CLOCK}")
MONTH_NAMED = re.compile(rf"(?:[A-Za-z]{{3,9}},? )?([A-Za-z]{{3,9}})\.? (\d{{1,2}}),? (\d{{4}}){CLOCK}")
DAY_NAMED = re.compile(rf"(?:[A-Za-z]{{3,9}},? )?(\d{{1,2}})[ -]([A-Za-z]{{3,9}})\.?,?[ -](\d{{4}}){CLOCK}")
MONTH_ALONE = re.compile(r"(\d{4})[-/](\d{1,2})|([A-Za-z]{3,9})\.? (\d{4})")
RANGE = re.compile(r"(.{6,30}?)\s*(?: - | \u2013 | \u2014 |\u2013|\u2014|~| to |\.\.)\s*(.{6,30})")
LONGEST = 80
MONTH_COUNT = 12
ISO_LENGTH = len("2026-03-01")

MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_name) if name}
MONTHS |= {name[:3]: number for name, number in MONTHS.items()} | {"sept": 9}


def read_date(text: str, pattern: str | None = None, *, day_first: bool | None = None) -> date:
    """Read 2026-03-01, 20260301, 01.03.2026, Mar 1, 2026 (a time of day may follow), or what the settings say.

    Args:
        day_first: what 03/01/2026 means in this file; it is March or January, so that without this it is not guessed.

    Raises:
        Refusal: it is no such day.
    """
    short = text[:LONGEST]
    try:
        if pattern:
            day = datetime.strptime(text, pattern).date()
        elif (found := YEAR_FIRST.fullmatch(short)) or (found := COMPACT.fullmatch(short)):
            numbers = [int(part) for part in found.groups() if part.isdigit()]
            day = date(*numbers)
        elif found := DOTTED.fullmatch(short):
            day = date(int(found[3]), int(found[2]), int(found[1]))
        elif found := MONTH_NAMED.fullmatch(short):
            day = date(int(found[3]), MONTHS[found[1].lower()], int(found[2]))
        elif found := DAY_NAMED.fullmatch(short):
            day = date(int(found[3]), MONTHS[found[2].lower()], int(found[1]))
        elif (found := SLASHED.fullmatch(short)) and day_first is not None:
            first, second = int(found[1]), int(found[3])
            day = date(int(found[4]), *((second, first) if day_first else (first, second)))
        elif found:
            raise Refusal("malformed_key", f"date is {text[:100]!r}, which can be read in two ways")
        else:
            raise ValueError
    except (ValueError, KeyError) as error:
        raise Refusal("malformed_key", f"date is {text[:100]!r}") from error
    if not FIRST_DAY <= day < LAST_DAY:
        raise Refusal("malformed_key", f"date is {text[:100]!r}, which is no day of ours")
    return day


def day_orders(text: str) -> set[bool]:
    """Say whether days stand before months in a cell (03/13/2026: no), if it tells."""
    if text[:4].isdigit() and len(text) <= ISO_LENGTH:
        return set()
    found = set()
    for side in (text[:LONGEST], *sides(text)):
        if part := SLASHED.fullmatch(side):
            first, second = int(part[1]), int(part[3])
            found |= {True} if first > MONTH_COUNT else {False} if second > MONTH_COUNT else set()
    return found


def sides(text: str) -> tuple[str, ...]:
    """Split "2026-03-01 - 2026-03-07" into its two days."""
    found = RANGE.fullmatch(text[:LONGEST])
    return (found[1], found[2]) if found else ()


@lru_cache(maxsize=4096)
def read_period(
    text: str, until: str | None, pattern: str | None, *, day_first: bool | None, covers: str = "day"
) -> tuple[date, date]:
    """Read the first and the last day that a row covers.

    Args:
        text: its day, or its days in one cell: a range, a month.
        until: the last day, where a column of its own says it.
        covers: what a day that stands alone stands for: itself, the week or the month that begins with it.

    Raises:
        Refusal: it is no day, or its days do not follow each other.
    """
    if pattern is None and (between := sides(text)):
        first, last = (read_date(side, day_first=day_first) for side in between)
    elif pattern is None and (found := MONTH_ALONE.fullmatch(text[:LONGEST])):
        year, month = int(found[1] or found[4]), int(found[2] or MONTHS.get((found[3] or "").lower(), 0))
        first = read_date(f"{year}-{month}-1" if month else text)
        last = last_of(first, "month")
    else:
        first = read_date(text, pattern, day_first=day_first)
        last = last_of(first, covers)
    if until:
        last = read_date(until, pattern, day_first=day_first)
    if not first <= last < first + timedelta(days=MOST_DAYS):
        raise Refusal("malformed_key", f"until is {str(last)!r}, and date {str(first)!r}")
    return first, last


def last_of(first: date, covers: str) -> date:
    """Name the last day of the week or month that begins with a day."""
    if covers == "week":
        return first + timedelta(days=6)
    if covers == "month":
        return first.replace(day=calendar.monthrange(first.year, first.month)[1])
    return first


def days_between(first: date, last: date) -> Iterator[date]:
    """List days, both ends included."""
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def spread(amount: Decimal, days: int) -> list[Decimal]:
    """Share an amount evenly among days, to the cent: leftover cents, and what is less than one, go to the first."""
    if days == 1:
        return [amount]
    whole = int(abs(amount) / CENT)
    rest = abs(amount) - whole * CENT
    each, left = divmod(whole, days)
    shares = [(each + (number < left)) * CENT for number in range(days)]
    shares[0] += rest
    return [-share if amount < 0 else share for share in shares]


def spread_count(count: int | None, days: int) -> list[int | None]:
    """Share a count evenly among days; what is left goes to the first."""
    if count is None:
        return [None] * days
    each, left = divmod(count, days)
    return [each + (number < left) for number in range(days)]
