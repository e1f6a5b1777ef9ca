"""Reconcile: fail for what is wrong and new; the data, not the run, is what must be looked at then.

A run fails for an error of the days that its build made, for an incident that goes on, and for what is wrong with all
data at once. What has ended fails nothing again: it stays in `quality.incidents`.
"""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from etl.errors import CheckFailed
from etl.lake.catalogue import Lake
from etl.lake.fingerprint import Fingerprint
from etl.lake.manifests import Build, Nothing, Publication
from etl.lake.published import published
from etl.settings import Settings
from etl.stages.stage import Made, Stage, Work

UNIT = "checks"
STATUSES = ("ok", "warn", "error", "unknown")
SHOWN_ERRORS = 20

Incident = dict[str, Any]


class Reconcile(Stage[Nothing]):
    """There is one unit: the checks of a publication. It holds once none is in error that is new or goes on.

    Args:
        others: errors that no mart knows, a line each.
    """

    name = "reconcile"
    facts = Nothing

    def __init__(self, others: Collection[str] = ()) -> None:
        self.others = others

    def wanted(self, lake: Lake) -> Mapping[str, Fingerprint]:
        commits = lake.commits("publish", Publication)
        return {UNIT: commits[0].units["warehouse"].fingerprint} if commits else {}

    def of_days(self, lake: Lake, days: Collection[date]) -> Collection[str]:
        del lake, days
        return [UNIT]

    def make(self, work: Work[Nothing]) -> Made[Nothing]:
        outcome = judge(work.lake)
        refuse_errors([*outcome["errors"], *self.others])
        return Made(Nothing(), counts={UNIT: {name: outcome[name] for name in ("checks", *STATUSES)}})


def refuse_errors(errors: Collection[str]) -> None:
    """Fail for errors: the next run says so again, until they are mended or over.

    Raises:
        CheckFailed: there is at least one; the message says which and why.
    """
    if errors:
        listed = list(errors)
        more = [f"and {len(listed) - SHOWN_ERRORS} more"] if len(listed) > SHOWN_ERRORS else []
        lines = "".join(f"\n  {line}" for line in [*listed[:SHOWN_ERRORS], *more])
        raise CheckFailed(
            f"{len(listed)} checks are in error:{lines}" if len(listed) > 1 else f"A check is in error: {listed[0]}",
            "See quality.checks and quality.incidents",
        )


def judge(lake: Lake) -> dict[str, Any]:
    """Count the published checks by status, and name the errors that are new or go on.

    Returns:
        `checks`, one count a status, and `errors`: a line an incident, the newest first.

    Raises:
        BadUse: nothing has been published yet.
    """
    with published(lake.settings) as con:
        counts = dict(con.execute("select status, count(*) from quality.checks group by status").fetchall())
    made = days_made(lake)
    errors = [incident["text"] for incident in read_incidents(lake.settings) if is_due(incident, made)]
    return {"checks": sum(counts.values()), **{name: counts.get(name, 0) for name in STATUSES}, "errors": errors}


def days_made(lake: Lake) -> set[str] | None:
    """Name the days that the last build made; None when it made all."""
    build = next(iter(lake.commits("build", Build)), None)
    return None if build is None or build.facts.rebuilt is None else set(build.facts.rebuilt)


def is_due(incident: Incident, made: set[str] | None) -> bool:
    """Say whether a run has to fail for an incident: it goes on, or one of its bad days was made anew."""
    return incident["is_ongoing"] or made is None or not made.isdisjoint(incident["error_dates"])


def read_incidents(settings: Settings) -> list[Incident]:
    """Read what is in error: series of days, the newest first, and checks that are about no day.

    Returns:
        `key` (check, app and platform, or scope), `first_date` and `last_date` (ISO; none for a check about no
        day), `error_dates` (ISO), `is_ongoing`, `owner`, `text`.

    Raises:
        BadUse: nothing has been published yet.
    """
    with published(settings) as con:
        series = con.execute(
            """
            select
                incidents."check", incidents.app_id, incidents.platform, first_date, last_date, is_ongoing, worst_value,
                incidents.threshold, incidents.owner, incidents.hint, list(cast(checks.date as varchar) order by date)
            from quality.incidents as incidents
            left join quality.checks as checks
                on
                    incidents."check" = checks."check"
                    and incidents.app_id is not distinct from checks.app_id
                    and incidents.platform is not distinct from checks.platform
                    and checks.date between first_date and last_date
                    and checks.status = 'error'
            where incidents.status = 'error'
            group by all
            order by last_date desc, first_date desc, 1, 2, 3
            """
        ).fetchall()
        others = con.execute(
            """
            select "check", scope, value, threshold, owner, hint
            from quality.checks where status = 'error' and date is null order by 1, 2
            """
        ).fetchall()
    found = []
    for check, app_id, platform, first, last, is_ongoing, value, threshold, owner, hint, dates in series:
        days = f"{first}" if first == last else f"{first} to {last}"
        scope = " ".join(part for part in (app_id, platform) if part) or "all messages"
        found.append(
            {
                "key": [check, app_id, platform], "first_date": first.isoformat(), "last_date": last.isoformat(),
                "error_dates": dates, "is_ongoing": is_ongoing, "owner": owner,
                "text": f"{check} ({scope}, {days}): {value:g}, allowed {threshold:g}" + (f"; {hint}" if hint else ""),
            }
        )  # fmt: skip
    for check, scope, value, threshold, owner, hint in others:
        found.append(
            {
                "key": [check, scope, None], "first_date": None, "last_date": None, "error_dates": [],
                "is_ongoing": True, "owner": owner,
                "text": f"{check} ({scope}): {value:g}, allowed {threshold:g}" + (f"; {hint}" if hint else ""),
            }
        )  # fmt: skip
    return found
