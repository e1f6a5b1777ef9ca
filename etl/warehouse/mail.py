"""The daily summary as a mail: yesterday's figures, how sure they are, what is wrong with the data.

Pictures are drawn here and lie in the mail itself: mail programs run no scripts and, rightly, load nothing.
"""

import hashlib
import os
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses
from html import escape
from typing import Any

import duckdb
import vl_convert

from etl.errors import BadUse, BloodhoundError

DAYS_DRAWN = 28
SHOWN_ERRORS = 8
TIMEOUT_SECONDS = 30
UNKNOWN = "unknown"
FIGURES = (
    ("Revenue", "revenue", "money"), ("Orders", "orders", "count"), ("Conversion", "conversion_rate", "rate"),
    ("Visitors", "visitors", "count"), ("Sessions", "sessions", "count"), ("Page views", "page_views", "count"),
    ("Page views, likely true", "page_views_estimated", "count"), ("Measured", "completeness", "rate"),
)  # fmt: skip
KNOWN_BY = {
    "page_views_estimated": "is_witnessed", "completeness": "is_witnessed", "revenue": "is_revenue_complete",
}  # fmt: skip
"""What has to be true of a day for a figure of it to stand beside another day's."""

LIMITS = "In brackets: the 95 % limits of the change; where they hold nought, it may be chance."
BLUE, SOFT, INK, MUTED, LINE = "#2457c5", "#c3d2f2", "#16191f", "#565d6b", "#dfe3e9"
Row = dict[str, Any]


class NotSent(BloodhoundError):
    """The mail server did not take the mail."""


@dataclass(frozen=True)
class Post:
    """Where mail goes out, and to whom; from the environment, since it holds a password."""

    host: str
    port: int
    security: str
    user: str
    password: str
    sender: str
    recipients: tuple[str, ...]


def read_post(environment: Mapping[str, str] = os.environ) -> Post | None:
    """Read the mail settings; None when no server is named.

    Raises:
        BadUse: a setting is missing or has no sense.
    """
    host = environment.get("BLOODHOUND_SMTP_HOST", "")
    if not host:
        return None
    security = environment.get("BLOODHOUND_SMTP_SECURITY", "starttls")
    if security not in ("starttls", "tls", "none"):
        raise BadUse(f"BLOODHOUND_SMTP_SECURITY is {security!r}", "It is starttls, tls or none")
    port = environment.get("BLOODHOUND_SMTP_PORT", {"starttls": "587", "tls": "465", "none": "25"}[security])
    if not port.isdecimal():
        raise BadUse(f"BLOODHOUND_SMTP_PORT is {port!r}", "It is a number")
    sender = environment.get("BLOODHOUND_MAIL_FROM", "")
    recipients = tuple(address for _, address in getaddresses([environment.get("BLOODHOUND_MAIL_TO", "")]) if address)
    if "@" not in sender or not recipients:
        raise BadUse("a mail needs BLOODHOUND_MAIL_FROM and BLOODHOUND_MAIL_TO", "Addresses; several with commas")
    user, password = (environment.get(f"BLOODHOUND_SMTP_{name}", "") for name in ("USER", "PASSWORD"))
    if password and security == "none" and host not in ("localhost", "127.0.0.1", "::1"):
        raise BadUse("the mail server's password would go over the network in the clear", "Take starttls or tls")
    return Post(host, int(port), security, user, password, sender, recipients)


def compose(con: duckdb.DuckDBPyConnection, *, published_at: datetime, currency: str) -> EmailMessage:
    """Write the summary of the last whole day of data; of the last one where none is whole.

    The same warehouse gives the same mail: its date is the publication's.
    """
    days = read_days(con)
    errors = read_errors(con)
    message = EmailMessage()
    message["Date"] = format_datetime(published_at)
    digest = hashlib.sha256(repr((days, errors, published_at)).encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{digest}@bloodhound.invalid>"
    message["Auto-Submitted"] = "auto-generated"
    message["Subject"] = subject(days, currency, len(errors))
    message.set_content(as_text(days, errors, currency))
    message.add_alternative(as_html(days, errors, currency), subtype="html")
    if days:
        part: Any = message.get_payload()[1]  # type: ignore[index]
        for name, drawn in draw(days).items():
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
        f" limit {DAYS_DRAWN + 6}) order by date",
        {"last": last_day(con)},
    )
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def show(value: Any, form: str, currency: str) -> str:
    """Write a figure; what nobody knows is said to be unknown."""
    if value is None:
        return UNKNOWN
    if form == "rate":
        return f"{100 * value:.1f} %"
    return f"{currency} {value:,.2f}" if form == "money" else f"{value:,.0f}"


def day_change(last: Row, name: str) -> str:
    """Write the change on the day before as the marts have it, with the limits within which chance alone moves it."""
    change, low, high = (last.get(f"{name}_change{end}") for end in ("", "_low", "_high"))
    if change is None:
        return ""
    limits = "too few" if low is None or high is None else f"{100 * low:+.0f} to {100 * high:+.0f}"
    return f"{100 * change:+.1f} % ({limits})"


def past(other: Row, name: str, form: str, currency: str) -> str:
    """Write a figure of another day, of whose change no mart knows the limits; empty unless it is whole and known."""
    is_known = are_whole(other) and other.get(KNOWN_BY.get(name, "date"))
    return show(other.get(name), form, currency) if is_known else ""


def are_whole(*days: Row) -> bool:
    """Say whether the data covers all of these days."""
    return all(row.get("is_complete") for row in days)


def compared(days: list[Row]) -> tuple[Row, Row]:
    """The last day, and the same day of the week before; empty where there is none."""
    last = days[-1]
    return last, {row["date"]: row for row in days}.get(last["date"] - timedelta(7), {})


def subject(days: list[Row], currency: str, errors: int) -> str:
    """One line that can be read on a phone's lock screen."""
    if not days:
        return "Bloodhound: no data yet"
    last = days[-1]
    is_clear = (last.get("revenue_change_low") or -1) > 0 or (last.get("revenue_change_high") or 1) < 0
    change = f" ({100 * last['revenue_change']:+.0f} % on the day before)" if is_clear else ""
    wrong = f"; {errors} checks in error" if errors > 1 else "; a check in error" if errors else ""
    return (
        f"{last['date']:%d %b}: revenue {show(last['revenue'], 'money', currency)}"
        f"{change}, measured {show(last['completeness'], 'rate', '')}{wrong}"
    )


def figure(last: Row, name: str, form: str, currency: str) -> str:
    """Write a figure of the day; an estimate with its limits."""
    limits = [last.get(f"{name.removesuffix('_estimated')}_{end}") for end in ("low", "high")]
    if not name.endswith("_estimated") or None in limits:
        return show(last[name], form, currency)
    return f"{show(last[name], form, currency)} ({' to '.join(show(limit, form, currency) for limit in limits)})"


def lines(days: list[Row], currency: str) -> list[tuple[str, str, str, str]]:
    """Each figure with its change on the day before, and as it was a week before."""
    last, week_ago = compared(days)
    return [
        (title, figure(last, name, form, currency), day_change(last, name), past(week_ago, name, form, currency))
        for title, name, form in FIGURES
    ]  # fmt: skip


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
        said.append(f"Of the page views that the pixel saw, {100 * last['completeness']:.1f} % were measured.")
        if not last.get("is_witnessed"):
            said.append(
                "On a part of the web no pixel saw the pages: the estimate has what was counted there, and no more."
            )
    return " ".join(said)


def as_text(days: list[Row], errors: list[Any], currency: str) -> str:
    """Write the mail for those who read text."""
    if not days:
        return "There is no data yet: no day has an event or a pixel hit.\n"
    rows = [f"{title:<26}{value:>26}  {day:>24}  {week:>14}" for title, value, day, week in lines(days, currency)]
    wrong = [f"- {check} ({scope}): {hint or ''}" for check, scope, hint in errors[:SHOWN_ERRORS]]
    title = f"{'':<26}{'':>26}  {'on the day before':>24}  {'a week before':>14}"
    trouble = [f"{len(errors)} checks in error:", *wrong] if errors else ["No check is in error."]
    return "\n".join(
        [
            f"{days[-1]['date']:%A, %d %B %Y}",
            "",
            title,
            *rows,
            "",
            remarks(days[-1]),
            LIMITS,
            "",
            *trouble,
            "",
        ]
    )


def as_html(days: list[Row], errors: list[Any], currency: str) -> str:
    """Write the mail for those who see it; all styles inline, as mail programs want it."""
    if not days:
        return "<p>There is no data yet: no day has an event or a pixel hit.</p>"
    cell = f"padding:6px 10px;border-bottom:1px solid {LINE};text-align:right;white-space:nowrap"
    head = f"padding:6px 10px;color:{MUTED};font-size:12px;text-align:right;font-weight:normal"
    rows = "".join(
        f'<tr><th scope="row" style="{cell};text-align:left;font-weight:normal">{escape(title)}</th>'
        f'<td style="{cell};font-weight:bold">{escape(value)}</td>'
        f'<td style="{cell}">{escape(day)}</td><td style="{cell}">{escape(week)}</td></tr>'
        for title, value, day, week in lines(days, currency)
    )
    wrong = "".join(
        f"<li><b>{escape(check)}</b> ({escape(scope or '')}): {escape(hint or '')}</li>"
        for check, scope, hint in errors[:SHOWN_ERRORS]
    )
    more = len(errors) - SHOWN_ERRORS
    trouble = (
        f"<p><b>{len(errors)} in error</b> among the checks of the data:</p><ul>{wrong}</ul>"
        f"{f'<p>and {more} more.</p>' if more > 0 else ''}"
        if errors
        else "<p>No check of the data is in error.</p>"
    )
    wide = 'width="600" style="max-width:100%"'
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Bloodhound</title></head>
<body style="margin:0;padding:20px;background:#ffffff;color:{INK};font:15px/1.5 sans-serif">
<div style="max-width:640px">
<h1 style="font-size:20px;margin:0 0 4px">{days[-1]["date"]:%A, %d %B %Y}</h1>
<p style="margin:0 0 12px">{escape(remarks(days[-1]))}</p>
<table style="border-collapse:collapse;width:100%"><thead><tr><th style="{head}"></th><th style="{head}">that day</th>
<th style="{head}">on the day before</th><th style="{head}">a week before</th></tr></thead>
<tbody>{rows}</tbody></table>
<h2 style="font-size:16px;margin:20px 0 4px">Revenue per day, and its mean of seven</h2>
<img src="cid:revenue@bloodhound" alt="Revenue per day, {min(len(days), DAYS_DRAWN)} days" {wide}>
<h2 style="font-size:16px;margin:20px 0 4px">Measured share of the page views</h2>
<img src="cid:measured@bloodhound" alt="Share of the pixel's page views that were measured, by day" {wide}>
{trouble}
<p style="color:{MUTED};font-size:13px">Bots and exclusions are left out. {LIMITS}
Empty: no whole day to compare with, or one whose figure is not known.</p>
</div></body></html>
"""


def known(amount: Any) -> float | None:
    """Read an amount; of orders without a rate alone there is none."""
    return None if amount is None else float(amount)


def draw(days: list[Row]) -> dict[str, bytes]:
    """Draw the charts as PNG."""
    rows = []
    for index, row in enumerate(days):
        week = [known(other["revenue"]) for other in days[max(0, index - 6) : index + 1]]
        whole = [value for value in week if value is not None]
        rows.append(
            {
                "day": f"{row['date']:%d %b}", "revenue": known(row["revenue"]),
                "mean": sum(whole) / 7 if len(whole) == 7 else None, "measured": row["completeness"],  # noqa: PLR2004
            }
        )  # fmt: skip
    shown = rows[-DAYS_DRAWN:]
    # Days as words: no scale of time, so no time zone that could move them.
    axis = {"title": None, "labelAngle": 0, "labelOverlap": "greedy", "ticks": False, "domain": True}
    day = {"field": "day", "type": "ordinal", "sort": None, "axis": axis}
    look = {
        "background": "#ffffff", "view": {"stroke": None},
        "axis": {"labelColor": MUTED, "gridColor": LINE, "domainColor": LINE, "tickColor": LINE, "labelFontSize": 11},
    }  # fmt: skip
    base = {"data": {"values": shown}, "width": 540, "config": look}
    mean = {
        "mark": {"type": "line", "color": BLUE, "strokeWidth": 2},
        "encoding": {"x": day, "y": {"field": "mean", "type": "quantitative"}},
    }
    bars = {
        "mark": {"type": "bar", "color": SOFT},
        "encoding": {
            "x": day,
            "y": {"field": "revenue", "type": "quantitative", "axis": {"title": None, "format": "~s", "tickCount": 4}},
        },
    }
    line = {
        "mark": {"type": "line", "color": BLUE, "point": True},
        "encoding": {
            "x": day,
            "y": {
                "field": "measured", "type": "quantitative", "scale": {"zero": False, "nice": True},
                "axis": {"title": None, "format": ".1%", "tickCount": 4},
            },
        },
    }  # fmt: skip
    drawn = {"revenue": {**base, "height": 180, "layer": [bars, mean]}, "measured": {**base, "height": 110, **line}}
    return {name: vl_convert.vegalite_to_png(spec, vl_version="6.4", scale=2) for name, spec in drawn.items()}


def send(message: EmailMessage, post: Post) -> None:
    """Hand the mail to the server.

    Raises:
        NotSent: it did not take it; the message says why, never with the password.
    """
    name, _, domain = post.sender.rpartition("@")
    message["From"] = Address("Bloodhound", name, domain)
    message["To"] = ", ".join(post.recipients)
    trusted = ssl.create_default_context()
    try:
        if post.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(post.host, post.port, timeout=TIMEOUT_SECONDS, context=trusted)
        else:
            server = smtplib.SMTP(post.host, post.port, timeout=TIMEOUT_SECONDS)
        with server:
            if post.security == "starttls":
                server.starttls(context=trusted)
            if post.user:
                server.login(post.user, post.password)
            refused = server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(f"the mail server {post.host}:{post.port} did not take the mail: {error}") from error
    if refused:
        raise NotSent(f"the mail server refused {', '.join(refused)}", "The others have it")
