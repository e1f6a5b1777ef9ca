"""Make canonical events of the messages, one of each, and cut them into sessions.

Follows the messages of `collect`. A late file re-does its day, and later days only as long as what
each hands the next keeps changing; then the days whose events changed are handed on.
"""

from airflow.sdk import DAG, get_current_context, task

from dags.assets import EVENTS, MESSAGES, all_days_of, days_to_redo, hand_on
from dags.policy import POLICY
from etl import pipeline
from etl.settings import load_settings

with DAG("sessionize", schedule=all_days_of(MESSAGES), doc_md=__doc__, **POLICY) as dag:

    @task(outlets=[EVENTS])
    def sessionize() -> dict:
        """Rewrite the events and sessions of the days whose messages changed."""
        context = get_current_context()
        result = pipeline.sessionize(load_settings(), days=days_to_redo(context))
        hand_on(context, EVENTS, pipeline.pending(load_settings()))
        return result

    sessionize()
