"""Exports: every value as it is, and none of them a formula."""

import csv
import re
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from etl.errors import BadUse
from etl.settings import Settings
from etl.warehouse import answers, export

FORMULAS = [
    "=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "  =1", "\r=1", "\uff1d1", "\u00a0=1", "\u3000=1", "\u200b=1", "\x0b=1",
    "\ufeff=1", " \u2028 +1",
]  # fmt: skip
HARMLESS = ["a=b", "عروض", "🔥", 'quo"te, comma', "two\nlines", "", "https://evil.example", "007"]


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    opened = duckdb.connect()
    opened.execute("set timezone = 'Asia/Tokyo'")
    opened.execute(
        "create schema marketing; create table marketing.spend"
        " (n bigint, name varchar, cost decimal(38, 6), share double, date date, seen_at timestamptz, is_ok boolean)"
    )
    values = [
        (number, name, Decimal("-12345678901234567890.123456"), 0.1, "2026-03-01", "2026-03-01 12:00+00", True)
        for number, name in enumerate([*FORMULAS, *HARMLESS, None])
    ]
    opened.executemany("insert into marketing.spend values (?, ?, ?, ?, ?, ?, ?)", values)
    return opened


def test_csv_holds_every_digit_and_no_formula(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    assert export.export(con, "marketing.spend", tmp_path / "a.csv", "csv") == 23
    assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [f"'{text}" for text in FORMULAS] + HARMLESS + [""]
    assert set(rows[0].items()) > {
        ("cost", "-12345678901234567890.123456"), ("share", "0.1"),
        ("date", "2026-03-01"), ("seen_at", "2026-03-01 12:00:00"),
        ("is_ok", "True"),
    }  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_sheet_has_typed_cells_and_neither_formula_nor_link(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    for name in ("a.xlsx", "b.xlsx"):
        assert export.export(con, "marketing.spend", tmp_path / name, "xlsx") == 23
    with zipfile.ZipFile(tmp_path / "a.xlsx") as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "=1+1" in sheet and "<f>" not in sheet and "hyperlink" not in sheet
    assert '<c r="D2"><v>0.1</v></c>' in sheet
    assert re.search(r'<c r="F2" s="\d+"><v>46082.5</v></c>', sheet)
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_moments_are_utc() -> None:
    assert export.in_utc(datetime(2026, 3, 1, 12, tzinfo=UTC)) == datetime(2026, 3, 1, 12)


@pytest.mark.parametrize("mart", ["spend", "marketing.nothing", 'marketing.spend"; drop table x; --', ""])
def test_what_is_no_mart_is_refused(con: duckdb.DuckDBPyConnection, tmp_path: Path, mart: str) -> None:
    with pytest.raises(BadUse, match="there is no mart"):
        export.export(con, mart, tmp_path / "a.csv", "csv")


def test_unknown_format_and_missing_warehouse_are_bad_use(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    with pytest.raises(BadUse, match="csv or xlsx"):
        export.export(con, "marketing.spend", tmp_path / "a.pdf", "pdf")
    with pytest.raises(BadUse, match="no warehouse"):
        answers.export(Settings(home=tmp_path), "marketing.spend")


def test_more_rows_than_a_sheet_has_are_said(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "SHEET_ROWS", 22)
    with pytest.raises(BadUse, match="23 rows"):
        export.export(con, "marketing.spend", tmp_path / "a.xlsx", "xlsx")
    assert export.export(con, "marketing.spend", tmp_path / "a.csv", "csv") == 23


def test_days_are_exported_with_how_complete_they_are(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """GIVEN a mart by the day that says nothing of its days THEN its rows say it; what says it, says it once."""
    con.execute(
        "create schema executive; create table executive.kpi_daily as"
        " select date '2026-03-01' as date, false as is_complete, 0.5 as completeness, 3 as sessions"
    )
    for mart, expected in (("marketing.spend", ["name", "cost", "share", "date", "seen_at", "is_ok"]),
                           ("executive.kpi_daily", [])):  # fmt: skip
        export.export(con, mart, tmp_path / "a.csv", "csv")
        with (tmp_path / "a.csv").open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        assert all((row["is_complete"], row["completeness"]) == ("False", "0.5") for row in rows)
        assert list(rows[0])[1 : 1 + len(expected)] == expected and len(set(rows[0])) == len(rows[0])
