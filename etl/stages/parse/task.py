"""One task of parsing: a slice decoded and written, in this process or in one of a cluster.

What it is told it is told whole: settings with the home's key, files by their paths. It reads and commits nothing else.
"""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from etl.engines.engine import attempt
from etl.lake import engine
from etl.lake.landed import file_name
from etl.settings import Settings
from etl.stages.parse.decode import DECODERS, place_addresses, register_lines
from etl.stages.parse.logs import LOGS, describe_logs
from etl.stages.parse.slices import Piece, halve
from etl.stages.parse.write import write_slice
from etl.stages.stage import Output
from etl.vocabulary import tracking_plan

MOST_SCHEMAS = 1000
"""A slice remembers so many names; beyond, they are noise that no plan will ever name."""


@dataclass(frozen=True)
class Slice:
    """What one task parses.

    Attributes:
        folder: where it makes a folder of its own.
        is_sorted: messages are written in order of their visitor: whoever wants some visitors' reads few others.
    """

    settings: Settings
    source: str
    pieces: Sequence[Piece]
    folder: Path
    is_sorted: bool


@dataclass
class Parsed:
    """What became of a slice.

    Attributes:
        paths: how many requests hold no message, by the unit of their file and their path.
        counts: of each file's unit, by fate, how many lines or messages.
    """

    outputs: list[Output] = field(default_factory=list)
    schemas: set[str] = field(default_factory=set)
    paths: Counter[tuple[str, str]] = field(default_factory=Counter)
    counts: list[tuple[str, str, int]] = field(default_factory=list)


def parse_slice(given: Slice) -> Parsed:
    """Decode and write a slice; in halves where it takes more than the memory it may.

    Few lines can hold very many messages: no client may stop the parser so.
    """
    own = attempt(given.folder)
    parsed = Parsed()
    waiting = [given.pieces]
    while waiting:
        pieces = waiting.pop(0)
        folder = attempt(own)
        try:
            parse_pieces(given, pieces, folder, parsed)
        except duckdb.OutOfMemoryException:
            waiting[:0] = halve(pieces)
            shutil.rmtree(folder)
    return parsed


def parse_pieces(given: Slice, pieces: Sequence[Piece], folder: Path, parsed: Parsed) -> None:
    """Decode and write pieces of files at once, and add what became of them."""
    with engine.engine(given.settings, folder) as con:
        register_lines(con, pieces)
        if given.source in LOGS:
            files = {piece.file.file_id: piece.file for piece in pieces}
            describe_logs(con, given.settings, list(files.values()))
        DECODERS[given.source](con, given.settings)
        if given.source != "pixel":
            place_addresses(con, given.settings)
        outputs = list(write_slice(con, given.source, folder, is_sorted=given.is_sorted))
        counts = count_lines(con, given.source)
        if given.source == "events":
            parsed.schemas |= sent_schemas(con)
            parsed.paths.update(unrouted_paths(con))
    parsed.outputs += outputs
    parsed.counts += counts


def sent_schemas(con: duckdb.DuckDBPyConnection) -> set[str]:
    """Name the schemas among a slice's messages, known or not, that the tracking plan could speak of.

    Of other trackers' events those too that would be of a schema if the plan had it.
    """
    rows = con.execute(
        "select case when is_foreign then regexp_replace(schema, '^custom[.]', '') else schema end as name"
        " from decoded where regexp_full_match(name, $name) group by 1 order by count(*) desc, 1",
        {"name": tracking_plan.NAME},
    ).fetchall()
    return {name for (name,) in rows[:MOST_SCHEMAS]}


def unrouted_paths(con: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], int]:
    """Count the requests that hold no message by their file and path."""
    rows = con.execute(
        "select file_id, detail, count(*) from decoded where reason = 'unrouted' and detail is not null group by all"
        " order by 3 desc, 2 limit $most",
        {"most": MOST_SCHEMAS},
    ).fetchall()
    return {(file_name(number), path): count for number, path, count in rows}


def count_lines(con: duckdb.DuckDBPyConnection, source: str) -> list[tuple[str, str, int]]:
    """Count what became of each file's lines: the file's unit, a fate, and how many."""
    queries = {
        "quarantined": "select file_id, count(*) from refused group by 1",
        "bad_lines": "select file_id, count(*) from refused"
        " where reason in ('bad_line', 'too_large') and position is null group by 1",
    }
    if source == "events":
        for fate in ("unrouted", "refused_at_edge"):
            queries[fate] = f"select file_id, count(*) from decoded where reason = '{fate}' group by 1"
    if source == "pixel":
        queries["hits"] = "select file_id, count(*) from hits group by 1"
    else:
        queries["valid"] = "select file_id, count(*) from decoded where reason is null group by 1"
    return [
        (file_name(number), fate, count)
        for fate, query in queries.items()
        for number, count in con.execute(query).fetchall()
    ]
