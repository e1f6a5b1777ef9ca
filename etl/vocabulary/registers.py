"""Registers of `conf/` that are read once, when first asked for: each whole, or a sentence that says what is wrong."""

import tomllib
from pathlib import Path
from typing import TypeVar

import msgspec

from etl.errors import BadUse

Shape = TypeVar("Shape")


def read_register(path: Path, shape: type[Shape]) -> tuple[str, Shape]:
    """Read a register: its text, and what it says.

    Args:
        shape: what it must be like; a key that nobody reads was meant to say something, and is refused.

    Raises:
        BadUse: it is missing, no TOML, or not so.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return text, msgspec.convert(tomllib.loads(text), shape)
    except OSError as error:
        raise BadUse(f"{path} cannot be read: {error.strerror or error}", "It is part of the project") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadUse(f"{path} is not TOML: {error}", "Its own comments say what it takes") from error
    except msgspec.ValidationError as error:
        raise BadUse(f"{path}: {error}", "Its own comments say what it takes") from error


def register(name: str) -> Path:
    """Name a register of the project by its file."""
    return Path(__file__).parents[2].joinpath("conf", name)
