"""The register of access logs' formats, read once from `log_formats.toml`: data, for landing, parsing and checking."""

import hashlib

import msgspec

from etl.vocabulary.registers import read_register, register


class LogFormat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
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
    fields: dict[str, list[str]] = {}

    def __hash__(self) -> int:
        return hash(self.name)


class Unread(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A format that is known and not read."""

    title: str
    lines: str


class Register(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that the register says."""

    formats: list[LogFormat]
    unread: list[Unread]


_TEXT, _REGISTER = read_register(register("log_formats.toml"), Register)

FORMATS: dict[str, LogFormat] = {entry.name: entry for entry in _REGISTER.formats}
"""What is read, by name."""

UNREAD: tuple[tuple[str, str], ...] = tuple((entry.title, entry.lines) for entry in _REGISTER.unread)
"""What is known and not read: its title, and the expression by which a line of it is known."""


def digest() -> str:
    """Name all that the register says."""
    return hashlib.sha256(_TEXT.encode()).hexdigest()[:16]
