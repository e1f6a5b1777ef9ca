"""The few rules of the house that no linter knows."""

import ast

from etl.settings import PROJECT

ROOMS = ("etl", "dags", "ops", "collector", "benchmarks")
DRAWERS = {"utils", "util", "helpers", "helper", "common", "config", "misc"}


def test_the_pipeline_never_asks_what_time_it_is() -> None:
    clocks = ("now", "today", "utcnow", "time_ns")
    asked = [
        f"{path.name}:{node.lineno}"
        for path in (PROJECT / "etl").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in clocks
    ]
    # When something was published or asked for is a fact about people, not about the logs; and whether a folder had
    # come to rest before it was listed decides only whether it is listed again.
    assert sorted(place.partition(":")[0] for place in asked) == ["catalogue.py", "forget.py", "restatements.py"]


def test_there_is_no_drawer() -> None:
    found = [path for room in (*ROOMS, "tests") for path in (PROJECT / room).rglob("*") if path.stem in DRAWERS]
    assert found == []
