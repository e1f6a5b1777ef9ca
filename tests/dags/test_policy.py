"""The DAG's policy, each rule with a DAG that breaks it."""

import ast
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etl.settings import PROJECT

DAG_FILE = PROJECT / "dags" / "bloodhound.py"
STAGES = ("land", "parse", "sessionize", "build", "reconcile", "report", "mail")
SCREEN_LINES = 60
# Names that mean reading or asking something; at import a DAG file may do none of it.
ASKING = {
    "open",
    "read_text",
    "read_bytes",
    "load_settings",
    "get",
    "getenv",
    "now",
    "today",
    "connect",
}

# The rules: each returns what is wrong, an empty list when nothing is.


# Setting → what must hold of it, and what is wrong when it does not.
OF_THE_DAG: dict[str, tuple[Callable[[Any], Any], str]] = {
    "doc_md": (bool, "no doc_md"),
    "description": (bool, "no description"),
    "tags": (lambda tags: "bloodhound" in tags, "no tag"),
    "max_active_runs": (lambda runs: runs == 1, "more than one run at a time"),
    "catchup": (lambda catches_up: not catches_up, "catches up on its own"),
}
OF_A_TASK: dict[str, tuple[Callable[[Any], Any], str]] = {
    "owner": (lambda owner: owner == "bloodhound", "no owner"),
    "retries": (bool, "no retries"),
    "retry_exponential_backoff": (bool, "no back-off"),
    "execution_timeout": (bool, "no timeout"),
    "pool": (lambda pool: pool == "one_writer", "not in the writers' pool"),
    "trigger_rule": (lambda rule: rule == "none_failed", "waits for stages that have nothing to do"),
    "on_failure_callback": (bool, "nobody is told of a failure"),
    "on_success_callback": (bool, "nobody is told of a recovery"),
    "on_skipped_callback": (bool, "nobody is told of a recovery"),
}


def policy_breaches(dag: Any) -> list[str]:
    ours = [wrong for name, (holds, wrong) in OF_THE_DAG.items() if not holds(getattr(dag, name))]
    return ours + [
        f"{task.task_id}: {wrong}"
        for task in dag.tasks
        for name, (holds, wrong) in OF_A_TASK.items()
        if not holds(getattr(task, name))
    ]


def asked_at_import(source: str) -> list[str]:
    """Return the calls at module level, outside functions, that read or ask something."""
    found = []

    def walk(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            if isinstance(child, ast.Call):
                called = child.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                if name in ASKING:
                    found.append(name)
            walk(child)

    walk(ast.parse(source))
    return found


def size_breaches(source: str) -> list[str]:
    lines = len(source.splitlines())
    return [f"{lines} lines"] if lines > SCREEN_LINES else []


def airflow_imports(source: str) -> list[str]:
    """Return the modules of Airflow that a source imports."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    return [name for name in names if name.split(".")[0] == "airflow"]


def test_dag_keeps_the_policy(dag: Any) -> None:
    assert policy_breaches(dag) == []


def test_the_way_is_one_graph_and_a_failed_check_fails_the_run_but_hinders_no_page(dag: Any) -> None:
    """A run has failed when one of its last tasks has: so `reconcile` is one of them, and no page waits for it."""
    arrows = {task.task_id: task.upstream_task_ids for task in dag.tasks}

    assert arrows == {
        "land": set(),
        "parse": {"land"},
        "sessionize": {"parse"},
        "build": {"sessionize"},
        "reconcile": {"build"},
        "report": {"build"},
        "mail": {"report"},
    }
    assert [task.task_id for task in dag.topological_sort()] == list(STAGES)


@pytest.mark.parametrize(
    ("dag_setting", "task_setting", "breach"),
    [
        ({"doc_md": None}, {}, "no doc_md"),
        ({"description": None}, {}, "no description"),
        ({"tags": ["other"]}, {}, "no tag"),
        ({"max_active_runs": 2}, {}, "more than one run at a time"),
        ({"catchup": True}, {}, "catches up on its own"),
        ({}, {"owner": "nobody"}, "task: no owner"),
        ({}, {"retries": 0}, "task: no retries"),
        ({}, {"retry_exponential_backoff": False}, "task: no back-off"),
        ({}, {"execution_timeout": None}, "task: no timeout"),
        ({}, {"pool": "default_pool"}, "task: not in the writers' pool"),
        ({}, {"trigger_rule": "all_success"}, "task: waits for stages that have nothing to do"),
        ({}, {"on_failure_callback": None}, "task: nobody is told of a failure"),
        ({}, {"on_skipped_callback": None}, "task: nobody is told of a recovery"),
    ],
)
def test_policy_names_a_dag_that_breaks_it(
    airflow: Path, dag_setting: dict[str, Any], task_setting: dict[str, Any], breach: str
) -> None:
    sdk = importlib.import_module("airflow.sdk")
    policy = importlib.import_module("dags.policy").POLICY
    settings = {"doc_md": "text", "description": "text", **policy, **dag_setting}
    settings["default_args"] = {**policy["default_args"], **task_setting}
    with sdk.DAG("broken", schedule=None, **settings) as dag:
        sdk.task(lambda: None, task_id="task")()

    assert policy_breaches(dag) == [breach]


@pytest.mark.parametrize("path", sorted((PROJECT / "dags").glob("*.py")), ids=lambda path: path.stem)
def test_no_file_of_the_dag_asks_anything_at_import(path: Path) -> None:
    assert asked_at_import(path.read_text()) == []


def test_dag_file_fits_a_screen() -> None:
    source = DAG_FILE.read_text()

    assert size_breaches(source) == []
    assert "airflow" in source, "Airflow passes over a file that never names it"


def test_asking_at_import_is_seen_and_asking_in_a_task_is_not() -> None:
    assert asked_at_import("limit = Variable.get('limit')\nopen('x')\n") == ["get", "open"]
    assert asked_at_import("with DAG('d'):\n    def task():\n        open('x')\n") == []


def test_a_file_longer_than_a_screen_is_seen() -> None:
    assert size_breaches("\n" * (SCREEN_LINES + 1)) == [f"{SCREEN_LINES + 1} lines"]


def test_etl_and_ops_never_import_airflow() -> None:
    sources = [*(PROJECT / "etl").rglob("*.py"), *(PROJECT / "ops").rglob("*.py")]

    assert sources
    assert {path.name: airflow_imports(path.read_text()) for path in sources} == {path.name: [] for path in sources}
    assert airflow_imports("from airflow.sdk import DAG") == ["airflow.sdk"]


def test_airflow_finds_the_dag_and_nothing_else(airflow: Path) -> None:
    dagbag = importlib.import_module("airflow.dag_processing.dagbag")
    bag = dagbag.DagBag(str(PROJECT / "dags"))

    assert bag.import_errors == {}
    assert list(bag.dags) == ["bloodhound"]


def test_the_site_is_opened_each_week_if_its_pages_are_named(airflow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOODHOUND_SITE_PAGES", "https://shop.example/ https://shop.example/product")
    dagbag = importlib.import_module("airflow.dag_processing.dagbag")
    bag = dagbag.DagBag(str(PROJECT / "dags" / "site.py"))

    assert bag.import_errors == {}
    (site,) = bag.dags.values()
    assert site.dag_id == "site" and site.timetable.expression == "0 5 * * 1"
    assert [(task.task_id, task.pool) for task in site.tasks] == [("open_pages", "default_pool")]
