"""The stages in their order, and the lock under which they work."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import duckdb

from etl.engines.choose import choose
from etl.errors import BadUse, BuildFailed, OutOfSpace
from etl.lake import files, upgrade
from etl.lake.catalogue import Lake
from etl.settings import Settings
from etl.stages import runner
from etl.stages.build.stage import Marts
from etl.stages.deduplicate.stage import Deduplicate
from etl.stages.exclusions.stage import Exclusions
from etl.stages.fast_views.stage import FastViews
from etl.stages.land.stage import Land
from etl.stages.parse.stage import Parse
from etl.stages.publish.stage import Publish
from etl.stages.reconcile.stage import Reconcile
from etl.stages.runner import Outcome
from etl.stages.seal.stage import Seal
from etl.stages.sessionize.stage import Sessionize
from etl.stages.spend.stage import Spend
from etl.stages.stage import Advance, Stage
from etl.tools import renew as renewing
from etl.tools import verify as verifying


def makers() -> dict[str, list[Stage[Any]]]:
    """The stages by the task that runs them, in the order in which each follows from those before."""
    before: list[Stage[Any]] = [
        Land(), Parse(), Spend(), Exclusions(), Deduplicate(), FastViews(), Sessionize(), Marts(),
    ]  # fmt: skip
    land, parse, spend, exclusions, deduplicate, fast_views, sessionize, marts = before
    return {
        "land": [land],
        "parse": [parse, spend, exclusions],
        "sessionize": [deduplicate, fast_views, sessionize],
        "build": [marts, Publish(before)],
        "reconcile": [Reconcile()],
    }


def all_stages() -> list[Stage[Any]]:
    """List the stages in their order, and last the one that no task makes."""
    return [*(stage for stages in makers().values() for stage in stages), Seal()]


@contextmanager
def writing(settings: Settings, patience_seconds: float = 0) -> Iterator[Lake]:
    """Hold the lock on a lake that is ready; say plainly when the disk is full.

    Args:
        patience_seconds: how long to wait for another run's stage to end.

    Raises:
        Locked: another run holds it.
        OutOfSpace: the disk is full.
    """
    lake = Lake(settings)
    try:
        with lake.writing(patience_seconds):
            upgrade.upgrade(lake)
            verifying.require_history(lake)
            renewing.renew(lake)
            lake.initialise()
            runner.sweep(lake, all_stages())
            yield lake
    except (OSError, duckdb.Error, BuildFailed) as error:
        if not files.is_full(error):
            raise
        raise OutOfSpace(
            f"no space is left on the disk of {settings.home}",
            "Free some and run again; nothing is lost",
        ) from error


def run_task(lake: Lake, task: str, days: Collection[date], advance: Advance) -> list[Outcome[Any]]:
    """Bring the stages of a task up to date.

    Raises:
        BadUse: the engine that the settings name is not there.
    """
    engine = choose(lake.settings)
    return [runner.run(lake, stage, days=days, advance=advance, engine=engine) for stage in makers()[task]]


def require_inbox(settings: Settings) -> None:
    """Refuse to work on an inbox that is not there: one that is not mounted must not take back every exclusion.

    Raises:
        BadUse: it is missing.
    """
    if not settings.inbox.is_dir():
        raise BadUse(f"the inbox {settings.inbox} does not exist", "Make it, or name another by --inbox")
