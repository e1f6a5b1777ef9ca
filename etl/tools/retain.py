"""Retain: take away raw lines that are not to be kept for longer; what was parsed of them takes their place."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from etl.lake.catalogue import Lake, write_note
from etl.lake.landed import EXPIRED, STAGE, file_name
from etl.lake.manifests import UNKNOWN_DAY, Commit, Content, Landing, Reading
from etl.lake.retention import Landed, Seal, add_seal, first_kept, leaving
from etl.lake.strays import first_line, rows_of
from etl.stages.deduplicate.stage import Deduplicate
from etl.stages.parse.stage import Parse
from etl.stages.staleness import staleness
from etl.tools.let_go import let_go
from etl.tools.nameless import hide_addresses
from etl.tools.payloadless import drop_payloads
from etl.tools.settle import settle


def waiting(lake: Lake) -> list[Landed]:
    """Find the contents whose lines the next run takes away: not to be kept, and parsed as they would be now."""
    found = leaving(lake)
    if not found or staleness(lake, Deduplicate()):
        return []
    wanted, held = Parse().wanted(lake), lake.units("parse", Reading)
    names = {name for name, (_, unit) in held.items() if wanted.get(name) == unit.fingerprint}
    return [one for one in found if file_name(one.content.file_id) in names]


def retain(lake: Lake) -> Seal | None:
    """Take away what is not to be kept, under the lock; return the seal, or None where no lines had to go.

    Events first: they go while what is published is made of all that is there, and lines that go change that.
    """
    let_go(lake)
    seal = take_lines(lake)
    hide_addresses(lake)
    drop_payloads(lake)
    return seal


def take_lines(lake: Lake) -> Seal | None:
    """Take away the lines that wait.

    The seal is noted first: a day of which lines are gone is sealed, whenever a run is killed.
    """
    found, first = waiting(lake), first_kept(lake, lake.settings.keep_days.raw)
    if not found or first is None:
        return None
    seal = Seal(
        before=first, sealed_at=datetime.now(UTC).isoformat(), keep_days=lake.settings.keep_days.raw, files=len(found),
        lines=sum(one.content.lines for one in found), bytes=sum(part.size for one in found for part in one.parts),
    )  # fmt: skip
    settle(lake, [one.content.file_id for one in found])
    add_seal(lake, seal)
    by_commit: dict[str, list[Landed]] = {}
    for one in found:
        by_commit.setdefault(one.commit.name, []).append(one)
    with lake.staging():
        for those in by_commit.values():
            take_away(lake, those[0].commit, those)
    return seal


def take_away(lake: Lake, commit: Commit[Landing], those: Sequence[Landed]) -> None:
    """Take away lines of contents of one inbox file: out of its manifest first."""
    gone = {one.content.file_id: expired(lake, one) for one in those}
    parts = [part for one in those for part in one.parts]
    contents = [gone.get(content.file_id, content) for content in commit.facts.contents]
    made = msgspec.structs.replace(
        commit, parts=[part for part in commit.parts if part not in parts],
        facts=msgspec.structs.replace(commit.facts, contents=contents),
    )  # fmt: skip
    write_note(lake.manifest_path(STAGE, commit.name), made)
    for part in parts:
        lake.path(part.path).unlink(missing_ok=True)


def expired(lake: Lake, one: Landed) -> Content:
    """Say of a content that its lines were not to be kept for longer, and how many there were."""
    size = sum(part.size for part in one.parts)
    days = {str(part.day): part for part in one.parts if part.day != UNKNOWN_DAY}
    return msgspec.structs.replace(
        one.content, status=EXPIRED,
        detail=f"its raw lines were kept for {lake.settings.keep_days.raw} days; {size:,} bytes were freed",
        rows={day: rows_of(lake, part) for day, part in days.items()},
        first_lines={day: first_line(str(lake.path(part.path))) for day, part in days.items()},
    )  # fmt: skip
