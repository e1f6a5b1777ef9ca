"""Decoding: the lines of a slice, by the format of their source, into messages, pixel hits and refusals.

Every source gives `refused` (columns of the dataset quarantine, but for `received_us`); the sources of messages
give `decoded` besides, the pixel gives `hits`, and all give `agents`: what the distinct user agents say.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from etl.enrich import user_agents
from etl.formats import collector, combined_log, messages
from etl.lake import sql
from etl.lake.engine import run_file
from etl.settings import Settings
from etl.stages.parse.slices import Piece
from etl.vocabulary import tracking_plan

HERE = Path(__file__).parent


def register_lines(con: duckdb.DuckDBPyConnection, pieces: Sequence[Piece]) -> None:
    """Make `log_files` (file_id, app_id) and the view `lines` (file_id, source_file, columns of the dataset raw)."""
    table = pa.table(
        {
            "filename": pa.array([str(piece.path) for piece in pieces], pa.string()),
            "file_id": pa.array([piece.file.file_id for piece in pieces], pa.int64()),
            "source_file": pa.array([piece.file.source_file for piece in pieces], pa.string()),
            "app_id": pa.array([access_app(piece.file.source_file) for piece in pieces], pa.string()),
        }
    )
    con.register("slice_pieces", table)
    con.execute("create temp table slice_paths as select distinct filename, file_id, source_file from slice_pieces")
    con.execute("create temp table log_files as select distinct file_id, app_id from slice_pieces")
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
        create temp view lines as
        select file_id, source_file, line_number, line, line_bytes, line_sha256
        from ({" union all ".join(scans)}) inner join slice_paths using (filename)
        """
    )


def access_app(source_file: str) -> str:
    """Name the app of an access log by its first folder below `access/`."""
    folders = source_file.split("/")[1:-1]
    return f"access:{folders[0] if folders else 'site'}"


def decode_events(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make `decoded`, `refused` and `agents` of collector lines."""
    limits = messages.Limits(settings.max_message_bytes, settings.max_lateness_days)
    collector.decode_requests(con)
    collector.list_messages(con, settings.max_message_bytes)
    messages.decode_messages(con, limits, tracking_plan.load_plan(settings.tracking_plan))
    describe_agents(con, "decoded")
    run_file(con, HERE / "refused_messages.sql")


def decode_access(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make `decoded`, `refused` and `agents` of web servers' lines."""
    combined_log.decode_lines(con)
    describe_agents(con, "logged")
    combined_log.select_page_views(con, tuple(settings.asset_extensions))
    run_file(con, HERE / "refused_lines.sql")


def decode_pixel(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make `hits` and `refused` of the pixel server's lines."""
    del settings
    combined_log.decode_lines(con)
    describe_agents(con, "logged")
    combined_log.select_pixel_hits(con)
    run_file(con, HERE / "refused_lines.sql")


def describe_agents(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Make `agents`: what the distinct user agents of a table say."""
    distinct = con.execute(f"select distinct user_agent from {table}").fetchall()
    con.register("agents_described", user_agents.describe(agent for (agent,) in distinct))
    con.execute("create temp table agents as select * from agents_described")


DECODERS: dict[str, Callable[[duckdb.DuckDBPyConnection, Settings], None]] = {
    "events": decode_events,
    "access": decode_access,
    "pixel": decode_pixel,
}
"""How the lines of each source are read."""
