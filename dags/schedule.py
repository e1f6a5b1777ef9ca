"""When a run begins: `BLOODHOUND_SCHEDULE` is `daily`, `hourly`, `on_arrival` or a cron expression, all in UTC."""

import os
from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, AssetWatcher, CronTriggerTimetable

from dags.arrivals import InboxTrigger

CRON = {"daily": "0 0 * * *", "hourly": "0 * * * *"}


def chosen_schedule() -> Any:
    """Return what Airflow takes as a schedule."""
    chosen = os.environ.get("BLOODHOUND_SCHEDULE") or "daily"
    if chosen == "on_arrival":
        arrivals = AssetWatcher("arrivals", trigger=InboxTrigger())  # type: ignore[no-untyped-call]
        return [Asset("inbox", uri="bloodhound://inbox", group="bloodhound", watchers=[arrivals])]
    # A new Airflow begins with the next time to come; unless told so it would run at once, beside whoever started it,
    # when a tenth of the time between two runs has not yet passed.
    return CronTriggerTimetable(CRON.get(chosen, chosen), timezone="UTC", run_immediately=timedelta(0))
