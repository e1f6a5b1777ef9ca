"""Reconcile: read the published checks, and say which are in error."""

from typing import Any

import duckdb

from etl.errors import BadUse
from etl.settings import Settings

STATUSES = ("ok", "warn", "error", "unknown")


def read_checks(settings: Settings) -> dict[str, Any]:
    """Count the published checks by status.

    Returns:
        `checks`, one count a status, and `errors`: a line each.

    Raises:
        BadUse: nothing has been published yet.
    """
    if not settings.warehouse.exists():
        raise BadUse(f"there is no warehouse at {settings.warehouse}", "Run `build` first")
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
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
