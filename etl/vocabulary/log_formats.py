"""The register of access logs' formats, read once from `log_formats.toml`: data, for landing, parsing and checking."""

import hashlib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

_TEXT = Path(__file__).parents[2].joinpath("conf", "log_formats.toml").read_text(encoding="utf-8")
_REGISTER: dict[str, Any] = tomllib.loads(_TEXT)


@dataclass(frozen=True)
class LogFormat:
    """A format that is read; the register says what its attributes mean."""

    name: str
    title: str
    kind: str
    head: tuple[str, ...] = ("client",)
    has_agent: bool = False
    forwarded: int = 0
    lines: str = ""
    separator: str = ""
    needs: tuple[str, ...] = ()
    agent_is: str = ""
    fields: dict[str, list[str]] = field(default_factory=dict, hash=False)


FORMATS: dict[str, LogFormat] = {entry["name"]: msgspec.convert(entry, LogFormat) for entry in _REGISTER["formats"]}
"""What is read, by name."""

UNREAD: tuple[tuple[str, str], ...] = tuple((entry["title"], entry["lines"]) for entry in _REGISTER["unread"])
"""What is known and not read: its title, and the expression by which a line of it is known."""


def digest() -> str:
    """Name all that the register says."""
    return hashlib.sha256(_TEXT.encode()).hexdigest()[:16]
