"""Tasks that run elsewhere, in any order and more than once, give the rows of one process."""

from typing import Any

import pytest
from builders import House, events
from builders.engines import KEYS, PLAN, Twice, assert_same_rows, bring_late

from etl import pipeline
from etl.engines.engine import attempt
from etl.lake.catalogue import Lake
from etl.lake.manifests import Day
from etl.pipeline import order
from etl.simulate import simulate
from etl.stages.parse import slices
from etl.stages.sessionize import shares


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A home made in this process, of simulated logs of every source and then a file that came late."""
    house = House(tmp_path_factory.mktemp("plain"), KEYS)
    simulate(house.settings.inbox, **PLAN)
    house.digest()
    bring_late(house)
    house.digest()
    return house


@pytest.fixture
def cut_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices and shares so small that few rows make many."""
    monkeypatch.setattr(slices, "SLICE_BYTES", 500_000)
    monkeypatch.setattr(shares, "SHARE_BYTES", 30_000)


def use(monkeypatch: pytest.MonkeyPatch, engine: Any) -> None:
    monkeypatch.setattr(order, "choose", lambda settings: engine)


def another(plain: House, root: Any) -> House:
    """A home of the same inbox, in which nothing is made yet."""
    return House(root, {**plain.keys, "inbox": plain.settings.inbox})


def handed_on(house: House) -> dict[str, list[str | None]]:
    """Name what each day hands on to the next."""
    return {
        commit.name: [part.content for part in commit.parts if part.dataset == "open_sessions"]
        for commit in Lake(house.settings).commits("sessionize", Day)
    }


@pytest.mark.prove
@pytest.mark.usefixtures("cut_small")
def test_any_cut_and_any_attempt_give_the_same_rows(
    plain: House, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Twice(0)
    use(monkeypatch, engine)
    house = another(plain, tmp_path)
    house.digest()
    assert engine.ran["parse_slice"] > 4
    assert engine.ran["sessionize_share"] > 10
    assert_same_rows(house, plain)
    assert house.scan("open_sessions")
    assert handed_on(house) == handed_on(plain)
    assert list(Lake(house.settings).path("staging").iterdir()) == []


@pytest.mark.usefixtures("cut_small")
def test_what_another_engine_made_holds(plain: House, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Twice(0)
    use(monkeypatch, engine)
    plain.digest()
    assert engine.ran == {}
    assert pipeline.pending(plain.settings).keys() <= {"build", "reconcile"}


@pytest.mark.prove
@pytest.mark.usefixtures("cut_small")
def test_a_late_file_finds_the_days_of_another_engine(
    plain: House, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = another(plain, tmp_path)
    hidden = plain.settings.inbox / "events" / "late.jsonl"
    content = hidden.read_bytes()
    hidden.unlink()
    house.digest()
    hidden.write_bytes(content)
    use(monkeypatch, Twice(1))
    house.digest()
    assert_same_rows(house, plain)


@pytest.mark.usefixtures("cut_small")
def test_a_day_of_one_visitor_is_one_share(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "SHARE_BYTES", 100)
    engine = Twice(0)
    use(monkeypatch, engine)
    assert len(house.take(*events("10:00 /a", "10:10 /b"))) == 2
    assert engine.ran["sessionize_share"] == 1


def test_an_attempt_whose_stage_has_gone_makes_nothing(tmp_path: Any) -> None:
    with pytest.raises(FileNotFoundError):
        attempt(tmp_path / "gone")
    assert list(tmp_path.iterdir()) == []
