"""The compiled plan: what dbt would run, in its order, compiled once and kept for every home.

dbt is the project's definition; to import it, read the project and walk its nodes takes longer than most days' SQL. So
dbt compiles the project when its text, the versions or the lists that its models use have changed, and what it
compiled is kept in the user's cache, named by these. A setting that is one value stands in what is kept as a mark, and
is put in when the plan is read; the days to build are not there at all: the SQL asks for a variable.
"""

import os
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import msgspec
from filelock import FileLock

from etl.lake import files, kept
from etl.lake.fingerprint import digest
from etl.stages.build.project import DBT_PROJECT, read_project

PLAN_VERSION = 4
READERS = ("dbt-core", "dbt-duckdb", "duckdb")
MARK = re.compile("⟦([a-z_]+)⟧")
"""Where a setting's value goes in SQL that dbt compiled: a number, or the inside of a quoted text."""


class Node(msgspec.Struct, frozen=True, omit_defaults=True):
    """A seed, model or test.

    `name` is dbt's, once in a project; `told` is what people are told of it, where that is another name. `needs` names
    what it is not run without: the models that it reads, and the tests of all that lies behind it. `columns` are those
    of its contract, name and DuckDB's type, or a seed's. `built_by` is the column of the day of a model built by the
    day; `sealed_by` that of a model of which rows are kept when events go; `attached` the relation that a test is
    about; `accepted` the values that a test of rows allows, by column.
    """

    name: str
    kind: Literal["seed", "view", "table", "days", "python", "test"]
    file: str
    needs: list[str]
    relation: str = ""
    sql: str = ""
    columns: list[tuple[str, str]] = []
    built_by: str = ""
    sealed_by: str = ""
    told: str = ""
    attached: str = ""
    accepted: dict[str, list[str]] | None = None


class Plan(msgspec.Struct, frozen=True):
    """Every seed, model and test in an order in which each follows what it needs; and the metrics' definitions."""

    nodes: list[Node]
    definitions: str


def plans_folder(spare: Path) -> Path:
    """Name the folder of plans: in the user's cache, or `spare` where the user has none that is theirs alone."""
    folder = kept.cache_folder("plans")
    if folder is None:
        files.make_folder(spare, 0o700)
    return folder or spare


def marked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Say by a mark where each value goes that is a number or a text; lists and mappings decide what is written."""
    return {name: f"⟦{name}⟧" if isinstance(value, int | float | str) else value for name, value in values.items()}


def put_in(plan: Plan, values: Mapping[str, Any]) -> Plan:
    """Write the settings' values where a plan has their marks."""
    said = {name: str(value).replace("'", "''") for name, value in values.items()}

    def written(node: Node) -> Node:
        return msgspec.structs.replace(node, sql=MARK.sub(lambda found: said[found[1]], node.sql))

    return Plan([written(node) if "⟦" in node.sql else node for node in plan.nodes], plan.definitions)


def plan_key(values: Mapping[str, Any]) -> str:
    """Name the plan that holds now, by all that decides it."""
    _, whole = read_project()
    return digest(PLAN_VERSION, whole, [version(name) for name in READERS], sorted(marked(values).items()))


def read_plan(values: Mapping[str, Any], spare: Path) -> Plan:
    """Read the plan of the project as it stands; dbt compiles it when it is not there.

    Args:
        values: of the variables of dbt's models, but for the days.
        spare: the folder of plans of a user without a cache.

    Raises:
        BuildFailed: dbt cannot compile the project.
    """
    folder = plans_folder(spare)
    path = folder / f"{plan_key(values)}.json"
    if (known := load(path)) is not None:
        return put_in(known, values)
    # Two who want the same plan at once: the second finds what the first has made.
    with FileLock(folder / ".lock"):
        if (known := load(path)) is not None:
            return put_in(known, values)
        from etl.stages.build.dbt import compile_plan  # noqa: PLC0415  (dbt is slow to import)

        # dbt remembers where the project lies: what it knows of one checkout is of no use to another.
        plan = compile_plan(marked(values), folder / "dbt" / digest(str(DBT_PROJECT)))
        files.write_bytes(path, msgspec.json.encode(plan))
        kept.forget_oldest(folder, "*.json")
    return put_in(plan, values)


def load(path: Path) -> Plan | None:
    """Read a plan that was kept; None when there is none that can be read."""
    try:
        plan = msgspec.json.decode(path.read_bytes(), type=Plan)
        os.utime(path)
    except (OSError, msgspec.DecodeError):
        return None
    return plan
