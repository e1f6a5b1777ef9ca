"""Which days are done again, and what is tried again."""

import importlib
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from etl.settings import load_settings


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
