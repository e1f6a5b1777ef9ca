"""Sessionize: the accepted messages of a day, cut into sessions, flagged, written as canonical events.

`events(d), open_sessions(d) = f(messages(d), copies(d), fast_views(d), exclusions(d), open_sessions(d - 1))`: what
is handed on is each visitor's session that was still open when the day ended. So a change travels to the next day
only as far as sessions do.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

from etl.lake import sealed
from etl.lake.catalogue import Lake
from etl.lake.days import NO_PARTS, by_day
from etl.lake.fingerprint import Fingerprint, digest
from etl.lake.key import key_digest
from etl.lake.manifests import Comparison, Day, Nothing, Part, Reading
from etl.lake.retention import nameless
from etl.lake.strays import find_strays
from etl.stages.sessionize.excluded import read_rules
from etl.stages.sessionize.shares import merge, plan_shares
from etl.stages.sessionize.task import DayInputs, sessionize_share
from etl.stages.stage import Made, Stage, Work

LONGEST_LATENESS = timedelta(days=1)
"""An event of a day may have been received so much later than `max_lateness_days` after it."""
SESSIONIZER_VERSION = 12


class Sessionize(Stage[Day]):
    """A unit is an event day."""

    name = "sessionize"
    facts = Day
    gives = ("events", "open_sessions", "event_counts")
    hands_on = "open_sessions"
    is_spread = True

    def __init__(self) -> None:
        self.inputs: dict[str, DayInputs] = {}

    def wanted(self, lake: Lake) -> Mapping[str, Fingerprint]:
        first = sealed.edge(lake).gone_before
        messages = by_day(lake.commits("parse", Reading), "messages", first)
        copies = by_day(lake.commits("deduplicate", Comparison), "copies")
        fast_views = by_day(lake.commits("fast_views", Nothing), "fast_views")
        rules, said = read_rules(lake), self.definition(lake)
        stray = sorted({(found.source, date.fromisoformat(found.day)) for found in find_strays(lake)})
        lateness = timedelta(days=lake.settings.max_lateness_days) + LONGEST_LATENESS
        self.inputs = {
            day: DayInputs(
                found, copies.get(day, NO_PARTS), fast_views.get(day, NO_PARTS),
                [rule for rule in rules if rule.overlaps(date.fromisoformat(day))],
                [one for one in stray if timedelta() <= one[1] - date.fromisoformat(day) <= lateness],
            )
            for day, found in messages.items()
        }  # fmt: skip
        hidden = self.nameless_by_day(lake)
        return {
            day: Fingerprint(
                digest(
                    said, inputs.messages.identities, inputs.copies.identities, inputs.fast_views.identities,
                    [(rule.kind, rule.value, str(rule.since), str(rule.until)) for rule in inputs.rules],
                    *inputs.strays, *hidden.get(day, ()), *(handed_on(lake) if day == first else ()),
                )
            )
            for day, inputs in self.inputs.items()
        }  # fmt: skip

    @staticmethod
    def nameless_by_day(lake: Lake) -> dict[str, list[str]]:
        """Name the contents whose addresses have gone, by the days of what was parsed with them."""
        names, found = nameless(lake), dict[str, set[str]]()
        for commit in lake.commits("parse", Reading) if names else ():
            for day in commit.day_parts("messages"):
                found.setdefault(day, set()).update(names & commit.units.keys())
        return {day: sorted(those) for day, those in found.items()}

    def definition(self, lake: Lake) -> object:
        settings = lake.settings
        return (
            SESSIONIZER_VERSION, settings.session_gap_minutes, settings.ip_addresses,
            key_digest(settings),
        )  # fmt: skip

    def following(self, unit: str) -> str:
        return (date.fromisoformat(unit) + timedelta(days=1)).isoformat()

    def preceding(self, unit: str) -> str:
        return (date.fromisoformat(unit) - timedelta(days=1)).isoformat()

    def make(self, work: Work[Day]) -> Made[Day]:
        (day,) = work.units
        inputs = replace(self.inputs[day], open_sessions=self.left_open(work.lake, self.preceding(day)))
        shares = plan_shares(work, date.fromisoformat(day), inputs)
        made = merge(work, day, list(work.engine.map(sessionize_share, shares)))
        work.advance(day, 1)
        return made

    def left_open(self, lake: Lake, day: str) -> list[Part]:
        """Find the sessions that a day leaves open."""
        if self.following(day) == sealed.edge(lake).gone_before:
            return sealed.parts_of(lake, "open_sessions")
        held = lake.units(self.name, self.facts)
        return held[day][0].day_parts("open_sessions").get(day, []) if day in held else []


def handed_on(lake: Lake) -> list[str | None]:
    """Name what the last day whose events are gone has left open."""
    return ["handed on", *(part.content for part in sealed.parts_of(lake, "open_sessions"))]
