"""The tasks: what a DAG's task calls and what a command of `python -m etl` calls.

Each takes the settings and days to redo, holds the home's lock while it writes, and returns counts and day lists,
never data.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from etl import incidents
from etl.engines.choose import choose
from etl.errors import BadUse, BuildFailed
from etl.lake.catalogue import Lake
from etl.lake.landed import EXPECTED
from etl.lake.manifests import UNKNOWN_DAY, Build, Publication
from etl.pipeline.order import makers, require_inbox, run_task, writing
from etl.pipeline.work import require_whole
from etl.settings import Settings
from etl.stages import runner
from etl.stages.parse.replay import quarantined_by_file
from etl.stages.parse.stage import Parse
from etl.stages.publish.stage import note_failure
from etl.stages.reconcile.stage import Reconcile, judge, refuse_errors
from etl.stages.runner import Outcome
from etl.stages.stage import Advance, silent
from etl.tools import erase as erasing
from etl.tools import probe as probes
from etl.tools import probe_look
from etl.tools import retain as retaining
from etl.vocabulary.reasons import PARSER_REASONS


def land(settings: Settings, *, days: Sequence[date] | None = None, advance: Advance = silent) -> dict[str, Any]:
    """Land the inbox's new files.

    Raises:
        BadUse: the inbox is missing.
    """
    del days  # What has landed holds; days are redone from there.
    require_inbox(settings)
    with writing(settings) as lake:
        seal = retaining.retain(lake)
        (landed,) = run_task(lake, "land", (), advance)
        erasing.search_new(lake)
    found = [(commit.facts, commit.facts.contents[-1]) for commit in landed.made]
    new = [commit.facts.contents[-1] for commit in landed.made if any(unit.counts for unit in commit.units.values())]
    return {
        "files": landed.count("files"),
        "lines": landed.count("lines"),
        "bytes": landed.count("bytes"),
        **({"bytes_freed": seal.bytes, "sealed_before": seal.before} if seal else {}),
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
        # Those too that are refused: what the summary and the ledger call so.
        "messages": sum(
            unit.counts.get(fate, 0)
            for commit in parsed.made
            if commit.facts.source != "pixel"
            for unit in commit.units.values()
            for fate in ("valid", "quarantined")
        ),
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
        runner.run(lake, Parse(), units=before.keys(), advance=advance, engine=choose(settings))
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
        Damaged: a file of the home is not what was written: what is published may say anything.
    """
    del days
    lake = Lake(settings)
    require_whole(settings)
    outcome = judge(lake)
    vanished = probe_look.vanished(probe_look.look_for_probes(settings)) if probes.read_notes(lake) else []
    outcome["errors"] += [f"probe ({run}): nothing of it has arrived" for run in vanished]
    incidents.note_incidents(lake, [incidents.vanished_probe(run) for run in vanished])
    advance("checks", 1)
    refuse_errors(outcome["errors"])
    with writing(settings) as lake:
        runner.run(lake, Reconcile())
    return outcome
