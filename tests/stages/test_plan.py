"""The plan that is compiled of the dbt project: in which order it is, how it is kept, what is told when it fails."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from builders.warehouse import compiled_plan, own_variables

from etl.errors import FailedNode
from etl.stages.build import dbt, plan
from etl.stages.build.execute import execute
from etl.stages.build.plan import MARK, Node, Plan, plan_key, plans_folder, read_plan
from etl.stages.build.project import DBT_PROJECT


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def table(name: str, sql: str, needs: tuple[str, ...] = (), **more: object) -> Node:
    return Node(name, "table", f"models/{name}.sql", list(needs), f'"main"."{name}"', sql, **more)  # type: ignore[arg-type]


def rows_test(name: str, sql: str, needs: tuple[str, ...]) -> Node:
    return Node(name, "test", f"tests/{name}.sql", list(needs), sql=sql)


def failed(con: duckdb.DuckDBPyConnection, folder: Path, *nodes: Node) -> list[FailedNode]:
    return execute(con, Plan(list(nodes), "{}"), None, folder).failed


def test_a_model_that_fails_is_told_with_its_file_and_what_needs_it_is_left_out(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """GIVEN a model without sense WHEN all are built THEN it is named, others are there, and what needs it is not."""
    (found,) = failed(
        con, tmp_path,
        table("good", "select 1 as one"), table("bad", "select one + two as three from good"),
        table("after", "select * from bad", ("bad",)), rows_test("test", "select * from after", ("after",)),
    )  # fmt: skip
    assert found.name == "bad" and found.rows == 0
    assert found.reason.startswith('bad (dbt_project/models/bad.sql): Binder Error: Referenced column "two" not found')
    assert con.execute("select name from (show tables)").fetchall() == [("good",)]


def test_rows_that_break_a_test_are_kept_and_what_waits_for_it_is_left_out(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    (found,) = failed(
        con, tmp_path,
        table("good", "select 1 as one"), rows_test("assert_two", "select * from good where one <> 2", ("good",)),
        table("after", "select * from good", ("good", "assert_two")),
    )  # fmt: skip
    kept = tmp_path / "assert_two.parquet"
    assert found == FailedNode("assert_two", f"assert_two: got 1 row, wants none, rows in {kept}", 1, kept)
    assert pq.read_table(kept).to_pylist() == [{"one": 1}]
    assert con.execute("select name from (show tables)").fetchall() == [("good",)]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("select 'a' as name, 1 as number", None),
        ("select 1 as number, 'a' as name", None),
        ("select 'a' as name, 1.5 as number", "number is DECIMAL(2,1)"),
        ("select 'a' as name, 1 as number, 2 as other", "other is not in it"),
        ("select 'a' as name", 'Column "number" in EXCLUDE list not found'),
    ],
)
def test_a_contract_holds_names_types_and_order(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, sql: str, told: str | None
) -> None:
    columns = [("name", "VARCHAR"), ("number", "INTEGER")]
    found = failed(con, tmp_path, table("mart", sql, columns=columns))
    if told is None:
        assert found == []
        assert [row[:2] for row in con.execute("describe mart").fetchall()] == columns
    else:
        assert len(found) == 1 and told in found[0].reason


def test_a_table_by_days_forgets_the_days_that_are_built_and_keeps_the_others(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    con.execute("create table lake as select unnest([date '2026-03-01', date '2026-03-02']) as day, 1 as said")
    where = "getvariable('built_days') is null or list_contains(getvariable('built_days'), day)"
    node = Node("kept", "days", "", [], '"main"."kept"', f"select * from lake where {where}", built_by="day")
    plans = Plan([node], "{}")
    for days, said in ((None, 1), (["2026-03-02"], 2), ([], 3)):
        con.execute(f"update lake set said = {said}")
        assert execute(con, plans, days, tmp_path).failed == []
    assert con.execute("select day::varchar, said from kept order by 1").fetchall() == [
        ("2026-03-01", 1), ("2026-03-02", 2),
    ]  # fmt: skip


def test_days_that_cannot_be_added_are_not_forgotten(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    con.execute("create table kept as select date '2026-03-01' as day, 1 as said")
    sql = "select date '2026-03-01' as day, error('no') as said"
    (found,) = failed(con, tmp_path, Node("kept", "days", "", [], '"main"."kept"', sql, built_by="day"))
    assert "no" in found.reason
    assert con.execute("select said from kept").fetchall() == [(1,)]


def test_a_model_waits_for_the_tests_of_all_that_lies_behind_it() -> None:
    """GIVEN a test of two models THEN what reads both waits for it, and what reads one does not."""
    nodes = [table(name, "") for name in ("both", "one", "other", "only")] + [rows_test("test", "", ())]
    read = {"one": [], "other": [], "both": ["one", "other"], "only": ["one"], "test": ["one", "other"]}
    ordered = {node.name: node.needs for node in dbt.in_order(nodes, read)}
    assert list(ordered).index("test") < list(ordered).index("both")
    assert ordered["both"] == ["one", "other", "test"]
    assert (ordered["only"], ordered["test"]) == (["one"], ["one", "other"])


def test_plans_are_kept_where_nobody_else_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spare = tmp_path / "home" / "plans"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    own = tmp_path / "cache" / "bloodhound" / "plans"
    assert plans_folder(spare) == own and own.stat().st_mode & 0o077 == 0
    own.chmod(0o777)
    assert plans_folder(spare) == spare
    own.chmod(0o700)
    monkeypatch.setattr("os.geteuid", lambda: own.stat().st_uid + 1)
    assert plans_folder(spare) == spare
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert plans_folder(spare) == spare and not Path("relative").exists()


def test_a_plan_is_compiled_once_and_anew_when_what_decides_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN a plan that was cut short on disk THEN it is compiled again; kept, it is read by whoever comes next."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiled: list[object] = []

    def compile_plan(values: object, folder: Path) -> Plan:
        del folder
        compiled.append(values)
        return Plan([table("mart", "select 1")], "{}")

    monkeypatch.setattr(dbt, "compile_plan", compile_plan)
    values = {"stitch_days": 30}
    first = read_plan(values, tmp_path)
    assert read_plan(values, tmp_path) == first and len(compiled) == 1
    (kept,) = tmp_path.glob("bloodhound/plans/*.json")
    kept.write_bytes(kept.read_bytes()[:-9])
    assert read_plan(values, tmp_path) == first and len(compiled) == 2
    keys = {plan_key(values), plan_key(values | {"own_hosts": ["shop.example"]})}
    monkeypatch.setattr(plan, "read_project", lambda: ("", "edited"))
    keys.add(plan_key(values))
    monkeypatch.setattr(plan, "version", lambda _: "99")
    assert len({*keys, plan_key(values)}) == 4


def test_a_setting_of_one_value_is_put_into_the_plan_that_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN a plan WHEN a number or a text is set otherwise THEN the same plan has it, quotes and all."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiled: list[dict[str, object]] = []

    def compile_plan(values: dict[str, object], folder: Path) -> Plan:
        del folder
        compiled.append(values)
        return Plan([table("mart", f"select '{values['zone']}' as zone, {values['days']} as days")], "{}")

    monkeypatch.setattr(dbt, "compile_plan", compile_plan)
    sent = [
        read_plan({"zone": zone, "days": days, "hosts": []}, tmp_path) for zone, days in (("UTC", 30), ("it's", 0.5))
    ]
    assert [made.nodes[0].sql for made in sent] == [
        "select 'UTC' as zone, 30 as days",
        "select 'it''s' as zone, 0.5 as days",
    ]
    assert len(compiled) == 1 and compiled[0]["hosts"] == []


def test_every_setting_of_one_value_stands_in_the_projects_sql() -> None:
    """GIVEN the project WHEN values that nobody has are set THEN each stands in its SQL, and no mark is left."""
    said = own_variables()
    numbers = {name: 7_000_001 + place for place, name in enumerate(said) if isinstance(said[name], int | float)}
    texts = {name: f"any {name}" for name in said if isinstance(said[name], str)}
    text = "".join(node.sql for node in compiled_plan(**numbers, **texts).nodes)
    assert [value for value in (*numbers.values(), *texts.values()) if str(value) not in text] == []
    assert not MARK.search(text)


def test_what_dbt_remembers_of_a_checkout_that_is_gone_spoils_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN two checkouts of one user, of which the first is removed THEN the second is still compiled."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for number, name in enumerate(("gone", "here")):
        project = tmp_path / name
        for folder in ("macros", "seeds", "models"):
            (project / folder).mkdir(parents=True)
        for file in ("dbt_project.yml", "profiles.yml"):
            shutil.copy(DBT_PROJECT / file, project)
        shutil.copy(DBT_PROJECT / "macros" / "materializations.sql", project / "macros")
        (project / "seeds" / "numbers.csv").write_text("number\n1\n")
        (project / "models" / "doubled.sql").write_text("select 2 * number as number from {{ ref('numbers') }}")
        for module in (dbt, plan):
            monkeypatch.setattr(module, "DBT_PROJECT", project)
        made = read_plan({"checkout": number}, tmp_path / "spare")
        assert [node.name for node in made.nodes] == ["numbers", "doubled"]
        if name == "gone":
            shutil.rmtree(project)
