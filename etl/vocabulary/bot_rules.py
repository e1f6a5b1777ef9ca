"""The rules by which visitors are bots, read once from `bots.toml`: data, for Python and for dbt."""

import hashlib
from typing import Any, Literal

import msgspec

from etl.vocabulary.registers import read_register, register


class Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Forms of user agents that name no browser, or wrongly look as if."""

    forms: list[str]
    undeclared: list[str]
    overlooked: list[str]


class Malformed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How short and how long a browser's user agent may be."""

    shortest: int
    longest: int


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many page views within so long are too many."""

    seconds: int
    page_views: int


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Faster than people read."""

    windows: list[Window]


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule that flags only when switched on."""

    scope: Literal["session", "visitor", "address"]
    about: str
    at_least: dict[str, int | float] = {}
    at_most: dict[str, int | float] = {}


class Bots(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that the register says."""

    platforms: list[str]
    declared: Declared
    malformed_ua: Malformed
    rate: Rate
    behaviour: dict[str, Behaviour]


_, _BOTS = read_register(register("bots.toml"), Bots)
RULES: dict[str, Any] = msgspec.to_builtins(_BOTS)

PLATFORMS: tuple[str, ...] = tuple(RULES["platforms"])
"""Platforms on which a visitor can be a bot."""

WINDOWS = tuple((window["seconds"] * 1_000_000, window["page_views"]) for window in RULES["rate"]["windows"])
"""(microseconds, page views): too many of a visitor's within so long."""


BEHAVIOUR: dict[str, dict[str, Any]] = RULES["behaviour"]
"""The rules that flag only when switched on, by name."""


def behaviour() -> list[dict[str, Any]]:
    """Say the rules of behaviour as dbt's models take them: name, scope, about, conditions."""
    bounds = (("at_least", ">="), ("at_most", "<="))
    return [
        {
            "name": name, "scope": rule["scope"], "about": rule["about"],
            "conditions": [
                {"measure": measure, "comparison": sign, "limit": limit}
                for bound, sign in bounds for measure, limit in rule.get(bound, {}).items()
            ],
        }
        for name, rule in BEHAVIOUR.items()
    ]  # fmt: skip


def digest(*sections: str) -> str:
    """Name the state of some sections, so that what was made by them can be told from what was not."""
    return hashlib.sha256(repr([RULES[section] for section in sections]).encode()).hexdigest()[:16]
