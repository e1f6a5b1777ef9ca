"""Reconcile: judge the published checks; the data, not the run, is what must be looked at when one is in error."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from etl.errors import CheckFailed
from etl.lake.catalogue import Lake
from etl.lake.fingerprint import Fingerprint
from etl.lake.manifests import Nothing, Publication
from etl.lake.published import published
from etl.settings import Settings
from etl.stages.stage import Made, Stage, Work

UNIT = "checks"
STATUSES = ("ok", "warn", "error", "unknown")
SHOWN_ERRORS = 3


class Reconcile(Stage[Nothing]):
    """There is one unit: the checks of a publication. It holds once none is in error.

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
        outcome = read_checks(work.lake.settings)
        refuse_errors([*outcome["errors"], *self.others])
        return Made(Nothing(), counts={UNIT: {name: outcome[name] for name in ("checks", *STATUSES)}})


def refuse_errors(errors: Collection[str]) -> None:
    """Fail for checks in error: the next run says so again, until it is mended.

    Raises:
        CheckFailed: there is at least one; the message says which and why.
    """
    if errors:
        listed = list(errors)
        more = f" (and {len(listed) - SHOWN_ERRORS} more)" if len(listed) > SHOWN_ERRORS else ""
        raise CheckFailed(
            f"{len(listed)} checks are in error: {' | '.join(listed[:SHOWN_ERRORS])}{more}",
            "See quality.checks",
        )


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
