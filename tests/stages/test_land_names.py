"""A name that holds something else: both contents count, and somebody is told, unless the former log has moved."""

from collections.abc import Callable

import pytest
from builders import House, each, events

from etl import pipeline
from etl.lake.catalogue import Lake
from etl.lake.landed import landings
from etl.stages.build.ledger import left_behind

NAME, MOVED = "events/a.jsonl", "events/a.jsonl.1"
FORMER, MORE = each(events("10:00 /a", visitor="former")), each(events("11:00 /a", visitor="more"))
NEW = each(events("12:00 /a", visitor="new"))


def overwrite(house: House) -> None:
    house.put(NAME, NEW)


def rotate(house: House) -> None:
    house.put(MOVED, FORMER)
    house.put(NAME, NEW)


def rotate_after_it_grew(house: House) -> None:
    house.put(MOVED, FORMER + MORE)
    house.put(NAME, NEW)


def copy_first(house: House) -> None:
    house.put("events/copy.jsonl", FORMER)
    pipeline.land(house.settings)
    house.put(NAME, NEW)


def grow(house: House) -> None:
    house.put(NAME, FORMER + MORE)


@pytest.mark.parametrize(
    ("way", "told"),
    [(overwrite, {NAME}), (rotate, set()), (rotate_after_it_grew, set()), (copy_first, set()), (grow, set())],
)
def test_a_name_that_is_used_again_is_told_unless_the_log_moved(
    house: House, way: Callable[[House], None], told: set[str]
) -> None:
    house.put(NAME, FORMER)
    pipeline.land(house.settings)
    way(house)
    pipeline.land(house.settings)
    found = landings(Lake(house.settings))
    behind = left_behind(found)
    assert {one.source_file for one in found for content in one.contents if content.file_id in behind} == told
