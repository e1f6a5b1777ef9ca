"""The register of other trackers' exports, read once from `tracker_exports.toml`: data, for parsing and checking."""

import hashlib

import msgspec

from etl.vocabulary.registers import read_register, register


class TrackerExport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An export that is read; the register says what its attributes mean."""

    name: str
    title: str
    needs: list[str]
    event: list[str]
    created: list[str]
    visitor: list[str]
    url: list[str]
    data: str
    platform: list[str]
    platforms: list[tuple[str, str]]
    schemas: dict[str, str]
    order: dict[str, list[str]]
    parameters: str = ""
    id: list[str] = []
    id_of: list[str] = []
    app_id: list[str] = []
    received: list[str] = []
    sent: list[str] = []
    user: list[str] = []
    locale: list[str] = []
    ip: list[str] = []
    agent: list[str] = []
    referrer: list[str] = []


class UnreadExport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An export that is known and not read."""

    title: str
    needs: list[str]


class Register(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that the register says."""

    exports: list[TrackerExport]
    unread: list[UnreadExport]


_TEXT, _REGISTER = read_register(register("tracker_exports.toml"), Register)

EXPORTS: dict[str, TrackerExport] = {entry.name: entry for entry in _REGISTER.exports}
"""What is read, by name."""

UNREAD: list[UnreadExport] = _REGISTER.unread
"""What is known and not read."""


def digest() -> str:
    """Name all that the register says."""
    return hashlib.sha256(_TEXT.encode()).hexdigest()[:16]
