"""What is compared with what: keys of new messages, and those files of known keys that could hold their like."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb

from etl.lake import sql
from etl.lake.catalogue import Lake
from etl.lake.manifests import Commit, Part, Reading
from etl.stages.deduplicate import steps

DAY_US = 86_400_000_000


class History:
    """The files of keys, of messages that were compared before and of new ones."""

    def __init__(self, lake: Lake, new: Sequence[Commit[Reading]], known: Sequence[Commit[Reading]]) -> None:
        self.lake = lake
        self.new, self.known = key_parts(new), key_parts(known)

    def read_arrived(self, con: duckdb.DuckDBPyConnection) -> str:
        """Read the keys of new messages into memory: they are asked for several times."""
        con.execute(
            f"create table arrived as select {', '.join(steps.KEY.names)} from {self.lake.scan('keys', self.new)}"
        )
        return "main.arrived"

    def received(self, is_asked: Callable[[date], bool]) -> str:
        """Say in SQL the known keys of messages received on some days."""
        return self.lake.scan("keys", [part for part in self.known if is_asked(received_date(part))])


def key_parts(commits: Sequence[Commit[Reading]]) -> list[Part]:
    """List the parts of keys of some commits."""
    return [part for commit in commits for part in commit.parts if part.dataset == "keys"]


def received_date(part: Part) -> date:
    """Read the day of a part of keys."""
    return date.fromisoformat(str(part.day))


def days_of(con: duckdb.DuckDBPyConnection, keys: str) -> list[str]:
    """List the days on which the messages of some keys happened, ISO."""
    return [str(day) for (day,) in con.execute(f"select distinct event_date from {keys} order by 1").fetchall()]


def span_of(con: duckdb.DuckDBPyConnection, keys: str) -> tuple[date, date] | None:
    """Say from when to when the messages of some keys were received; None when there are none."""
    bounds = con.execute(f"select min(received_us), max(received_us) from {keys}").fetchone()
    if bounds is None or bounds[0] is None:
        return None
    first, last = (date(1970, 1, 1) + timedelta(days=us // DAY_US) for us in bounds)
    return first, last


def find_contested(con: duckdb.DuckDBPyConnection, history: History, arrived: str, reach_days: int) -> str:
    """Find the keys of all messages whose id came again with the new ones.

    Known keys are read from as far back and ahead as lateness reaches, and further where a copy lies so near the
    edge that one beyond could have decided about it.
    """
    reach = timedelta(days=reach_days)
    span = span_of(con, arrived)
    low, high = (span[0] - reach, span[1] + reach) if span else (date.max, date.min)
    nearby = history.received(lambda day: low <= day <= high)
    contested = steps.FIND_CONTESTED.run(con, {"arrived": arrived, "nearby": nearby})["contested"]
    while edges := span_of(con, contested):
        read = low, high
        low, high = min(low, edges[0] - reach), max(high, edges[1] + reach)
        beyond = {
            day for day in map(received_date, history.known) if low <= day < read[0] or read[1] < day <= high
        }  # fmt: skip
        if not beyond:
            break
        further = history.received(beyond.__contains__)
        contested = steps.WIDEN.run(con, {"contested": contested, "further": further})["widened"]
    return contested


def find_views(con: duckdb.DuckDBPyConnection, history: History, arrived: str, contested: str) -> tuple[str, str]:
    """Find what new messages, or copies that these decide about, show: pages and documents; and the views of those that
    were viewed again.

    Of known keys two columns are read, then the few files in which what is in question came before.
    """
    lake = history.lake
    shown = steps.FIND_SHOWN.run(con, {"arrived": arrived, "contested": contested})["shown"]
    before = lake.scan("keys", [])
    if history.known:
        named = sql.scan_named(lake.files(history.known))
        seen_before = steps.FIND_SEEN.run(con, {"history": named, "shown": shown})["seen_before"]
        seen = [Path(name) for (name,) in con.execute(f"from {seen_before} order by all").fetchall()]
        before = sql.scan(seen, lake.empty("keys"))
    return shown, steps.FIND_VIEWS.run(con, {"arrived": arrived, "before": before, "shown": shown})["views"]
