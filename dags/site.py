"""Open the site's own pages in a browser, once a week: does each still send its event and its pixel, of one page?

`BLOODHOUND_SITE_PAGES` names them, with spaces between; each is opened with ten of those that it links to. Without it
there is no such DAG.
"""

import os

from airflow.sdk import DAG, CronTriggerTimetable, task

from dags.policy import POLICY
from etl import pipeline

MORE = 10


def named_pages() -> list[str]:
    """Return the pages that are named."""
    return os.environ.get("BLOODHOUND_SITE_PAGES", "").split()


if pages := named_pages():
    own = POLICY | {"description": "The site's own pages, seen by both witnesses", "tags": ["bloodhound", "collector"]}
    with DAG("site", schedule=CronTriggerTimetable("0 5 * * 1", timezone="UTC"), doc_md=__doc__, **own) as dag:
        # It writes nothing, so whoever writes need not wait for it.
        @task(pool="default_pool")
        def open_pages() -> dict:
            """Open each; what is wrong with one fails this task, and people are told."""
            return pipeline.require_pages(pages, MORE)

        open_pages()
