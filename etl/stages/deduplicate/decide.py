"""The way from keys to copies: steps, and what the files between them are."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from etl.lake.catalogue import Lake
from etl.lake.days import DayParts, parts_of
from etl.stages.deduplicate import steps
from etl.stages.deduplicate.contents import same_contents
from etl.stages.deduplicate.history import DAY_US, History, days_of, find_contested, find_views
from etl.stages.step import contents_by


@dataclass(frozen=True)
class Messages:
    """The parsed messages, by event day."""

    lake: Lake
    days: Mapping[str, DayParts]

    def of(self, con: duckdb.DuckDBPyConnection, keys: str) -> str:
        """Say in SQL the messages of the days on which those of some keys happened."""
        return self.lake.scan("messages", parts_of(self.days, days_of(con, keys)))


@dataclass(frozen=True)
class Decided:
    """The copies of the days concerned.

    Attributes:
        relation: their rows, with the columns of the dataset.
        concerned: the days about which new messages could have changed anything.
        contents: of each of these that has copies, what its rows are known by.
        changed: those whose copies are not what they were.
    """

    relation: str
    concerned: set[str]
    contents: Mapping[str, str]
    changed: set[str]


def decide(
    con: duckdb.DuckDBPyConnection, history: History, messages: Messages, stood: Mapping[str, DayParts]
) -> Decided:
    """Decide what the new messages decide: about their ids, and about what they show.

    Args:
        stood: the copies as they stood before, by day.
    """
    reach_days = history.lake.settings.max_lateness_days
    arrived = history.read_arrived(con)
    contested = find_contested(con, history, arrived, reach_days)
    shown, views = find_views(con, history, arrived, contested)
    concerned = {*days_of(con, contested), *days_of(con, views)}
    known = read_stood(history.lake, {day: stood[day] for day in sorted(concerned & stood.keys())})
    refused = refuse(con, messages, contested, reach_days)
    given = {"views": views, "messages": messages.of(con, views)}
    decisive = {"refused": refused, "known": known, "contested": contested}
    repeated = steps.FIND_VIEWED_AGAIN.run(con, given | decisive, reach_us=reach_days * DAY_US)["repeated"]
    relation = steps.MERGE.run(con, decisive | {"shown": shown, "repeated": repeated})["decided"]
    contents = {str(day): content for day, content in contents_by(con, relation, "event_date").items()}
    before = {day: found.identities[0] for day, found in stood.items()}
    changed = {day for day in concerned if before.get(day) != contents.get(day)}
    return Decided(relation, concerned, contents, changed)


def read_stood(lake: Lake, stood: Mapping[str, DayParts]) -> str:
    """Say in SQL the copies of some days as they stood."""
    scans = [
        f"select *, date '{day}' as event_date from {lake.scan('copies', found.parts)}" for day, found in stood.items()
    ]
    return f"({' union all '.join(scans)})" if scans else lake.scan("copies", [])


def refuse(con: duckdb.DuckDBPyConnection, messages: Messages, contested: str, reach_days: int) -> str:
    """Judge the copies of contested ids; return the relation of those that are not kept."""
    given = {"contested": contested, "messages": messages.of(con, contested)}
    pairs = steps.JUDGE.run(con, given, reach_us=reach_days * DAY_US)["pairs"]
    in_doubt = con.execute(
        f"select file_id, message_ref, kept_file_id, kept_message_ref from {pairs} where not is_same_text"
    ).fetchall()
    same_content = same_contents(messages.lake, [(pair[:2], pair[2:]) for pair in in_doubt])
    return steps.REFUSE.run(con, {"pairs": pairs, "same_content": same_content})["refused"]
