"""From the task that judges to the row of the page that explains it: a link beside the task, one a check in its log."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

import structlog
from airflow.configuration import conf
from airflow.sdk import BaseOperatorLink

from etl import pipeline
from etl.errors import CheckFailed
from etl.settings import load_settings

PAGE = "/bloodhound/page"


def page_of(check: str | None = None) -> str:
    """Name the page's tab of trust, at the row of a check; below Airflow's own address."""
    base = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
    return f"{base}{PAGE}#" + urlencode({"tab": "trust"} | ({"check": check} if check else {}))


class ChecksOnThePage(BaseOperatorLink):
    """The page of what was judged, at the newest check in error if there is one."""

    name = "Checks on the page"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Name the page as it is when the task ends; the link stays with the run."""
        del operator, ti_key
        failed = pipeline.failed_checks(load_settings())
        return page_of(failed[0][0] if failed else None)


@contextmanager
def telling_failed_checks() -> Iterator[None]:
    """Write a line for each check that fails the task into its log, with the row that explains it."""
    try:
        yield
    except CheckFailed:
        log = structlog.get_logger("bloodhound")
        for check, text in pipeline.failed_checks(load_settings()):
            log.error(text, check=check, page=page_of(check))
        raise
