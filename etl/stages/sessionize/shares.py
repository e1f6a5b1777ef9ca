"""How a day is cut into shares of its visitors, and what became of them put together.

A cut decides no row, so it is chosen by what reading costs: about so many bytes of messages a share, along visitor ids
as the day's own files have them.
"""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise

from etl.lake import engine, sql
from etl.lake.manifests import Day, Part
from etl.stages.sessionize.task import DayInputs, Sessionized, Share, Visitors, write_open_sessions
from etl.stages.stage import Made, Output, Work

SHARE_BYTES = 32 * 2**20
"""About so many bytes of a day's files of messages are one task's, until there are as many tasks as there may be."""
SAMPLED_FILES = 16
SAMPLED_VISITORS = 200
"""Visitors looked at for each share: enough that no share is much larger than another."""


def plan_shares(work: Work[Day], day: date, inputs: DayInputs) -> list[Share]:
    """Cut a day into tasks: one that does all, or one a share of its visitors and one that counts."""
    settings = work.engine.settings_for(work.lake.settings)
    size = sum(part.size for part in inputs.messages.parts)
    most = min(work.engine.most_tasks, -(-size // SHARE_BYTES))
    cuts = find_cuts(work, inputs.messages.parts, most) if most > 1 else []
    if not cuts:
        return [Share(settings, day, inputs, Visitors(), True, work.folder)]
    bounds = [None, *cuts, None]
    visitors = [Visitors(low, high) for low, high in pairwise(bounds)]
    # What counts reads the whole day, if little of it: it begins first.
    return [
        Share(settings, day, inputs, None, True, work.folder),
        *(Share(settings, day, inputs, found, False, work.folder) for found in visitors),
    ]


def find_cuts(work: Work[Day], parts: Sequence[Part], shares: int) -> list[str]:
    """Name visitors between whom a day falls into about equal shares, by a sample of its files and visitors."""
    sampled = parts[:: -(-len(parts) // SAMPLED_FILES)]
    with engine.engine(work.lake.settings, work.folder) as con:
        rows = con.execute(
            f"""
            with visitors as (
                select visitor_id, count(*) as messages
                from {work.lake.scan("messages", sampled)} where visitor_id is not null
                group by 1
                qualify row_number() over (order by hash(visitor_id)) <= $most
            ),
            placed as (
                select
                    visitor_id,
                    -- In which share the first of a visitor's messages lies.
                    (sum(messages) over (order by visitor_id) - messages) * $shares
                    // sum(messages) over () as share
                from visitors
            )
            select min(visitor_id) from placed where share > 0 group by share order by 1
            """,
            {"most": SAMPLED_VISITORS * shares, "shares": shares},
        ).fetchall()
    return [visitor for (visitor,) in rows]


def merge(work: Work[Day], day: str, made: Sequence[Sessionized]) -> Made[Day]:
    """Put together what became of a day's shares: events as they are, what is narrow as one file."""
    (counted,) = [one for one in made if one.event_counts is not None]
    events = [one for one in made if one.events is not None]
    # A share without any is no file; a day without any is one.
    events = [one for one in events if one.rows] or events[:1]
    outputs = [Output("events", one.events, day=day) for one in events if one.events is not None]
    left_open = [one for one in made if one.open_sessions is not None]
    outputs += merge_open_sessions(work, day, left_open)
    if counted.event_counts is not None:
        outputs.append(Output("event_counts", counted.event_counts, day=day))
    return Made(Day(sorted({found for one in made for found in one.session_dates})), outputs, {day: counted.counts})


def merge_open_sessions(work: Work[Day], day: str, left_open: Sequence[Sessionized]) -> list[Output]:
    """Make one file of what shares leave open: the next day is handed the same, however this one was cut."""
    paths = [one.open_sessions for one in left_open if one.open_sessions is not None]
    if len(paths) <= 1:
        return [Output("open_sessions", path, day=day, content=left_open[0].content) for path in paths]
    path = work.folder / "open_sessions.parquet"
    with engine.engine(work.lake.settings, work.folder) as con:
        con.execute(f"create view left_open as from {sql.scan(paths, work.lake.empty('open_sessions'))}")
        return [Output("open_sessions", path, day=day, content=write_open_sessions(con, "left_open", path))]
