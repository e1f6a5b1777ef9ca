"""Seal: what is kept of days whose events are gone. It is made once, when they go (`etl/tools/freeze.py`)."""

from collections.abc import Iterable, Mapping

from etl.lake import sealed
from etl.lake.catalogue import Lake
from etl.lake.fingerprint import Fingerprint
from etl.lake.manifests import Commit
from etl.lake.sealed import Kept
from etl.stages.stage import Made, Stage, Work


class Seal(Stage[Kept]):
    """A unit is a month, or the edge: it wants what it holds, and nobody can make it again."""

    name = sealed.STAGE
    facts = Kept
    gives = (sealed.DATASET,)

    def wanted(self, lake: Lake) -> Mapping[str, Fingerprint]:
        return {name: unit.fingerprint for name, (_, unit) in lake.units(self.name, self.facts).items()}

    def make(self, work: Work[Kept]) -> Made[Kept]:
        raise NotImplementedError("sealed rows are made when events go, and never again")

    def days_of(self, commit: Commit[Kept]) -> Iterable[str]:
        del commit
        return ()
