"""The few rules of the house that no linter knows."""

import ast
import re

from etl.settings import PROJECT

ROOMS = ("etl", "dags", "ops", "collector", "benchmarks")
FILE_LINES, FUNCTION_LINES, MODEL_LINES = 400, 60, 200
DRAWERS = {"utils", "util", "helpers", "helper", "common", "config", "misc"}


def test_the_pipeline_never_asks_what_time_it_is() -> None:
    clocks = ("now", "today", "utcnow", "time_ns")
    asked = [
        f"{path.name}:{node.lineno}"
        for path in (PROJECT / "etl").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in clocks
    ]
    # When something was published, asked for or taken away is a fact about people, not about the logs; a clock that is
    # behind the logs may keep lines for longer; and whether a folder had come to rest before it was listed decides only
    # whether it is listed again.
    places = ["catalogue.py", "forget.py", "restatements.py", "retain.py", "retention.py"]
    assert sorted(place.partition(":")[0] for place in asked) == places


def test_there_is_no_drawer() -> None:
    found = [path for room in (*ROOMS, "tests") for path in (PROJECT / room).rglob("*") if path.stem in DRAWERS]
    assert found == []


def own_lines(function: ast.FunctionDef) -> int:
    """Count a function's lines without those of texts, such as SQL, that it holds."""
    texts: set[int] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno is not None:
            texts |= set(range(node.lineno + 1, node.end_lineno + 1))
    assert function.end_lineno is not None
    return len(set(range(function.lineno, function.end_lineno + 1)) - texts)


def too_long(text: str) -> list[str]:
    """Name the functions of a module that nobody reads in one go."""
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    return [function.name for function in functions if own_lines(function) > FUNCTION_LINES]


def test_files_functions_and_models_have_a_size_that_reads() -> None:
    modules = [path for room in ROOMS for path in (PROJECT / room).rglob("*.py")]
    models = [*(PROJECT / "dbt_project").glob("models/**/*.sql"), *(PROJECT / "etl").rglob("*.sql")]
    assert [path.name for path in modules if len(path.read_text().splitlines()) > FILE_LINES] == []
    assert [path.name for path in models if len(path.read_text().splitlines()) > MODEL_LINES] == []
    assert [name for path in modules for name in too_long(path.read_text())] == []


def test_a_long_function_is_found_and_one_that_holds_a_long_statement_is_not() -> None:
    assert too_long("def long():\n" + "    pass\n" * FUNCTION_LINES) == ["long"]
    assert too_long('def ask():\n    return """' + "\n" * FUNCTION_LINES + '"""\n') == []


ENGINES_HASH = re.compile(r"(?<![\w.])hash\(")


def test_no_row_of_the_lake_follows_from_the_engines_own_hash() -> None:
    """Another version of the engine hashes otherwise: what is kept is keyed by MD5."""
    statements = [*(PROJECT / "etl" / "formats").glob("*.sql"), *(PROJECT / "etl" / "stages").glob("*/*.sql")]
    assert len(statements) > 20
    assert [path.name for path in statements if ENGINES_HASH.search(path.read_text())] == []
    assert ENGINES_HASH.search("cast(hash(message) >> 1 as bigint)") and not ENGINES_HASH.search("line_hash(x)")
