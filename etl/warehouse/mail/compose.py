"""What the mail says: the last whole day's figures as the page says them, how sure they are, what is in error.

Its pictures lie in it: mail programs run no scripts and, rightly, load nothing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from typing import Any

import duckdb

from etl.warehouse import figures
from etl.warehouse.figures import MEASURES, Figure
from etl.warehouse.mail import pictures

SHOWN_ERRORS = 8
OF_ORDERS = ("revenue", "orders", "conversion_rate", "average_order_value")
OF_VISITS = ("visitors", "sessions", "page_views")
KNOWN_BY = {"revenue": "is_revenue_complete", "average_order_value": "is_revenue_complete"}
"""What has to be true of a day for a figure of it to stand beside another day's."""

LIMITS = "In brackets: the 95 % limits of the change; where they hold nought, it may be chance."
INK, MUTED, LINE = "#14181f", "#4a5361", "#dfe3e9"
COLOURS = {"good": "#0b7148", "bad": "#b92c1a", "strong": INK, "plain": INK, "quiet": MUTED}
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Summary:
    """What the mail is made of: the last days, the newest last; what is in error now, and how many checks are in error
    of any day; whether there ever was an order."""

    days: list[Row]
    errors: list[tuple[str, str, str | None]]
    failed: int
    has_orders: bool
    currency: str


@dataclass(frozen=True)
class Line:
    """A figure of the day, and the words for it a week before."""

    figure: Figure
    value: str
    change: str
    week_ago: str


def compose(con: duckdb.DuckDBPyConnection, *, published_at: datetime, currency: str) -> EmailMessage:
    """Write the summary of the last whole day of data; of the last one where none is whole.

    The same warehouse gives the same mail: its date is the publication's.
    """
    days, errors = read_days(con), read_errors(con)
    ((failed,),) = con.execute("select count(*) from quality.checks where status = 'error'").fetchall()
    told = Summary(days, errors, failed, bool(con.execute(figures.HAS_ORDERS).fetchall()), currency)
    message = EmailMessage()
    message["Date"] = format_datetime(published_at)
    digest = hashlib.sha256(repr((days, errors, published_at)).encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{digest}@bloodhound.invalid>"
    message["Auto-Submitted"] = "auto-generated"
    message["Subject"] = subject(told)
    message.set_content(as_text(told))
    message.add_alternative(as_html(told), subtype="html")
    if days:
        part: Any = message.get_payload()[1]  # type: ignore[index]
        for name, drawn in pictures.draw(days, drawn_measure(told)).items():
            part.add_related(drawn, "image", "png", cid=f"<{name}@bloodhound>", filename=f"{name}.png")
    return message


def read_errors(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str | None]]:
    """Read what is in error now: incidents that go on or touch the mail's day, the newest first, and what has no day.

    Returns:
        Rows of check, scope with the days, and hint.
    """
    return con.execute(
        """
        select "check", scope, hint
        from (
            select "check", scope, hint, null as last_date from quality.checks where status = 'error' and date is null
            union all
            select
                "check",
                concat_ws(' ', app_id, platform, first_date || if(first_date = last_date, '', ' to ' || last_date)),
                hint,
                last_date
            from quality.incidents
            where status = 'error' and (is_ongoing or last_date >= $day)
        )
        order by last_date desc nulls first, 1, 2
        """,
        {"day": last_day(con)},
    ).fetchall()


def last_day(con: duckdb.DuckDBPyConnection) -> date | None:
    """Find the day that the mail is about: the last whole one, else the last."""
    found = con.execute("select coalesce(max(date) filter (is_complete), max(date)) from executive.kpi_daily")
    day: date | None = found.fetchall()[0][0]
    return day


def read_days(con: duckdb.DuckDBPyConnection) -> list[Row]:
    """Read the last days, the newest last; a day that goes on says nothing yet beside whole ones."""
    found = con.execute(
        "select * from (select * from executive.kpi_daily where date <= $last order by date desc"
        f" limit {pictures.DAYS_DRAWN + 6}) order by date",
        {"last": last_day(con)},
    )
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def drawn_measure(told: Summary) -> str:
    """Name what is drawn by day: revenue, or visits where nobody ever ordered."""
    return "revenue" if told.has_orders else "sessions"


def day_before(told: Summary, days: int) -> Row:
    """Give the day so many days before the last; empty where there is none."""
    return {row["date"]: row for row in told.days}.get(told.days[-1]["date"] - timedelta(days), {})


def subject(told: Summary) -> str:
    """One line that can be read on a phone's lock screen."""
    if not told.days:
        return "Bloodhound: no data yet"
    last = told.days[-1]
    measure = MEASURES[drawn_measure(told)]
    of = figures.of_day(measure, last, day_before(told, 1))
    change = ""
    if of.change and of.change.value is not None and of.change.is_moved:
        way = "up" if of.change.value > 0 else "down"
        change = f", {way} {figures.rate(abs(of.change.value))} on the day before"
    errors = len(told.errors)
    wrong = f"; {errors} checks in error" if errors > 1 else "; a check in error" if errors else ""
    return (
        f"{last['date']:%d %b}: {measure.title.lower()} {figures.value_words(of, told.currency)}"
        f"{change}, measured {figures.shown(last['completeness'], 'rate')}{wrong}"
    ).replace(figures.THIN, " ")


def lines(told: Summary) -> list[Line]:
    """Each figure with its change on the day before, and as it was a week before."""
    last, before, week_ago = told.days[-1], day_before(told, 1), day_before(told, 7)
    made = []
    for name in (*(OF_ORDERS if told.has_orders else ()), *OF_VISITS):
        of = figures.of_day(MEASURES[name], last, before)
        past = figures.of_day(MEASURES[name], week_ago, None) if is_known(week_ago, KNOWN_BY.get(name)) else None
        made.append(line(of, past, told.currency))
    for make in (really, measured):
        made.append(line(make(last), make(week_ago) if is_known(week_ago, "is_witnessed") else None, told.currency))
    return made


def line(of: Figure, past: Figure | None, currency: str) -> Line:
    """Write a figure, and what it was a week before."""
    week_ago = figures.value_words(past, currency) if past else ""
    return Line(of, figures.value_words(of, currency), figures.change_words(of), week_ago)


def really(day: Row) -> Figure:
    """Bound how many page views there were: at most, if a blocker hid the supposed share from both witnesses."""
    return figures.bounded(
        f"Page views, at least {figures.NONE} at most", day["page_views_low"], day["page_views_dependent_high"]
    )


def measured(day: Row) -> Figure:
    """Say how much of what the pixel saw has its event."""
    return figures.plain("Measured", day["completeness"], "rate")


def is_known(day: Row, fact: str | None) -> bool:
    """Say whether the data covers a day, and a fact holds of it."""
    return bool(day.get("is_complete") and (fact is None or day.get(fact)))


def remarks(last: Row) -> str:
    """Say what may be said of the day: how much of reality its figures show, and what they do not."""
    said = []
    if not last.get("is_complete"):
        said.append("The data covers a part of this day: nothing can be compared with it.")
    if last.get("is_revenue_complete") is False:
        said.append("Some orders are in a currency without a rate: revenue leaves them out.")
    if last["completeness"] is None:
        said.append("How much of reality was measured is unknown: no pixel saw these pages.")
    else:
        said.append(f"Of the page views that the pixel saw, {figures.rate(last['completeness'])} were measured.")
        if not last.get("is_witnessed"):
            said.append(
                "On a part of the web no pixel saw the pages: the bounds have what was counted there, and no more."
            )
    return " ".join(said)


def at_rest(told: Summary) -> str:
    """Say that nothing is in error now, and of how many days before something is."""
    if not told.failed:
        return "No check is in error."
    checks = "1 check is" if told.failed == 1 else f"{told.failed} checks are"
    return f"No trouble goes on; {checks} in error of days before: see Trust on the page."


def as_text(told: Summary) -> str:
    """Write the mail for those who read text."""
    if not told.days:
        return "There is no data yet: no day has an event or a pixel hit.\n"
    last = told.days[-1]
    rows = [("", "that day", "on the day before", "a week before")]
    rows += [(one.figure.title, one.value, one.change, one.week_ago) for one in lines(told)]
    # A column without an answer is none.
    places = [place for place in (1, 2, 3) if any(row[place] for row in rows[1:])]
    wide = [max(len(row[place]) for row in rows) for place in range(4)]
    table = [f"{row[0]:<{wide[0]}}  " + "  ".join(f"{row[place]:>{wide[place]}}" for place in places) for row in rows]
    wrong = [f"- {check} ({scope}): {hint or ''}" for check, scope, hint in told.errors[:SHOWN_ERRORS]]
    trouble = [f"{len(told.errors)} checks in error:", *wrong] if told.errors else [at_rest(told)]
    written = [f"{last['date']:%A, %d %B %Y}", "", *table, "", remarks(last), LIMITS, "", *trouble, ""]
    return "\n".join(row.rstrip() for row in written)


def as_html(told: Summary) -> str:
    """Write the mail for those who see it; all styles inline, as mail programs want it."""
    if not told.days:
        return "<p>There is no data yet: no day has an event or a pixel hit.</p>"
    days, name = told.days, drawn_measure(told)
    cell = f"padding:6px 10px;border-bottom:1px solid {LINE};text-align:right"
    head = f"padding:6px 10px;color:{MUTED};font-size:12px;text-align:right;font-weight:normal"
    made = lines(told)
    # A column without an answer is none.
    has_week = any(one.week_ago for one in made)
    rows = "".join(
        f'<tr><th scope="row" style="{cell};text-align:left;font-weight:normal">{escape(one.figure.title)}</th>'
        f'<td style="{cell};font-weight:bold;white-space:nowrap">{escape(one.value)}</td>'
        f'<td style="{cell};color:{colour(one.figure)}">{in_two(one.change)}</td>'
        + (f'<td style="{cell};white-space:nowrap">{escape(one.week_ago)}</td></tr>' if has_week else "</tr>")
        for one in made
    )
    week = f'<th style="{head}">a week before</th>' if has_week else ""
    wide = 'width="600" style="max-width:100%"'
    drawn = min(len(days), pictures.DAYS_DRAWN)
    title = f"{MEASURES[name].title} per day"
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Bloodhound</title></head>
<body style="margin:0;padding:20px;background:#ffffff;color:{INK};font:15px/1.5 sans-serif">
<div style="max-width:640px">
<h1 style="font-size:20px;margin:0 0 4px">{days[-1]["date"]:%A, %d %B %Y}</h1>
<p style="margin:0 0 12px">{escape(remarks(days[-1]))}</p>
<table style="border-collapse:collapse;width:100%"><thead><tr><th style="{head}"></th><th style="{head}">that day</th>
<th style="{head}">on the day before</th>{week}</tr></thead>
<tbody>{rows}</tbody></table>
<h2 style="font-size:16px;margin:20px 0 4px">{title}, and its mean of seven</h2>
<img src="cid:{name}@bloodhound" alt="{title}, {drawn} days" {wide}>
{measured_picture(days, wide)}
{trouble_of(told)}
<p style="color:{MUTED};font-size:13px">Bots and exclusions are left out. {LIMITS}
Pale: a day in part. Empty: no whole day to compare with, or one whose figure is not known.</p>
</div></body></html>
"""


def measured_picture(days: list[Row], wide: str) -> str:
    """Show what was not measured; nothing where no pixel saw any day."""
    if not pictures.is_measured(days):
        return ""
    return f"""<h2 style="font-size:16px;margin:20px 0 4px">Share of the page views that was not measured</h2>
<img src="cid:measured@bloodhound" alt="Share of the pixel's page views that were not measured, by day" {wide}>"""


def in_two(change: str) -> str:
    """Write a change, and its limits on a line of their own where there is little room."""
    said, bracket, limits = change.partition(" (")
    if not bracket:
        return escape(change)
    whole = '<span style="white-space:nowrap">'
    return f"{whole}{escape(said)}</span> {whole}({escape(limits)}</span>"


def colour(of: Figure) -> str:
    """Give the colour of a figure's change: red and green only where the rules allow it."""
    return COLOURS[of.change.tone if of.change else "quiet"]


def trouble_of(told: Summary) -> str:
    """Write what is in error as HTML."""
    if not told.errors:
        return f"<p>{at_rest(told)}</p>"
    wrong = "".join(
        f"<li><b>{escape(check)}</b> ({escape(scope or '')}): {escape(hint or '')}</li>"
        for check, scope, hint in told.errors[:SHOWN_ERRORS]
    )
    more = len(told.errors) - SHOWN_ERRORS
    rest = f"<p>and {more} more.</p>" if more > 0 else ""
    return f"<p><b>{len(told.errors)} in error</b> among the checks of the data:</p><ul>{wrong}</ul>{rest}"
