"""Retention: until when what is kept, and which days are sealed.

Days are counted from the latest day of receipt, or from the machine's clock where that is earlier: one line of a wrong
clock, or a lake that nobody has fed for a year, takes nothing away. A day is sealed when raw lines of its time go; what
was parsed of them takes their place, and nothing that lands later is counted in it. Sealed are all days before one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import msgspec
import pyarrow as pa

from etl.lake import sealed
from etl.lake.catalogue import Lake, read_note, write_note
from etl.lake.landed import EXPIRED, HELD, STAGE, content_name, file_name
from etl.lake.manifests import UNKNOWN_DAY, Commit, Content, Landing, Part
from etl.lake.strays import SOURCES, find_strays
from etl.vocabulary.columns import SEALS


class Seal(msgspec.Struct, frozen=True):
    """That all days before one were sealed, when, and how much went."""

    before: str
    sealed_at: str
    keep_days: int
    files: int
    lines: int
    bytes: int


class Seals(msgspec.Struct, frozen=True):
    """All seals of a home, in their order; the last one holds."""

    seals: list[Seal] = []


@dataclass(frozen=True)
class Landed:
    """A landed content, with the days on which its lines were received, but for those on which some clock was wrong."""

    commit: Commit[Landing]
    content: Content
    days: list[str]

    @property
    def parts(self) -> list[Part]:
        """The files of its lines."""
        return [part for part in self.commit.parts if content_name(part) == file_name(self.content.file_id)]


def read_seals(lake: Lake) -> list[Seal]:
    """Read the seals of a home; none while nothing has gone."""
    return (read_note(lake.history("seals.json"), Seals) or Seals()).seals


def sealed_before(lake: Lake) -> str:
    """Name the first day that is not sealed, ISO; nothing while none is."""
    seals = read_seals(lake)
    return seals[-1].before if seals else ""


def add_seal(lake: Lake, seal: Seal) -> None:
    """Note a seal; the days before an earlier one stay sealed."""
    before = max(seal.before, sealed_before(lake))
    write_note(lake.history("seals.json"), Seals([*read_seals(lake), msgspec.structs.replace(seal, before=before)]))


def seals_table(lake: Lake) -> pa.Table:
    """Write the seals as rows (columns of `SEALS`)."""
    edge = sealed.edge(lake)
    gone, rows_before = edge.gone_before or None, edge.rows_before or None
    made = [
        {
            "sealed_before": date.fromisoformat(seal.before), "sealed_at": datetime.fromisoformat(seal.sealed_at),
            "events_before": gone and date.fromisoformat(gone),
            "rows_before": rows_before and date.fromisoformat(rows_before),
            "keep_days": seal.keep_days, "files": seal.files, "lines": seal.lines, "bytes": seal.bytes,
        }
        for seal in read_seals(lake)
    ]  # fmt: skip
    return pa.Table.from_pylist(made, schema=SEALS)


def first_kept(lake: Lake, keep: int) -> str | None:
    """Name the first of the last `keep` days, ISO; None where all are kept."""
    days = [day for one in landed(lake) for day in one.days] if keep else []
    if not days:
        return None
    latest = min(date.fromisoformat(max(days)), datetime.now(UTC).date())
    return (latest - timedelta(days=keep)).isoformat()


def leaving(lake: Lake) -> list[Landed]:
    """Find the contents whose lines were all received before what is kept.

    A content stays whole while any line of it is kept, and for ever if no line of it says when it was received.
    """
    first = first_kept(lake, lake.settings.keep_days.raw)
    if first is None:
        return []
    return [one for one in landed(lake) if one.content.status in HELD and one.days and max(one.days) < first]


def naming(lake: Lake) -> list[Landed]:
    """Find the contents whose lines have gone, and whose addresses are to go from what was made of them."""
    return [one for one in gone(lake, lake.settings.keep_days.addresses) if not one.content.is_nameless]


def quoting(lake: Lake) -> list[Landed]:
    """Find the contents whose lines have gone, and whose payloads are to go from quarantine."""
    return [one for one in gone(lake, lake.settings.keep_days.quarantine) if not one.content.is_payloadless]


def gone(lake: Lake, keep: int) -> list[Landed]:
    """Find the contents whose lines have gone, and were all received before the last `keep` days."""
    first = first_kept(lake, keep)
    if first is None:
        return []
    return [one for one in landed(lake) if one.content.status == EXPIRED and one.days and max(one.days) < first]


def nameless(lake: Lake) -> set[str]:
    """Name the contents of which no address is left."""
    return {
        file_name(content.file_id) for commit in lake.commits(STAGE, Landing) for content in commit.facts.contents
        if content.is_nameless
    }  # fmt: skip


def landed(lake: Lake) -> Iterator[Landed]:
    """List all contents of logs, with the days that count of each."""
    stray = {(found.source, found.day) for found in find_strays(lake)}
    for commit in lake.commits(STAGE, Landing):
        if commit.facts.source in SOURCES:
            for content in commit.facts.contents:
                days = [day for day in content.days if day != UNKNOWN_DAY and (commit.facts.source, day) not in stray]
                yield Landed(commit, content, days)
