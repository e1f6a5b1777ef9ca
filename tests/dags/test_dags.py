"""The DAG's policy, each rule with a DAG that breaks it, and the whole way run task by task."""

import ast
import asyncio
import gzip
import importlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from builders import House, each, events

from etl import pipeline as tasks
from etl.errors import CheckFailed
from etl.settings import PROJECT, Settings, load_settings

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
def dag(airflow: Path) -> Any:
    """The DAG, on its schedule of every day."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BLOODHOUND_SCHEDULE", raising=False)
        return importlib.import_module("dags.bloodhound").dag


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


# Which days are done again.


def asked_for(run_type: str = "manual", day: str = "2026-03-02", **params: str) -> dict[str, Any]:
    """The context of a run: its type and date, and the days that somebody named."""
    run = SimpleNamespace(run_type=run_type, logical_date=datetime.fromisoformat(f"{day}T00:00:00+00:00"))
    return {"dag_run": run, "params": {"first_day": None, "last_day": None, **params}}


@pytest.mark.parametrize(
    ("context", "days"),
    [
        (asked_for(), []),
        (asked_for("scheduled"), []),
        (asked_for(first_day="2026-03-02", last_day="2026-03-09"), ["2026-03-02", "2026-03-04"]),
        (asked_for(first_day="2026-03-01"), ["2026-03-01"]),
        (asked_for(last_day="2026-03-02"), ["2026-03-02"]),
        (asked_for(first_day="2026-03-03", last_day="2026-03-03"), []),
        (asked_for("backfill", "2026-03-04"), ["2026-03-04"]),
        (asked_for("backfill", "2026-03-03"), []),
    ],
)
def test_days_done_again_are_those_named_of_which_there_is_data(
    airflow: Path, context: dict[str, Any], days: list[str]
) -> None:
    known = ["2026-03-01", "2026-03-02", "2026-03-04"]
    found = importlib.import_module("dags.work").days_to_redo(context, known)

    assert [str(day) for day in found] == days


def test_a_mail_that_was_not_sent_is_made_again_and_one_that_was_is_not(airflow: Path, tmp_path: Path) -> None:
    work = importlib.import_module("dags.work")
    settings = load_settings(home=tmp_path)
    mail = tmp_path / "report" / "mail.eml"
    assert not work.is_older(settings, "mail")

    for path in (settings.warehouse, mail):
        path.parent.mkdir()
        path.touch()
    with work.marked_undone(settings, "mail"):
        mail.touch()
    assert not work.is_older(settings, "mail")

    with pytest.raises(OSError, match="no server"), work.marked_undone(settings, "mail"):
        mail.touch()
        raise OSError("no server")
    assert work.is_older(settings, "mail")


def test_a_failure_is_told_with_its_reason(airflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOODHOUND_HOME", str(tmp_path))
    policy = importlib.import_module("dags.policy")
    task = SimpleNamespace(dag_id="bloodhound", task_id="build", run_id="run")
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


# When a run begins.


@pytest.mark.parametrize(
    ("chosen", "now", "first"),
    [
        ("", "2026-03-02T00:00:05", "2026-03-03T00:00"),
        ("daily", "2026-03-02T23:00:05", "2026-03-03T00:00"),
        ("hourly", "2026-03-02T23:00:05", "2026-03-03T00:00"),
        ("hourly", "2026-03-02T10:59:59", "2026-03-02T11:00"),
        ("30 4 * * 1", "2026-03-02T04:31:00", "2026-03-09T04:30"),
    ],
)
def test_a_new_airflow_waits_for_the_next_time_to_come(
    airflow: Path, monkeypatch: pytest.MonkeyPatch, chosen: str, now: str, first: str
) -> None:
    monkeypatch.setenv("BLOODHOUND_SCHEDULE", chosen)
    trigger = importlib.import_module("airflow.timetables.trigger")
    encoders = importlib.import_module("airflow.serialization.encoders")
    decoders = importlib.import_module("airflow.serialization.decoders")
    schedule = importlib.import_module("dags.schedule").chosen_schedule()
    timetable = decoders.decode_timetable(encoders.encode_timetable(schedule))
    restriction = importlib.import_module("airflow.timetables.base").TimeRestriction(None, None, catchup=False)
    monkeypatch.setattr(trigger, "utcnow", lambda: importlib.import_module("pendulum").parse(now))

    found = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)

    assert found.run_after.isoformat()[:16] == first


def test_on_arrival_follows_the_inbox_by_the_triggerer(airflow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOODHOUND_SCHEDULE", "on_arrival")
    (inbox,) = importlib.import_module("dags.schedule").chosen_schedule()
    module, _, name = inbox.watchers[0].trigger.serialize()[0].rpartition(".")

    assert inbox.name == "inbox"
    assert getattr(importlib.import_module(module), name) is type(inbox.watchers[0].trigger)


def test_the_watcher_tells_of_what_came_once_and_not_before_it_lies_still(
    airflow: Path, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrivals = importlib.import_module("dags.arrivals")
    listing, looks = arrivals.listing, 0
    house.put("events/a.jsonl", each(events("10:00 /a")))

    def look(settings: Settings) -> frozenset[tuple[str, int, int]]:
        """Look while somebody still writes, the first three times."""
        nonlocal looks
        looks += 1
        if looks <= 3:
            house.put("events/slow.jsonl", b"\n" * looks)
        return listing(settings)

    async def watch() -> list[tuple[dict[str, Any], int]]:
        watching = arrivals.InboxTrigger().run()
        told = [((await anext(watching)).payload, looks)]
        waiting = asyncio.create_task(anext(watching))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        house.put("events/b.jsonl", each(events("11:00 /b")))
        told.append(((await asyncio.wait_for(waiting, 10)).payload, looks))
        return told

    monkeypatch.setattr(arrivals, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(arrivals, "listing", look)
    monkeypatch.setenv("BLOODHOUND_INBOX", str(house.settings.inbox))
    monkeypatch.setenv("BLOODHOUND_HOME", str(house.settings.home))
    (first, first_look), (second, second_look) = asyncio.run(watch())

    assert (first, first_look) == ({"files": 2}, 4)
    assert second == {"files": 3}
    assert second_look > first_look + 3


def test_an_inbox_that_is_gone_is_told_by_the_run_that_fails_of_it(airflow: Path, tmp_path: Path) -> None:
    arrivals = importlib.import_module("dags.arrivals")
    settings = load_settings(tmp_path / "gone", tmp_path / "home")

    assert arrivals.listing(settings) == frozenset()
    assert arrivals.has_work(settings)


# The whole way, task by task.


@dataclass(frozen=True)
class Walk:
    """A home, how the tasks of three runs over it ended, and the events of the first."""

    home: Path
    inbox: Path
    first: dict[str, str]
    again: dict[str, str]
    ended: list[str]
    events: dict[str, list[tuple[str | None, dict[str, Any]]]]


@pytest.fixture(scope="module")
def walked(dag: Any, tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """Run twice over an inbox in which a file is cut short, so that a check is in error."""
    root = tmp_path_factory.mktemp("walked")
    inbox, home = root / "inbox", root / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BLOODHOUND_INBOX", str(inbox))
        patch.setenv("BLOODHOUND_HOME", str(home))
        simulate = ["simulate", "--out", str(inbox), "--days", "1", "--messages", "500", "--seed", "7"]
        subprocess.run([sys.executable, "-m", "etl", *simulate], check=True, cwd=PROJECT, env=os.environ)
        (inbox / "events" / "cut.jsonl.gz").write_bytes(gzip.compress(b"{}\n" * 1000)[:-8])
        pools = importlib.import_module("airflow.models.pool")
        pools.Pool.create_or_update_pool("one_writer", slots=1, description="", include_deferred=False)
        runs = [dag.test(), dag.test()]
    states = [{task.task_id: str(task.state) for task in run.get_task_instances()} for run in runs]
    session = importlib.import_module("airflow.settings").Session
    event = importlib.import_module("airflow.models.asset").AssetEvent
    found: dict[str, list[tuple[str | None, dict[str, Any]]]] = {}
    with session() as open_session:
        for row in open_session.query(event).filter_by(source_run_id=runs[0].run_id):
            found.setdefault(row.asset.name, []).append((row.partition_key, row.extra))
    return Walk(home, inbox, states[0], states[1], [str(run.state) for run in runs], found)


def test_a_failed_check_fails_the_run_and_the_page_and_the_mail_come_all_the_same(walked: Walk) -> None:
    assert walked.first == {stage: "failed" if stage == "reconcile" else "success" for stage in STAGES}
    assert walked.ended[0] == "failed"
    assert (walked.home / "warehouse" / "bloodhound.duckdb").exists()
    assert (walked.home / "report" / "index.html").exists()
    assert (walked.home / "report" / "mail.eml").exists()


def test_the_next_run_tries_again_what_failed_and_skips_what_has_no_work(walked: Walk) -> None:
    assert walked.again == {stage: "failed" if stage == "reconcile" else "skipped" for stage in STAGES}
    assert walked.ended[1] == "failed"


def test_each_asset_has_an_event_a_day_with_the_counts(walked: Walk) -> None:
    assert {name: [key for key, _ in found] for name, found in walked.events.items()} == {
        name: ["2026-03-01"] for name in ("messages", "events", "warehouse")
    }
    extras = {name: found[0][1] for name, found in walked.events.items()}
    with duckdb.connect(str(walked.home / "warehouse" / "bloodhound.duckdb"), read_only=True) as con:
        rows = con.execute("select count(*) from core.events").fetchall()[0][0]
    assert extras["events"]["events"] == rows > 0
    for extra in extras.values():
        assert (extra["days"], extra["first_day"], extra["last_day"]) == (1, "2026-03-01", "2026-03-01")


def test_the_notebook_answers_on_what_a_run_made(walked: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOODHOUND_HOME", str(walked.home))
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
    task = SimpleNamespace(dag_id="bloodhound", task_id="land", run_id="r")

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
        "Bloodhound: opened: land failed: disk",
        "Bloodhound: recovered: land ends well again",
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
