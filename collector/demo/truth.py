"""What was done: noted while it is done, kept beside the inbox, and all that the judge is told."""

from typing import Any

import msgspec

TRACKER, PIXEL = frozenset({"tracker"}), frozenset({"pixel"})
BOTH, NEITHER = TRACKER | PIXEL, TRACKER & PIXEL


class View(msgspec.Struct, frozen=True):
    """A view that took place.

    Attributes:
        page_id: what the page called it; empty of a page without scripts, which has none.
        witnesses: who must have seen it.
        is_delivered: whether the shop's server delivered a page for it: a route of an open document it does not.
    """

    page_id: str
    path: str
    witnesses: frozenset[str]
    is_delivered: bool = False


class Truth(msgspec.Struct):
    """A visit.

    Attributes:
        name: its scenario's.
        orders: revenue by order.
        expected: what else must stand in the warehouse.
        cookies: how many it was left with, where that matters.
    """

    name: str
    address: str
    views: list[View] = []
    orders: dict[str, str] = {}
    expected: dict[str, Any] = {}
    cookies: int = 0
