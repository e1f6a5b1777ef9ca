"""Click ids: the parameters that ad platforms add to links, read once from the seed that says whose they are."""

import csv
from pathlib import Path

_SEED = Path(__file__).parents[2] / "dbt_project" / "seeds" / "click_ids.csv"

with _SEED.open(encoding="utf-8", newline="") as _file:
    NAMES = tuple(row["click_id"] for row in sorted(csv.DictReader(_file), key=lambda row: int(row["precedence"])))
"""What is looked for in URLs, in the order in which they count; what they mean is decided in the marts alone."""
