"""User agents: parsed once a distinct value, never once a row."""

import re
from collections.abc import Iterable
from functools import lru_cache

import crawleruseragents
import pyarrow as pa
import ua_parser

SHORTEST, LONGEST = 25, 400
"""Shorter and longer user agents are malformed. Source: the automated-traffic rule of a large
encyclopedia's page-view definition."""

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
    if user_agent and crawleruseragents.is_crawler(user_agent):
        return "declared"
    if not user_agent or not SHORTEST <= len(user_agent) <= LONGEST:
        return "malformed_ua"
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
    parsed = ua_parser.parse((text or "")[: LONGEST * 4])
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
