"""What one DAG hands another: the days of the lake that changed.

An asset's partitions are UTC days, named at run time: a run walks every day its files touch and
then names each of them. The next DAG gathers all the days that wait for it into one run: a year's
inbox is not 365 runs.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from airflow.sdk import Asset, FixedKeyMapper, PartitionedAssetTimetable
from airflow.sdk.exceptions import AirflowSkipException

MESSAGES = Asset("messages", uri="bloodhound://lake/messages")
EVENTS = Asset("events", uri="bloodhound://lake/events")
WAREHOUSE = Asset("warehouse", uri="bloodhound://warehouse")

# The stages behind each asset: when none of them has work, nothing is handed on.
STAGES_BEHIND = {
    MESSAGES.name: ("sessionize", "build", "reconcile"),
    EVENTS.name: ("build", "reconcile"),
    WAREHOUSE.name: ("reconcile",),
}
# The key of a change that belongs to no day, such as a file with nothing but unreadable lines.
UNDATED = "undated"


def all_days_of(asset: Asset) -> PartitionedAssetTimetable:
    """Schedule one run for all the days of an asset that wait, however many."""
    one_run = FixedKeyMapper("all days that wait")
    return PartitionedAssetTimetable(assets=asset, default_partition_mapper=one_run)


def days_to_redo(context: Any) -> list[date] | None:
    """Return the days to do again though nothing in them changed; None when there are none.

    A backfill names its day by the run's partition key, and so may a person who triggers a run;
    the DAGs behind hear it from the events that triggered them.
    """
    run = context["dag_run"]
    if run.run_type in ("backfill", "manual") and run.partition_key:
        return [date.fromisoformat(run.partition_key)]
    named = {
        day
        for events in context["triggering_asset_events"].values()
        for event in events
        for day in event.extra.get("redo", ())
    }
    return [date.fromisoformat(day) for day in sorted(named)] or None


def hand_on(context: Any, asset: Asset, waiting: Mapping[str, list[str]]) -> None:
    """Name the days that the stages behind have to do; with none, skip, and no later DAG runs.

    Args:
        context: the running task's.
        asset: what the task made.
        waiting: stage with work → its days, from `etl.pipeline.pending`. Asked of the lake, not of
            this run, so that a stage that failed yesterday is tried again today.
    """
    redo = [day.isoformat() for day in days_to_redo(context) or ()]
    stages = [stage for stage in STAGES_BEHIND[asset.name] if stage in waiting]
    if not (stages or redo):
        raise AirflowSkipException("nothing new: every later stage is up to date")
    days = sorted({*redo, *(day for stage in stages for day in waiting[stage])})
    outlet = context["outlet_events"][asset]
    outlet.add_partitions(days or [UNDATED])
    outlet.extra = {"redo": redo}
