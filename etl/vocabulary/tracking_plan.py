"""The tracking plan: which schemas there are and what their data holds, one TOML file a schema.

It decides what is validated, the columns of the typed views (`core.clicks`, …) and the page
`tracking-plan.md` that `make docs` makes. `custom.<name>` needs no entry: ad hoc messages are kept as they come.
"""

import hashlib
import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from etl.errors import BadUse

NAME = r"^[a-z][a-z0-9_]{0,62}$"
Kind = Literal["text", "integer", "decimal", "number", "boolean", "json"]

SQL_TYPES: dict[str, str] = {
    "text": "varchar", "integer": "bigint", "decimal": "decimal(18, 4)", "number": "double",
    "boolean": "boolean", "json": "json",
}  # fmt: skip

# What a value of each kind looks like as JSON text. Trackers write numbers as strings too.
PATTERNS: dict[str, str] = {
    "text": r'".*"',
    "integer": r'-?[0-9]{1,18}|"-?[0-9]{1,18}"',
    "decimal": r'-?[0-9]{1,12}(\.[0-9]+)?|"[+-]?[0-9]{1,12}(\.[0-9]+)?"',
    "number": r"-?[0-9].*",
    "boolean": r"true|false",
    "json": r".*",
}
WORDS: dict[str, str] = {
    "text": "a string", "integer": "a whole number", "decimal": "a decimal", "number": "a number",
    "boolean": "true or false", "json": "anything",
}  # fmt: skip


class DataField(BaseModel):
    """One key of a schema's `data`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Kind
    description: str = Field(min_length=1)
    required: bool = False
    unit: str | None = None
    since_version: int = Field(ge=1)


class Schema(BaseModel):
    """One schema of the plan; `view` names its typed view in the warehouse's schema `core`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_name: str = Field(alias="schema", pattern=NAME)
    description: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    since_version: int = Field(ge=1)
    consumers: tuple[str, ...] = ()
    view: str | None = Field(None, pattern=NAME)
    fields: dict[str, DataField] = {}

    def digest(self) -> str:
        """Name what decides about this schema's messages."""
        rules = sorted((name, field.type, field.required) for name, field in self.fields.items())
        return hashlib.sha256(repr(rules).encode()).hexdigest()[:16]


Plan = dict[str, Schema]


def load_plan(folder: Path) -> Plan:
    """Read the plan's files, by schema.

    Raises:
        BadUse: a file has no sense; the message names it and the key.
    """
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise BadUse(f"the tracking plan {folder} holds no schema", "Set `tracking_plan` to a folder of TOML files")
    return dict(_read(tuple((path, path.read_bytes()) for path in paths)))


@lru_cache(maxsize=8)
def _read(files: tuple[tuple[Path, bytes], ...]) -> Plan:
    plan: Plan = {}
    views: dict[str, str] = {}
    for path, content in files:
        try:
            schema = Schema.model_validate(tomllib.loads(content.decode()))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadUse(f"{path}: {error}", "It is one TOML file a schema") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise BadUse(
                f"{path}: {where}: {first['msg']}", "Compare it with the files of conf/tracking_plan"
            ) from error
        for name in schema.fields:
            if not re.fullmatch(NAME, name):
                raise BadUse(
                    f"{path}: the field {name!r} is no lower-case name",
                    "Compare it with the files of conf/tracking_plan",
                )
        if schema.schema_name in plan:
            raise BadUse(f"{path}: schema {schema.schema_name} is in another file too", "Keep one of them")
        if schema.view and schema.view in views:
            raise BadUse(f"{path}: view {schema.view} is {views[schema.view]}'s already", "Name another")
        plan[schema.schema_name] = schema
        if schema.view:
            views[schema.view] = schema.schema_name
    return plan


def digests(plan: Plan, schemas: Iterable[str]) -> dict[str, str]:
    """Name what the plan says of each schema; '' of those it does not know."""
    return {name: plan[name].digest() if name in plan else "" for name in sorted(schemas)}


def select_typed(schema: Schema, events: str) -> str:
    """Say a schema's typed view in SQL: its events' own columns, and each field of the data as a column.

    Args:
        events: the relation with the columns of `core.events`.
    """
    columns = "".join(
        f", try_cast(data ->> '$.{name}' as {SQL_TYPES[field.type]}) as {name}"
        if field.type != "json"
        else f", data -> '$.{name}' as {name}"
        for name, field in schema.fields.items()
    )
    return (
        "select event_id, event_at, session_id, visitor_id, user_id, app_id, platform, page_id, url_path, country,"
        f" is_bot, is_excluded{columns}, event_date from {events} where schema = '{schema.schema_name}'"
    )


def describe(plan: Plan) -> str:
    """Write the plan as a page of Markdown."""
    parts = [PREFACE.strip()]
    for name, schema in plan.items():
        facts = [f"Owner: {schema.owner}", f"since version {schema.since_version}"]
        facts += [f"columns in `core.{schema.view}`"] if schema.view else []
        facts += ["read by " + ", ".join(f"`{consumer}`" for consumer in schema.consumers)] if schema.consumers else []
        parts.append(f"## `{name}`\n\n{schema.description}\n\n{'; '.join(facts)}.")
        if schema.fields:
            head = ["| field | type | required | unit | since | what |", "|---|---|---|---|---|---|"]
            parts.append("\n".join([*head, *_rows(schema)]))
    return "\n\n".join(parts) + "\n"


def _rows(schema: Schema) -> Sequence[str]:
    return [
        f"| `{name}` | {field.type} | {'yes' if field.required else ''} | {field.unit or ''} | {field.since_version} |"
        f" {field.description} |"
        for name, field in schema.fields.items()
    ]


PREFACE = """
# Tracking plan

<!-- Made by `make docs` from conf/tracking_plan/*.toml: edit those. -->

What trackers send and what each field means. A message of a schema that is not here is quarantined as
`unknown_schema`, unless it is named `custom.<name>`: those are kept as they come, never validated, and
queried as JSON in `core.events.data`. A required field that is absent, null or empty is a `missing_key`,
one of another type a `malformed_key`. Keys that the plan does not name are kept.

To add a schema or a field, add or edit its file in `conf/tracking_plan/` and run the pipeline: files
with messages that the change concerns are parsed again, others are not.
"""
