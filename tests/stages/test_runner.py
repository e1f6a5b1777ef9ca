"""The runner: what is stale, what is gone, what is handed on, and what a kill leaves, for every stage alike."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.errors import Damaged
from etl.lake.catalogue import Lake
from etl.lake.fingerprint import Fingerprint
from etl.lake.manifests import Commit, Nothing
from etl.settings import Settings
from etl.stages import runner
from etl.stages.stage import Made, Output, Stage, Work
from etl.stages.staleness import staleness
from etl.vocabulary.columns import SPEND


class Killed(BaseException):
    """A process that ends without another word."""


class Doubling(Stage[Nothing]):
    """A stage that writes one file for each unit it is asked for."""

    name = "doubling"
    facts = Nothing
    gives = ("spend",)

    def __init__(self, **wanted: str) -> None:
        self.asked = wanted
        self.made: list[str] = []

    def wanted(self, lake: Lake) -> Mapping[str, Fingerprint]:
        return {unit: Fingerprint(*text.split("/")) for unit, text in self.asked.items()}

    def make(self, work: Work[Nothing]) -> Made[Nothing]:
        self.made += work.units
        return Made(
            Nothing(),
            [written(work.folder, unit, word=self.asked[unit]) for unit in work.units],
            {work.units[0]: {"rows": 1}},
        )


def written(
    folder: Path, unit: str, day: str | None = None, dataset: str = "spend", word: str = "", **keys: Any
) -> Output:
    """Write a file of one row that says the unit's name, and a word."""
    path = folder / f"{unit}.parquet"
    pq.write_table(pa.Table.from_pylist([{"campaign": unit, "source": word}], schema=SPEND), path)
    return Output(dataset, path, day=day, **keys)


class Paired(Doubling):
    """Makes two units at a time."""

    name = "paired"

    def groups(self, lake: Lake, units: Sequence[str]) -> Iterable[Sequence[str]]:
        return [units[place : place + 2] for place in range(0, len(units), 2)]


class Chain(Doubling):
    """Each day hands on the sum of what it was asked for and what the day before handed on."""

    name = "chain"
    gives = ("open_sessions",)
    hands_on: ClassVar[str | None] = "open_sessions"

    def __init__(self, **wanted: str) -> None:
        super().__init__()
        self.asked = {f"2026-03-{day[1:]}": text for day, text in wanted.items()}

    def following(self, unit: str) -> str:
        return str(date.fromisoformat(unit) + timedelta(days=1))

    def preceding(self, unit: str) -> str:
        return str(date.fromisoformat(unit) - timedelta(days=1))

    def make(self, work: Work[Nothing]) -> Made[Nothing]:
        (unit,) = work.units
        self.made.append(unit)
        before = [part for commit, part in self.parts(work.lake, "open_sessions") if part.day == self.preceding(unit)]
        # What is more than nine is not handed on, as a session ends at a gap.
        total = sum(int(part.content or 0) for part in before) + int(self.asked[unit])
        outputs = [written(work.folder, unit, unit, "open_sessions", content=str(total))] if total < 10 else []
        return Made(Nothing(), outputs)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake, ready."""
    found = Lake(Settings(inbox=tmp_path / "inbox", home=tmp_path / "home"))
    found.initialise()
    return found


def campaigns(lake: Lake, stage: Stage[Any]) -> list[str]:
    """Read what the files that hold say."""
    return sorted(
        row["campaign"]
        for dataset in stage.gives
        for _, part in stage.parts(lake, dataset)
        for row in pq.read_table(lake.path(part.path), partitioning=None).to_pylist()
    )


def on_disk(lake: Lake, dataset: str = "spend") -> int:
    return len(list(lake.path(dataset).rglob("*.parquet")))


def test_what_is_wanted_is_made_once_and_again_when_it_differs(lake: Lake) -> None:
    stage = Doubling(a="1", b="1")
    runner.run(lake, stage)
    assert stage.made == ["a", "b"] and campaigns(lake, stage) == ["a", "b"]
    assert not staleness(lake, stage)
    stage.asked["b"] = "2"
    assert staleness(lake, stage).stale == ["b"]
    outcome = runner.run(lake, stage)
    assert [commit.name for commit in outcome.made] == ["b"] and outcome.count("rows") == 1
    assert on_disk(lake) == 2


def test_a_changed_description_makes_stale_and_says_so_apart_from_the_data(lake: Lake) -> None:
    stage = Doubling(a="1/old")
    runner.run(lake, stage)
    stage.asked["a"] = "1/new"
    assert staleness(lake, stage).stale == ["a"]
    (_, unit) = lake.units("doubling", Nothing)["a"]
    assert (unit.fingerprint.data, unit.fingerprint.description) == ("1", "old")


def test_what_is_wanted_no_more_goes_with_its_files(lake: Lake) -> None:
    stage = Doubling(a="1", b="1")
    runner.run(lake, stage)
    del stage.asked["a"]
    assert staleness(lake, stage).gone == ["a"]
    outcome = runner.run(lake, stage)
    assert [commit.name for commit in outcome.gone] == ["a"] and on_disk(lake) == 1
    assert not staleness(lake, stage)


def test_units_that_share_a_commit_are_made_again_together(lake: Lake) -> None:
    stage = Paired(a="1", b="1", c="1")
    runner.run(lake, stage)
    stage.made.clear()
    stage.asked["b"] = "2"
    runner.run(lake, stage)
    assert sorted(stage.made) == ["a", "b"] and campaigns(lake, stage) == ["a", "b", "c"]
    stage.made.clear()
    del stage.asked["a"]
    runner.run(lake, stage)
    assert stage.made == ["b"] and campaigns(lake, stage) == ["b", "c"] and on_disk(lake) == 2
    assert not staleness(lake, stage)


def test_a_change_travels_as_far_as_what_is_handed_on_differs(lake: Lake) -> None:
    stage = Chain(d01="1", d02="1", d03="1", d04="8", d05="1")
    runner.run(lake, stage)
    assert stage.made == [f"2026-03-0{day}" for day in range(1, 6)] and not staleness(lake, stage)
    stage.made.clear()
    stage.asked["2026-03-02"] = "2"
    runner.run(lake, stage)
    # The fourth day hands on nothing, before as after.
    assert stage.made == ["2026-03-02", "2026-03-03", "2026-03-04"]
    stage.made.clear()
    del stage.asked["2026-03-03"]
    runner.run(lake, stage)
    assert stage.made == ["2026-03-04", "2026-03-05"] and not staleness(lake, stage)


def test_days_and_units_are_made_again_though_nothing_changed(lake: Lake) -> None:
    stage = Chain(d01="1", d02="1")
    runner.run(lake, stage)
    stage.made.clear()
    runner.run(lake, stage, days=[date(2026, 3, 1), date(2026, 3, 9)])
    assert stage.made == ["2026-03-01"]
    other = Doubling(a="1", b="1")
    runner.run(lake, other)
    other.made.clear()
    runner.run(lake, other, units=["b", "unheard of"])
    assert other.made == ["b"]


@pytest.mark.parametrize("moment", ["write_note", "remove_parts"])
def test_a_run_killed_at_a_commit_is_completed_and_leaves_no_file(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    stage = Paired(a="1", b="1")
    runner.run(lake, stage)
    stage.asked |= {"a": "2", "c": "1"}

    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(runner, moment, kill)
        runner.run(lake, stage)
    assert on_disk(lake) > 2
    # What holds is whole: the pair as it was, or as it is wanted now.
    assert {"a", "b"} <= set(campaigns(lake, stage))
    assert runner.sweep(lake, [stage]) > 0
    runner.run(lake, stage)
    assert campaigns(lake, stage) == ["a", "b", "c"] and on_disk(lake) == 3
    assert not staleness(lake, stage) and runner.sweep(lake, [stage]) == 0


def test_files_that_no_manifest_names_do_not_exist(lake: Lake) -> None:
    stage = Doubling(a="1")
    runner.run(lake, stage)
    (path,) = lake.path("spend").glob("*.parquet")
    path.with_name("stray.parquet").write_bytes(path.read_bytes())
    assert campaigns(lake, stage) == ["a"]


def test_every_file_is_known_by_size_and_hash(lake: Lake) -> None:
    stage = Doubling(a="1")
    (commit,) = runner.run(lake, stage).made
    (part,) = commit.parts
    path = lake.path(part.path)
    assert part.size == path.stat().st_size and len(part.sha256) == 64
    assert part.sha256[:8] in path.name


def test_a_manifest_cut_short_is_a_sentence_with_its_name(lake: Lake) -> None:
    stage = Doubling(a="1")
    runner.run(lake, stage)
    path = lake.manifest_path("doubling", "a")
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(Damaged, match=r"a\.json cannot be read"):
        staleness(lake, stage)


def test_of_two_commits_that_name_a_unit_the_later_holds(lake: Lake) -> None:
    stage = Paired(a="1", b="1")
    runner.run(lake, stage)
    (old,) = stage.commits(lake)
    stage.asked = {"a": "2"}
    runner.run(lake, stage)
    path = lake.manifest_path("paired", old.name)
    runner.write_note(path, old)
    names: list[Commit[Nothing]] = stage.commits(lake)
    assert [sorted(commit.units) for commit in names if "a" in commit.units and commit.sequence > 1] == [["a"]]
    assert lake.units("paired", Nothing)["a"][0].sequence == 2


def killed_between_manifests(lake: Lake, stage: Stage[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run until the new manifest is there and the old one would go."""
    unlink = Path.unlink

    def kill(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".json":
            raise Killed
        unlink(path, missing_ok)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Path, "unlink", kill)
        runner.run(lake, stage)


class Gathered(Paired):
    """Makes all its units together."""

    def groups(self, lake: Lake, units: Sequence[str]) -> Iterable[Sequence[str]]:
        return [units] if units else []


def test_a_kill_between_two_manifests_doubles_no_row(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Paired(a="1", b="1")
    runner.run(lake, stage)
    del stage.asked["b"]
    killed_between_manifests(lake, stage, monkeypatch)
    runner.sweep(lake, [stage])
    runner.run(lake, stage)
    assert campaigns(lake, stage) == ["a"] and not staleness(lake, stage)


def test_what_a_later_commit_replaced_never_holds_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    runner.run(lake, Gathered(a="1", b="1"))
    killed_between_manifests(lake, Gathered(a="2", b="2", c="1"), monkeypatch)
    runner.sweep(lake, [Gathered()])
    runner.run(lake, Gathered(a="2", b="2", c="1"))
    runner.run(lake, Gathered())
    stage = Gathered(a="1", b="1")
    runner.run(lake, stage)
    assert campaigns(lake, stage) == ["a", "b"]
