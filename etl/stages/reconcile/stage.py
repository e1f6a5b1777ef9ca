"""Reconcile: read the published checks, say which are in error, and keep track of what people were told.

An incident is told once when it is first seen, and once when it is over or mended. What was told, and
what still has to be, is kept in the lake (`manifests/state/alerts.json`); nothing here asks the clock.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import duckdb
from filelock import FileLock

from etl.errors import BadUse
from etl.lake import files as lake
from etl.settings import Settings

STATUSES = ("ok", "warn", "error", "unknown")
# Who cannot be told for so long has other worries: the oldest are dropped.
WAITING_ALERTS = 200

Incident = dict[str, Any]


def read_checks(settings: Settings) -> dict[str, Any]:
    """Count the published checks by status.

    Returns:
        `checks`, one count a status, and `errors`: a line each.

    Raises:
        BadUse: nothing has been published yet.
    """
    with published(settings) as con:
        rows = con.execute(
            'select "check", scope, value, threshold, status, hint from quality.checks order by 1, 2'
        ).fetchall()
    counts = {status: sum(row[4] == status for row in rows) for status in STATUSES}
    errors = [
        f"{check} ({scope}): {value:g}, allowed {threshold:g}" + (f"; {hint}" if hint else "")
        for check, scope, value, threshold, status, hint in rows
        if status == "error"
    ]
    return {"checks": len(rows), **counts, "errors": errors}


def require_published(settings: Settings) -> None:
    """Refuse to read what is not there.

    Raises:
        BadUse: nothing has been published yet.
    """
    if not settings.warehouse.exists():
        raise BadUse(f"there is no warehouse at {settings.warehouse}", "Run `build` first")


@contextmanager
def published(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the published warehouse for reading.

    Raises:
        BadUse: nothing has been published yet.
    """
    require_published(settings)
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        con.execute("set timezone = 'UTC'")
        yield con


def read_incidents(settings: Settings) -> list[Incident]:
    """Read what is in error: series of days, and checks that are about no day.

    Returns:
        `key` (check, app and platform, or scope), `first_date` and `last_date` (ISO; none for a check about no
        day), `is_ongoing`, `text`.
    """
    with published(settings) as con:
        series = con.execute(
            """
            select "check", app_id, platform, first_date, last_date, is_ongoing, worst_value, threshold, owner, hint
            from quality.incidents where status = 'error' order by 1, 2, 3, 4
            """
        ).fetchall()
        others = con.execute(
            """
            select "check", scope, value, threshold, owner, hint
            from quality.checks where status = 'error' and date is null order by 1, 2
            """
        ).fetchall()
    found = []
    for check, app_id, platform, first, last, is_ongoing, value, threshold, owner, hint in series:
        days = f"{first}" if first == last else f"{first} to {last}"
        scope = " ".join(part for part in (app_id, platform) if part) or "all messages"
        found.append(
            {
                "key": [check, app_id, platform], "first_date": first.isoformat(), "last_date": last.isoformat(),
                "is_ongoing": is_ongoing, "owner": owner,
                "text": f"{check} ({scope}, {days}): {value:g}, allowed {threshold:g}; {hint}",
            }
        )  # fmt: skip
    for check, scope, value, threshold, owner, hint in others:
        found.append(
            {
                "key": [check, scope, None], "first_date": None, "last_date": None, "is_ongoing": True, "owner": owner,
                "text": f"{check} ({scope}): {value:g}, allowed {threshold:g}; {hint}",
            }
        )  # fmt: skip
    return found


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
def alert_state(settings: Settings) -> Iterator[dict[str, Any]]:
    """Lend the state of the alerts, alone, and write it back.

    Holds `told` (incidents), `tasks` (those that failed and have not ended well since) and `waiting` (alerts to send).
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.home / ".alerts.lock", timeout=30):
        path = lake.manifest_path(settings, "state", "alerts")
        before = lake.read_manifest(path)
        state = before or {"told": [], "tasks": [], "waiting": []}
        yield state
        state["waiting"] = state["waiting"][-WAITING_ALERTS:]
        lake.write_manifest(path, state)


def vanished_probe(run: str) -> Incident:
    """Make the incident of a probe of which nothing has arrived: the lake knows nothing of it."""
    return {
        "key": ["probe", run, None], "first_date": None, "last_date": None, "is_ongoing": True, "owner": "platform",
        "text": f"probe ({run}): nothing of it has arrived; see python -m etl probe --look",
    }  # fmt: skip


def note_incidents(settings: Settings, others: Sequence[Incident] = ()) -> list[dict[str, Any]]:
    """Put what people have not been told yet among the alerts that wait; return it.

    Args:
        others: incidents that no mart knows.
    """
    found = [*read_incidents(settings), *others]
    with alert_state(settings) as state:
        state["told"], alerts = follow(state["told"], found)
        state["waiting"] += alerts
    return alerts


def note_task(settings: Settings, task: str, reason: str | None) -> None:
    """Remember how a task ended: a failure is told once, and so is that it ends well again.

    Args:
        task: its DAG and name.
        reason: why it failed; None when it ended well.
    """
    with alert_state(settings) as state:
        if reason is not None and task not in state["tasks"]:
            state["tasks"].append(task)
            state["waiting"].append({"kind": "opened", "key": [task, None, None], "text": f"{task} failed: {reason}"})
        elif reason is None and task in state["tasks"]:
            state["tasks"].remove(task)
            state["waiting"].append({"kind": "recovered", "key": [task, None, None], "text": f"{task} ends well again"})


def waiting_alerts(settings: Settings) -> list[dict[str, Any]]:
    """Read the alerts that nobody has been sent yet, the oldest first."""
    state = lake.read_manifest(lake.manifest_path(settings, "state", "alerts"))
    return state["waiting"] if state else []


def forget_alert(settings: Settings, alert: dict[str, Any]) -> None:
    """Take an alert that has been sent from those that wait."""
    with alert_state(settings) as state:
        if alert in state["waiting"]:
            state["waiting"].remove(alert)
