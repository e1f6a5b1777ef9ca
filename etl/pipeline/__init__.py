"""The pipeline's front door: DAGs, commands and tests call it, and nothing behind it.

A task holds the home's lock while it writes, and returns counts and day lists, never data.
"""

from etl.pipeline.order import all_stages, makers, require_inbox, run_task, writing
from etl.pipeline.tasks import build, land, parse, reconcile, replay, sessionize
from etl.pipeline.telling import (
    failed_checks,
    forget_alert,
    mail,
    note_task,
    report,
    require_pages,
    send_probe,
    waiting_alerts,
)  # fmt: skip
from etl.pipeline.work import is_up_to_date, known_days, pending, require_whole, verify

__all__ = [
    "all_stages",
    "build",
    "failed_checks",
    "forget_alert",
    "is_up_to_date",
    "known_days",
    "land",
    "mail",
    "makers",
    "note_task",
    "parse",
    "pending",
    "reconcile",
    "replay",
    "report",
    "require_inbox",
    "require_pages",
    "require_whole",
    "run_task",
    "send_probe",
    "sessionize",
    "verify",
    "waiting_alerts",
    "writing",
]
