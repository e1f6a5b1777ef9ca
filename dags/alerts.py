"""Tell people of incidents: one message when one begins, one when it is over, to a webhook.

The address stands in `BLOODHOUND_WEBHOOK_URL`, or in Airflow's connection `bloodhound_webhook` (its host is the whole
address, its password a bearer token). The body is JSON with `text`, as chat programs take it, and the incident. What
cannot be sent waits for the next task that ends. Without an address it is in the tasks' logs alone.
"""

import json
import os
import urllib.request
from typing import Any

import structlog
from airflow.sdk import BaseHook, BaseNotifier
from airflow.sdk.exceptions import AirflowNotFoundException

from etl import pipeline
from etl.settings import load_settings

CONNECTION = "bloodhound_webhook"
TIMEOUT_SECONDS = 10
MOST_AT_ONCE = 20
# What the checks say of the data is told by incident, not by the task that they fail.
FAILED_CHECKS = "CheckFailed"


def webhook() -> tuple[str | None, str | None]:
    """Find the address and the token to send with; None where there is none."""
    if address := os.environ.get("BLOODHOUND_WEBHOOK_URL"):
        return address, os.environ.get("BLOODHOUND_WEBHOOK_TOKEN")
    try:
        connection = BaseHook.get_connection(CONNECTION)
    except AirflowNotFoundException:
        return None, None
    return connection.host, connection.password


def post(address: str, token: str | None, alert: dict[str, Any]) -> None:
    """Send one alert.

    Raises:
        ValueError: the address is none of the web.
        OSError: it could not be delivered.
    """
    if not address.startswith(("http://", "https://")):
        raise ValueError("the webhook's address must start with http:// or https://")
    body = {"text": f"Bloodhound: {alert['kind']}: {alert['text']}", "alert": alert}
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(address, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
        pass


def deliver() -> None:
    """Send the alerts that wait; those that cannot be sent wait on."""
    settings, log = load_settings(), structlog.get_logger("bloodhound")
    alerts = pipeline.waiting_alerts(settings)[:MOST_AT_ONCE]
    address, token = webhook() if alerts else (None, None)
    for alert in alerts:
        log.warning("alert", kind=alert["kind"], text=alert["text"], is_sent=address is not None)
        try:
            if address is not None:
                post(address, token, alert)
        except (OSError, ValueError) as error:
            # The address may hold a secret: it is not named.
            log.error("alert not sent, it waits", reason=type(error).__name__)
            return
        pipeline.forget_alert(settings, alert)


class TellOfIncidents(BaseNotifier):
    """Airflow's notifier for a task that ended: `failed` says how."""

    def __init__(self, failed: bool) -> None:
        super().__init__()
        self.failed = failed

    def notify(self, context: Any) -> None:
        """Note how the task ended and send what people have not been told."""
        task, error = context["ti"], context.get("exception")
        if not self.failed:
            pipeline.note_task(load_settings(), task.task_id, None)
        elif type(error).__name__ != FAILED_CHECKS:
            pipeline.note_task(load_settings(), task.task_id, f"{error}" if error else "stopped from outside")
        deliver()
