"""What a run makes, for whoever wants to follow it: an event a day, with the counts of the run that made it."""

from typing import Any

from airflow.sdk import Asset, get_current_context

MESSAGES = Asset("messages", uri="bloodhound://lake/messages", group="bloodhound")
EVENTS = Asset("events", uri="bloodhound://lake/events", group="bloodhound")
WAREHOUSE = Asset("warehouse", uri="bloodhound://warehouse", group="bloodhound")


def announce(asset: Asset, counts: dict[str, Any]) -> dict[str, Any]:
    """Name the UTC days that a task has just made, each as a partition of its asset, and return its counts.

    Which days they are is known now and not before: the schedule says when to look, not what there is. Work that
    belongs to no day, such as a file of spend alone, is one event without a partition.
    """
    outlet = get_current_context()["outlet_events"][asset]
    days = counts["days"]
    outlet.add_partitions(days)
    sized = {name: len(value) if isinstance(value, list) else value for name, value in counts.items()}
    outlet.extra = sized | ({"first_day": days[0], "last_day": days[-1]} if days else {})
    return counts
