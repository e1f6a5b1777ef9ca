"""Land the new files of the inbox, then parse their lines into messages.

Runs just after midnight UTC, and whenever triggered: one run takes whatever is new, of any day, and
names the days it touched. With nothing new `parse` ends as skipped and no later DAG runs.

To do days again, this DAG and all behind it:
`make backfill FROM=2026-03-01 TO=2026-03-07`, which is Airflow's own `backfill create`.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronPartitionTimetable, get_current_context, task

from dags.assets import MESSAGES, days_to_redo, hand_on
from dags.policy import POLICY
from etl import pipeline
from etl.settings import load_settings

# The partition of a run is the day that has just ended. A new Airflow begins with the midnight to come; unless told
# so it would run at once, beside whoever started it, when a tenth of the day has not yet passed.
DAILY = CronPartitionTimetable(
    "0 0 * * *", timezone="UTC", run_offset=-1, run_immediately=timedelta(0), key_format="%Y-%m-%d"
)

with DAG("collect", schedule=DAILY, doc_md=__doc__, **POLICY) as dag:

    @task
    def land() -> dict:
        """Copy every line of every new file into the lake, byte for byte."""
        return pipeline.land(load_settings(), days=days_to_redo(get_current_context()))

    @task(outlets=[MESSAGES])
    def parse() -> dict:
        """Make typed messages of the lines; what cannot be one goes to quarantine."""
        context = get_current_context()
        result = pipeline.parse(load_settings(), days=days_to_redo(context))
        hand_on(context, MESSAGES, pipeline.pending(load_settings()))
        return result

    land() >> parse()
