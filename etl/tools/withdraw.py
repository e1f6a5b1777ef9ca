"""Withdraw: what has landed of an inbox file counts no more; its lines are kept, and its row says why.

So is what could not be read, and is not in the inbox any more: else it would fail every run for good.
"""

from collections.abc import Sequence

import msgspec

from etl.errors import BadUse
from etl.lake import sealed
from etl.lake.catalogue import Lake, write_note
from etl.lake.landed import EXPIRED, HELD, STAGE
from etl.lake.manifests import Content, Landing

REFUSED = ("unreadable", "bomb")


def withdraw(lake: Lake, name: str, reason: str) -> list[int]:
    """Say of all contents of a file that they count no more, under the lock; return how many lines each has.

    The same content under the same name stays withdrawn, however often it comes.

    Raises:
        BadUse: nothing of such a file counts, nor was it refused, or no reason is given. Or events of it are gone: what
            was made of them stands among others', and nobody can tell it apart any more.
    """
    if not reason.strip():
        raise BadUse("say why, with --reason", "It stands in quality.ledger for good")
    found = [commit for commit in lake.commits(STAGE, Landing) if commit.facts.source_file == name]
    counting = [one for commit in found for one in commit.facts.contents if one.status in {*HELD, EXPIRED, *REFUSED}]
    if not counting:
        raise BadUse(f"nothing counts that has landed of {name!r}", "Name it as quality.ledger does: events/a.jsonl")
    if has_lost_events(lake, counting):
        told = f"{name} holds days whose events are gone, and what was made of them stays"
        raise BadUse(told, "An exclusion reaches sealed days")
    (commit,) = found
    contents = [
        msgspec.structs.replace(one, status="withdrawn", detail=reason) if one in counting else one
        for one in commit.facts.contents
    ]
    facts = msgspec.structs.replace(commit.facts, contents=contents)
    write_note(lake.manifest_path(STAGE, commit.name), msgspec.structs.replace(commit, facts=facts))
    return [one.lines for one in counting]


def has_lost_events(lake: Lake, contents: Sequence[Content]) -> bool:
    """Say whether rows are kept of contents' days: they were received then, or counts of those days know of them."""
    first, counts = sealed.edge(lake).rows_before, sealed.parts_of(lake, "event_counts")
    if any(day < first for one in contents for day in one.days):
        return True
    if not counts:
        return False
    numbers = ", ".join(str(one.file_id) for one in contents)
    with lake.workbench() as con:
        asked = f"from {sealed.scan(lake, counts)} where event_date < date '{first}' and file_id in ({numbers}) limit 1"
        return bool(con.execute(asked).fetchall())
