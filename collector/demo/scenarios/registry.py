"""What people do, and machines; each scenario notes what must come of it.

A visit's `expected` is compared with its rows of the warehouse: `platform`, `channel`, `is_bot`, `navigations`,
`sessions`, `duplicates`, `persons` (of all its visits with one name).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from collector.demo.visit import Visit

MakeVisit = Callable[..., Visit]
Act = Callable[[MakeVisit], Awaitable[None]]
QUIET = 0.6
"""Seconds that a sending takes on loopback, with room."""


@dataclass(frozen=True)
class Scenario:
    """One row of the table.

    Attributes:
        is_short: whether the short demo plays it.
        is_alone: whether it changes what others meet, and is played by itself.
    """

    name: str
    act: Act
    is_short: bool
    is_alone: bool


SCENARIOS: list[Scenario] = []


def scenario(*, short: bool = False, alone: bool = False) -> Callable[[Act], Act]:
    """Register a scenario under its function's name."""

    def register(act: Act) -> Act:
        SCENARIOS.append(Scenario(act.__name__, act, short, alone))
        return act

    return register
