"""Incidents: what is in error, and what people were told of it.

An incident is told once when it is first seen, and once when it is over or mended. What was told, and what still has
to be, is history of this home (`history/alerts.json`); nothing here asks the clock.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import msgspec
from filelock import FileLock

from etl.lake.catalogue import Lake, read_note, write_note
from etl.stages.reconcile.stage import Incident, read_incidents

# Who cannot be told for so long has other worries: the oldest are dropped.
WAITING_ALERTS = 200


class Alerts(msgspec.Struct):
    """What people were told (incidents), the tasks that failed and have not ended well since, alerts to send."""

    told: list[Incident] = []
    tasks: list[str] = []
    waiting: list[dict[str, Any]] = []


def is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two incidents are one: of the same key, and no whole day between them.

    A late file may move the days of an incident that has been told; it is still that one.
    """
    if one["key"] != other["key"] or (one["first_date"] is None) != (other["first_date"] is None):
        return False
    if one["first_date"] is None:
        return True
    day = timedelta(days=1)
    first, last = (date.fromisoformat(one[name]) for name in ("first_date", "last_date"))
    other_first, other_last = (date.fromisoformat(other[name]) for name in ("first_date", "last_date"))
    return first <= other_last + day and other_first <= last + day


def follow(told: Sequence[Incident], found: Sequence[Incident]) -> tuple[list[Incident], list[dict[str, Any]]]:
    """Compare what people were told with what is in error now.

    Returns:
        What they will have been told, and the alerts that say so: `kind` is opened or recovered.
    """
    alerts = []
    for incident in found:
        known = [other for other in told if is_same(incident, other)]
        if not known:
            alerts.append({"kind": "opened", **incident})
        # One that was over when it was first seen needs no second message.
        if not incident["is_ongoing"] and any(other["is_ongoing"] for other in known):
            alerts.append({"kind": "recovered", **incident})
    for other in told:
        if other["is_ongoing"] and not any(is_same(incident, other) for incident in found):
            alerts.append({"kind": "recovered", **other})
    return list(found), alerts


@contextmanager
def alert_state(lake: Lake) -> Iterator[Alerts]:
    """Lend the state of the alerts, alone, and write it back."""
    lake.settings.home.mkdir(parents=True, exist_ok=True)
    with FileLock(lake.settings.home / ".alerts.lock", timeout=30):
        path = lake.history("alerts.json")
        state = read_note(path, Alerts) or Alerts()
        yield state
        state.waiting = state.waiting[-WAITING_ALERTS:]
        write_note(path, state)


def vanished_probe(run: str) -> Incident:
    """Make the incident of a probe of which nothing has arrived: the lake knows nothing of it."""
    return {
        "key": ["probe", run, None], "first_date": None, "last_date": None, "is_ongoing": True, "owner": "platform",
        "text": f"probe ({run}): nothing of it has arrived; see python -m etl probe --look",
    }  # fmt: skip


def note_incidents(lake: Lake, others: Sequence[Incident] = ()) -> list[dict[str, Any]]:
    """Put what people have not been told yet among the alerts that wait; return it.

    Args:
        others: incidents that no mart knows.
    """
    found = [*read_incidents(lake.settings), *others]
    with alert_state(lake) as state:
        state.told, alerts = follow(state.told, found)
        state.waiting += alerts
    return alerts


def note_task(lake: Lake, task: str, reason: str | None) -> None:
    """Remember how a task ended: a failure is told once, and so is that it ends well again.

    Args:
        task: its DAG and name.
        reason: why it failed; None when it ended well.
    """
    with alert_state(lake) as state:
        if reason is not None and task not in state.tasks:
            state.tasks.append(task)
            state.waiting.append({"kind": "opened", "key": [task, None, None], "text": f"{task} failed: {reason}"})
        elif reason is None and task in state.tasks:
            state.tasks.remove(task)
            state.waiting.append({"kind": "recovered", "key": [task, None, None], "text": f"{task} ends well again"})


def waiting_alerts(lake: Lake) -> list[dict[str, Any]]:
    """Read the alerts that nobody has been sent yet, the oldest first."""
    state = read_note(lake.history("alerts.json"), Alerts)
    return state.waiting if state else []


def forget_alert(lake: Lake, alert: dict[str, Any]) -> None:
    """Take an alert that has been sent from those that wait."""
    with alert_state(lake) as state:
        if alert in state.waiting:
            state.waiting.remove(alert)
