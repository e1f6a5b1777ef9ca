"""What is to be done, and whether what was done still stands: read from manifests and files alone."""

from etl.errors import BadUse
from etl.lake import retention
from etl.lake.catalogue import Lake
from etl.lake.landed import landings
from etl.lake.manifests import UNKNOWN_DAY
from etl.pipeline.order import all_stages, makers, require_inbox
from etl.settings import Settings
from etl.stages.land.stage import Land
from etl.stages.sessionize.stage import Sessionize
from etl.stages.staleness import staleness
from etl.tools import let_go as letting
from etl.tools import probe as probes
from etl.tools import retain as retaining
from etl.tools import verify as verifying


def pending(settings: Settings) -> dict[str, list[str]]:
    """Say which tasks after landing have work, each with the days it is known to concern; read only, no lock.

    A task has work if a stage of it is stale. What is handed on counts too: marts follow events, and checks marts.
    """
    lake = Lake(settings)
    work: dict[str, list[str]] = {}
    for task, stages in makers().items():
        if task == "land":
            continue
        found = [(stage, staleness(lake, stage)) for stage in stages]
        follows = {"build": "sessionize", "reconcile": "build"}.get(task)
        if any(stale for _, stale in found) or follows in work:
            days = {day for stage, stale in found for day in stage.concerns(lake, [*stale.stale, *stale.gone])}
            work[task] = sorted(days)
    if any(note["state"] == "waiting" for note in probes.read_notes(lake)):
        work.setdefault("reconcile", [])
    return work


def is_up_to_date(settings: Settings) -> bool:
    """Tell whether a run would find nothing to do, in any stage; read only, no lock.

    Raises:
        BadUse: the inbox is missing.
        Damaged: nothing is to be done, but a file of the home is not what was written.
    """
    require_inbox(settings)
    lake = Lake(settings)
    is_done = (
        settings.warehouse.exists() and not staleness(lake, Land()) and not pending(settings)
        and not retaining.waiting(lake) and not retention.naming(lake) and not retention.quoting(lake)
        and letting.waiting(lake) is None
    )  # fmt: skip
    if is_done:
        require_whole(settings)
    return is_done


def known_days(settings: Settings) -> list[str]:
    """The days of which there is anything: received days of lines, and days of events."""
    lake = Lake(settings)
    received = {day for landing in landings(lake) for content in landing.contents for day in content.days}
    return sorted((received - {UNKNOWN_DAY}) | lake.units("sessionize", Sessionize.facts).keys())


def verify(settings: Settings, *, deep: bool = False, repair: bool = False) -> dict[str, list[verifying.Damage]]:
    """Compare the home with what was written: `found`, and of what was repaired `lost`, what cannot be made again.

    Raises:
        BadUse: there is no lake.
        Locked: something is to be repaired and another run holds the home.
    """
    if not settings.lake.is_dir():
        raise BadUse(f"there is no lake at {settings.lake}", "Name its home by --home, or run the pipeline first")
    lake, stages = Lake(settings), all_stages()
    found = verifying.verify(lake, stages, deep=deep or repair)
    if not repair:
        return {"found": found, "lost": []}
    with lake.writing():
        return {"found": found, "lost": verifying.repair(lake, found)}


def require_whole(settings: Settings) -> None:
    """Refuse to say that nothing is new of a home that is not what was written; sizes alone are looked at.

    Raises:
        Damaged: the message names the files.
    """
    verifying.require_whole(Lake(settings), all_stages())
