"""What people are told of incidents."""

import importlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from etl import pipeline
from etl.errors import CheckFailed
from etl.settings import load_settings


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
            'shop' as app_id, 'ios' as platform,
            0.02 as threshold, 'error' as status, 'me' as owner, 'look' as hint, date '2026-03-02' as date""")
    for _ in range(2):
        with pytest.raises(CheckFailed) as failed:
            pipeline.reconcile(home)
        told(failed.value)
    assert [body["text"] for body in receiver.bodies] == [
        "Bloodhound: opened: event_loss (shop ios, 2026-03-02): 0.5, allowed 0.02; look"
    ]
    assert receiver.tokens == ["Bearer secret"]
