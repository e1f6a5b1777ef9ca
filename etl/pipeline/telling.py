"""What people are told of a home: its page, its mail, alerts, and what became of probes."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from etl import incidents
from etl.errors import BloodhoundError
from etl.lake import files
from etl.lake.catalogue import Lake, read_note, write_note
from etl.lake.published import published, published_at, shown_in
from etl.settings import Settings
from etl.stages.reconcile.stage import read_incidents
from etl.tools import probe as probes
from etl.vocabulary.annotations import read_annotations


def report(settings: Settings, *, out: Path | None = None, days: Sequence[date] | None = None) -> dict[str, Any]:
    """Make the page of the published warehouse: `report/index.html` in the home, or `out`.

    Raises:
        BadUse: nothing has been published yet, or the file of annotations cannot be read.
    """
    del days  # The page is of all days.
    from etl.warehouse.page import page  # noqa: PLC0415  (for this alone)

    target = out or settings.home / "report" / "index.html"
    with published(settings) as con:
        currency, time_zone = shown_in(con, settings)
        made = page.render(
            con,
            published_at=published_at(settings),
            currency=currency,
            time_zone=time_zone,
            locale=settings.page_locale,
            notes=read_annotations(settings.annotations),
        )
    content = made.encode()
    # Whoever is being served the old page gets it whole.
    files.write_bytes(target, content)
    return {"page": str(target), "bytes": len(content)}


def mail(settings: Settings, *, out: Path | None = None, again: bool = False) -> dict[str, Any]:
    """Write the daily summary as `report/mail.eml` in the home, or `out`; send it if a mail server is set.

    A day of data is sent once, however often it is published; `again` sends it anyway.

    Raises:
        BadUse: nothing has been published, or the mail settings have no sense.
    """
    from etl.warehouse.mail import compose as composing  # noqa: PLC0415  (starts a JavaScript engine)
    from etl.warehouse.mail import post as posting  # noqa: PLC0415

    post = posting.read_post()
    target = out or settings.home / "report" / "mail.eml"
    with published(settings) as con:
        currency, _ = shown_in(con, settings)
        message = composing.compose(con, published_at=published_at(settings), currency=currency)
        day = str(composing.last_day(con))
    # Whoever sends it on gets it whole.
    files.write_bytes(target, message.as_bytes())
    note = Lake(settings).history("mailed.json")
    is_new = (read_note(note, Mailed) or Mailed(None)).day != day
    is_sent = bool(post and (is_new or again))
    if post and is_sent:
        posting.send(message, post)
        write_note(note, Mailed(day))
    return {"file": str(target), "sent": len(post.recipients) if post and is_sent else 0}


class Mailed(msgspec.Struct):
    """The last day of data of which people were sent the mail."""

    day: str | None


def note_task(settings: Settings, task: str, reason: str | None) -> None:
    """Remember how a task ended, so that people are told once; `reason` is None when it ended well."""
    incidents.note_task(Lake(settings), task, reason)


def waiting_alerts(settings: Settings) -> list[dict[str, Any]]:
    """Read the alerts that nobody has been sent yet, the oldest first."""
    return incidents.waiting_alerts(Lake(settings))


def forget_alert(settings: Settings, alert: dict[str, Any]) -> None:
    """Take an alert that has been sent from those that wait."""
    incidents.forget_alert(Lake(settings), alert)


def failed_checks(settings: Settings) -> list[tuple[str, str]]:
    """Name what of the published is in error, going on first and then the newest: the check, and what is said of it.

    Raises:
        BadUse: nothing has been published yet.
    """
    found = sorted(read_incidents(settings), key=lambda incident: not incident["is_ongoing"])
    return [(incident["key"][0], incident["text"]) for incident in found]


def send_probe(settings: Settings, *, collector: str | None = None, pixel: str | None = None) -> dict[str, Any]:
    """Send a probe: known messages, to be looked for after the next run.

    Args:
        collector: the address of a collector, to which it goes over the network; None: it is put into the inbox.
        pixel: that of its pixel.

    Raises:
        BadUse: nothing has been published yet, the inbox is missing, or the collector does not answer.
    """
    if collector:
        from etl.tools import probe_network  # noqa: PLC0415  (a client of the network, for this alone)

        return probe_network.send(Lake(settings), collector.rstrip("/"), (pixel or collector).rstrip("/"))
    with published(settings) as con:
        return probes.send(Lake(settings), con)


def require_pages(urls: Sequence[str], more: int = 0) -> dict[str, int]:
    """Open pages of a site in a browser, and more that they link to; return how many.

    Raises:
        BloodhoundError: something is wrong with one; the message has the first three.
        BadUse: there is no browser, or a page cannot be opened.
    """
    from etl.tools import probe_page  # noqa: PLC0415  (starts a driver of browsers)

    visited = [probe_page.probe_pages(url, more) for url in urls]
    wrong = [line for found in visited for line in found["lines"] if not line.endswith(": " + probes.WELL)]
    if wrong:
        raise BloodhoundError(f"{len(wrong)} pages of the site: {' | '.join(wrong[:3])}", "See docs/collector.md")
    return {"pages": sum(len(found["lines"]) for found in visited)}
