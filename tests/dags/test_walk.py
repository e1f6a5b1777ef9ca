"""The whole way, run task by task; the notebook and the page on what it made."""

import gzip
import importlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from etl.settings import PROJECT

STAGES = ("land", "parse", "sessionize", "build", "reconcile", "report", "mail")


@dataclass(frozen=True)
class Walk:
    """A home, how the tasks of three runs over it ended, and the events of the first."""

    home: Path
    inbox: Path
    first: dict[str, str]
    again: dict[str, str]
    ended: list[str]
    link: str
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
    (judged,) = (task for task in runs[0].get_task_instances() if task.task_id == "reconcile")
    link = judged.xcom_pull(task_ids="reconcile", key="_link_ChecksOnThePage")
    return Walk(home, inbox, states[0], states[1], [str(run.state) for run in runs], str(link), found)


def test_a_failed_check_fails_the_run_and_the_page_and_the_mail_come_all_the_same(walked: Walk) -> None:
    assert walked.first == {stage: "failed" if stage == "reconcile" else "success" for stage in STAGES}
    assert walked.ended[0] == "failed"
    assert (walked.home / "warehouse" / "bloodhound.duckdb").exists()
    assert (walked.home / "report" / "index.html").exists()
    assert (walked.home / "report" / "mail.eml").exists()


def test_a_failed_check_links_to_the_row_of_the_page_that_explains_it(walked: Walk) -> None:
    """GIVEN a file that was cut short THEN the task's link names the page's tab of trust, and that check."""
    assert walked.link == "/bloodhound/page#tab=trust&check=files_landed"
    with duckdb.connect(str(walked.home / "warehouse" / "bloodhound.duckdb"), read_only=True) as con:
        found = con.execute("select distinct \"check\" from quality.checks where status = 'error'").fetchall()
    assert ("files_landed",) in found


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
        "sequences",
        "survival",
        "own_model",
    )
    assert {name: len(found[name]) > 0 for name in answers} == dict.fromkeys(answers, True)
    assert (
        found["hours"]["events"].sum()
        == found["warehouse"]
        .execute("select count(*) from core.events where not is_bot and not is_excluded")
        .fetchall()[0][0]
    )
    ((orders,),) = found["warehouse"].execute("select count(distinct order_id) from marketing.attribution").fetchall()
    own = found["own_model"]
    assert (own["own_orders"].sum(), own["linear_orders"].sum()) == (pytest.approx(orders), pytest.approx(orders))
    assert own["own_revenue"].sum() == pytest.approx(own["linear_revenue"].sum())
    for _, lived in found["survival"].groupby("platform"):
        assert lived["goes_on"].is_monotonic_decreasing and lived["goes_on"].between(0, 1).all()
        # Who was seen at a page and neither ended nor was censored there was seen at the next.
        assert (lived["at_risk"] >= lived["ended"]).all() and lived["at_risk"].is_monotonic_decreasing
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

        def status(path: str = "page", **headers: str) -> int:
            return int(client.get(f"/bloodhound/{path}", headers=headers).status_code)

        def token(password: str) -> str:
            answer = client.post("/auth/token", json={"username": "admin", "password": password})
            return str(answer.json().get("access_token"))

        assert set(hrefs) == {"bloodhound/view/figures", "bloodhound/view/data-loss"}
        assert {status(href.partition("/")[2]) for href in hrefs} == {401}
        assert [status(), status(Authorization="Bearer nonsense"), status(Cookie="_token=nonsense")] == [401, 403, 403]
        assert status(Authorization=f"Bearer {token('wrong')}") == 403
        assert {client.get(f"/bloodhound/{path}").status_code for path in ("", "docs", "openapi.json")} == {404}

        right = {"Authorization": f"Bearer {token('right')}"}
        assert [status(path, **right) for path in ("page", "view/figures", "view/nothing")] == [404, 200, 404]
        waiting = client.get("/bloodhound/view/figures", headers=right).text
        assert "<h1>Figures</h1>" in waiting and "No page yet" in waiting and "<iframe" not in waiting
        (tmp_path / "report").mkdir()
        (tmp_path / "report" / "index.html").write_text("<title>Figures</title>")
        answer = client.get("/bloodhound/page", headers=right)
        framed = client.get("/bloodhound/view/data-loss", headers=right)
        assert '<p role="status">Reading the page…</p>' in framed.text
        assert '<iframe src="../page#tab=trust" title="Data loss">' in framed.text
        assert "script-src" not in framed.headers["content-security-policy"]
        assert framed.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")

    assert (answer.status_code, answer.text) == (200, "<title>Figures</title>")
    assert answer.headers["content-security-policy"] == "frame-ancestors 'self'"
