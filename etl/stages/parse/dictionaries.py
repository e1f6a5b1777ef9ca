"""What libraries decide of a distinct value: kept beside the rows, so that an upgrade reads values and not lines."""

from functools import cache
from importlib.metadata import version

import duckdb

from etl.enrich import urls, user_agents
from etl.lake.catalogue import Lake
from etl.lake.manifests import Commit, Reading

READERS = ("ua-parser", "ua-parser-rs", "is-bot", "regex", "tldextract")
"""The packages that say what a user agent or a host is."""


@cache
def installed() -> dict[str, str]:
    """Name the versions of the readers."""
    return {name: version(name) for name in READERS}


def says_the_same(lake: Lake, commit: Commit[Reading]) -> bool:
    """Say whether the readers of now say of a commit's distinct values what is written of them."""
    with lake.workbench() as con:
        return not (
            differ(con, lake, commit, "agents", user_agents.describe, "user_agent")
            or differ(con, lake, commit, "hosts", urls.domains, "url_host")
        )


def differ(
    con: duckdb.DuckDBPyConnection, lake: Lake, commit: Commit[Reading], dataset: str, describe: object, key: str
) -> bool:
    """Say whether any value of a dictionary is described otherwise now."""
    parts = [part for part in commit.parts if part.dataset == dataset]
    if not parts:
        return False
    con.execute(
        "create or replace temp view written as"
        f" select distinct * exclude (event_date) from {lake.scan(dataset, parts)}"
    )
    values = [value for (value,) in con.execute(f"select distinct {key} from written").fetchall()]
    con.register("said_now", describe(values))  # type: ignore[operator]
    return con.execute("select count(*) from (from written except from said_now)").fetchall() != [(0,)]
