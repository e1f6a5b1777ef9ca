"""Steps: what they see, what they leave, and that rounds change nothing."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from builders.steps import apply

from etl.stages.step import Step, content_of, contents_by

NUMBERS = pa.schema([("colour", pa.string()), ("number", pa.int64())])
SUMS = pa.schema([("colour", pa.string()), ("total", pa.int64()), ("is_known", pa.bool_())])
COLOURS = pa.schema([("name", pa.string())])
SQL = """
create table known as select numbers.*, name is not null as is_known from numbers left join colours on colour = name;
create table sums as
select colour, cast(sum(number) + $more as bigint) as total, is_known from known group by all;
"""
ROWS = [{"colour": f"c{number % 7}", "number": number} for number in range(100)]


@pytest.fixture
def step(tmp_path: Path) -> Step:
    """Add up numbers by colour."""
    file = tmp_path / "sums.sql"
    file.write_text(SQL)
    return Step(file, {"numbers": NUMBERS, "colours": COLOURS}, {"sums": SUMS}, by=("colour",))


def test_rounds_give_what_one_gives(step: Step) -> None:
    given = {"numbers": ROWS, "colours": [{"name": "c1"}, {"name": "c2"}]}
    whole = apply(step, given, more=1)
    assert [row["total"] for row in whole["sums"] if row["is_known"]] == [sum(range(c, 100, 7)) + 1 for c in (1, 2)]
    assert len(whole["sums"]) == 7
    for rounds in (2, 5, 40):
        assert apply(step, given, rounds, more=1) == whole


def test_only_what_is_given_is_left_and_under_a_name_of_its_own(step: Step) -> None:
    with duckdb.connect() as con:
        con.execute("create table sums as select 1 as mine")
        tables = {"numbers": NUMBERS.empty_table(), "colours": COLOURS.empty_table()}
        first, second = (step.run(con, tables, more=0)["sums"] for _ in range(2))
        left = con.execute("select schema_name || '.' || table_name from duckdb_tables()").fetchall()
        assert {name for (name,) in left} == {"main.sums", first, second}
        assert con.execute("select mine from sums").fetchall() == [(1,)]


def test_a_step_sees_the_columns_it_declares_and_no_others(step: Step) -> None:
    step.file.write_text("create table sums as select colour, number as total, is_secret as is_known from numbers")
    with duckdb.connect() as con:
        con.execute("create table wide as select 'red' as colour, 1 as number, true as is_secret")
        with pytest.raises(duckdb.BinderException, match="is_secret"):
            step.run(con, {"numbers": "wide", "colours": COLOURS.empty_table()})


def test_rows_are_known_by_what_they_are_and_not_by_their_order() -> None:
    with duckdb.connect() as con:
        for name, rows in (("a", "(1, 'x'), (2, null), (2, null)"), ("b", "(2, null), (1, 'x'), (2, null)"),
                           ("c", "(1, 'x'), (2, null)"), ("d", "(1, 'x'), (2, ''), (2, '')")):  # fmt: skip
            con.execute(f"create table {name} (number integer, word varchar)")
            con.execute(f"insert into {name} values {rows}")
        con.execute("create table none as select * from a where false")
        named = {name: content_of(con, name) for name in ("a", "b", "c", "d", "none")}
        assert named["a"] == named["b"]
        assert len({named[name] for name in ("a", "c", "d")}) == 3
        assert named["none"] is None
        assert contents_by(con, "c", "number") == {
            number: content_of(con, f"(select * from c where number = {number})") for number in (1, 2)
        }
