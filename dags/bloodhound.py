"""The whole way from raw logs to checked marts, a page and a mail.

A run takes whatever is new, of any day: a late file does its own days again and no others. A stage without work ends as
skipped; one that failed is tried again by the next run. A check in error fails `reconcile`, not page and mail.

Runs at midnight UTC unless `BLOODHOUND_SCHEDULE` says otherwise. To do days again: `make backfill FROM=… TO=…`, or
trigger a run with a first and a last day.
"""

from airflow.sdk import DAG, task

from dags.assets import EVENTS, MESSAGES, WAREHOUSE, announce
from dags.links import ChecksOnThePage, telling_failed_checks
from dags.policy import POLICY
from dags.schedule import chosen_schedule
from dags.work import DAYS_AGAIN, run
from etl import pipeline

with DAG("bloodhound", schedule=chosen_schedule(), params=DAYS_AGAIN, doc_md=__doc__, **POLICY) as dag:

    @task
    def land() -> dict:
        """Copy every line of every new file into the lake, byte for byte."""
        return run(pipeline.land)

    @task(outlets=[MESSAGES])
    def parse() -> dict:
        """Make typed messages of the lines; what cannot be one goes to quarantine."""
        return announce(MESSAGES, run(pipeline.parse))

    @task(outlets=[EVENTS])
    def sessionize() -> dict:
        """Rewrite the events and sessions of the days whose messages changed."""
        return announce(EVENTS, run(pipeline.sessionize))

    @task(outlets=[WAREHOUSE])
    def build() -> dict:
        """Build and test the marts with dbt, then replace the published warehouse at once."""
        return announce(WAREHOUSE, run(pipeline.build))

    @task(priority_weight=10)  # Before page and mail: an alarm should not wait for them.
    def reconcile() -> dict:
        """Judge the published checks; one in error fails this task, and a link leads to what explains it."""
        with telling_failed_checks():
            return run(pipeline.reconcile)

    @task
    def report() -> dict:
        """Make the page of what was published."""
        return run(pipeline.report)

    @task
    def mail() -> dict:
        """Write the daily summary, and send it if a mail server is set; each day of data once."""
        return run(pipeline.mail)

    judged, page = reconcile(), report()
    judged.operator.operator_extra_links = (ChecksOnThePage(),)  # type: ignore[attr-defined]
    land() >> parse() >> sessionize() >> build() >> [judged, page]
    page >> mail()
