"""Errors a person reads: what happened, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class BloodhoundError(Exception):
    """Something a person can act on.

    Args:
        message: what happened and where, in one line.
        hint: what to do about it, in one line.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message


class BadUse(BloodhoundError):
    """A command was given something it cannot work with (exit 2)."""

    exit_code = 2


class Locked(BloodhoundError):
    """Another run is writing to the same home."""


class OutOfSpace(BloodhoundError):
    """The disk is full."""


class Damaged(BloodhoundError):
    """A file of the home is not what was written."""


class BuildFailed(BloodhoundError):
    """A dbt model or test failed; the published warehouse stays as it was.

    Args:
        failed: the models and tests.
    """

    def __init__(self, message: str, hint: str = "", failed: Sequence["FailedNode"] = ()) -> None:
        super().__init__(message, hint)
        self.failed = tuple(failed)


@dataclass(frozen=True)
class FailedNode:
    """A dbt model or test that failed.

    Args:
        reason: what dbt said of it, in one line.
        rows: how many broke a test; 0 when it did not run to its end.
        kept: file of those rows, the first of them if they are many.
    """

    name: str
    reason: str
    rows: int = 0
    kept: Path | None = None


class CheckFailed(BloodhoundError):
    """A quality check is in error."""
