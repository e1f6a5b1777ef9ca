"""Spend exports: how an ad platform's columns are ours, as people set it and as the register of platforms knows it.

The register is data (`conf/ad_platforms.toml`): an export whose header is unmistakable needs no setting.
"""

import tomllib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from etl.errors import BadUse

SpendColumn = Literal[
    "date", "until", "source", "medium", "campaign", "impressions", "clicks", "cost", "cost_micros", "currency"
]
Span = Literal["day", "week", "month"]

Titles = Annotated[list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]
"""A column's title, or the titles that it may have."""


class SpendExport(BaseModel):
    """An ad platform's own export: how its columns are ours."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: str = "*"
    header: list[Titles] = []
    columns: dict[SpendColumn, Titles] = {}
    values: dict[SpendColumn, str] = {}
    campaigns: dict[str, str] = {}
    decimal: Literal[".", ","] | None = None
    date_format: str | None = None
    covers: Span | None = None


class AdPlatform(SpendExport):
    """An entry of the register.

    Attributes:
        says: what stands in one of the lines before its header, where the header alone is not unmistakable.
        day_first: how it writes 03/01/2026, where a file's own rows do not tell.
        totals_lack: columns that are empty in a row of totals and in no other.
    """

    name: str = Field(min_length=1)
    says: str | None = None
    day_first: bool | None = None
    totals_lack: list[SpendColumn] = []


class AdPlatforms(BaseModel):
    """The register: platforms, and the words with which rows of totals begin."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    totals: list[str] = []
    platform: list[AdPlatform] = []


def column_name(title: str) -> str:
    """Bring a column's title to one spelling: "Cost Micros" is cost_micros."""
    return "_".join(title.strip("\ufeff\0 ").lower().split())


def first_title(titles: Iterable[str], names: Iterable[str]) -> str | None:
    """Find the first of a column's titles among a header's names."""
    there = set(names)
    return next((name for name in map(column_name, titles) if name in there), None)


def load_platforms(path: Path) -> AdPlatforms:
    """Read the register.

    Raises:
        BadUse: it is not there, or something in it has no sense; the message names it.
    """
    try:
        return read_platforms(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadUse(f"{path} cannot be read: {error.strerror}", "See the setting ad_platforms") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise BadUse(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}", "See docs/spend.md") from error
    except ValueError as error:
        raise BadUse(f"{path}: {error}", "See docs/spend.md") from error


@lru_cache(maxsize=4)
def read_platforms(text: str) -> AdPlatforms:
    """Read the register's text: once, for thousands of files."""
    return AdPlatforms.model_validate(tomllib.loads(text))
