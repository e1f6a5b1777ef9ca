"""The few rules of the house that hold by themselves: who may import whom."""

import ast
from pathlib import Path

import pytest

from etl.settings import PROJECT

ROOMS = ("etl", "dags", "ops", "benchmarks")
TRANSFORMS = ("formats/collector", "formats/combined_log", "enrich/urls", "enrich/user_agents")
DRAWERS = {"utils", "util", "helpers", "helper", "common", "config", "misc"}


def imported(source: str) -> set[str]:
    """Name every module a source imports, with what it takes from a package of ours."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def breaches(source: str, forbidden: tuple[str, ...]) -> set[str]:
    """List the imports that are one of the forbidden modules or lie below it."""
    return {name for name in imported(source) for bad in forbidden if name == bad or name.startswith(f"{bad}.")}


def test_breaches_are_found() -> None:
    source = "import os.path\ndef late():\n    from etl import lake\n    from etl.lake import scan\nimport ossuary\n"
    assert breaches(source, ("os", "etl.lake")) == {"os.path", "etl.lake", "etl.lake.scan"}


@pytest.mark.parametrize("path", sorted((PROJECT / "etl").rglob("*.py")), ids=lambda path: path.stem)
def test_etl_knows_nothing_of_airflow(path: Path) -> None:
    assert breaches(path.read_text(), ("airflow", "dags", "ops")) == set()


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_touch_no_files_clocks_or_environment(name: str) -> None:
    source = (PROJECT / "etl" / f"{name}.py").read_text()
    assert (
        breaches(source, ("os", "pathlib", "time", "etl.lake", "etl.pipeline", "etl.settings", "shutil", "tempfile"))
        == set()
    )


@pytest.mark.parametrize("path", sorted((PROJECT / "etl").rglob("*.py")), ids=lambda path: path.stem)
def test_only_the_command_line_and_its_peers_import_tasks(path: Path) -> None:
    if path.stem not in {"__main__", "pipeline"}:
        assert breaches(path.read_text(), ("etl.pipeline", "etl.__main__")) == set()


@pytest.mark.parametrize("path", sorted((PROJECT / "dags").rglob("*.py")), ids=lambda path: path.stem)
def test_dags_reach_the_rest_through_tasks(path: Path) -> None:
    allowed = ("etl.pipeline", "etl.settings", "etl.errors")
    ours = {name for name in breaches(path.read_text(), ("etl",)) if name != "etl"}
    assert {name for name in ours if not name.startswith(allowed)} == set()


def test_the_pipeline_never_asks_what_time_it_is() -> None:
    clocks = ("now", "today", "utcnow", "time_ns")
    asked = [
        f"{path.name}:{node.lineno}"
        for path in (PROJECT / "etl").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in clocks
    ]
    # When something was published is a fact about readers, not about the logs; and whether a folder had come to rest
    # before it was listed decides only whether it is listed again.
    assert sorted(place.partition(":")[0] for place in asked) == ["files.py", "restatements.py"]


def test_there_is_no_drawer() -> None:
    found = [path for room in (*ROOMS, "tests") for path in (PROJECT / room).rglob("*") if path.stem in DRAWERS]
    assert found == []
