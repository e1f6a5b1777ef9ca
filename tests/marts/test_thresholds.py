"""Thresholds: mistakes are said with their place, and the narrowest one counts."""

from pathlib import Path

import pytest
from builders.quality import Models, World, statuses

from etl.errors import BadUse
from etl.vocabulary.thresholds import CHECKS, read_thresholds

GENERAL = 'warn = 0.02\nerror = 0.05\nowner = "me"\nhint = "look"\n'


def written(tmp_path: Path, change: str = "", **sections: str) -> Path:
    """Write a thresholds file in which these sections replace the plain ones."""
    text = "".join(f"[{check}]\n{sections.get(check, GENERAL)}" for check in CHECKS)
    path = tmp_path / "thresholds.toml"
    path.write_text(text + change)
    return path


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ("warn = 0.02\n", "thresholds.toml: event_loss: error: Field required"),
        (GENERAL + "wrn = 1\n", "thresholds.toml: event_loss: wrn: Extra inputs are not permitted"),
        (GENERAL.replace("0.05", "0.01"), "thresholds.toml: event_loss: error (0.01) is below warn (0.02)"),
        (GENERAL.replace("0.05", "5"), "thresholds.toml: event_loss: error is a share, not 5"),
        (GENERAL.replace("0.05", "nan"), "thresholds.toml: event_loss: error: Input should be a finite number"),
        (GENERAL + "[[event_loss.only]]\nwarn = 0\n",
         "thresholds.toml: event_loss.only 1: an `only` names an app_id, a platform, from or until"),
        (GENERAL + "[[event_loss.only]]\nfrom = 2026-03-02\nuntil = 2026-03-02\n",
         "thresholds.toml: event_loss.only 1: until (2026-03-02) is not after from (2026-03-02)"),
        (GENERAL + "only = 3\n", "thresholds.toml: event_loss.only is not a list"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_thresholds_is_said_with_its_place(tmp_path: Path, section: str, complaint: str) -> None:
    with pytest.raises(BadUse) as found:
        read_thresholds(written(tmp_path, event_loss=section))
    assert found.value.message == complaint


def test_a_check_without_a_section_and_one_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadUse, match="there is no check event_lost"):
        read_thresholds(written(tmp_path, change="[event_lost]\nwarn = 1\n"))
    path = tmp_path / "short.toml"
    path.write_text("[event_loss]\n" + GENERAL)
    with pytest.raises(BadUse, match="the check pixel_loss has no section"):
        read_thresholds(path)
    with pytest.raises(BadUse, match="there is no thresholds file"):
        read_thresholds(tmp_path / "none.toml")


def test_the_narrowest_threshold_counts_and_an_acknowledged_day_is_ok(
    models: Models, world: World, tmp_path: Path
) -> None:
    """GIVEN a platform's own threshold and one for a day of it THEN that day passes, the next fails."""
    only = (
        '[[event_loss.only]]\nplatform = "desktop_web"\nerror = 0.4\n'
        '[[event_loss.only]]\nplatform = "desktop_web"\nfrom = 2026-03-02\nuntil = 2026-03-03\n'
        "warn = 1.0\nerror = 1.0\n"
    )
    models.fill("stg_lake__thresholds", read_thresholds(written(tmp_path, event_loss=GENERAL + only)))
    kept = [row for number, row in enumerate(world.views) if number % 2 or row["viewed_at"].day not in (2, 3)]
    World(kept, world.hits).check(models)
    found = statuses(models, "event_loss")
    assert (found["2026-03-02 shop desktop_web"], found["2026-03-03 shop desktop_web"]) == ("ok", "error")
