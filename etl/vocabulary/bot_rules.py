"""The rules by which visitors are bots, read once from `bots.toml`: data, for Python and for dbt."""

import hashlib
import tomllib
from pathlib import Path
from typing import Any

_TEXT = Path(__file__).parents[2].joinpath("conf", "bots.toml").read_text(encoding="utf-8")
RULES: dict[str, Any] = tomllib.loads(_TEXT)

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
