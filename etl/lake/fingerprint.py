"""Fingerprints: the one answer to what makes a thing stale.

A unit of a stage holds as long as the fingerprint it was made under is the one it would be made under now.
`data` names all that decides a row: the stage's version, the settings it reads, the versions of what reads
lines, and the identities of its inputs. `description` names what only describes rows: a change of it makes no
row again, and no figure is restated for it.
"""

import hashlib

import msgspec


class Fingerprint(msgspec.Struct, frozen=True):
    """What a unit was made of, and how it is described."""

    data: str
    description: str = ""


def digest(*parts: object) -> str:
    """Name a combination of values: 64 bits of SHA-256 over their representations.

    Values must represent themselves in the same way in every process: sort sets and dictionaries first.
    """
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
