"""Reconcile: what fails a run, and what is only history."""

from typing import Any

import pytest

from etl.stages.reconcile.stage import is_due


def incident(*dates: str, is_ongoing: bool = False) -> dict[str, Any]:
    return {"is_ongoing": is_ongoing, "error_dates": list(dates)}


@pytest.mark.parametrize(
    ("found", "made", "fails"),
    [
        (incident("2026-03-02"), {"2026-03-09"}, False),
        (incident("2026-03-02", "2026-03-03"), {"2026-03-03"}, True),
        (incident("2026-03-02"), None, True),
        (incident("2026-03-02", is_ongoing=True), {"2026-03-09"}, True),
        (incident("2026-03-02"), set(), False),
        (incident(is_ongoing=True), set(), True),
    ],
    ids=["ended before", "one of its days made anew", "all made anew", "goes on", "nothing made", "of all data"],
)
def test_run_fails_for_what_is_new_or_goes_on(found: dict[str, Any], made: set[str] | None, fails: bool) -> None:
    assert is_due(found, made) == fails
