"""Staleness: what a stage wants compared with what it has committed, for every stage alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from etl.lake.catalogue import Lake
from etl.lake.fingerprint import Fingerprint, digest
from etl.lake.manifests import Commit, Unit
from etl.stages.stage import Stage


@dataclass(frozen=True)
class Staleness:
    """What a stage has to do: units to make, and units that are no more."""

    stale: list[str]
    gone: list[str]

    def __bool__(self) -> bool:
        return bool(self.stale or self.gone)


def handed(stage: Stage[Any], unit: str, held: Mapping[str, tuple[Commit[Any], Unit]]) -> str:
    """Name what the unit before hands on to one; nothing where it hands on nothing."""
    before = stage.preceding(unit)
    if stage.hands_on is None or before is None or before not in held:
        return ""
    commit, _ = held[before]
    found = sorted(commit.identity(part) for part in commit.parts if part.dataset == stage.hands_on)
    return digest(*found) if found else ""


def chained(
    stage: Stage[Any], unit: str, wanted: Fingerprint, held: Mapping[str, tuple[Commit[Any], Unit]]
) -> Fingerprint:
    """Add what the unit before hands on to a fingerprint."""
    if stage.hands_on is None:
        return wanted
    return Fingerprint(digest(wanted.data, handed(stage, unit, held)), wanted.description)


def staleness(lake: Lake, stage: Stage[Any]) -> Staleness:
    """Compare what a stage wants with what it has committed; reads manifests alone, and takes no lock."""
    return compare(lake, stage, stage.wanted(lake), lake.units(stage.name, stage.facts))


def compare(
    lake: Lake, stage: Stage[Any], wanted: Mapping[str, Fingerprint], held: Mapping[str, tuple[Commit[Any], Unit]]
) -> Staleness:
    """Say which units are to be made, and which are no more; what is no more hands on nothing."""
    gone = [unit for unit in held if unit not in wanted]
    left = {unit: found for unit, found in held.items() if unit in wanted}
    stale = [
        unit
        for unit, fingerprint in wanted.items()
        if unit not in left
        or left[unit][1].fingerprint != chained(stage, unit, fingerprint, left)
        or stage.is_lost(lake, left[unit][0])
    ]
    return Staleness(stale, gone)
