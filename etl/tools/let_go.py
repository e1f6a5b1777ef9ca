"""Let go: events that are not to be kept go, once what is made of them is published, and kept as sealed rows."""

from datetime import date, timedelta

import msgspec

from etl.lake import sealed
from etl.lake.catalogue import Lake, write_note
from etl.lake.landed import HELD, PARSED
from etl.lake.manifests import Part, Reading
from etl.lake.retention import first_kept, landed, sealed_before
from etl.stages.build.stage import Marts
from etl.stages.deduplicate.stage import Deduplicate
from etl.stages.fast_views.stage import FastViews
from etl.stages.parse.stage import Parse
from etl.stages.publish.stage import Publish
from etl.stages.runner import remove_parts
from etl.stages.sessionize.stage import Sessionize
from etl.stages.staleness import staleness
from etl.tools.freeze import freeze

GOING = ("messages", "pixel_hits", "keys")
"""Of what was parsed, what goes; keys lie by the day of receipt, which is never before that of the event."""


def waiting(lake: Lake) -> str | None:
    """Name the first day whose events are to stay, where events before it wait to go; None where none do.

    They go when all that was made of them is published as it would be made now, and no line of their time is left, of
    which they would come again.
    """
    known = sealed.edge(lake).gone_before
    if known and any(leaving(lake, known)):
        return known
    first = first_to_stay(lake)
    if first is None or first <= known or not any(leaving(lake, first)):
        return None
    stages = (Parse(), Deduplicate(), FastViews(), Sessionize(), Marts(), Publish([]))
    return None if any(staleness(lake, stage) for stage in stages) else first


def first_to_stay(lake: Lake) -> str | None:
    """Name the first day whose events are kept as the settings say; None where all are."""
    settings, before = lake.settings, sealed_before(lake)
    first = first_kept(lake, settings.keep_days.events)
    if first is None or not before:
        return None
    late = timedelta(days=settings.max_lateness_days)
    bounds = [date.fromisoformat(first), date.fromisoformat(before) - 2 * late - timedelta(days=3)]
    bounds += [
        date.fromisoformat(min(one.days)) - late - timedelta(days=1)
        for one in landed(lake) if one.content.status in HELD and one.days
    ]  # fmt: skip
    return min(bounds).isoformat()


def leaving(lake: Lake, first: str) -> list[Part]:
    """List what was parsed of the days before one."""
    return [
        part for commit in lake.commits(PARSED, Reading) for part in commit.parts
        if part.dataset in GOING and sealed.is_gone(part, first)
    ]  # fmt: skip


def let_go(lake: Lake) -> None:
    """Keep what is to be kept of events that wait, and let go of them; a run that was killed between is ended."""
    first = waiting(lake)
    if first is None:
        return
    if first > sealed.edge(lake).gone_before:
        freeze(lake, first)
    with lake.staging():
        for commit in lake.commits(PARSED, Reading):
            gone = [part for part in commit.parts if part.dataset in GOING and sealed.is_gone(part, first)]
            if gone:
                parts = [part for part in commit.parts if part not in gone]
                write_note(lake.manifest_path(PARSED, commit.name), msgspec.structs.replace(commit, parts=parts))
                remove_parts(lake, gone, parts)
        Deduplicate().let_go(lake)
