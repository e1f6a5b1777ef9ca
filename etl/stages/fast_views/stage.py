"""Fast views: page views that come faster than people read, by which their visitors are bots.

The user agent's own reasons (`declared`, `malformed_ua`) stand in the messages already. This rule needs the days
around: windows reach over midnight.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa

from etl.lake import engine, sealed, sql
from etl.lake.catalogue import Lake
from etl.lake.datasets import PARQUET
from etl.lake.days import NO_PARTS, DayParts, by_day, parts_of
from etl.lake.fingerprint import Fingerprint, digest
from etl.lake.manifests import Comparison, Nothing, Part, Reading
from etl.stages.stage import Made, Output, Stage, Work, copy_of
from etl.stages.step import Step, columns, content_of
from etl.vocabulary import bot_rules
from etl.vocabulary.columns import COPIES, FAST_VIEWS, MESSAGES

FAST_VIEWS_VERSION = 1
WINDOWS = pa.schema([("width_us", pa.int64()), ("page_views", pa.int64())])

FIND_FAST_VIEWS = Step(
    Path(__file__).with_name("fast_views.sql"),
    {
        "messages": columns(MESSAGES, "visitor_id", "event_at", "schema", "platform", "file_id", "message_ref"),
        "copies": columns(COPIES, "kind", "file_id", "message_ref"),
        "windows": WINDOWS,
    },
    {"fast_views": columns(FAST_VIEWS, "file_id", "message_ref")},
    by=("visitor_id",),
)


class FastViews(Stage[Nothing]):
    """A unit is an event day, made of its messages and those of the days before and after."""

    name = "fast_views"
    facts = Nothing
    gives = ("fast_views",)

    def __init__(self) -> None:
        self.messages: Mapping[str, DayParts] = {}
        self.copies: Mapping[str, DayParts] = {}
        self.kept: Mapping[str, Sequence[Part]] = {}

    def wanted(self, lake: Lake) -> Mapping[str, Fingerprint]:
        first = sealed.edge(lake).gone_before
        self.messages = by_day(lake.commits("parse", Reading), "messages", first)
        self.copies = by_day(lake.commits("deduplicate", Comparison), "copies", first)
        self.kept = {first: sealed.parts_of(lake, "fast_views")} if first in self.messages else {}
        said = self.definition(lake)
        found = {day: Fingerprint(digest(said, *map(self.identities, around(day)))) for day in self.messages}
        # The day before the first is not there any more: what both showed is kept.
        return found | {
            day: Fingerprint(digest("sealed", [part.content for part in parts])) for day, parts in self.kept.items()
        }

    def definition(self, lake: Lake) -> object:
        del lake
        return FAST_VIEWS_VERSION, bot_rules.digest("rate", "platforms")

    def identities(self, day: str) -> tuple[Sequence[str], Sequence[str]]:
        """Name what the accepted messages of a day are known by."""
        return self.messages.get(day, NO_PARTS).identities, self.copies.get(day, NO_PARTS).identities

    def make(self, work: Work[Nothing]) -> Made[Nothing]:
        (day,) = work.units
        lake, path = work.lake, work.folder / "fast_views.parquet"
        if day in self.kept:
            return Made(Nothing(), [copy_of(lake, part, path, "fast_views", day) for part in self.kept[day]])
        given = {
            "messages": lake.scan("messages", parts_of(self.messages, around(day))),
            "copies": lake.scan("copies", parts_of(self.copies, around(day))),
            "windows": pa.table(list(zip(*bot_rules.WINDOWS, strict=True)), schema=WINDOWS),
        }
        with engine.engine(lake.settings, work.folder) as con:
            found = FIND_FAST_VIEWS.run(con, given, day=day, platforms=list(bot_rules.PLATFORMS))["fast_views"]
            content = content_of(con, found)
            if content is None:
                return Made(Nothing())
            con.execute(f"copy (from {found} order by file_id, message_ref) to {sql.text(path)} ({PARQUET})")
        return Made(Nothing(), [Output("fast_views", path, day=day, content=content)])


def around(day: str) -> list[str]:
    """Name the day before, the day, and the day after."""
    middle = date.fromisoformat(day)
    return [(middle + timedelta(days=offset)).isoformat() for offset in (-1, 0, 1)]
