"""Days on which nearly nothing was received, far from all others, are stray; more data takes that back."""

from datetime import date, timedelta

import pytest

from etl.lake.strays import stray_days

DAYS = {(date(2026, 3, 1) + timedelta(days=number)).isoformat(): 200 for number in range(5)}
WEEKLY = {(date(2020, 1, 1) + timedelta(days=7 * number)).isoformat(): 1 for number in range(300)}


@pytest.mark.parametrize(
    ("lines", "strays"),
    [
        ({}, set()),
        ({"2026-03-01": 1}, set()),
        (DAYS, set()),
        (DAYS | {"2099-01-01": 1}, {"2099-01-01"}),
        (DAYS | {"1999-01-01": 1, "2099-01-01": 1}, {"1999-01-01", "2099-01-01"}),
        (DAYS | {"2026-09-01": 1}, set()),
        (DAYS | {"2027-03-06": 1}, set()),
        (DAYS | {"2027-03-08": 1}, {"2027-03-08"}),
        (DAYS | {"2099-01-01": 9}, {"2099-01-01"}),
        (DAYS | {"2099-01-01": 11}, set()),
        (DAYS | {"2099-01-01": 5, "2099-01-02": 5, "2099-01-03": 5}, set()),
        (DAYS | {"2099-01-01": 3, "2099-02-01": 3, "2099-03-01": 3}, {"2099-01-01", "2099-02-01", "2099-03-01"}),
        ({"2026-03-01": 40, "2099-01-01": 1}, set()),
        (WEEKLY, set()),
        (WEEKLY | {"2099-01-01": 1}, {*WEEKLY, "2099-01-01"}),
    ],
    ids=[
        "nothing", "a sole line", "a week", "a line of 2099", "lines on either side", "half a year later",
        "a year later", "more than a year later", "less than a hundredth", "more than a hundredth",
        "as much with its neighbours", "as much, but far apart", "a small source", "thin, but a sole group",
        "thin, and not sole",
    ],
)  # fmt: skip
def test_stray_days(lines: dict[str, int], strays: set[str]) -> None:
    assert stray_days(lines) == strays
