"""The dbt project as an input: what of it decides rows, and what only describes them."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import yaml

from etl.enrich import urls
from etl.lake.fingerprint import digest
from etl.settings import PROJECT, Settings
from etl.vocabulary import bot_rules

DBT_PROJECT = PROJECT / "dbt_project"
STATISTICS = PROJECT / "etl" / "statistics"
"""Called by Python models; read and not imported, since it would double the start-up of every command."""

DESCRIBING = frozenset({"description", "docs", "doc_blocks", "label"})
"""Keys of YAML that say nothing of rows."""
QUOTED = r"(?P<kept>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")"
COMMENT = re.compile(QUOTED + r"|--[^\n]*|/\*.*?\*/|\{#.*?#\}", re.DOTALL)
BLANKS = re.compile(QUOTED + r"|\s+", re.DOTALL)


@cache
def read_project() -> tuple[str, str]:
    """Name the project's state: what decides rows, and all that is written of it."""
    decisive: list[object] = []
    whole: list[object] = []
    for path in sorted([*DBT_PROJECT.rglob("*"), *STATISTICS.glob("*.py")]):
        if path.suffix not in {".sql", ".yml", ".csv", ".py"} or {"target", "logs"} & set(path.parts):
            continue
        name, text = path.relative_to(PROJECT).as_posix(), path.read_text()
        whole.append((name, text))
        # Where a model stands decides nothing of what it says, but for the folder that configures it.
        decisive.append((name, what_decides(path, text)))
    return digest(*decisive), digest(*whole)


def what_decides(path: Path, text: str) -> object:
    """Leave out of a file of the project what changes no row: descriptions, comments and the space around words."""
    if path.suffix == ".yml":
        return without_descriptions(yaml.load(text, Loader=yaml.CSafeLoader))
    if path.suffix == ".sql":
        for left_out in (COMMENT, BLANKS):
            text = left_out.sub(lambda found: found["kept"] or " ", text)
        return text.strip()
    return text


def without_descriptions(content: Any) -> Any:
    """Leave out of YAML the keys that only describe, and those that stand for nothing without them."""
    if isinstance(content, dict):
        return {key: without_descriptions(value) for key, value in sorted(content.items()) if key not in DESCRIBING}
    if isinstance(content, list):
        return [without_descriptions(item) for item in content]
    return content


def variables(settings: Settings) -> dict[str, Any]:
    """The settings that dbt's models use."""
    return {
        name: getattr(settings, name)
        for name in (
            "attribution_window_days", "time_decay_half_life_days", "position_first_share", "position_last_share",
            "stitch_days", "count_access", "reporting_currency",
            "reporting_timezone", "session_gap_minutes",
            "max_lateness_days", "bot_rules", "blocked_share_bound", "witness_days",
        )
    } | {
        "heartbeats": {app: found.model_dump() for app, found in settings.heartbeats.items()},
        "own_hosts": [urls.ascii_host(host.lower()) for host in settings.own_hosts],
        "bot_platforms": list(bot_rules.PLATFORMS), "bot_behaviour": bot_rules.behaviour(),
    }  # fmt: skip


def dbt_variables(settings: Settings) -> str:
    """Write the variables of dbt's models as JSON."""
    return orjson.dumps(variables(settings)).decode()
