"""What a run says when checks are in error."""

import pytest

from etl.errors import CheckFailed
from etl.stages.reconcile.stage import SHOWN_ERRORS, refuse_errors


def test_each_incident_has_a_line_of_its_own() -> None:
    refuse_errors([])
    with pytest.raises(CheckFailed, match=r"^A check is in error: silence: 30, allowed 20\. See quality\.checks"):
        refuse_errors(["silence: 30, allowed 20"])
    many = [f"event_loss {number}" for number in range(SHOWN_ERRORS + 2)]
    with pytest.raises(CheckFailed) as failed:
        refuse_errors(many)
    head, *lines = str(failed.value).splitlines()
    assert head == f"{len(many)} checks are in error:"
    assert [line.strip() for line in lines[:-1]] == many[:SHOWN_ERRORS]
    assert lines[-1].startswith("  and 2 more. See quality.checks")
