"""What a stage makes of a fixed day changes with its version, or not at all: a lake of both would be of neither."""

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from builders import House

from etl import pipeline
from etl.lake import sql
from etl.lake.catalogue import Lake
from etl.lake.datasets import DATASETS
from etl.settings import PROJECT
from etl.stages.deduplicate.stage import DEDUPLICATION_VERSION
from etl.stages.exclusions.stage import EXCLUSIONS_VERSION
from etl.stages.fast_views.stage import FAST_VIEWS_VERSION
from etl.stages.parse.stage import PARSER_VERSION
from etl.stages.sessionize.stage import SESSIONIZER_VERSION
from etl.stages.spend.stage import SPEND_VERSION

DAY = PROJECT / "tests" / "data" / "day"
VERSIONS = {
    "parse": PARSER_VERSION, "spend": SPEND_VERSION, "exclusions": EXCLUSIONS_VERSION,
    "deduplicate": DEDUPLICATION_VERSION, "fast_views": FAST_VIEWS_VERSION, "sessionize": SESSIONIZER_VERSION,
}  # fmt: skip
# A key of a message's text by the engine's own hash: equal for equal texts, and compared with nothing else.
LEFT_OUT = {"messages": {"content_key"}}


def outputs(house: House) -> dict[str, dict[str, Any]]:
    """Name, by stage, its version and the rows that it makes of each of its datasets."""
    lake = Lake(house.settings)
    found = {}
    for stage in (stage for stages in pipeline.makers().values() for stage in stages if stage.name in VERSIONS):
        datasets = {
            dataset: rows_of(lake, dataset, lake.files(part for _, part in stage.parts(lake, dataset)))
            for dataset in stage.gives
        }
        found[stage.name] = {"version": VERSIONS[stage.name], **datasets}
    return found


def rows_of(lake: Lake, dataset: str, files: list[Path]) -> str:
    """Name a dataset's rows, in whatever order and files they are."""
    partition = DATASETS[dataset].partition
    left_out = LEFT_OUT.get(dataset, set()) | ({partition} if partition else set())
    columns = ", ".join(sql.name(name) for name in DATASETS[dataset].columns.names if name not in left_out)
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        count, total = con.execute(
            "select count(*), coalesce(sum(md5_number_lower(cast(to_json(rows) as varchar))), 0)"
            f" from (select {columns} from {sql.scan(files, lake.empty(dataset))}) as rows"
        ).fetchall()[0]
    return f"{count} rows, {total:x}"


def changed_without_saying(before: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]) -> list[str]:
    """Name the datasets that differ though their stage's version does not."""
    return [
        f"{stage}: {dataset}"
        for stage, found in now.items()
        for dataset, rows in found.items()
        if found["version"] == before.get(stage, {}).get("version") and rows != before[stage].get(dataset)
    ]


def test_what_a_stage_makes_changes_with_its_version_alone(house: House, request: pytest.FixtureRequest) -> None:
    shutil.copytree(DAY / "inbox", house.settings.inbox)
    house.digest()
    now = outputs(house)
    path = DAY / "outputs.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    if request.config.getoption("--accept-outputs"):
        assert changed_without_saying(before, now) == [], "raise the version of these stages first"
        path.write_text(json.dumps(now, indent=2) + "\n")
        return
    assert changed_without_saying(before, now) == [], "raise the stage's version: lakes hold rows of the old meaning"
    assert before == now, "a version was raised: look at the rows, then accept them by pytest --accept-outputs"


def test_a_change_that_no_version_tells_is_found() -> None:
    before = {"parse": {"version": 1, "messages": "2 rows, ab"}, "spend": {"version": 1, "spend": "1 rows, cd"}}
    now = {"parse": {"version": 1, "messages": "2 rows, ac"}, "spend": {"version": 2, "spend": "9 rows, ef"}}
    assert changed_without_saying(before, now) == ["parse: messages"]
