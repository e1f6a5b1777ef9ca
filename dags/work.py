"""Whether a stage has work: asked of the lake, not of the last run, so that what failed yesterday is tried today."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

from airflow.sdk import Param, get_current_context
from airflow.sdk.exceptions import AirflowSkipException

from etl import pipeline
from etl.progress import telling
from etl.settings import Settings, load_settings

# What is made of the published warehouse, and when it is older than that is made again.
MADE_OF_PUBLISHED = {"report": "report/index.html", "mail": "report/mail.eml"}


def day_param(what: str) -> Param:
    """Ask whoever triggers a run for a day, which may be left out."""
    return Param(None, type=["null", "string"], format="date", title=what, description="A UTC day; empty: what is new")


DAYS_AGAIN = {"first_day": day_param("First day to do again"), "last_day": day_param("Last day to do again")}


def days_to_redo(context: Any, known: Sequence[str]) -> list[date]:
    """Return the days to do again though nothing in them changed, of those that there are.

    Whoever triggers a run names the first and the last; a run of Airflow's own backfill is for the day of its date.
    """
    run = context["dag_run"]
    named = [context["params"][name] for name in DAYS_AGAIN]
    if run.run_type == "backfill":
        named = [run.logical_date.date().isoformat()]
    ends = sorted(filter(None, named))
    return [date.fromisoformat(day) for day in known if ends and ends[0] <= day <= ends[-1]]


def run(stage: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Do a stage of `etl.pipeline` and return its counts, or end the task as skipped: it has nothing to do."""
    settings, name = load_settings(), stage.__name__
    if name in MADE_OF_PUBLISHED:
        skip_unless(is_older(settings, name))
        with marked_undone(settings, name):
            return stage(settings)
    if name == "land":
        # To ask the inbox what is new is most of the work.
        landed = stage(settings, advance=telling(settings, name))
        skip_unless(landed["files"] or landed["failed"])
        return landed
    days = days_to_redo(get_current_context(), pipeline.known_days(settings))
    skip_unless(days or name in pipeline.pending(settings))
    return stage(settings, days=days, advance=telling(settings, name))


def skip_unless(has_work: object) -> None:
    """End the task as skipped when there is nothing to do."""
    if not has_work:
        raise AirflowSkipException("nothing new: this stage is up to date")


def is_older(settings: Settings, stage: str) -> bool:
    """Tell whether what a stage makes is missing, or older than the publication."""
    made = settings.home / MADE_OF_PUBLISHED[stage]
    published = settings.warehouse
    return published.exists() and not (made.exists() and made.stat().st_mtime >= published.stat().st_mtime)


@contextmanager
def marked_undone(settings: Settings, stage: str) -> Iterator[None]:
    """Let what a failing stage has written count as older than anything: a mail that is written is not yet sent."""
    try:
        yield
    except Exception:
        made = settings.home / MADE_OF_PUBLISHED[stage]
        if made.exists():
            os.utime(made, (0, 0))
        raise
