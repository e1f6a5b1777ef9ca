"""What makes a thing stale: every version, every setting, every library that decides a row, and nothing else."""

import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from builders import House, each, events
from pydantic import SecretStr

from etl import pipeline
from etl.enrich import user_agents
from etl.lake.catalogue import Lake
from etl.settings import DeclaredConversion, Heartbeat, Settings, SpendExport
from etl.stages.parse import dictionaries
from etl.stages.staleness import staleness
from etl.vocabulary import click_ids

VERSIONS = {
    "parse": "PARSER_VERSION", "spend": "SPEND_VERSION", "exclusions": "EXCLUSIONS_VERSION",
    "deduplicate": "DEDUPLICATION_VERSION", "fast_views": "FAST_VIEWS_VERSION", "sessionize": "SESSIONIZER_VERSION",
    "publish": "PUBLISHER_VERSION",
}  # fmt: skip

DECIDES: dict[str, tuple[Any, set[str]]] = {
    "session_gap_minutes": (31, {"sessionize", "build"}),
    "max_lateness_days": (31, {"parse", "deduplicate", "build"}),
    "stitch_days": (31, {"build"}),
    "attribution_window_days": (31, {"build"}),
    "time_decay_half_life_days": (8, {"build"}),
    "position_first_share": (0.3, {"build"}),
    "position_last_share": (0.3, {"build"}),
    "conversions": ([DeclaredConversion(name="signup", schema="custom.signup", value=1.0)], {"build"}),
    "spend_exports": ([SpendExport(values={"source": "google"})], {"spend"}),
    "count_access": ("always", {"build"}),
    "ip_addresses": ("truncate", {"sessionize"}),
    "ip_key": (SecretStr("another"), {"parse", "sessionize"}),
    "key": (SecretStr("another"), {"parse", "sessionize"}),
    "trusted_proxies": (["10.0.0.0/8"], {"parse"}),
    "log_formats": ({"access/shop": "combined"}, {"parse"}),
    "no_pages": ({"access/shop": ["/private/"]}, {"parse"}),
    "batch_paths": (["/collect"], {"parse"}),
    "reporting_currency": ("EUR", {"spend", "build"}),
    "reporting_timezone": ("Europe/Berlin", {"build"}),
    "heartbeats": ({"shop": Heartbeat(every=30, first=5)}, {"build"}),
    "own_hosts": (["shop.example"], {"build"}),
    "blocked_share_bound": (0.5, {"build"}),
    "witness_days": (3, {"build"}),
    "asset_extensions": (["pdf"], {"parse"}),
    "bot_rules": (["many_visitors_one_address"], {"build"}),
    "max_message_bytes": (2**19, {"parse"}),
}
"""Each setting that decides rows: another value of it, and the stages that it makes stale by itself."""

DECIDES_NO_ROW = {
    "inbox": "where logs come from; what is in it is landed by its content",
    "home": "where everything lies",
    "readers_group": "who reads it",
    "keep_days": "what has gone holds as it was parsed; asked when the next lines land",
    "memory_limit": "how much is done at once",
    "threads": "how many do it",
    "engine": "where it is done",
    "spark_master": "the same",
    "max_line_bytes": "what has landed holds; asked of what lands from now on",
    "max_decompressed_bytes": "the same; a file refused for it is tried again",
    "max_compression_ratio": "the same",
    "tracking_plan": "its content decides, schema by schema",
    "thresholds": "its content decides",
    "holidays": "its content decides",
    "address_countries": "its content decides",
    "annotations": "only the page shows them",
    "page_locale": "only the page is written in it",
    "ad_platforms": "its content decides",
}


@pytest.fixture(scope="module")
def digested(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A home whose lake is up to date."""
    house = House(tmp_path_factory.mktemp("digested"))
    house.put("events/a.jsonl", each(events("10:00 /a", "10:10 /b", "10:20 order")))
    house.put("spend/a.csv", b"date,source,medium,campaign,cost\n2026-03-01,google,cpc,spring,1\n")
    house.put("exclusions/a.csv", b"kind,value\nvisitor,nobody\n")
    pipeline.land(house.settings)
    house.digest()
    return house


def stale(settings: Settings) -> set[str]:
    """Name the stages that have work of their own accord: the marts are not built here, so they always have."""
    lake = Lake(settings)
    stages = [stage for stages in pipeline.makers().values() for stage in stages]
    return {stage.name for stage in stages if staleness(lake, stage)} - {"build", "publish", "reconcile"}


def test_a_lake_just_made_is_stale_nowhere(digested: House) -> None:
    assert stale(digested.settings) == set()


@pytest.mark.parametrize("stage", sorted(set(VERSIONS) - {"publish"}))
def test_another_version_makes_its_stage_stale(digested: House, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    module = import_module(f"etl.stages.{stage}.stage")
    monkeypatch.setattr(module, VERSIONS[stage], 999)
    assert stage in stale(digested.settings)


def test_every_stage_that_reads_rows_has_a_version() -> None:
    stages = {stage.name for stages in pipeline.makers().values() for stage in stages}
    # What landed holds, the marts' version is the dbt project, and checks are read as they are.
    assert stages - set(VERSIONS) == {"land", "build", "reconcile"}


def test_every_setting_is_known_to_decide_rows_or_none() -> None:
    assert set(Settings.model_fields) == set(DECIDES) | set(DECIDES_NO_ROW)


@pytest.mark.parametrize("name", sorted(DECIDES))
def test_another_value_of_a_setting_makes_stale_what_reads_it(digested: House, name: str) -> None:
    value, stages = DECIDES[name]
    changed = digested.settings.model_copy(update={name: value})
    assert stale(changed) == stages - {"build"}
    marts = pipeline.makers()["build"][0]
    is_other = marts.definition(Lake(changed)) != marts.definition(Lake(digested.settings))
    assert is_other == ("build" in stages)


def test_another_click_id_is_looked_for_in_what_was_parsed(digested: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click_ids, "NAMES", (*click_ids.NAMES, "newclid"))
    assert stale(digested.settings) == {"parse"}


@pytest.fixture
def another(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another version of a library that reads distinct values."""
    now = dictionaries.installed() | {"ua-parser": "99.0"}
    monkeypatch.setattr(dictionaries, "installed", lambda: now)
    yield


@pytest.mark.usefixtures("another")
def test_a_library_that_says_the_same_changes_no_day(digested: House, tmp_path: Path) -> None:
    home = shutil.copytree(digested.settings.home, tmp_path / "home")
    settings = digested.settings.model_copy(update={"home": home})
    assert stale(settings) == {"parse"}
    assert pipeline.parse(settings)["files"] == 0
    assert stale(settings) == set()


@pytest.mark.usefixtures("another")
def test_a_library_that_says_otherwise_changes_the_days_of_that_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path)
    house.put("events/a.jsonl", each(events("10:00 /a", day="2026-03-01") + events("10:00 /b", day="2026-03-05")))
    house.digest()
    described = user_agents.describe_one

    def renamed(text: str | None) -> dict[str, object]:
        return described(text) | {"browser": "Waterfox"}

    monkeypatch.setattr(user_agents, "describe_one", renamed)
    monkeypatch.setattr(dictionaries, "installed", lambda: {"ua-parser": "100.0"})
    assert pipeline.parse(house.settings)["files"] == 1
    assert pipeline.sessionize(house.settings)["days"] == ["2026-03-01", "2026-03-05"]
    assert {row["browser"] for row in house.events()} == {"Waterfox"}


def test_what_figures_mean_is_the_same_in_every_process_and_follows_the_settings(digested: House) -> None:
    """GIVEN the same code and settings THEN a restated figure is data's; with another setting it is a definition's."""
    lake = Lake(digested.settings)
    meanings = {pipeline.makers()["build"][1].definition(lake) for _ in range(3)}
    assert len(meanings) == 1
    changed = Lake(digested.settings.model_copy(update={"session_gap_minutes": 31}))
    assert pipeline.makers()["build"][1].definition(changed) not in meanings
    assert " at 0x" not in repr([stage.definition(lake) for stages in pipeline.makers().values() for stage in stages])
