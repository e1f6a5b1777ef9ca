"""Deduplicate: which messages repeat another's id, page or document, found across files and days.

Three questions are asked of narrow rows (keys), never of whole messages: which ids came more than once (duplicates,
collisions), which page views came again (repeats), and for which nothing was loaded (later views of a document).
Only the few that did are looked at in full. Which days a new file concerns is known only by reading its keys, so that
all days are one unit: made anew, or, where all that it was made of still holds, made of what stood and of what is new.
The outcome is the same, whatever arrived when.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from etl.lake import engine, sealed
from etl.lake.catalogue import Lake, write_note
from etl.lake.days import by_day
from etl.lake.fingerprint import Fingerprint, digest
from etl.lake.manifests import Commit, Comparison, Reading, Unit
from etl.stages.deduplicate.decide import Messages, decide
from etl.stages.deduplicate.history import History
from etl.stages.deduplicate.write import write_collisions, write_copies
from etl.stages.stage import Made, Output, Stage, Work, copy_of

DEDUPLICATION_VERSION = 5
UNIT = "all"


class Deduplicate(Stage[Comparison]):
    """Its one unit is all that was parsed."""

    name = "deduplicate"
    facts = Comparison
    gives = ("copies", "quarantine")

    def wanted(self, lake: Lake) -> Mapping[str, Fingerprint]:
        inputs = {name: identity for name, (_, identity) in compared(lake).items()}
        return {UNIT: Fingerprint(digest(rules(lake), sorted(inputs.items())))} if inputs else {}

    def definition(self, lake: Lake) -> object:
        return rules(lake)

    def make(self, work: Work[Comparison]) -> Made[Comparison]:
        lake, found = work.lake, compared(work.lake)
        facts = Comparison(rules(lake), {name: identity for name, (_, identity) in found.items()})
        before = work.before[0] if work.before and holds(work.before[0].facts, facts) else None
        known = before.facts.inputs if before else {}
        history = History(
            lake,
            new=[commit for name, (commit, _) in found.items() if name not in known],
            known=[commit for name, (commit, _) in found.items() if name in known],
        )
        messages = Messages(lake, by_day((commit for commit, _ in found.values()), "messages"))
        stood = by_day([before] if before else [], "copies")
        decided_before = sealed.edge(lake).decided_before
        with engine.engine(lake.settings, work.folder) as con:
            decided = decide(con, history, messages, stood)
            # What quarantine says of a collision is more than its copies' content: made anew, all of it is written.
            changed = decided.changed if before else decided.concerned
            # What a message was a copy of may be gone: there all is decided, for good.
            changed = {day for day in changed if day >= decided_before}
            outputs = [
                *write_copies(con, work.folder, decided, changed),
                *write_collisions(con, work.folder, decided, changed, messages),
            ]
        if before is None:
            outputs += decided_for_good(lake, work.folder)
        kept = [part for part in before.parts if part.day not in changed] if before else []
        return Made(facts, outputs, kept=kept)

    def let_go(self, lake: Lake) -> None:
        """Go on from what is left of messages: what has been decided of those that are gone stays."""
        wanted = self.wanted(lake)
        for commit in self.commits(lake):
            inputs = {name: identity for name, (_, identity) in compared(lake).items()}
            units = {name: Unit(wanted[name], unit.counts) for name, unit in commit.units.items() if name in wanted}
            if units:
                facts = msgspec.structs.replace(commit.facts, inputs=inputs)
                now = msgspec.structs.replace(commit, units=units, facts=facts)
                write_note(lake.manifest_path(self.name, commit.name), now)


def rules(lake: Lake) -> str:
    """Name this code's version and the setting that decides which copies are compared."""
    return digest(DEDUPLICATION_VERSION, lake.settings.max_lateness_days)


def compared(lake: Lake) -> dict[str, tuple[Commit[Reading], str]]:
    """Find the commits of parsed messages by name, each with what its messages are known by."""
    found, first = {}, sealed.edge(lake).gone_before
    for commit in lake.commits("parse", Reading):
        identities = [
            commit.identity(part) for part in commit.parts
            if part.dataset == "messages" and not sealed.is_gone(part, first)
        ]  # fmt: skip
        if identities:
            found[commit.name] = commit, digest(*sorted(identities))
    return found


def holds(before: Comparison, now: Comparison) -> bool:
    """Say whether all that was compared before is still there: what is gone had decided nobody knows what."""
    return before.rules == now.rules and before.inputs.items() <= now.inputs.items()


def decided_for_good(lake: Lake, folder: Path) -> Iterator[Output]:
    """Give back what was decided of messages whose copies may be gone: copies, and collisions in quarantine."""
    for dataset in ("copies", "quarantine"):
        for part in sealed.parts_of(lake, dataset):
            yield copy_of(lake, part, folder / f"kept-{dataset}-{part.day}.parquet", dataset, str(part.day))
