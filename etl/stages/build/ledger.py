"""The books of landing: what became of each inbox file's lines, and of each content that it has had."""

from collections.abc import Mapping, Sequence
from datetime import date

import pyarrow as pa

from etl.lake.catalogue import Lake
from etl.lake.landed import EXPECTED, HELD, file_name, landings
from etl.lake.manifests import UNKNOWN_DAY, Landing, Nothing, Reading
from etl.vocabulary.columns import FILES

READERS: tuple[tuple[str, type], ...] = (("parse", Reading), ("spend", Nothing), ("exclusions", Nothing))
"""The stages that count what became of landed lines."""


UNREAD = ("truncated", "unreadable", "bomb", "growing", "ignored")
"""What somebody should know of a content, unless it is expected."""


def files_table(lake: Lake) -> pa.Table:
    """Say what became of each file's lines (columns of `FILES`)."""
    paths = {name: text for commit in lake.commits("parse", Reading) for name, text in commit.facts.unrouted.items()}
    counts = {name: unit.counts for stage, facts in READERS for name, (_, unit) in lake.units(stage, facts).items()}
    rows, behind = [], left_behind(landings(lake))
    for landing in landings(lake):
        for content in landing.contents:
            found = counts.get(file_name(content.file_id))
            count = found or {}
            valid, quarantined = count.get("valid", 0), count.get("quarantined", 0)
            rows.append(
                {
                    "source_file": landing.source_file, "source": landing.source, "file_id": content.file_id,
                    "status": content.status, "detail": content.detail or aside(count), "lines": content.lines,
                    "bad_lines": count.get("bad_lines", 0), "unrouted": count.get("unrouted", 0),
                    "refused_at_edge": count.get("refused_at_edge", 0),
                    "unrouted_paths": paths.get(file_name(content.file_id)),
                    "messages": valid + quarantined + content.erased,
                    "valid": valid, "quarantined": quarantined, "erased": content.erased,
                    "is_parsed": found is not None or content.status not in HELD,
                    "is_unread": content.status in UNREAD and content.detail not in EXPECTED,
                    "is_left_behind": content.file_id in behind,
                    "received_from": first_day(content.days),
                }
            )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=FILES)


def left_behind(found: Sequence[Landing]) -> set[int]:
    """Number the contents whose name holds something else now, while no other name holds them or begins with them."""
    names: dict[str, set[str]] = {}
    going_on: set[int] = set()
    for landing in found:
        for content in landing.contents:
            names.setdefault(content.sha256 or "", set()).add(landing.source_file)
            going_on.update(content.begins_with)
    return {
        content.file_id
        for landing in found
        for content in [one for one in landing.contents if one.status in HELD][:-1]
        if names[content.sha256 or ""] == {landing.source_file} and content.file_id not in going_on
    }


def aside(count: Mapping[str, int]) -> str | None:
    """Say which of a file's lines are read and hold nothing of their own: totals, titles and footers."""
    told = [f"{count[name]} of {name}" for name in ("totals", "titles") if count.get(name)]
    return "lines aside: " + ", ".join(told) if told else None


def first_day(names: Sequence[str]) -> date | None:
    """Read the first day of which a file holds lines; None when no line has a readable time."""
    days = sorted(date.fromisoformat(name) for name in names if name != UNKNOWN_DAY)
    return days[0] if days else None
