"""Values inside SQL text come back as they were, and nothing in them is SQL."""

from pathlib import Path

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etl.lake import sql


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


@given(value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
@example(value="it's '; drop table x; --")
@example(value="back\\'slash")
def test_a_value_comes_back(con: duckdb.DuckDBPyConnection, value: str) -> None:
    assert con.execute(f"select {sql.text(value)}").fetchall() == [(value,)]


def test_paths_are_a_list(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    given = [tmp_path / "a's.parquet", tmp_path / "b.parquet"]
    assert con.execute(f"select [{sql.texts(given)}]").fetchall() == [([str(path) for path in given],)]
    assert sql.texts([]) == ""
