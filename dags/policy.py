"""What all tasks share: an owner, one writer at a time, when to try again, stop, and tell whom."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from dags.alerts import TellOfIncidents
from etl.settings import load_settings

# One slot: whoever writes the lake or the warehouse waits its turn instead of failing on the lock.
ONE_WRITER = "one_writer"


def report_failure(context: Any) -> None:
    """Tell of a task that failed for good: a structured line, and one in `incidents/`."""
    task = context["ti"]
    error = context.get("exception")
    incident = {
        "dag": task.dag_id,
        "task": task.task_id,
        "run": task.run_id,
        "reason": f"{type(error).__name__}: {error}" if error else "stopped from outside",
        "failed_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    structlog.get_logger("bloodhound").error("task failed for good", **incident)
    record = load_settings().home / "incidents" / "airflow.jsonl"
    record.parent.mkdir(parents=True, exist_ok=True)
    with record.open("a") as file:
        file.write(json.dumps(incident) + "\n")


# What only a person can mend is not tried again.
FINAL_ERRORS = ["etl.errors.BadUse", "etl.errors.BuildFailed", "etl.errors.CheckFailed"]

POLICY: dict[str, Any] = {
    "description": "From raw logs to checked marts: land, parse, sessionize, build, reconcile, report, mail",
    # No start_date: with one in the past Airflow would run once for yesterday as soon as it starts.
    "catchup": False,
    "max_active_runs": 1,
    "is_paused_upon_creation": False,
    "tags": ["bloodhound", "logs", "warehouse"],
    "default_args": {
        "owner": "bloodhound",
        "pool": ONE_WRITER,
        # A stage without work is skipped, and the next one looks for itself.
        "trigger_rule": "none_failed",
        "retries": 2,
        "retry_delay": timedelta(seconds=15),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=10),
        "retry_policy": ExceptionRetryPolicy(rules=[RetryRule(exception=list(FINAL_ERRORS), action=RetryAction.FAIL)]),
        "execution_timeout": timedelta(hours=6),
        "on_failure_callback": [report_failure, TellOfIncidents(failed=True)],
        "on_success_callback": [TellOfIncidents(failed=False)],
        "on_skipped_callback": [TellOfIncidents(failed=False)],
    },
}
