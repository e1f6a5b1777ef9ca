"""The DAGs' policy, each rule with a DAG that breaks it, and the chain run task by task."""

import ast
import importlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from etl import pipeline as tasks
from etl.errors import CheckFailed
from etl.settings import PROJECT, load_settings

DAG_FILES = [PROJECT / "dags" / f"{name}.py" for name in ("collect", "sessionize", "warehouse", "reconcile")]
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


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An Airflow home of its own, with a database for runs without a scheduler."""
    home = tmp_path_factory.mktemp("airflow")
    environment = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONFIG": str(home / "airflow.cfg"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "password.json"),
        "AIRFLOW__API_AUTH__JWT_SECRET": "only for tests, and long enough for HS512 to be content with: 64 bytes",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        (home / "password.json").write_text('{"admin": "right"}')
        subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
        yield home


@pytest.fixture(scope="session")
def dags(airflow: Path) -> dict[str, Any]:
    """The DAGs by name."""
    return {path.stem: importlib.import_module(f"dags.{path.stem}").dag for path in DAG_FILES}


# The rules: each returns what is wrong, an empty list when nothing is.


def policy_breaches(dag: Any) -> list[str]:
    breaches = []
    if not dag.doc_md:
        breaches.append("no doc_md")
    if "bloodhound" not in dag.tags:
        breaches.append("no tag")
    if dag.max_active_runs != 1:
        breaches.append("more than one run at a time")
    if dag.catchup:
        breaches.append("catches up on its own")
    for task in dag.tasks:
        if task.owner != "bloodhound":
            breaches.append(f"{task.task_id}: no owner")
        if not task.retries:
            breaches.append(f"{task.task_id}: no retries")
        if not task.retry_exponential_backoff:
            breaches.append(f"{task.task_id}: no back-off")
        if not task.execution_timeout:
            breaches.append(f"{task.task_id}: no timeout")
        if task.pool != "one_writer":
            breaches.append(f"{task.task_id}: not in the writers' pool")
        if not task.on_failure_callback:
            breaches.append(f"{task.task_id}: nobody is told of a failure")
    return breaches


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


@pytest.mark.parametrize("name", [path.stem for path in DAG_FILES])
def test_dag_keeps_the_policy(dags: dict[str, Any], name: str) -> None:
    assert policy_breaches(dags[name]) == []


@pytest.mark.parametrize(
    ("dag_setting", "task_setting", "breach"),
    [
        ({"doc_md": None}, {}, "no doc_md"),
        ({"tags": ["other"]}, {}, "no tag"),
        ({"max_active_runs": 2}, {}, "more than one run at a time"),
        ({"catchup": True}, {}, "catches up on its own"),
        ({}, {"owner": "nobody"}, "task: no owner"),
        ({}, {"retries": 0}, "task: no retries"),
        ({}, {"retry_exponential_backoff": False}, "task: no back-off"),
        ({}, {"execution_timeout": None}, "task: no timeout"),
        ({}, {"pool": "default_pool"}, "task: not in the writers' pool"),
        ({}, {"on_failure_callback": None}, "task: nobody is told of a failure"),
    ],
)
def test_policy_names_a_dag_that_breaks_it(
    airflow: Path, dag_setting: dict[str, Any], task_setting: dict[str, Any], breach: str
) -> None:
    sdk = importlib.import_module("airflow.sdk")
    policy = importlib.import_module("dags.policy").POLICY
    settings = {"doc_md": "text", **policy, **dag_setting}
    settings["default_args"] = {**policy["default_args"], **task_setting}
    with sdk.DAG("broken", schedule=None, **settings) as dag:
        sdk.task(lambda: None, task_id="task")()

    assert policy_breaches(dag) == [breach]


@pytest.mark.parametrize("path", DAG_FILES, ids=lambda path: path.stem)
def test_dag_file_asks_nothing_at_import_and_fits_a_screen(path: Path) -> None:
    source = path.read_text()

    assert asked_at_import(source) == []
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


def test_airflow_finds_the_dags_and_nothing_else(airflow: Path) -> None:
    dagbag = importlib.import_module("airflow.dag_processing.dagbag")
    bag = dagbag.DagBag(str(PROJECT / "dags"))

    assert bag.import_errors == {}
    assert sorted(bag.dags) == sorted(path.stem for path in DAG_FILES)


# What one DAG hands another.


class Outlet:
    """What a task hangs on an asset: the partitions it names, and a word with them."""

    def __init__(self) -> None:
        self.partitions: list[str] = []
        self.extra: dict[str, Any] = {}

    def add_partitions(self, keys: list[str]) -> None:
        self.partitions += keys


def context(
    asset: Any, *, run_type: str = "scheduled", key: str | None = None, redo: tuple[str, ...] = ()
) -> dict[str, Any]:
    event = SimpleNamespace(extra={"redo": list(redo)})
    return {
        "dag_run": SimpleNamespace(run_type=run_type, partition_key=key),
        "triggering_asset_events": {"upstream": [event]},
        "outlet_events": {asset: Outlet()},
    }


@pytest.fixture(scope="session")
def assets(airflow: Path) -> Any:
    return importlib.import_module("dags.assets")


def test_days_with_work_behind_are_named(assets: Any) -> None:
    running = context(assets.MESSAGES)
    waiting = {"sessionize": ["2026-03-02"], "build": ["2026-03-01", "2026-03-02"]}
    assets.hand_on(running, assets.MESSAGES, waiting)

    assert running["outlet_events"][assets.MESSAGES].partitions == ["2026-03-01", "2026-03-02"]
    assert running["outlet_events"][assets.MESSAGES].extra == {"redo": []}


def test_nothing_waiting_skips_and_hands_nothing_on(assets: Any) -> None:
    skip = importlib.import_module("airflow.sdk.exceptions").AirflowSkipException
    running = context(assets.MESSAGES)
    with pytest.raises(skip, match="nothing new"):
        assets.hand_on(running, assets.MESSAGES, {})

    assert running["outlet_events"][assets.MESSAGES].partitions == []


def test_work_of_an_earlier_stage_is_not_handed_on(assets: Any) -> None:
    skip = importlib.import_module("airflow.sdk.exceptions").AirflowSkipException
    with pytest.raises(skip):
        assets.hand_on(context(assets.EVENTS), assets.EVENTS, {"sessionize": ["2026-03-01"]})


def test_a_stage_that_failed_is_tried_again_though_nothing_is_new(assets: Any) -> None:
    running = context(assets.MESSAGES)
    assets.hand_on(running, assets.MESSAGES, {"reconcile": []})

    assert running["outlet_events"][assets.MESSAGES].partitions == [assets.UNDATED]


def test_a_backfilled_day_goes_through_the_whole_chain_though_unchanged(assets: Any) -> None:
    first = context(assets.MESSAGES, run_type="backfill", key="2026-03-01")
    assets.hand_on(first, assets.MESSAGES, {})
    told = first["outlet_events"][assets.MESSAGES]
    second = context(assets.EVENTS, run_type="asset_triggered", redo=tuple(told.extra["redo"]))

    assert told.partitions == ["2026-03-01"]
    assert [str(day) for day in assets.days_to_redo(second)] == ["2026-03-01"]


def test_the_daily_run_redoes_no_day(assets: Any) -> None:
    assert assets.days_to_redo(context(assets.EVENTS, key="2026-03-01")) is None


def test_a_failure_is_told_with_its_reason(airflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOODHOUND_HOME", str(tmp_path))
    policy = importlib.import_module("dags.policy")
    task = SimpleNamespace(dag_id="warehouse", task_id="build", run_id="run")
    policy.report_failure({"ti": task, "exception": ValueError("too wide")})

    record = (tmp_path / "incidents" / "airflow.jsonl").read_text()
    assert '"task": "build"' in record
    assert '"reason": "ValueError: too wide"' in record


def test_what_only_a_person_can_mend_is_not_tried_again(airflow: Path) -> None:
    errors = importlib.import_module("etl.errors")
    policy = importlib.import_module("dags.policy").POLICY["default_args"]["retry_policy"]

    def decision(error: Exception) -> str:
        return str(policy.evaluate(error, 1, 3).action.value)

    assert decision(errors.CheckFailed("loss of 9 %")) == "fail"
    assert decision(errors.BuildFailed("a test failed")) == "fail"
    assert decision(errors.BadUse("no such day")) == "fail"
    assert decision(errors.Locked("another run")) == "default"
    assert decision(OSError("no space")) == "default"


@pytest.mark.parametrize("hour", [0, 2, 23])
def test_a_new_airflow_waits_for_the_midnight_to_come(
    airflow: Path, dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch, hour: int
) -> None:
    trigger = importlib.import_module("airflow.timetables.trigger")
    serialized = importlib.import_module("airflow.serialization.serialized_objects").DagSerialization
    timetable = serialized.from_dict(serialized.to_dict(dags["collect"])).timetable
    restriction = importlib.import_module("airflow.timetables.base").TimeRestriction(None, None, catchup=False)
    now = importlib.import_module("pendulum").datetime(2026, 3, 2, hour, 0, 5)
    monkeypatch.setattr(trigger, "utcnow", lambda: now)

    first = timetable.next_dagrun_info_v2(last_dagrun_info=None, restriction=restriction)

    assert (first.run_after.isoformat()[:10], first.partition_key) == ("2026-03-03", "2026-03-02")


@pytest.fixture(scope="module")
def chained(dags: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A home in which the chain ran task by task, and how each DAG ended."""
    root = tmp_path_factory.mktemp("chained")
    inbox, home = root / "inbox", root / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BLOODHOUND_INBOX", str(inbox))
        patch.setenv("BLOODHOUND_HOME", str(home))
        simulate = ["simulate", "--out", str(inbox), "--days", "1", "--messages", "500", "--seed", "7"]
        subprocess.run([sys.executable, "-m", "etl", *simulate], check=True, cwd=PROJECT, env=os.environ)
        pools = importlib.import_module("airflow.models.pool")
        pools.Pool.create_or_update_pool("one_writer", slots=1, description="", include_deferred=False)
        return home, {name: dags[name].test().state for name in ("collect", "sessionize", "warehouse", "reconcile")}


def test_the_chain_runs_task_by_task(
    chained: tuple[Path, dict[str, str]], dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, states = chained
    monkeypatch.setenv("BLOODHOUND_INBOX", str(home.parent / "inbox"))
    monkeypatch.setenv("BLOODHOUND_HOME", str(home))
    again = {task.task_id: task.state for task in dags["collect"].test().get_task_instances()}

    assert states == dict.fromkeys(states, "success")
    assert (home / "warehouse" / "bloodhound.duckdb").exists()
    assert (home / "report" / "index.html").exists()
    assert (home / "report" / "mail.eml").exists()
    assert again == {"land": "success", "parse": "skipped"}


def test_the_notebook_answers_on_what_the_chain_made(
    chained: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, _ = chained
    monkeypatch.setenv("BLOODHOUND_HOME", str(home))
    monkeypatch.syspath_prepend(str(PROJECT / "notebooks"))
    _, found = importlib.import_module("explore").app.run()

    answers = (
        "days",
        "page_paths",
        "channel_paths",
        "lengths",
        "curve",
        "browsers",
        "transitions",
        "returns",
        "hours",
        "late",
    )
    assert {name: len(found[name]) > 0 for name in answers} == dict.fromkeys(answers, True)
    assert (
        found["hours"]["events"].sum()
        == found["warehouse"]
        .execute("select count(*) from core.events where not is_bot and not is_excluded")
        .fetchall()[0][0]
    )
    found["warehouse"].close()


def test_the_page_is_for_those_who_are_logged_in(
    airflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN the page inside Airflow THEN nobody gets it without a login, and every view leads to where it is."""
    monkeypatch.setenv("BLOODHOUND_HOME", str(tmp_path))
    testing = importlib.import_module("fastapi.testclient")
    served = importlib.import_module("airflow.api_fastapi.app").create_app(apps="core")
    with testing.TestClient(served, base_url="http://127.0.0.1") as client:
        views = importlib.import_module("airflow.plugins_manager").get_plugin_info()
        hrefs = [view["href"] for plugin in views for view in plugin["external_views"]]

        def status(**headers: str) -> int:
            return int(client.get("/bloodhound/page", headers=headers).status_code)

        def token(password: str) -> str:
            answer = client.post("/auth/token", json={"username": "admin", "password": password})
            return str(answer.json().get("access_token"))

        assert {href.partition("#")[0] for href in hrefs} == {"bloodhound/page"}
        assert [status(), status(Authorization="Bearer nonsense"), status(Cookie="_token=nonsense")] == [401, 403, 403]
        assert status(Authorization=f"Bearer {token('wrong')}") == 403
        assert {client.get(f"/bloodhound/{path}").status_code for path in ("", "docs", "openapi.json")} == {404}

        right = {"Authorization": f"Bearer {token('right')}"}
        assert "No page yet" in client.get("/bloodhound/page", headers=right).text
        (tmp_path / "report").mkdir()
        (tmp_path / "report" / "index.html").write_text("<title>Figures</title>")
        answer = client.get("/bloodhound/page", headers=right)

    assert (answer.status_code, answer.text) == (200, "<title>Figures</title>")
    assert answer.headers["content-security-policy"] == "frame-ancestors 'self'"


# What people are told of incidents


@dataclass
class Receiver:
    """A local web server that keeps what it is sent, and can be told to refuse."""

    server: HTTPServer
    bodies: list[dict[str, Any]]
    tokens: list[str | None]
    status: int = 200

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Listen on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if made.status == 200:
                made.bodies.append(json.loads(body))
                made.tokens.append(self.headers["Authorization"])
            self.send_response(made.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    made = Receiver(HTTPServer(("127.0.0.1", 0), Handler), [], [])
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture
def told(airflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception | None], None]:
    """Let a task of a home of its own end, as Airflow would tell the notifier."""
    monkeypatch.setenv("BLOODHOUND_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BLOODHOUND_WEBHOOK_URL", raising=False)
    alerts = importlib.import_module("dags.alerts")
    task = SimpleNamespace(dag_id="reconcile", task_id="reconcile", run_id="r")

    def end(error: Exception | None) -> None:
        notifier = alerts.TellOfIncidents(failed=error is not None)
        notifier.notify({"ti": task, "exception": error})

    return end


def test_the_webhook_hears_of_an_incident_once_and_of_its_end(
    told: Callable[..., None], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLOODHOUND_WEBHOOK_URL", receiver.address)
    for error in (OSError("disk"), OSError("disk"), None, None):
        told(error)
    assert [body["text"] for body in receiver.bodies] == [
        "Bloodhound: opened: reconcile.reconcile failed: disk",
        "Bloodhound: recovered: reconcile.reconcile ends well again",
    ]


def test_an_alert_that_cannot_be_sent_waits_for_the_next_task(
    told: Callable[..., None], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLOODHOUND_WEBHOOK_URL", receiver.address)
    receiver.status = 500
    told(OSError("disk"))
    assert receiver.bodies == []
    receiver.status = 200
    told(None)
    assert [body["alert"]["kind"] for body in receiver.bodies] == ["opened", "recovered"]


def test_checks_in_error_are_told_as_incidents_and_not_as_a_failed_task(
    told: Callable[..., None], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BLOODHOUND_WEBHOOK", json.dumps(
        {"conn_type": "http", "host": receiver.address, "password": "secret"}
    ))  # fmt: skip
    home = load_settings()
    home.warehouse.parent.mkdir(parents=True)
    with duckdb.connect(str(home.warehouse)) as con:
        con.execute("create schema quality")
        con.execute("""
            create table quality.incidents as select 'event_loss' as "check", 'shop' as app_id, 'ios' as platform,
            date '2026-03-02' as first_date, date '2026-03-02' as last_date, true as is_ongoing, 0.5 as worst_value,
            0.02 as threshold, 'me' as owner, 'look' as hint, 'error' as status""")
        con.execute("""
            create table quality.checks as select 'event_loss' as "check", '2026-03-02 shop ios' as scope, 0.5 as value,
            0.02 as threshold, 'error' as status, 'me' as owner, 'look' as hint, date '2026-03-02' as date""")
    for _ in range(2):
        with pytest.raises(CheckFailed) as failed:
            tasks.reconcile(home)
        told(failed.value)
    assert [body["text"] for body in receiver.bodies] == [
        "Bloodhound: opened: event_loss (shop ios, 2026-03-02): 0.5, allowed 0.02; look"
    ]
    assert receiver.tokens == ["Bearer secret"]
