"""A mart as a file that people open in a spreadsheet, in which nothing a client sent can be a formula."""

import csv
import math
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

import duckdb
import xlsxwriter

from etl.errors import BadUse

FORMATS = ("csv", "xlsx")
ROWS_AT_ONCE = 10_000
SHEET_ROWS = 1_048_575
"""Rows of a sheet, beside the header."""
CELL_CHARACTERS = 32_767
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a spreadsheet run a cell of a CSV, the full-width signs of East Asian input included."""

DAYS = "executive.kpi_daily"
OF_A_DAY = ("is_complete", "completeness")
"""What that says of each day."""

Write = Callable[[Path, Sequence[str], Iterator[tuple[Any, ...]]], int]


def export(con: duckdb.DuckDBPyConnection, mart: str, target: Path, form: str) -> int:
    """Write a mart whole, in the order of its first columns; return the number of rows.

    A mart by the day that does not say itself how complete its days are gets that of `executive.kpi_daily`.

    Raises:
        BadUse: there is no such mart, or it does not fit into a sheet.
    """
    marts = list_marts(con)
    if mart not in marts:
        near = ", ".join(name for name in marts if mart.rpartition(".")[2] in name) or ", ".join(marts)
        raise BadUse(f"there is no mart {mart!r}", f"There is {near}")
    if form not in FORMATS:
        raise BadUse(f"--format is {form!r}", f"It is {' or '.join(FORMATS)}")
    schema, _, table = mart.partition(".")
    count = con.execute(f'select count(*) from {schema}."{table}"').fetchall()[0][0]
    if form == "xlsx" and count > SHEET_ROWS:
        raise BadUse(f"{mart} has {count:,} rows, a sheet {SHEET_ROWS:,}", "Take --format csv")
    found = con.execute(f"{with_completeness(con, schema, table, marts)} order by all")
    names = [column[0] for column in found.description or ()]
    rows = iter(lambda: found.fetchmany(ROWS_AT_ONCE), [])
    write: Write = write_csv if form == "csv" else write_xlsx
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        written = write(partial, names, (row for some in rows for row in some))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return written


def with_completeness(con: duckdb.DuckDBPyConnection, schema: str, table: str, marts: Sequence[str]) -> str:
    """Write in SQL a mart's rows with what is known of their day; `quality` is what that is known from."""
    whole = f'select * from {schema}."{table}"'
    names = {name for name, *_ in con.execute(f"describe {whole}").fetchall()}
    missing = [name for name in OF_A_DAY if name not in names]
    if "date" not in names or not missing or schema == "quality" or DAYS not in marts:
        return whole
    listed = ", ".join(f"days.{name}" for name in missing)
    return f'select mart.*, {listed} from {schema}."{table}" as mart left join {DAYS} as days on mart.date = days.date'


def list_marts(con: duckdb.DuckDBPyConnection) -> list[str]:
    """List what can be exported, as schema.table; the files behind `core.events` are no mart."""
    rows = con.execute(
        "select table_schema, table_name from information_schema.tables where table_schema <> 'lake' order by 1, 2"
    ).fetchall()
    return [f"{schema}.{table}" for schema, table in rows]


def write_csv(path: Path, names: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> int:
    """Write comma-separated values with the mark by which spreadsheets know UTF-8; numbers keep all their digits."""
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        return write_rows(file, names, rows)


def write_rows(file: TextIO, names: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> int:
    """Write comma-separated values into an open file; return how many rows."""
    count = 0
    writer = csv.writer(file)
    writer.writerow(names)
    for count, row in enumerate(rows, 1):  # noqa: B007
        writer.writerow([as_csv(value) for value in row])
    return count


def as_csv(value: Any) -> Any:
    """Write one cell: text that would be a formula gets an apostrophe, moments are UTC."""
    if isinstance(value, str):
        return f"'{value}" if looks_like_formula(value) else value
    if isinstance(value, datetime):
        return in_utc(value).isoformat(sep=" ")
    return value


def looks_like_formula(text: str) -> bool:
    """Say whether a spreadsheet might run a text: whatever space, mark or control stands before it is stepped over."""
    if text.startswith(FORMULA_STARTS):
        return True
    place = next((place for place, sign in enumerate(text) if unicodedata.category(sign)[0] not in "ZC"), len(text))
    return text.startswith(FORMULA_STARTS, place)


def in_utc(value: datetime) -> datetime:
    """Take the time zone off, in UTC: spreadsheets know none."""
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value


def write_xlsx(path: Path, names: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> int:
    """Write a sheet of typed cells. Text is text, never formula or link; numbers have the 15 digits a sheet has."""
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    count = 0
    with xlsxwriter.Workbook(str(path), options) as book:
        # Else the file would hold the moment it was made, and no two would be the same.
        book.set_properties({"created": datetime(2000, 1, 1)})
        sheet = book.add_worksheet("mart")
        sheet.freeze_panes(1, 0)
        day, moment = (
            book.add_format({"num_format": "yyyy-mm-dd"}),
            book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"}),
        )
        bold = book.add_format({"bold": True})
        for column, name in enumerate(names):
            sheet.write_string(0, column, name, bold)
        for count, row in enumerate(rows, 1):
            for column, value in enumerate(row):
                if value is None:
                    continue
                if isinstance(value, bool):
                    sheet.write_boolean(count, column, value)
                elif isinstance(value, datetime):
                    sheet.write_datetime(count, column, in_utc(value), moment)
                elif isinstance(value, date):
                    sheet.write_datetime(count, column, datetime(value.year, value.month, value.day), day)
                elif isinstance(value, int | float | Decimal) and math.isfinite(value):
                    sheet.write_number(count, column, float(value))
                else:
                    sheet.write_string(count, column, str(value)[:CELL_CHARACTERS])
    return count
