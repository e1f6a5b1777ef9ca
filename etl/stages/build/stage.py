"""Build: the dbt project turns the lake into marts in a file of its own; what passed its tests is published.

Which sessions' days dbt rebuilds follows from the event days: those that changed since the last build, and no clock.
"""

import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import Any

import duckdb
import msgspec

from etl.errors import BuildFailed
from etl.lake import erasures, retention, sealed, strays
from etl.lake.catalogue import Lake, read_note, write_note
from etl.lake.fingerprint import Fingerprint, digest
from etl.lake.landed import landings
from etl.lake.manifests import Build, Commit, Day, Nothing, Part, Reading
from etl.stages.build import put_back
from etl.stages.build.declared import declared_conversions
from etl.stages.build.execute import Outcome, execute, opened
from etl.stages.build.ledger import files_table
from etl.stages.build.plan import Plan, read_plan
from etl.stages.build.project import read_project, variables
from etl.stages.build.sources import name_sources
from etl.stages.build.workplace import workplace
from etl.stages.stage import Made, Stage, Work
from etl.vocabulary import tracking_plan
from etl.vocabulary.holidays import read_holidays
from etl.vocabulary.thresholds import read_thresholds

UNIT = "marts"
INPUTS: tuple[tuple[str, type, tuple[str, ...]], ...] = (
    ("parse", Reading, ("messages", "pixel_hits", "quarantine")),
    ("spend", Nothing, ("spend", "quarantine")),
    ("exclusions", Nothing, ("quarantine",)),
    ("deduplicate", msgspec.Raw, ("quarantine",)),
    ("sessionize", Day, ("events", "event_counts")),
)
"""The stages whose files dbt reads, and of which datasets."""
DAILY = ("messages", "pixel_hits", "events", "event_counts")
"""Those that go with events."""


class Unfinished(msgspec.Struct):
    """A build that has begun: the session days that it was to make; null of all."""

    days: list[str] | None


class Marts(Stage[Build]):
    """There is one unit: all the marts."""

    name = "build"
    facts = Build

    def wanted(self, lake: Lake) -> Mapping[str, Fingerprint]:
        _, described = read_project()
        plan = tracking_plan.load_plan(lake.settings.tracking_plan)
        decisive = digest(
            self.definition(lake), sorted(self.days(lake).items()), self.others(lake),
            sorted(
                (landing.source_file, content.file_id, content.status, content.tombstones)
                for landing in landings(lake) for content in landing.contents
            ),
            str(erasures.read(lake).requests), strays.find_strays(lake), retention.read_seals(lake),
            *self.sealed(lake),
            str(read_thresholds(lake.settings.thresholds).to_pylist()),
            str(read_holidays(lake.settings.holidays).to_pylist()),
        )  # fmt: skip
        return {UNIT: Fingerprint(decisive, digest(described, repr(plan)))}

    def definition(self, lake: Lake) -> object:
        """The project, and the settings that its models use."""
        decisive, _ = read_project()
        conversions = [conversion.model_dump(mode="json") for conversion in lake.settings.conversions]
        return decisive, sorted(variables(lake.settings).items()), conversions

    @staticmethod
    def sealed(lake: Lake) -> list[str]:
        """Name what is kept of days whose events are gone; nothing where none are."""
        edge = sealed.edge(lake)
        return [edge.gone_before, edge.rows_before, put_back.identity(lake)] if edge.gone_before else []

    @staticmethod
    def days(lake: Lake) -> dict[str, str]:
        """Name what each event day holds."""
        first = sealed.edge(lake).gone_before
        return {
            part.day: commit.identity(part)
            for commit in lake.commits("sessionize", Day)
            for part in commit.parts
            if part.dataset == "events" and part.day and not sealed.is_gone(part, first)
        }

    @staticmethod
    def others(lake: Lake) -> list[tuple[str, str]]:
        """Name all else that holds rows for dbt, by file."""
        return sorted(
            (f"{commit.stage}/{commit.name}/{part.dataset}/{part.day}", commit.identity(part))
            for commit, part in input_parts(lake)
            if part.dataset != "events"
        )

    def of_days(self, lake: Lake, days: Collection[date]) -> Collection[str]:
        del lake
        return [UNIT] if days else ()

    def is_lost(self, lake: Lake, commit: Commit[Build]) -> bool:
        return is_unfinished(lake) or commit.facts.place != str(lake.settings.home.resolve())

    def concerns(self, lake: Lake, units: Collection[str]) -> Iterable[str]:
        if not units:
            return ()
        before = next(iter(self.commits(lake)), None)
        stale = self.stale_session_days(lake, before)
        return sorted(self.days(lake)) if stale is None else stale

    def days_of(self, commit: Commit[Build]) -> Iterable[str]:
        return commit.facts.days if commit.facts.rebuilt is None else commit.facts.rebuilt

    def stale_session_days(self, lake: Lake, before: Commit[Build] | None) -> list[str] | None:
        """The session days to rebuild; None when all are.

        Days that a build began and did not finish are among them, whatever has become of their inputs.
        """
        work = workplace(lake.settings)
        unfinished = read_note(work.unfinished, Unfinished) or Unfinished([])
        if (
            before is None
            or before.facts.definition != digest(self.definition(lake))
            or not work.database.exists()
            or unfinished.days is None
        ):
            return None
        then, now = before.facts.days, self.days(lake)
        dates = session_dates(lake)
        changed = [day for day in {*then, *now} if then.get(day) != now.get(day)]
        stale = {
            name for day in changed for known in (before.facts.session_dates, dates) for name in known.get(day, [])
        }
        kept = sealed.days(lake) if before.facts.sealed != put_back.identity(lake) else ()
        # With the changed days themselves: what is kept by the day of the event is found by them.
        return sorted({*stale, *changed, *unfinished.days, *kept})

    @staticmethod
    def plan(lake: Lake) -> Plan:
        """Read what dbt compiled of the project for these settings."""
        return read_plan(variables(lake.settings), workplace(lake.settings).folder / "plans")

    def make(self, work: Work[Build]) -> Made[Build]:
        lake = work.lake
        before = work.before[0] if work.before else None
        place = workplace(lake.settings)
        home = str(lake.settings.home.resolve())
        if before is not None and not work.days and holds_all_rows(work, before) and not is_unfinished(lake):
            with opened(lake.settings) as con:
                name_all_sources(con, lake)
            place.definitions.write_text(self.plan(lake).definitions)
            return Made(msgspec.structs.replace(before.facts, models=0, tests=0, rebuilt=[], place=home))
        days = self.stale_session_days(lake, before)
        place.folder.mkdir(parents=True, exist_ok=True)
        work.advance("the project", 0)
        plan = self.plan(lake)
        if days is None:
            for leftover in place.folder.glob("build.duckdb*"):
                if leftover.is_file():
                    leftover.unlink()
        else:
            days = sorted({*days, *(day.isoformat() for day in work.days)})
        write_note(place.unfinished, Unfinished(days))
        shutil.rmtree(place.failures, ignore_errors=True)
        with opened(lake.settings) as con:
            name_all_sources(con, lake)
            kept = put_back.read_kept(con, lake)
            outcome = execute(con, plan, days, place.failures, kept=kept, advance=work.advance)
        refuse_failures(outcome)
        place.definitions.write_text(plan.definitions)
        place.unfinished.unlink()
        definition = digest(self.definition(lake))
        facts = Build(
            definition, self.days(lake), session_dates(lake), outcome.models, outcome.tests, days, home,
            put_back.identity(lake),
        )  # fmt: skip
        return Made(facts, counts={UNIT: {"models": outcome.models, "tests": outcome.tests}})


def refuse_failures(outcome: Outcome) -> None:
    """Say which models and tests failed.

    Raises:
        BuildFailed: some did; the message names each and why.
    """
    if outcome.failed:
        raise BuildFailed(
            f"dbt's models failed at {'; '.join(node.reason for node in outcome.failed)}",
            "The warehouse stays as it was; docs/when-numbers-look-wrong.md says what to do",
            outcome.failed,
        )


def is_unfinished(lake: Lake) -> bool:
    """Say whether what dbt builds is not there, or was left half built."""
    work = workplace(lake.settings)
    return not work.database.exists() or work.unfinished.exists()


def holds_all_rows(work: Work[Build], before: Commit[Build]) -> bool:
    """Say whether nothing but descriptions has changed, or the folder in which all lies."""
    then, now = before.units[UNIT].fingerprint, work.fingerprints[UNIT]
    is_moved = before.facts.place != str(work.lake.settings.home.resolve())
    return then.data == now.data and (then.description != now.description or is_moved)


def session_dates(lake: Lake) -> dict[str, list[str]]:
    """Name the days on which the sessions of each event day's events start."""
    return {
        commit.name: [day.isoformat() for day in commit.facts.session_dates]
        for commit in lake.commits("sessionize", Day)
    }


def input_parts(lake: Lake) -> Iterator[tuple[Commit[Any], Part]]:
    """List the files that dbt reads, with their commits; of days whose events are gone, what is kept of the counts."""
    first = sealed.edge(lake).gone_before
    for stage, facts, datasets in INPUTS:
        commits: list[Commit[Any]] = lake.commits(stage, facts)
        yield from (
            (commit, part) for commit in commits for part in commit.parts
            if part.dataset in datasets and not (part.dataset in DAILY and sealed.is_gone(part, first))
        )  # fmt: skip


def name_all_sources(con: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Tell the file that is built what each of dbt's sources is."""
    settings = lake.settings
    tables: dict[str, Any] = {
        "files": files_table(lake),
        "conversions": declared_conversions(settings),
        "thresholds": read_thresholds(settings.thresholds),
        "erasures": erasures.requests_table(lake),
        "holidays": read_holidays(settings.holidays),
        "strays": strays.strays_table(lake),
        "seals": retention.seals_table(lake),
    }
    first = sealed.edge(lake).gone_before
    counts = sealed.parts_of(lake, "event_counts") if first else []
    kept = {"event_counts": f"{sealed.scan(lake, counts)} where event_date < date '{first}'"} if counts else {}
    name_sources(con, lake, (part for _, part in input_parts(lake)), tables, kept)
