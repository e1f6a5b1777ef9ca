"""Web servers' logs of a slice: the format of each file, where the columns of tables stand, and what are no pages."""

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from etl.formats import access_log
from etl.formats.recognise import FIRST_LINES, chosen, recognise
from etl.lake import sql
from etl.lake.landed import ERASED, LandedFile
from etl.settings import Settings
from etl.vocabulary.log_formats import FORMATS, LogFormat

LOGS = ("access", "pixel")
"""Sources whose files the register of formats describes."""


def describe_logs(con: duckdb.DuckDBPyConnection, settings: Settings, files: Sequence[LandedFile]) -> None:
    """Make `log_files` (file_id, app_id, format_name, kind, layout, has_agent, forwarded_place, no_pages), `headers`.

    A file that is in no format of the register was landed before it was judged by it: each of its lines is refused.
    """
    found = [(file, format_of(con, settings, file)) for file in files]
    rules = list_no_pages(settings)
    con.register(
        "log_files",
        pa.table(
            {
                "file_id": pa.array([file.file_id for file, _ in found], pa.int64()),
                "app_id": pa.array([access_app(file.source_file) for file, _ in found], pa.string()),
                "format_name": pa.array([entry.name for _, entry in found], pa.string()),
                "kind": pa.array([entry.kind for _, entry in found], pa.string()),
                "layout": pa.array(
                    [" ".join(entry.head) if entry.kind == "quoted" else access_log.WHOLE for _, entry in found],
                    pa.string(),
                ),
                "has_agent": pa.array([entry.has_agent for _, entry in found], pa.bool_()),
                "forwarded_place": pa.array([entry.forwarded for _, entry in found], pa.int32()),
                "no_pages": pa.array([rule_of(rules, file.source_file) for file, _ in found], pa.int32()),
            }
        ),
    )
    headings = [
        (file.file_id, line, text, entry)
        for file, entry in found if entry.kind == "table"
        for line, text in header_lines(con, file)
    ]  # fmt: skip
    con.register("headers", access_log.headers(headings))


def format_of(con: duckdb.DuckDBPyConnection, settings: Settings, file: LandedFile) -> LogFormat:
    """Name the format of a file: what the settings say of its folder, else what its first lines look like."""
    named = chosen(file.source_file, settings.log_formats)
    if named is not None:
        return named
    rows = con.execute(
        f"select line from {sql.scan_named(file.parts.values())} where line_number <= $most and"
        f" not coalesce(starts_with(line_sha256, '{ERASED}'), false) order by line_number",
        {"most": FIRST_LINES},
    ).fetchall() if file.parts else []  # fmt: skip
    return recognise([bytes(line) for (line,) in rows]) or FORMATS["combined"]


def header_lines(con: duckdb.DuckDBPyConnection, file: LandedFile) -> list[tuple[int, str]]:
    """Read the lines of a file that name its columns; they have no time, so they may lie anywhere."""
    return con.execute(
        "select line_number, ltrim(decode(line), chr(65279)) as text"
        f" from {sql.scan_named(file.parts.values())} where contains(left(cast(line as varchar), 24), '#Fields:')"
        " and line_sha256 is null and try(decode(line)) is not null order by 1"
    ).fetchall()


def list_no_pages(settings: Settings) -> list[tuple[str, list[str]]]:
    """List the folders that say which paths are no pages, the innermost first; their place is the rule's number."""
    return sorted(settings.no_pages.items(), key=lambda entry: (-entry[0].count("/"), entry[0]))


def rule_of(rules: Sequence[tuple[str, list[str]]], source_file: str) -> int:
    """Number the rule of a file's folder; -1 where there is none."""
    folder = source_file.rpartition("/")[0] + "/"
    return next((number for number, (name, _) in enumerate(rules) if folder.startswith(f"{name}/")), -1)


def access_app(source_file: str) -> str:
    """Name the app of an access log by its first folder below `access/`."""
    folders = source_file.split("/")[1:-1]
    return f"access:{folders[0] if folders else 'site'}"
