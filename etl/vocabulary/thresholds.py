"""The checks and their thresholds: the registry of what is checked, what people expect, handed to dbt as rows.

The registry is `conf/thresholds.toml`: a section there and a query in dbt are all that a check is. A mistake in the
file is said at once with the place it stands at; nothing is judged by a threshold that was misspelt.
"""

import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Literal, TypeVar

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from etl.errors import BadUse
from etl.vocabulary.columns import THRESHOLDS
from etl.vocabulary.registers import read_register, register

_PATH = register("thresholds.toml")
_, SHIPPED = read_register(_PATH, dict[str, dict[str, Any]])
"""Each check's section as the project brings it."""


class Check(BaseModel):
    """What a check is, whoever sets its threshold."""

    model_config = ConfigDict(frozen=True)

    subject: str
    unit: str
    kind: Literal["share", "count"]
    if_unknown: str = "Nothing came that could be judged"
    if_nothing: str


def read_checks(sections: dict[str, dict[str, Any]]) -> dict[str, Check]:
    """Read what each check is.

    Raises:
        BadUse: there is none, or a section says something else.
    """
    if not sections:
        raise BadUse(f"{_PATH} holds no check", "Put it back: it is part of the project")
    try:
        return {name: Check(**section) for name, section in sections.items()}
    except ValidationError as error:
        wrong = error.errors()[0]
        (section,) = [name for name, found in sections.items() if found == wrong["input"]][:1] or ["a section"]
        raise BadUse(
            f"{_PATH}: [{section}] lacks {'.'.join(map(str, wrong['loc']))}", "Is its name that of a check?"
        ) from error


CHECKS = read_checks(SHIPPED)


class Fixed(BaseModel):
    """Who looks after a check of the books, and what they do first; whatever does not add up is wrong."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    owner: str = Field(min_length=1)
    hint: str = Field(min_length=1)


Kind = TypeVar("Kind", bound=Fixed)


class Threshold(Fixed):
    """What one check expects, and who looks after it."""

    warn: float = Field(ge=0, allow_inf_nan=False)
    error: float = Field(ge=0, allow_inf_nan=False)
    plain_from: int = Field(1000, ge=1)
    least: int = Field(5, ge=1)

    @model_validator(mode="after")
    def check_order(self) -> "Threshold":
        """An error below the warning would never have warned."""
        if self.error < self.warn:
            raise ValueError(f"error ({self.error:g}) is below warn ({self.warn:g})")
        return self


class Narrowed(Threshold):
    """A threshold of some app, platform or days alone."""

    app_id: str | None = Field(None, min_length=1)
    platform: str | None = Field(None, min_length=1)
    since: date | None = Field(None, alias="from")
    until: date | None = None

    @model_validator(mode="after")
    def check_scope(self) -> "Narrowed":
        """It must say what it narrows to, and its days must follow each other."""
        if not (self.app_id or self.platform or self.since or self.until):
            raise ValueError("an `only` names an app_id, a platform, from or until")
        if self.since and self.until and self.until <= self.since:
            raise ValueError(f"until ({self.until}) is not after from ({self.since})")
        return self


def read_thresholds(path: Path) -> pa.Table:
    """Read the file as rows, the narrowest first (columns of `THRESHOLDS`); checks that it leaves out are as shipped.

    Raises:
        BadUse: the file is missing or says something that has no sense; the message names the place.
    """
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise BadUse(f"there is no thresholds file at {path}", "Set `thresholds` to its place") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadUse(f"{path.name} is not TOML: {error}", "See docs/reconciliation.md") from error
    rows = [row for check in CHECKS for row in rows_of(path, check, content.pop(check, SHIPPED[check]))]
    rows = [row | {"precedence": number} for number, row in enumerate(rows)]
    if content:
        unknown = next(iter(content))
        raise BadUse(f"{path.name}: there is no check {unknown}", f"There are {', '.join(CHECKS)}")
    return pa.Table.from_pylist(rows, schema=THRESHOLDS)


def rows_of(path: Path, check: str, section: Any) -> Iterator[dict[str, Any]]:
    """Make the rows of one check, the narrowest first."""
    if not isinstance(section, dict):
        raise BadUse(f"{path.name}: {check} is no section", f"Write [{check}] with owner, hint and its thresholds")
    for name in Check.model_fields.keys() & section.keys():
        if section[name] != SHIPPED[check].get(name):
            raise BadUse(f"{path.name}: {check}: {name} is not for setting", "Leave it out")
    general = {key: value for key, value in section.items() if key not in {*Check.model_fields, "only"}}
    about = {"check_name": check} | CHECKS[check].model_dump()
    if "warn" not in SHIPPED[check]:
        if "only" in section:
            raise BadUse(f"{path.name}: {check}.only: it has no threshold to narrow", "See docs/reconciliation.md")
        yield about | checked(path, check, Fixed, general).model_dump()
        return
    narrower = section.get("only", [])
    if not (isinstance(narrower, list) and all(isinstance(item, dict) for item in narrower)):
        raise BadUse(f"{path.name}: {check}.only is not a list", f"Write [[{check}.only]]")
    found = [
        checked(path, f"{check}.only {number}", Narrowed, general | item) for number, item in enumerate(narrower, 1)
    ]
    for threshold in [*sorted(found, key=narrowness), checked(path, check, Threshold, general)]:
        if CHECKS[check].kind == "share" and threshold.error > 1:
            raise BadUse(
                f"{path.name}: {check}: error is a share, not {threshold.error:g}", "Give a number from 0 to 1"
            )
        yield about | threshold.model_dump()


def narrowness(threshold: Any) -> tuple[bool, bool, bool]:
    """Sort by days, then app and platform, then app, then platform; of equals the first in the file counts."""
    has_days = threshold.since is not None or threshold.until is not None
    return not has_days, threshold.app_id is None, threshold.platform is None


def checked(path: Path, place: str, kind: type[Kind], values: dict[str, Any]) -> Kind:
    """Make a threshold of what a section says.

    Raises:
        BadUse: a value is missing, unknown or has no sense.
    """
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise BadUse(
            f"{path.name}: {place}: {f'{name}: ' if name else ''}{reason}", "See docs/reconciliation.md"
        ) from error
