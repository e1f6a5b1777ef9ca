"""User agents: parsed once a distinct value, never once a row."""

import re
from collections.abc import Iterable
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
import regex
import ua_parser
from is_bot import Bots

from etl.vocabulary.bot_rules import RULES

DECLARED = RULES["declared"]
SHORTEST, LONGEST = RULES["malformed_ua"]["shortest"], RULES["malformed_ua"]["longest"]
LONGEST_READ = LONGEST * 4
"""No more characters of a user agent are looked at: what a client sends must not cost time."""


LOOKS_AROUND = re.compile(r"\(\?<?[=!]")
"""What RE2 does not read: a pattern that asks what stands before or behind without taking it."""


def one_of(patterns: Iterable[str]) -> str:
    """Write patterns as one, in an order that does not hang on the process."""
    return "|".join(f"(?:{pattern})" for pattern in sorted(patterns))


NAMES = set(Bots().patterns) - set(DECLARED["forms"])
PLAIN_NAMES = one_of(pattern for pattern in NAMES if not LOOKS_AROUND.search(pattern))
# One after the other: each begins with letters that are looked for fast, all of them as one do not.
OTHER_NAMES = [regex.compile(pattern, regex.IGNORECASE) for pattern in sorted(NAMES) if LOOKS_AROUND.search(pattern)]
FORMS = one_of(DECLARED["forms"])
OVERLOOKED = regex.compile(one_of(DECLARED["overlooked"]), regex.IGNORECASE)
UNDECLARED = one_of(DECLARED["undeclared"])

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


def bot_reasons(user_agents: Iterable[str | None]) -> list[str | None]:
    """Say why user agents alone make bots of web visitors: `declared`, `malformed_ua` or None.

    Patterns are RE2's as far as it reads them, all of them in one pass; their letters and digits are ASCII's, as they
    are in JavaScript, which they were written for.
    """
    texts = [(text or "")[:LONGEST_READ] for text in user_agents]
    read = [OVERLOOKED.sub("", text) for text in texts]
    looked_at = pa.array(read, pa.string())
    named, formed, undeclared = (
        pc.match_substring_regex(looked_at, pattern, ignore_case=True).to_pylist()
        for pattern in (PLAIN_NAMES, FORMS, UNDECLARED)
    )
    reasons: list[str | None] = []
    for place, text in enumerate(texts):
        if named[place] or any(pattern.search(read[place]) for pattern in OTHER_NAMES):
            reasons.append("declared")
        elif not SHORTEST <= len(text) <= LONGEST:
            reasons.append("malformed_ua")
        else:
            reasons.append("declared" if formed[place] and not undeclared[place] else None)
    return reasons


def bot_reason(user_agent: str | None) -> str | None:
    """Say it of one."""
    return bot_reasons([user_agent])[0]


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
    texts = list(user_agents)
    rows = [
        describe_one(text) | {"ua_bot_reason": reason} for text, reason in zip(texts, bot_reasons(texts), strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


@lru_cache(maxsize=100_000)
def describe_one(text: str | None) -> dict[str, object]:
    """Describe one user agent, but for what makes a bot of it."""
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
    }
