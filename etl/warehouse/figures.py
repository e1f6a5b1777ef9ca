"""What may be said of a figure: its state, words and colour, by rules that the page and the mail share.

Limits of changes are the marts'. The page gets these rules with its data (`described`), for its script says the same of
any days and filters; a test reads both and holds them together.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

FEW = 5
"""Cases under which nothing is said of a change or a share."""
ENOUGH = 10
"""Cases from which on a change has a colour, and from which on orders say how lumpy money is."""
KPI = "executive.kpi_daily"
HAS_ORDERS = f"select 1 from {KPI} where orders > 0 limit 1"
"""A home that never had an order is told nothing of money."""
UNKNOWN, NONE, THIN, MINUS = "unknown", "\u2013", "\u202f", "\u2212"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Measure:
    """A figure's name and how it is judged.

    Attributes:
        format: count, money or rate.
        cases: the count on which it rests; a share rests on cases of `of`.
        good: 1 where more is better, -1 where less is, 0 where nobody can say.
        why_unknown: why it may be, where it is not for want of a rate.
    """

    name: str
    title: str
    format: str
    cases: str
    good: int = 0
    of: str = ""
    is_money: bool = False
    why_unknown: str = ""


MEASURES = {
    measure.name: measure
    for measure in (
        Measure("revenue", "Revenue", "money", "orders", 1, is_money=True),
        Measure("orders", "Orders", "count", "orders", 1),
        Measure("conversion_rate", "Conversion", "rate", "sessions_with_order", 1, of="sessions"),
        Measure("average_order_value", "Average order", "money", "orders", 1, is_money=True),
        Measure("sessions", "Visits", "count", "sessions"),
        Measure(
            "visitors", "Visitors", "count", "visitors",
            why_unknown="distinct visitors are known under one filter value of platform, channel or country",
        ),
        Measure("page_views", "Page views", "count", "page_views"),
        Measure("bounce_rate", "Bounce", "rate", "bounces", of="sessions"),
        Measure("new_visitors", "New", "rate", "new_visitors", of="sessions"),
    )
}  # fmt: skip


def described() -> dict[str, Any]:
    """Say the rules as JSON, for the page."""
    return {
        "few": FEW,
        "enough": ENOUGH,
        "measures": {
            name: {
                "title": one.title, "format": one.format, "cases": one.cases, "good": one.good, "of": one.of,
                "isMoney": one.is_money, "reason": one.why_unknown, "place": f"{KPI}.{name}",
            }
            for name, one in MEASURES.items()
        },
    }  # fmt: skip


@dataclass(frozen=True)
class Change:
    """How a figure differs from that of another period; without a value, why that cannot be said."""

    value: float | None = None
    low: float = 0.0
    high: float = 0.0
    tone: str = "quiet"
    reason: str = ""

    @property
    def is_moved(self) -> bool:
        """Whether chance alone would not have done it, 19 times of 20."""
        return self.value is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Figure:
    """A figure of a period, and all that may be said of it.

    Attributes:
        state: known, moved, part (of a day), few, unknown, bounded or none.
    """

    title: str
    format: str
    value: Any
    state: str
    cases: int | None = None
    of: int | None = None
    low: float | None = None
    high: float | None = None
    change: Change | None = None
    reason: str = ""


def of_day(measure: Measure, day: Row, before: Row | None) -> Figure:
    """Make the figure of a day, of KPIs as the marts have them, against the day before."""
    value, cases = day[measure.name], day[measure.cases] or 0
    within = (day[measure.of] or 0) if measure.of else None
    if (measure.is_money and not cases) or within == 0:
        state = "none"
    elif value is None:
        state = "unknown"
    elif within is not None and cases < FEW:
        state = "few"
    else:
        state = "known" if day.get("is_complete") else "part"
    change, reason = None, ""
    if state == "unknown":
        reason = measure.why_unknown or "no rate for its currency"
    elif state in ("known", "few") and before and are_whole(day, before):
        change = compare(measure, day, before)
        state = "moved" if change.is_moved else state
    elif state == "none" and are_whole(day, before):
        reason = "too few to compare"
    else:
        reason = "not compared"
    return Figure(measure.title, measure.format, value, state, cases, within, change=change, reason=reason)


def are_whole(*days: Row | None) -> bool:
    """Say whether the data covers all of these days."""
    return all(day is not None and day.get("is_complete") for day in days)


def compare(measure: Measure, day: Row, before: Row) -> Change:
    """Judge a change that the marts say, and its limits."""
    cases = min(day[measure.cases] or 0, before[measure.cases] or 0)
    if cases < FEW:
        return Change(reason="too few to compare")
    if measure.is_money and False in (day.get("is_revenue_complete"), before.get("is_revenue_complete")):
        return Change(reason="not compared: orders without a rate are left out")
    change, low, high = (day.get(f"{measure.name}_change{end}") for end in ("", "_low", "_high"))
    if change is None:
        return Change(reason="nothing to compare with")
    if low is None or high is None:
        return Change(reason="too few to compare")
    is_moved = low > 0 or high < 0
    is_coloured = is_moved and cases >= ENOUGH and measure.good != 0
    tone = ("good" if change * measure.good > 0 else "bad") if is_coloured else "strong" if is_moved else "plain"
    return Change(change, low, high, tone)


def plain(title: str, value: Any, form: str) -> Figure:
    """Make a figure that no period is compared with."""
    return Figure(title, form, value, "unknown" if value is None else "known")


def bounded(title: str, low: Any, high: Any) -> Figure:
    """Make a figure of which two bounds are known, or neither."""
    is_known = low is not None and high is not None
    return Figure(title, "count", None, "bounded" if is_known else "unknown", low=low, high=high)


def value_words(of: Figure, currency: str = "") -> str:
    """Write a figure; what nobody knows is said to be unknown, and what there is none of is a dash."""
    if of.state == "few":
        return f"{of.cases:,} of {of.of:,}"
    if of.state == "none":
        return NONE
    if of.state == "bounded":
        # Nobody is counted in part: a lower bound goes down, an upper one up.
        low, high = int(of.low or 0), -int(-(of.high or 0) // 1)
        return f"{low:,} {NONE} {high:,}"
    return shown(of.value, of.format, currency)


def change_words(of: Figure) -> str:
    """Write a figure's change and its limits, or why there is none."""
    if of.change is None:
        return of.reason
    if of.change.value is None:
        return of.change.reason
    arrow = ("▲ " if of.change.value > 0 else "▼ ") if of.change.is_moved else ""
    low = signed(of.change.low).removesuffix(f"{THIN}%")
    return f"{arrow}{signed(of.change.value)} ({low} to {signed(of.change.high)})"


def shown(value: Any, form: str, currency: str = "") -> str:
    """Write a value as the page does."""
    if value is None:
        return UNKNOWN
    write: Callable[[Any], str] = {"rate": rate, "money": lambda amount: money(amount, currency)}.get(
        form, lambda count: rounded(count, 0)
    )
    return write(value)


def rate(value: float) -> str:
    """Write a share: 99.97 % is not 100 %, and 0.02 % is not nothing."""
    digits = 0 if abs(value) >= 0.0995 else 1  # noqa: PLR2004
    text = rounded(value * 100, digits)
    if (float(text.replace(",", "")) == 100 and value < 1) or (float(text.replace(",", "")) == 0 and value > 0):  # noqa: PLR2004
        text = rounded(value * 100, 1 if value > 0.5 else 2)  # noqa: PLR2004
    return f"{text}{THIN}%"


def signed(value: float) -> str:
    """Write a change, with a true minus."""
    return ("+" if value > 0 else MINUS if value < 0 else "±") + rate(abs(value))


def money(value: Any, currency: str) -> str:
    """Write an amount: whole, below a hundred with its cents, from ten millions on short."""
    amount = float(value)
    if abs(amount) >= 1e7:  # noqa: PLR2004
        text = f"{rounded(amount / 1e6, 1).removesuffix('.0')}M"
    else:
        text = rounded(value, 2 if amount and abs(amount) < 100 else 0)  # noqa: PLR2004
    return f"{currency} {text}".replace("-", MINUS).strip()


def rounded(value: Any, digits: int) -> str:
    """Round as browsers do, halves away from nought."""
    return f"{Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):,}"
