"""What each number means, in the words of the dbt project: one definition, read where it is written."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

MODELS = Path(__file__).resolve().parents[3] / "dbt_project" / "models"
SCHEMAS = ("core", "traffic", "marketing", "executive", "product", "quality", "metrics")


@lru_cache
def described() -> dict[str, dict[str, Any]]:
    """Read all marts: schema.table → `description`, and `columns`, name → `description` and `data_type`."""
    found: dict[str, dict[str, Any]] = {}
    for schema in SCHEMAS:
        for path in sorted((MODELS / schema).rglob("_*.yml")):
            for model in (yaml.load(path.read_text(), Loader=yaml.CSafeLoader) or {}).get("models", []):
                if model["name"].startswith("int_"):
                    continue
                found[f"{schema}.{model['name']}"] = {
                    "description": in_one_line(model.get("description", "")),
                    "columns": {
                        column["name"]: {
                            "description": in_one_line(column.get("description", "")),
                            "data_type": column.get("data_type", ""),
                        }
                        for column in model.get("columns", [])
                    },
                }
    return found


def dictionary() -> str:
    """Write all marts and their columns as a page of Markdown."""
    parts = [
        "# Columns of the marts",
        "",
        "Made of the dbt project by `make docs`; edit the descriptions there, in `dbt_project/models`.",
    ]
    for table, model in described().items():
        parts += ["", f"## {table}", "", model["description"], "", "| column | type | meaning |", "|---|---|---|"]
        parts += [
            f"| `{name}` | {column['data_type']} | {column['description'].replace('|', chr(92) + '|')} |"
            for name, column in model["columns"].items()
        ]
    return "\n".join(parts) + "\n"


def in_one_line(text: str) -> str:
    """Undo the line breaks of YAML."""
    return " ".join(str(text).split())


def look_up(places: Iterable[str]) -> dict[str, dict[str, str]]:
    """Find the definitions of schema.table.column places.

    Raises:
        KeyError: a place that dbt does not describe: the page must not link to nothing.
    """
    found = {}
    for place in sorted(set(places) - {""}):
        table, _, column = place.rpartition(".")
        model = described()[table]
        found[place] = {"table": model["description"], "text": model["columns"][column]["description"]}
    return found
