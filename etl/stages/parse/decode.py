"""Decoding: the lines of a slice, by the format of their source, into messages, pixel hits and refusals.

Every source gives `refused` (columns of the dataset quarantine, but for `received_us`); the sources of messages
give `decoded` besides, the pixel gives `hits`, and all give `agents`: what the distinct user agents say.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from etl.enrich import countries, user_agents
from etl.formats import access_log, collector, messages
from etl.lake import sql
from etl.lake.engine import run_file
from etl.lake.key import read_key
from etl.lake.landed import ERASED
from etl.lake.manifests import Content
from etl.settings import Settings
from etl.stages.parse.logs import list_no_pages
from etl.stages.parse.slices import Piece
from etl.vocabulary import address_countries, tracking_plan

HERE = Path(__file__).parent
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_LINE = 2**62
SEALS = pa.schema(
    [
        ("file_id", pa.int64()), ("after_line", pa.int64()), ("until_line", pa.int64()), ("sealed_before", pa.string()),
        ("before_us", pa.int64()),
    ]
)  # fmt: skip


def register_lines(
    con: duckdb.DuckDBPyConnection, pieces: Sequence[Piece], only: Collection[int] | None = None
) -> None:
    """Make the view `lines` (file_id, source_file, columns of the dataset raw) of a slice, and `erased_messages`.

    A line that is erased whole is none; of a batch, `erased_messages` names the places whose messages are erased.

    Args:
        only: read these lines alone.
    """
    table = pa.table(
        {
            "filename": pa.array([str(piece.path) for piece in pieces], pa.string()),
            "file_id": pa.array([piece.file.file_id for piece in pieces], pa.int64()),
            "source_file": pa.array([piece.file.source_file for piece in pieces], pa.string()),
        }
    )
    con.register("slice_pieces", table)
    con.register("slice_seals", seals({piece.file.file_id: piece.file.content for piece in pieces}))
    con.execute("create temp table seals as from slice_seals")
    con.execute("create temp table slice_paths as select distinct filename, file_id, source_file from slice_pieces")
    columns = "line_number, line, line_bytes, line_sha256, filename"
    whole = [piece.path for piece in pieces if piece.first is None]
    scans = [f"select {columns} from {sql.scan_named(whole)}"] if whole else []
    scans += [
        f"select {columns} from {sql.scan_named([piece.path])} where line_number between {piece.first} and {piece.last}"
        for piece in pieces
        if piece.first is not None
    ]
    con.execute(
        f"""
        create temp view marked_lines as
        select
            file_id, source_file, line_number, line, line_bytes,
            case when not starts_with(line_sha256, '{ERASED}') then line_sha256 end as line_sha256,
            case when starts_with(line_sha256, '{ERASED}') then string_split(line_sha256, ':') end as mark
        from ({" union all ".join(scans)}) inner join slice_paths using (filename)
        """
    )
    chosen = "mark is null or len(mark) > 2"
    if only is not None:
        con.register("only_lines", pa.table({"line_number": pa.array(list(only), pa.int64())}))
        chosen = f"({chosen}) and line_number in (from only_lines)"
    con.execute(f"create temp view lines as select * exclude (mark) from marked_lines where {chosen}")
    con.execute(
        """
        create temp view erased_messages as
        select file_id, line_number, cast(unnest(string_split(mark[3], ',')) as integer) as position
        from marked_lines where len(mark) > 2
        """
    )


def seals(contents: Mapping[int, Content]) -> pa.Table:
    """Say which lines of files come too late for what happened before which day (columns of `SEALS`)."""
    rows = []
    for number, content in contents.items():
        ends = [*(line for line, _ in content.sealed[1:]), LAST_LINE]
        for (line, day), until in zip(content.sealed, ends, strict=False):
            moment = datetime.combine(date.fromisoformat(day), time(), UTC)
            rows.append(
                {
                    "file_id": number, "after_line": line, "until_line": until, "sealed_before": day,
                    "before_us": (moment - EPOCH) // timedelta(microseconds=1),
                }
            )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=SEALS)


def decode_events(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make `decoded`, `refused` and `agents` of collector lines."""
    limits = messages.Limits(settings.max_message_bytes, settings.max_lateness_days)
    collector.decode_requests(con, settings.batch_paths)
    plan = tracking_plan.load_plan(settings.tracking_plan)
    collector.list_messages(con, settings.max_message_bytes, list(plan))
    messages.decode_messages(con, limits, plan)
    con.execute(
        "delete from read_messages using erased_messages where read_messages.file_id = erased_messages.file_id"
        " and read_messages.line_number = erased_messages.line_number"
        " and read_messages.position = erased_messages.position"
    )
    messages.name_people(con, read_key(settings), settings.trusted_proxies)
    describe_agents(con, "decoded")
    run_file(con, HERE / "refused_messages.sql")


def decode_access(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make `decoded`, `refused` and `agents` of web servers' lines."""
    no_pages = [patterns for _, patterns in list_no_pages(settings)]
    access_log.read_page_views(con, settings.trusted_proxies, settings.asset_extensions, no_pages)
    describe_agents(con, "viewed")
    access_log.name_readers(con, read_key(settings))
    run_file(con, HERE / "refused_lines.sql")


def decode_pixel(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make `hits`, `refused` and `agents` of the pixel server's lines."""
    access_log.read_pixel_hits(con, settings.trusted_proxies)
    describe_agents(con, "asked")
    access_log.describe_hits(con)
    run_file(con, HERE / "refused_lines.sql")


def describe_agents(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Make `agents`: what the distinct user agents of a table say."""
    distinct = con.execute(f"select distinct user_agent from {table}").fetchall()
    con.register("agents_described", user_agents.describe(agent for (agent,) in distinct))
    con.execute("create temp table agents as select * from agents_described")


def place_addresses(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make `places`: the countries of the addresses of `decoded` (ip, country); none without the operator's file."""
    ranges = address_countries.read_ranges(settings.address_countries)
    rows = con.execute("select distinct ip from decoded where ip is not null").fetchall() if ranges.starts else []
    con.register("places_found", countries.countries((ip for (ip,) in rows), ranges))
    con.execute("create temp table places as from places_found")


DECODERS: dict[str, Callable[[duckdb.DuckDBPyConnection, Settings], None]] = {
    "events": decode_events,
    "access": decode_access,
    "pixel": decode_pixel,
}
"""How the lines of each source are read."""
