"""The tracking plan: read with care, shown as a page, and the reason why a batch is parsed again."""

import re
import tomllib
from pathlib import Path

import duckdb
import pytest
from builders import House, event

from etl import pipeline
from etl.errors import BadUse
from etl.settings import PROJECT
from etl.vocabulary import tracking_plan as plan

SHIPPED = PROJECT / "conf" / "tracking_plan"
VIDEO = """
schema = "video_play"
description = "Somebody played a video."
owner = "product"
since_version = 3
view = "video_plays"

[fields.title]
type = "text"
required = true
description = "Title of the video."
since_version = 3

[fields.seconds]
type = "number"
description = "How long."
since_version = 3
"""


def plan_with(tmp_path: Path, **files: str) -> Path:
    """Copy the shipped plan and add files to it."""
    folder = tmp_path / "plan"
    folder.mkdir()
    for path in SHIPPED.glob("*.toml"):
        (folder / path.name).write_bytes(path.read_bytes())
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text)
    return folder


def test_page_says_what_every_schema_and_field_means() -> None:
    page = plan.describe(plan.load_plan(SHIPPED))
    sections = {part.partition("`")[0]: part for part in page.split("\n## `")[1:]}
    schemas = {path.stem: tomllib.loads(path.read_text()) for path in SHIPPED.glob("*.toml")}
    assert sections.keys() == {schema["schema"] for schema in schemas.values()}
    for schema in schemas.values():
        section = sections[schema["schema"]]
        assert " ".join(schema["description"].split()) in " ".join(section.split())
        for name, field in schema.get("fields", {}).items():
            assert re.search(rf"^\| `{name}` \| .* \| {re.escape(field['description'])} \|$", section, re.M), name


def test_core_schemas_are_all_there() -> None:
    assert set(plan.load_plan(SHIPPED)) == {
        "page_view", "refund", "impression", "click", "experiment_exposure", "order", "feature_use", "email_open",
    }  # fmt: skip


BROKEN = {
    "no TOML": ("schema = ", "Invalid value"),
    "no owner": (VIDEO.replace('owner = "product"', ""), "owner: Field required"),
    "an unknown type": (VIDEO.replace('"number"', '"money"'), "fields.seconds.type"),
    "a key that means nothing": (VIDEO + "\n[extra]\n", "Extra inputs are not permitted"),
    "a name that is no name": (VIDEO.replace('"video_play"', '"Video Play"'), "schema: String should match"),
    "a field that is no name": (VIDEO.replace("fields.title", 'fields."t\'; drop"'), "is no lower-case name"),
    "a schema twice": (VIDEO.replace('"video_play"', '"click"'), "schema click is in another file too"),
    "a view twice": (VIDEO.replace('"video_plays"', '"clicks"'), "view clicks is click's already"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_file_is_named(name: str, tmp_path: Path) -> None:
    text, said = BROKEN[name]
    with pytest.raises(BadUse) as error:
        plan.load_plan(plan_with(tmp_path, zzz=text))
    assert "zzz.toml" in str(error.value) and said in str(error.value)


def test_empty_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadUse, match="holds no schema"):
        plan.load_plan(tmp_path)


def test_typed_view_has_fields_as_columns() -> None:
    with duckdb.connect() as con:
        con.execute(
            """
            create table events as
            select
                'e' as event_id, now() as event_at, 's' as session_id, 'v' as visitor_id, null as user_id,
                'a' as app_id, 'ios' as platform, 'p' as page_id, '/' as url_path, 'US' as country, false as is_bot,
                false as is_excluded, data::json as data, current_date as event_date, schema
            from (values
                ('order', '{"order_id":"o1","revenue":"19.90","currency":"USD","quantity":2}'),
                ('order', '{"order_id":"o2","revenue":"-3"}'), ('click', '{"click_id":"c"}')
            ) as sent(schema, data)
            """
        )
        order = plan.load_plan(SHIPPED)["order"]
        typed = con.sql(plan.select_typed(order, "events")).select("order_id", "revenue", "quantity").order("order_id")
        assert [(row[0], str(row[1]), row[2]) for row in typed.fetchall()] == [
            ("o1", "19.9000", 2), ("o2", "-3.0000", None),
        ]  # fmt: skip


def test_new_schema_lets_its_messages_through_and_touches_no_other_file(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.take(event("10:00 video_play", 0, "a", data={"title": "x"}), name="events/video.jsonl")
    # Digested later, so that the two files are two batches.
    house.take(event("10:00 /", 0, "b"), name="events/page.jsonl")
    assert house.reasons() == [("unknown_schema", "no schema is named 'video_play'")]
    house.keys["tracking_plan"] = plan_with(tmp_path, video=VIDEO)
    assert pipeline.parse(house.settings)["files"] == 1
    pipeline.sessionize(house.settings)
    assert [row["schema"] for row in house.events()] == ["video_play", "page_view"]
    assert house.reasons() == []
    assert pipeline.parse(house.settings)["files"] == 0


def test_required_field_quarantines_what_lacks_it(tmp_path: Path) -> None:
    house = House(tmp_path, {"tracking_plan": plan_with(tmp_path, video=VIDEO)})
    house.take(
        event("10:00 video_play", 0, data={"title": ""}), event("10:01 video_play", 1, data={"title": 5}),
        event("10:02 video_play", 2, data={"title": "x", "seconds": "long"}), event("10:03 video_play", 3),
        event("10:04 video_play", 4, data={"title": "x", "seconds": 1.5, "more": [1]}),
    )  # fmt: skip
    assert house.reasons() == [
        ("missing_key", "data.title is missing"),
        ("malformed_key", "data.title is a number, not a string: '5'"),
        ("malformed_key", "data.seconds is a string, not a number: 'long'"),
        ("missing_key", "data.title is missing"),
    ]


def test_replay_mends_once(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.take(event("10:00 video_play", 0, data={"title": "x"}), event("10:01 /", 1))
    assert pipeline.replay(house.settings, reasons=["unknown_schema"]) == {"files": 1, "quarantined": 1, "mended": 0}
    house.keys["tracking_plan"] = plan_with(tmp_path, video=VIDEO)
    assert pipeline.replay(house.settings) == {"files": 1, "quarantined": 1, "mended": 1}
    pipeline.sessionize(house.settings)
    assert [row["schema"] for row in house.events()] == ["video_play", "page_view"]
    assert pipeline.replay(house.settings) == {"files": 0, "quarantined": 0, "mended": 0}


def test_replay_of_no_reason_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadUse, match="too_late"):
        pipeline.replay(House(tmp_path).settings, reasons=["id_collision"])
