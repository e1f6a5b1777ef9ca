"""Check that what came out accounts for all that went in: the balance of every file, and the loss.

Follows the published warehouse. A check in error fails the task with its reasons, and is not tried
again: the data, not the run, is what must be looked at.
"""

from airflow.sdk import DAG, get_current_context, task

from dags.assets import WAREHOUSE, all_days_of, days_to_redo
from dags.policy import POLICY
from etl import pipeline
from etl.settings import load_settings

with DAG("reconcile", schedule=all_days_of(WAREHOUSE), doc_md=__doc__, **POLICY) as dag:

    @task
    def reconcile() -> dict:
        """Run every check; one in error fails this task."""
        return pipeline.reconcile(load_settings(), days=days_to_redo(get_current_context()))

    reconcile()
