"""One function per task: what a DAG's task calls, and what a command of `python -m etl` calls.

Each takes the settings and days to redo, holds the home's lock while it writes, and returns counts
and day lists, never data.
"""

import errno
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from etl.errors import BadUse, BuildFailed, CheckFailed, OutOfSpace
from etl.lake import files as lake
from etl.settings import Settings
from etl.stages.build import stage as dbt_build
from etl.stages.exclusions import stage as exclusions
from etl.stages.land import stage as landing
from etl.stages.parse import stage as parsing
from etl.stages.publish import stage as publish
from etl.stages.reconcile import stage as reconciling
from etl.stages.sessionize import stage as sessionizing
from etl.stages.spend import stage as spend
from etl.tools import probe as probing
from etl.vocabulary import bot_rules
from etl.warehouse import docs as documenting
from etl.warehouse import export as exporting
from etl.warehouse import metrics as asking

SHOWN_ERRORS = 3

Advance = Callable[[str, int], None]
"""Told a word about what was done and how much of the total it was."""


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def silent(_word: str, _amount: int) -> None:
    """Show no progress."""


@contextmanager
def writing(settings: Settings) -> Iterator[None]:
    """Hold the lock on a lake that is ready; say plainly when the disk is full.

    Raises:
        Locked: another run holds it.
        OutOfSpace: the disk is full.
    """
    try:
        with lake.locked(settings):
            lake.initialise(settings)
            yield
    except (OSError, duckdb.Error, BuildFailed) as error:
        # Parquet's and DuckDB's writers and dbt say it in words only.
        full = getattr(error, "errno", None) in FULL or any(os.strerror(code) in str(error) for code in FULL)
        if not full:
            raise
        raise OutOfSpace(
            f"no space is left on the disk of {settings.home}",
            "Free some and run again; nothing is lost",
        ) from error


def land(settings: Settings, *, days: Sequence[date] | None = None, advance: Advance = silent) -> dict[str, Any]:
    """Land the inbox's new files.

    Raises:
        BadUse: the inbox is missing.
    """
    del days  # What has landed holds; days are redone from there.
    if not settings.inbox.is_dir():
        raise BadUse(f"the inbox {settings.inbox} does not exist", "Make it, or name another by --inbox")
    with writing(settings):
        made = landing.land(settings, lambda file: advance(file.name, file.size))
    failed = [file for file in made if file["status"] != "landed"]
    return {
        "files": len(made) - len(failed),
        "lines": sum(file["lines"] for file in made),
        "bytes": sum(file["bytes"] for file in made),
        "failed": [{"file": file["source_file"], "reason": f"{file['status']}: {file['detail']}"} for file in failed],
        "days": sorted({day for file in made for day in file["partitions"] if day != lake.UNKNOWN_DAY}),
    }


def parse(settings: Settings, *, days: Sequence[date] | None = None, advance: Advance = silent) -> dict[str, Any]:
    """Parse the landed files that need it, and those with lines received on `days`."""
    with writing(settings):
        made = parsing.parse(settings, days or (), lambda size: advance("lines", size))
        spent = [file["counts"] for file in spend.read_spend(settings)]
        refused = [file["counts"] for file in exclusions.quarantine(settings)]
    counts = [count for batch in made for count in batch["counts"].values()]
    touched = {
        folder.partition("=")[2]
        for batch in made
        for dataset, folder, *_ in (output.split("/") for output in batch["outputs"] if output.count("/") > 1)
        if dataset in {"messages", "pixel_hits"}
    }
    return {
        "files": sum(len(batch["file_ids"]) for batch in made),
        "messages": sum(count.get("valid", 0) for count in counts),
        "pixel_hits": sum(count.get("hits", 0) for count in counts),
        "spend_rows": sum(count["valid"] for count in spent),
        "quarantined": sum(count.get("quarantined", 0) for count in (*counts, *spent, *refused)),
        "days": sorted(touched),
    }


def replay(settings: Settings, *, reasons: Sequence[str] = (), advance: Advance = silent) -> dict[str, Any]:
    """Parse again the files whose messages stand in quarantine, for these reasons or for any.

    A file is parsed whole, so nothing comes twice; what is still wrong goes back into quarantine.

    Raises:
        BadUse: a reason is none that parsing gives, or there is no lake.
    """
    for reason in reasons:
        if reason not in parsing.REASONS:
            raise BadUse(f"no message is quarantined by parsing as {reason!r}", f"It is {', '.join(parsing.REASONS)}")
    if not settings.lake.is_dir():
        raise BadUse(f"there is no lake at {settings.lake}", "Name its home by --home, or run the pipeline first")
    with writing(settings):
        before = parsing.quarantined_by_file(settings, reasons)
        parsing.parse(settings, (), lambda size: advance("lines", size), set(before))
        after = parsing.quarantined_by_file(settings, reasons)
    still = sum(after.get(number, 0) for number in before)
    return {"files": len(before), "quarantined": sum(before.values()), "mended": sum(before.values()) - still}


def sessionize(settings: Settings, *, days: Sequence[date] | None = None, advance: Advance = silent) -> dict[str, Any]:
    """Rewrite the events of the days whose messages changed, and of `days`."""
    with writing(settings):
        # A parse killed after its last batch has no work left, but files that dbt would read.
        parsing.sweep_orphans(settings)
        made = sessionizing.sessionize(settings, days or (), lambda day: advance(day, 1))
        lake.write_manifest(lake.manifest_path(settings, "state", "sessionized"), session_inputs(settings))
    return {
        "events": sum(day["events"] for day in made),
        "duplicates": sum(day["duplicates"] for day in made),
        "collisions": sum(day["collisions"] for day in made),
        "days": [day["day"] for day in made],
        "session_days": sorted({name for day in made for name in day.get("session_dates", [])}),
    }


def build(settings: Settings, *, days: Sequence[date] | None = None, advance: Advance = silent) -> dict[str, Any]:
    """Build the marts with dbt and publish them.

    Raises:
        BuildFailed: a model or test failed; the published warehouse stays as it was, but for a row in quality.checks
            that says so.
    """
    with writing(settings):
        try:
            done = dbt_build.build(settings, days or ())
        except BuildFailed as failure:
            publish.note_failure(settings, failure.failed)
            raise
        advance("dbt", 1)
        state = lake.manifest_path(settings, "state", "built")
        current = (lake.read_manifest(state) or {})["digest"]
        published = lake.manifest_path(settings, "state", "warehouse")
        if (
            done is None
            and settings.warehouse.exists()
            and (lake.read_manifest(published) or {}).get("digest") == current
        ):
            return {"models": 0, "tests": 0, "days": [], "published": None}
        target = publish.publish(settings)
        lake.write_manifest(published, {"digest": current})
    done = done or {"models": 0, "tests": 0, "days": []}
    all_days = sorted(lake.manifests(settings, "days"))
    return {
        "models": done["models"], "tests": done["tests"],
        "days": all_days if done["days"] is None else done["days"], "published": str(target),
    }  # fmt: skip


def reconcile(settings: Settings, *, days: Sequence[date] | None = None, advance: Advance = silent) -> dict[str, Any]:
    """Judge the published checks, and look for the probes that this home has sent.

    Raises:
        CheckFailed: at least one is in error; the message says which and why.
    """
    del days
    outcome = reconciling.read_checks(settings)
    vanished = vanished_probes(look_for_probes(settings)) if probing.read_notes(settings) else []
    outcome["errors"] += [f"probe ({run}): nothing of it has arrived" for run in vanished]
    if settings.warehouse.exists():
        reconciling.note_incidents(settings, [reconciling.vanished_probe(run) for run in vanished])
    advance("checks", 1)
    if outcome["errors"]:
        # Not noted as done: the next run says so again, until it is mended.
        listed = outcome["errors"]
        more = f" (and {len(listed) - SHOWN_ERRORS} more)" if len(listed) > SHOWN_ERRORS else ""
        raise CheckFailed(
            f"{len(listed)} checks are in error: {' | '.join(listed[:SHOWN_ERRORS])}{more}",
            "See quality.checks",
        )
    with writing(settings):
        published = lake.read_manifest(lake.manifest_path(settings, "state", "warehouse")) or {}
        lake.write_manifest(lake.manifest_path(settings, "state", "reconciled"), published)
    return outcome


def send_probe(settings: Settings) -> dict[str, Any]:
    """Send a probe: known messages, to be looked for after the next run.

    Raises:
        BadUse: nothing has been published yet, or the inbox is missing.
    """
    with reconciling.published(settings) as con:
        return probing.send(settings, con)


def look_for_probes(settings: Settings) -> list[dict[str, Any]]:
    """Look for the probes that were sent from this home; a row a run, the oldest first.

    Raises:
        BadUse: nothing has been published yet, or no probe was sent.
    """
    if not probing.read_notes(settings):
        raise BadUse(f"no probe was sent from {settings.home}", "Send one: python -m etl probe")
    published = lake.read_manifest(lake.manifest_path(settings, "state", "warehouse")) or {}
    with reconciling.published(settings) as con:
        return probing.look(settings, con, published.get("digest"))


def vanished_probes(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Name the runs of which nothing has arrived, and after which none came through whole."""
    return [run["run"] for run in runs if run["is_open"] and run["state"] == "lost" and not run["messages"]]


def report(settings: Settings, *, out: Path | None = None, days: Sequence[date] | None = None) -> dict[str, Any]:
    """Make the page of the published warehouse: `report/index.html` in the home, or `out`.

    Raises:
        BadUse: nothing has been published yet.
    """
    del days  # The page is of all days.
    from etl.warehouse.page import page  # noqa: PLC0415  (starts a JavaScript engine)

    target = out or settings.home / "report" / "index.html"
    with reconciling.published(settings) as con:
        made = page.render(
            con,
            published_at=datetime.fromtimestamp(settings.warehouse.stat().st_mtime, UTC),
            currency=settings.reporting_currency,
            time_zone=settings.reporting_timezone,
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    # Whoever is being served the old page gets it whole.
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        partial.write_text(made)
        lake.move_into_place(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    return {"page": str(target), "bytes": len(made.encode())}


def mail(settings: Settings, *, out: Path | None = None, again: bool = False) -> dict[str, Any]:
    """Write the daily summary as `report/mail.eml` in the home, or `out`; send it if a mail server is set.

    A day of data is sent once, however often it is published; `again` sends it anyway.

    Raises:
        BadUse: nothing has been published, or the mail settings have no sense.
    """
    from etl.warehouse import mail as mailing  # noqa: PLC0415  (starts a JavaScript engine)

    post = mailing.read_post()
    target = out or settings.home / "report" / "mail.eml"
    with reconciling.published(settings) as con:
        published_at = datetime.fromtimestamp(settings.warehouse.stat().st_mtime, UTC)
        message = mailing.compose(con, published_at=published_at, currency=settings.reporting_currency)
        day = str(con.execute("select max(date) from executive.kpi_daily").fetchall()[0][0])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(message.as_bytes())
    note = lake.manifest_path(settings, "state", "mailed")
    is_new = (lake.read_manifest(note) or {}).get("day") != day
    is_sent = bool(post and (is_new or again))
    if post and is_sent:
        mailing.send(message, post)
        lake.write_manifest(note, {"day": day})
    return {"file": str(target), "sent": len(post.recipients) if post and is_sent else 0}


def export(settings: Settings, mart: str, *, form: str = "csv", out: Path | None = None) -> dict[str, Any]:
    """Write a mart of the published warehouse as CSV or XLSX.

    Raises:
        BadUse: nothing has been published, or there is no such mart or format.
    """
    target = out or settings.home / "exports" / f"{mart}.{form}"
    with reconciling.published(settings) as con:
        return {"rows": exporting.export(con, mart, target, form), "file": str(target)}


def query(
    settings: Settings,
    names: Sequence[str],
    *,
    by: Sequence[str] = (),
    where: Sequence[tuple[str, str]] = (),
    first: date | None = None,
    last: date | None = None,
) -> asking.Answer:
    """Ask the published warehouse for metrics.

    Raises:
        BadUse: nothing has been published, or a metric or dimension is not known.
    """
    reconciling.require_published(settings)
    return asking.query(settings.warehouse, names, by=by, where=where, first=first, last=last)


def metrics(settings: Settings) -> list[asking.Metric]:
    """List the metrics of the published warehouse.

    Raises:
        BadUse: nothing has been published.
    """
    reconciling.require_published(settings)
    with asking.opened(settings.warehouse) as con:
        return list(asking.read_metrics(asking.read_manifest(con)).values())


def docs(settings: Settings, *, out: Path | None = None) -> dict[str, Any]:
    """Make the page of the dbt project, every model and column with its lineage: `docs/index.html` in the home.

    Beside it lie the marts' columns and the tracking plan as Markdown.
    """
    folder = out or settings.home / "docs"
    size = documenting.make(settings, folder / "index.html")
    beside = documenting.write_pages(settings, folder)
    return {"page": str(folder / "index.html"), "bytes": size, "beside": [path.name for path in beside]}


def note_task(settings: Settings, task: str, reason: str | None) -> None:
    """Remember how a task ended, so that people are told once; `reason` is None when it ended well."""
    reconciling.note_task(settings, task, reason)


def waiting_alerts(settings: Settings) -> list[dict[str, Any]]:
    """Read the alerts that nobody has been sent yet, the oldest first."""
    return reconciling.waiting_alerts(settings)


def forget_alert(settings: Settings, alert: dict[str, Any]) -> None:
    """Take an alert that has been sent from those that wait."""
    reconciling.forget_alert(settings, alert)


def known_days(settings: Settings) -> list[str]:
    """The days of which there is anything: received days of lines, and days of events."""
    files = lake.manifests(settings, "files").values()
    received = {day for file in files for day in file["partitions"] if day != lake.UNKNOWN_DAY}
    return sorted(received | set(lake.manifests(settings, "days")))


def session_inputs(settings: Settings) -> dict[str, Any]:
    """All that a run of sessionize depends on, cheap to read."""
    rules, _ = exclusions.read_exclusions(settings)
    return {
        "batches": sorted(parsing.fresh_batches(settings)),
        "gap": settings.session_gap_minutes,
        "lateness": settings.max_lateness_days,
        "version": sessionizing.SESSIONIZER_VERSION,
        "rates": bot_rules.digest("rate", "platforms"),
        "addresses": [settings.ip_addresses, sessionizing.digest(settings.ip_key.get_secret_value())],
        "exclusions": [[rule.kind, rule.value, str(rule.since), str(rule.until)] for rule in rules],
    }


def is_up_to_date(settings: Settings) -> bool:
    """Tell whether a run would find nothing to do, in any stage; read only, no lock.

    Raises:
        BadUse: the inbox is missing.
    """
    return settings.warehouse.exists() and not landing.stale_files(settings) and not pending(settings)


def pending(settings: Settings) -> dict[str, list[str]]:
    """Say which stages have work, each with the days it is known to concern; read only, no lock."""
    work: dict[str, list[str]] = {}
    if parsing.unparsed_files(settings) or spend.unread(settings) or exclusions.unread(settings):
        files = parsing.unparsed_files(settings)
        work["parse"] = sorted({day for file in files for day in file["partitions"]})
    before = lake.read_manifest(lake.manifest_path(settings, "state", "sessionized"))
    now = session_inputs(settings)
    if before != now:
        known = set((before or {}).get("batches", []))
        fresh = parsing.fresh_batches(settings)
        outputs = [output for name in now["batches"] if name not in known for output in fresh[name]["outputs"]]
        days = {output.split("/")[1].partition("=")[2] for output in outputs if output.startswith("messages/")}
        work["sessionize"] = sorted(days)
    wanted = dbt_build.inputs(settings)
    built = lake.read_manifest(lake.manifest_path(settings, "state", "built"))
    published = lake.read_manifest(lake.manifest_path(settings, "state", "warehouse")) or {}
    current = dbt_build.digest(wanted)
    is_current = built and built["digest"] == current and not dbt_build.is_unfinished(settings)
    if "sessionize" in work or not is_current or published.get("digest") != current:
        stale = dbt_build.stale_session_days(settings, wanted)
        work["build"] = sorted(wanted["days"]) if stale is None else stale
    reconciled = lake.read_manifest(lake.manifest_path(settings, "state", "reconciled")) or {}
    is_probed = any(note["state"] == "waiting" for note in probing.read_notes(settings))
    if "build" in work or is_probed or reconciled.get("digest") != published.get("digest"):
        work["reconcile"] = []
    return work
