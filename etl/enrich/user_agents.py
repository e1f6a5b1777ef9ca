"""User agents: parsed once a distinct value, never once a row."""

import re
from collections.abc import Iterable
from functools import lru_cache

import pyarrow as pa
import regex
import ua_parser
from is_bot import Bots

from etl.vocabulary.bot_rules import RULES

DECLARED = RULES["declared"]
SHORTEST, LONGEST = RULES["malformed_ua"]["shortest"], RULES["malformed_ua"]["longest"]
LONGEST_READ = LONGEST * 4
"""No more characters of a user agent are looked at: what a client sends must not cost time."""


def any_of(patterns: Iterable[str]) -> regex.Pattern[str]:
    """Compile patterns into one, in an order that does not hang on the process."""
    return regex.compile("|".join(f"(?:{pattern})" for pattern in sorted(patterns)), regex.IGNORECASE)


NAMES = any_of(set(Bots().patterns) - set(DECLARED["forms"]))
FORMS = any_of(DECLARED["forms"])
OVERLOOKED = any_of(DECLARED["overlooked"])
UNDECLARED = any_of(DECLARED["undeclared"])

TOUCH = re.compile(r"Mobi|Android|iPhone|iPad|iPod|Windows Phone|BlackBerry|Opera Mini")

SCHEMA = pa.schema(
    [
        ("user_agent", pa.string()),
        ("browser", pa.string()),
        ("browser_version", pa.string()),
        ("os", pa.string()),
        ("os_version", pa.string()),
        ("device", pa.string()),
        ("is_touch", pa.bool_()),
        ("ua_bot_reason", pa.string()),
    ]
)


def bot_reason(user_agent: str | None) -> str | None:
    """Say why a user agent alone makes a bot of a web visitor: `declared`, `malformed_ua` or None."""
    text = (user_agent or "")[:LONGEST_READ]
    read = OVERLOOKED.sub("", text)
    if NAMES.search(read):
        return "declared"
    if not SHORTEST <= len(text) <= LONGEST:
        return "malformed_ua"
    if FORMS.search(read) and not UNDECLARED.search(read):
        return "declared"
    return None


def version(*parts: str | None) -> str | None:
    """Join the parts of a version up to the first that is missing."""
    known = []
    for part in parts:
        if part is None:
            break
        known.append(part)
    return ".".join(known) or None


def describe(user_agents: Iterable[str | None]) -> pa.Table:
    """Describe distinct user agents: one row each, columns of `SCHEMA`.

    A user agent that the parser does not know has null browser, system and device.
    """
    return pa.Table.from_pylist([describe_one(text) for text in user_agents], schema=SCHEMA)


@lru_cache(maxsize=100_000)
def describe_one(text: str | None) -> dict[str, object]:
    """Describe one user agent."""
    parsed = ua_parser.parse((text or "")[:LONGEST_READ])
    browser, system, device = parsed.user_agent, parsed.os, parsed.device
    return {
        "user_agent": text,
        "browser": browser and browser.family,
        "browser_version": browser and version(browser.major, browser.minor, browser.patch),
        "os": system and system.family,
        "os_version": system and version(system.major, system.minor, system.patch),
        "device": device and device.family,
        "is_touch": bool(text and TOUCH.search(text)),
        "ua_bot_reason": bot_reason(text),
    }
