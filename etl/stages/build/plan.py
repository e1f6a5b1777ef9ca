"""The compiled plan: what dbt would run, in its order, compiled once and kept for every home.

dbt is the project's definition; to import it, read the project and walk its nodes takes longer than most days' SQL. So
dbt compiles the project when its text, the versions or the settings that its models use have changed, and what it
compiled is kept in the user's cache, named by these. The days to build are not among them: the SQL asks for a variable.
"""

import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import msgspec
from filelock import FileLock

from etl.lake import files, kept
from etl.lake.fingerprint import digest
from etl.stages.build.project import DBT_PROJECT, read_project

PLAN_VERSION = 2
READERS = ("dbt-core", "dbt-duckdb", "duckdb")


class Node(msgspec.Struct, frozen=True, omit_defaults=True):
    """A seed, model or test.

    `name` is dbt's, once in a project; `told` is what people are told of it, where that is another name. `needs` names
    what it is not run without: the models that it reads, and the tests of all that lies behind it. `columns` are those
    of its contract, name and DuckDB's type, or a seed's. `built_by` is the column of the day of a model built by the
    day; `attached` the relation that a test is about; `accepted` the values that a test of rows allows, by column.
    """

    name: str
    kind: Literal["seed", "view", "table", "days", "python", "test"]
    file: str
    needs: list[str]
    relation: str = ""
    sql: str = ""
    columns: list[tuple[str, str]] = []
    built_by: str = ""
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


def plan_key(values: Mapping[str, Any]) -> str:
    """Name the plan that holds now, by all that decides it."""
    _, whole = read_project()
    return digest(PLAN_VERSION, whole, [version(name) for name in READERS], sorted(values.items()))


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
        return known
    # Two who want the same plan at once: the second finds what the first has made.
    with FileLock(folder / ".lock"):
        if (known := load(path)) is not None:
            return known
        from etl.stages.build.dbt import compile_plan  # noqa: PLC0415  (dbt is slow to import)

        # dbt remembers where the project lies: what it knows of one checkout is of no use to another.
        plan = compile_plan(values, folder / "dbt" / digest(str(DBT_PROJECT)))
        files.write_bytes(path, msgspec.json.encode(plan))
        kept.forget_oldest(folder, "*.json")
    return plan


def load(path: Path) -> Plan | None:
    """Read a plan that was kept; None when there is none that can be read."""
    try:
        plan = msgspec.json.decode(path.read_bytes(), type=Plan)
        os.utime(path)
    except (OSError, msgspec.DecodeError):
        return None
    return plan
