"""Thresholds: mistakes are said with their place, and the narrowest one counts."""

import re
from pathlib import Path

import pytest
from builders.quality import TOTALS, Models, World, statuses

from etl.errors import BadUse
from etl.settings import PROJECT
from etl.stages.build.plan import Node
from etl.vocabulary.thresholds import CHECKS, read_thresholds

BOOKS = 'owner = "me"\nhint = "look"\n'
GENERAL = f"warn = 0.02\nerror = 0.05\n{BOOKS}"


def written(tmp_path: Path, change: str = "", **sections: str) -> Path:
    """Write a thresholds file of these sections."""
    path = tmp_path / "thresholds.toml"
    path.write_text("".join(f"[{check}]\n{section}" for check, section in sections.items()) + change)
    return path


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        (BOOKS + "warn = 0.02\n", "thresholds.toml: event_loss: error: Field required"),
        (GENERAL + "wrn = 1\n", "thresholds.toml: event_loss: wrn: Extra inputs are not permitted"),
        (GENERAL.replace("0.05", "0.01"), "thresholds.toml: event_loss: error (0.01) is below warn (0.02)"),
        (GENERAL.replace("0.05", "5"), "thresholds.toml: event_loss: error is a share, not 5"),
        (GENERAL.replace("0.05", "nan"), "thresholds.toml: event_loss: error: Input should be a finite number"),
        (GENERAL + "[[event_loss.only]]\nwarn = 0\n",
         "thresholds.toml: event_loss.only 1: an `only` names an app_id, a platform, from or until"),
        (GENERAL + "[[event_loss.only]]\nfrom = 2026-03-02\nuntil = 2026-03-02\n",
         "thresholds.toml: event_loss.only 1: until (2026-03-02) is not after from (2026-03-02)"),
        (GENERAL + "only = 3\n", "thresholds.toml: event_loss.only is not a list"),
        (GENERAL + 'kind = "count"\n', "thresholds.toml: event_loss: kind is not for setting"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_thresholds_is_said_with_its_place(tmp_path: Path, section: str, complaint: str) -> None:
    with pytest.raises(BadUse) as found:
        read_thresholds(written(tmp_path, event_loss=section))
    assert found.value.message == complaint


def test_a_check_of_the_books_has_no_threshold(tmp_path: Path) -> None:
    for section, complaint in (
        (GENERAL, "ledger_balance: warn: Extra inputs are not permitted"),
        (BOOKS + '[[ledger_balance.only]]\napp_id = "shop"\n', "ledger_balance.only: it has no threshold to narrow"),
    ):
        with pytest.raises(BadUse, match=complaint):
            read_thresholds(written(tmp_path, ledger_balance=section))
    (row,) = (
        row
        for row in read_thresholds(written(tmp_path, ledger_balance=BOOKS)).to_pylist()
        if row["check_name"] == "ledger_balance"
    )
    assert (row["owner"], row["warn"], row["unit"]) == ("me", None, "files")


def test_a_check_that_is_none_and_a_file_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadUse, match="there is no check event_lost"):
        read_thresholds(written(tmp_path, change="[event_lost]\nwarn = 1\n"))
    with pytest.raises(BadUse, match="there is no thresholds file"):
        read_thresholds(tmp_path / "none.toml")


def test_a_check_without_a_section_is_as_shipped(tmp_path: Path) -> None:
    shipped = read_thresholds(PROJECT / "conf" / "thresholds.toml").to_pylist()
    found = read_thresholds(written(tmp_path, event_loss=GENERAL)).to_pylist()
    assert [row["check_name"] for row in found] == list(CHECKS)
    assert found[1:] == shipped[1:]
    assert found[0] == shipped[0] | {"warn": 0.02, "error": 0.05, "owner": "me", "hint": "look"}


def test_every_check_of_the_registry_has_its_query_and_no_other_has(compiled: dict[str, Node]) -> None:
    """GIVEN the registry THEN its subjects are rooms of the models, and a model of the checks makes a row of each."""
    models = PROJECT / "dbt_project" / "models"
    assert [check.subject for check in CHECKS.values() if not (models / check.subject).is_dir()] == []
    # What is ephemeral stands in who reads it.
    rooms = ("int_shares_daily", "int_checks_daily", *TOTALS, "checks")
    made = " ".join(compiled[name].sql for name in rooms if name in compiled)
    assert {name for name in CHECKS if f"'{name}' as check_name" in made} == set(CHECKS)
    assert set(re.findall(r"'(\w+)' as check_name", made)) == set(CHECKS)


def test_the_narrowest_threshold_counts_and_an_acknowledged_day_is_ok(
    models: Models, world: World, tmp_path: Path
) -> None:
    """GIVEN a platform's own threshold and one for a day of it THEN that day passes, the next fails."""
    only = (
        '[[event_loss.only]]\nplatform = "desktop_web"\nerror = 0.4\n'
        '[[event_loss.only]]\nplatform = "desktop_web"\nfrom = 2026-03-02\nuntil = 2026-03-03\n'
        "warn = 1.0\nerror = 1.0\n"
    )
    models.expect(written(tmp_path, event_loss=GENERAL + only))
    kept = [row for number, row in enumerate(world.views) if number % 2 or row["viewed_at"].day not in (2, 3)]
    World(kept, world.hits).check(models)
    found = statuses(models, "event_loss")
    assert (found["2026-03-02 shop desktop_web"], found["2026-03-03 shop desktop_web"]) == ("ok", "error")
