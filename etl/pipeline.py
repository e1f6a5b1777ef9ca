"""The pipeline: the stages in their order, and one function per task.

A task is what a DAG's task calls and what a command of `python -m etl` calls. Each takes the settings and days to
redo, holds the home's lock while it writes, and returns counts and day lists, never data.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from etl import incidents
from etl.errors import BadUse, BloodhoundError, BuildFailed, OutOfSpace
from etl.lake import files, upgrade
from etl.lake.catalogue import Lake, read_note, write_note
from etl.lake.landed import EXPECTED, landings
from etl.lake.manifests import UNKNOWN_DAY, Build, Publication
from etl.lake.published import published, published_at
from etl.settings import Settings
from etl.stages import runner
from etl.stages.build.stage import Marts
from etl.stages.deduplicate.stage import Deduplicate
from etl.stages.exclusions.stage import Exclusions
from etl.stages.fast_views.stage import FastViews
from etl.stages.land.stage import Land
from etl.stages.parse.replay import quarantined_by_file
from etl.stages.parse.stage import Parse
from etl.stages.publish.stage import Publish, note_failure
from etl.stages.reconcile.stage import Reconcile, judge, refuse_errors
from etl.stages.runner import Outcome
from etl.stages.sessionize.stage import Sessionize
from etl.stages.spend.stage import Spend
from etl.stages.stage import Advance, Stage, silent
from etl.stages.staleness import staleness
from etl.tools import erase as erasing
from etl.tools import probe as probes
from etl.tools import probe_look
from etl.tools import verify as verifying
from etl.vocabulary.reasons import PARSER_REASONS


def makers() -> dict[str, list[Stage[Any]]]:
    """The stages by the task that runs them, in the order in which each follows from those before."""
    before: list[Stage[Any]] = [
        Land(), Parse(), Spend(), Exclusions(), Deduplicate(), FastViews(), Sessionize(), Marts(),
    ]  # fmt: skip
    land, parse, spend, exclusions, deduplicate, fast_views, sessionize, marts = before
    return {
        "land": [land],
        "parse": [parse, spend, exclusions],
        "sessionize": [deduplicate, fast_views, sessionize],
        "build": [marts, Publish(before)],
        "reconcile": [Reconcile()],
    }


def all_stages() -> list[Stage[Any]]:
    """List the stages in their order."""
    return [stage for stages in makers().values() for stage in stages]


@contextmanager
def writing(settings: Settings, patience_seconds: float = 0) -> Iterator[Lake]:
    """Hold the lock on a lake that is ready; say plainly when the disk is full.

    Args:
        patience_seconds: how long to wait for another run's stage to end.

    Raises:
        Locked: another run holds it.
        OutOfSpace: the disk is full.
    """
    lake = Lake(settings)
    try:
        with lake.writing(patience_seconds):
            upgrade.upgrade(lake)
            lake.initialise()
            runner.sweep(lake, all_stages())
            yield lake
    except (OSError, duckdb.Error, BuildFailed) as error:
        if not files.is_full(error):
            raise
        raise OutOfSpace(
            f"no space is left on the disk of {settings.home}",
            "Free some and run again; nothing is lost",
        ) from error


def run_task(lake: Lake, task: str, days: Collection[date], advance: Advance) -> list[Outcome[Any]]:
    """Bring the stages of a task up to date."""
    return [runner.run(lake, stage, days=days, advance=advance) for stage in makers()[task]]


def land(settings: Settings, *, days: Sequence[date] | None = None, advance: Advance = silent) -> dict[str, Any]:
    """Land the inbox's new files.

    Raises:
        BadUse: the inbox is missing.
    """
    del days  # What has landed holds; days are redone from there.
    require_inbox(settings)
    with writing(settings) as lake:
        (landed,) = run_task(lake, "land", (), advance)
        erasing.search_new(lake)
    found = [(commit.facts, commit.facts.contents[-1]) for commit in landed.made]
    new = [commit.facts.contents[-1] for commit in landed.made if any(unit.counts for unit in commit.units.values())]
    return {
        "files": landed.count("files"),
        "lines": landed.count("lines"),
        "bytes": landed.count("bytes"),
        "failed": [
            {"file": facts.source_file, "reason": f"{content.status}: {content.detail}"}
            for facts, content in found
            if content.status not in {"landed", "superseded", "withdrawn"} and content.detail not in EXPECTED
        ],
        "days": sorted({day for content in new for day in content.days if day != UNKNOWN_DAY}),
    }


def parse(settings: Settings, *, days: Sequence[date] | None = None, advance: Advance = silent) -> dict[str, Any]:
    """Parse the landed files that need it, and those with lines received on `days`."""
    with writing(settings) as lake:
        erasing.search_new(lake)
        parsed, spent, excluded = run_task(lake, "parse", days or (), advance)
    touched = {
        part.day
        for commit in parsed.made
        for part in commit.parts
        if part.dataset in {"messages", "pixel_hits"} and part.day
    }
    return {
        "files": sum(len(commit.units) for commit in parsed.made),
        "messages": parsed.count("valid"),
        "pixel_hits": parsed.count("hits"),
        "spend_rows": spent.count("valid"),
        "quarantined": sum(outcome.count("quarantined") for outcome in (parsed, spent, excluded)),
        "days": sorted(touched),
    }


def replay(settings: Settings, *, reasons: Sequence[str] = (), advance: Advance = silent) -> dict[str, Any]:
    """Parse again the files whose messages stand in quarantine, for these reasons or for any.

    A file is parsed whole, so nothing comes twice; what is still wrong goes back into quarantine.

    Raises:
        BadUse: a reason is none that parsing gives, or there is no lake.
    """
    for reason in reasons:
        if reason not in PARSER_REASONS:
            raise BadUse(f"no message is quarantined by parsing as {reason!r}", f"It is {', '.join(PARSER_REASONS)}")
    if not settings.lake.is_dir():
        raise BadUse(f"there is no lake at {settings.lake}", "Name its home by --home, or run the pipeline first")
    with writing(settings) as lake:
        before = quarantined_by_file(lake, reasons)
        runner.run(lake, Parse(), units=before.keys(), advance=advance)
        after = quarantined_by_file(lake, reasons)
    still = sum(after.get(name, 0) for name in before)
    return {"files": len(before), "quarantined": sum(before.values()), "mended": sum(before.values()) - still}


def sessionize(settings: Settings, *, days: Sequence[date] | None = None, advance: Advance = silent) -> dict[str, Any]:
    """Rewrite the events of the days whose messages changed, and of `days`."""
    with writing(settings) as lake:
        _, _, cut = run_task(lake, "sessionize", days or (), advance)
    return {
        "events": cut.count("accepted"),
        "duplicates": cut.count("duplicates"),
        "collisions": cut.count("collisions"),
        "days": sorted({commit.name for commit in (*cut.made, *cut.gone)}),
        "session_days": sorted({str(day) for commit in cut.made for day in commit.facts.session_dates}),
    }


def build(settings: Settings, *, days: Sequence[date] | None = None, advance: Advance = silent) -> dict[str, Any]:
    """Build the marts with dbt and publish them.

    Raises:
        BuildFailed: a model or test failed; the published warehouse stays as it was, but for a row in quality.checks
            that says so.
    """
    with writing(settings) as lake:
        marts, publish = makers()["build"]
        try:
            built: Outcome[Build] = runner.run(lake, marts, days=days or (), advance=advance)
        except BuildFailed as failure:
            note_failure(lake, failure.failed)
            raise
        advance("publishing", 1)
        # What was built anew is published, though its inputs are the same.
        units = ["warehouse"] if built.made else []
        shown: Outcome[Publication] = runner.run(lake, publish, units=units)
    counts = {"models": built.count("models"), "tests": built.count("tests")}
    if not shown.made:
        return {**counts, "days": [], "published": None}
    rebuilt = sorted({day for commit in built.made for day in marts.days_of(commit)})
    return {**counts, "days": rebuilt, "published": str(settings.warehouse)}


def reconcile(settings: Settings, *, days: Sequence[date] | None = None, advance: Advance = silent) -> dict[str, Any]:
    """Judge the published checks, and look for the probes that this home has sent.

    Raises:
        CheckFailed: an error is new or goes on; the message says which and why.
    """
    del days
    lake = Lake(settings)
    outcome = judge(lake)
    vanished = probe_look.vanished(probe_look.look_for_probes(settings)) if probes.read_notes(lake) else []
    outcome["errors"] += [f"probe ({run}): nothing of it has arrived" for run in vanished]
    incidents.note_incidents(lake, [incidents.vanished_probe(run) for run in vanished])
    advance("checks", 1)
    refuse_errors(outcome["errors"])
    with writing(settings) as lake:
        runner.run(lake, Reconcile())
    return outcome


def require_inbox(settings: Settings) -> None:
    """Refuse to work on an inbox that is not there: one that is not mounted must not take back every exclusion.

    Raises:
        BadUse: it is missing.
    """
    if not settings.inbox.is_dir():
        raise BadUse(f"the inbox {settings.inbox} does not exist", "Make it, or name another by --inbox")


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


def report(settings: Settings, *, out: Path | None = None, days: Sequence[date] | None = None) -> dict[str, Any]:
    """Make the page of the published warehouse: `report/index.html` in the home, or `out`.

    Raises:
        BadUse: nothing has been published yet.
    """
    del days  # The page is of all days.
    from etl.warehouse.page import page  # noqa: PLC0415  (starts a JavaScript engine)

    target = out or settings.home / "report" / "index.html"
    with published(settings) as con:
        made = page.render(
            con,
            published_at=published_at(settings),
            currency=settings.reporting_currency,
            time_zone=settings.reporting_timezone,
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
    from etl.warehouse import mail as mailing  # noqa: PLC0415  (starts a JavaScript engine)

    post = mailing.read_post()
    target = out or settings.home / "report" / "mail.eml"
    with published(settings) as con:
        message = mailing.compose(con, published_at=published_at(settings), currency=settings.reporting_currency)
        day = str(con.execute("select max(date) from executive.kpi_daily").fetchall()[0][0])
    # Whoever sends it on gets it whole.
    files.write_bytes(target, message.as_bytes())
    note = Lake(settings).history("mailed.json")
    is_new = (read_note(note, Mailed) or Mailed(None)).day != day
    is_sent = bool(post and (is_new or again))
    if post and is_sent:
        mailing.send(message, post)
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


def verify(settings: Settings, *, deep: bool = False, repair: bool = False) -> dict[str, list[verifying.Damage]]:
    """Compare the home with what was written: `found`, and of what was repaired `lost`, what cannot be made again.

    Raises:
        BadUse: there is no lake.
        Locked: something is to be repaired and another run holds the home.
    """
    if not settings.lake.is_dir():
        raise BadUse(f"there is no lake at {settings.lake}", "Name its home by --home, or run the pipeline first")
    lake, stages = Lake(settings), all_stages()
    found = verifying.verify(lake, stages, deep=deep or repair)
    if not repair:
        return {"found": found, "lost": []}
    with lake.writing():
        return {"found": found, "lost": verifying.repair(lake, found)}


def require_whole(settings: Settings) -> None:
    """Refuse to say that nothing is new of a home that is not what was written; sizes alone are looked at.

    Raises:
        Damaged: the message names the files.
    """
    verifying.require_whole(Lake(settings), all_stages())


def known_days(settings: Settings) -> list[str]:
    """The days of which there is anything: received days of lines, and days of events."""
    lake = Lake(settings)
    received = {day for landing in landings(lake) for content in landing.contents for day in content.days}
    return sorted((received - {UNKNOWN_DAY}) | lake.units("sessionize", Sessionize.facts).keys())


def is_up_to_date(settings: Settings) -> bool:
    """Tell whether a run would find nothing to do, in any stage; read only, no lock.

    Raises:
        BadUse: the inbox is missing.
        Damaged: nothing is to be done, but a file of the home is not what was written.
    """
    require_inbox(settings)
    lake = Lake(settings)
    is_done = settings.warehouse.exists() and not staleness(lake, Land()) and not pending(settings)
    if is_done:
        require_whole(settings)
    return is_done


def pending(settings: Settings) -> dict[str, list[str]]:
    """Say which tasks after landing have work, each with the days it is known to concern; read only, no lock.

    A task has work if a stage of it is stale. What is handed on counts too: marts follow events, and checks marts.
    """
    lake = Lake(settings)
    work: dict[str, list[str]] = {}
    for task, stages in makers().items():
        if task == "land":
            continue
        found = [(stage, staleness(lake, stage)) for stage in stages]
        follows = {"build": "sessionize", "reconcile": "build"}.get(task)
        if any(stale for _, stale in found) or follows in work:
            days = {day for stage, stale in found for day in stage.concerns(lake, [*stale.stale, *stale.gone])}
            work[task] = sorted(days)
    if any(note["state"] == "waiting" for note in probes.read_notes(lake)):
        work.setdefault("reconcile", [])
    return work
