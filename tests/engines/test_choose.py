"""The engine that the settings name, and a sentence where it cannot be had."""

from pathlib import Path
from typing import Any

import pytest
from builders import House
from builders.command import etl

from etl.engines import choose as choosing
from etl.engines.choose import choose, has_java
from etl.engines.engine import HERE
from etl.errors import BadUse
from etl.settings import Settings


def settings(tmp_path: Path, **keys: Any) -> Settings:
    return Settings(inbox=tmp_path, home=tmp_path / "home", **keys)


def test_duckdb_is_the_default_and_runs_here(tmp_path: Path) -> None:
    assert choose(settings(tmp_path)) is HERE


def test_without_pyspark_one_is_told_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "find_spec", lambda name: None)
    with pytest.raises(BadUse, match=r"needs pyspark, which is not installed\. Run: make setup-spark"):
        choose(settings(tmp_path, engine="spark"))


def test_without_java_one_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "find_spec", lambda name: object())
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadUse, match=r"needs Java 17 or newer, which is not there\. Run: apt-get install openjdk-17"):
        choose(settings(tmp_path, engine="spark"))


def test_java_is_looked_for_where_spark_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert not has_java()
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.touch(0o755)
    assert has_java()


def test_a_run_without_it_ends_before_it_begins(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.put("events/a.jsonl", b"")
    (house.root / "bin").mkdir()
    said = etl(
        "land", "--inbox", house.settings.inbox, "--home", house.settings.home,
        exit_code=2, BLOODHOUND_ENGINE="spark", JAVA_HOME=str(house.root / "bin"),
    )  # fmt: skip
    assert 'bloodhound: engine = "spark" needs' in said
    assert list(house.settings.home.joinpath("lake", "manifests").glob("*/*.json")) == []
