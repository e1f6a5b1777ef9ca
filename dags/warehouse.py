"""Build and test the marts with dbt for the days whose events changed, then publish the warehouse.

dbt builds into a file of its own; the published one is replaced at once after every test passed, so
readers never see half of it. A failing model or test is named, and readers keep what they had.
Then the page and the daily mail are made of what was published.
"""

from airflow.sdk import DAG, get_current_context, task

from dags.assets import EVENTS, WAREHOUSE, all_days_of, days_to_redo, hand_on
from dags.policy import POLICY
from etl import pipeline
from etl.settings import load_settings

with DAG("warehouse", schedule=all_days_of(EVENTS), doc_md=__doc__, **POLICY) as dag:

    @task(outlets=[WAREHOUSE])
    def build() -> dict:
        """Run dbt in this process and replace the published warehouse."""
        context = get_current_context()
        result = pipeline.build(load_settings(), days=days_to_redo(context))
        hand_on(context, WAREHOUSE, pipeline.pending(load_settings()))
        return result

    @task
    def report() -> dict:
        """Make the page of what was published."""
        return pipeline.report(load_settings())

    @task
    def mail() -> dict:
        """Write the daily summary, and send it if a mail server is set; each day of data once."""
        return pipeline.mail(load_settings())

    build() >> report() >> mail()
