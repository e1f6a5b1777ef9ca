"""Three who read one combined log: this project, goaccess, and a few lines of plain Python; do they count the same?

What is compared is what all three mean: the lines they could read, the requests by status, the addresses, and the
pages read: `GET` or `HEAD`, answered by 200 or 304, of a path that does not end in an asset's extension nor lies below
one that is no page. goaccess is told the assets (`--static-file`, with queries too) and the statuses to leave out;
what it calls visitors is another thing (address, day and agent), and bots it counts as everybody here does.
"""

import json
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from etl.formats import access_log
from etl.lake.catalogue import Lake
from etl.lake.engine import engine
from etl.lake.landed import landed_files
from etl.settings import Settings
from etl.stages.parse.decode import register_lines
from etl.stages.parse.logs import describe_logs
from etl.stages.parse.slices import plan_slices
from etl.stages.parse.stage import Parse

PAGE_STATUSES = (200, 304)
PAGE_METHODS = ("GET", "HEAD")
NO_PAGES = ("/api/", "/graphql", "/wp-json/", "/healthz", "/livez", "/readyz")
"""Paths below which plain Python and goaccess count no pages: what the settings say by default."""
WRITTEN = re.compile(r'^(\S+) \S+ \S+ \[[^]]+\] "([^"]*)" (\d{3}) (?:\d+|-) "[^"]*" "[^"]*"')
"""A combined line, as a script of an afternoon would have it."""


@dataclass
class Count:
    """What one reader saw in a log."""

    read: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    addresses: int = 0
    pages: int = 0


def plain(log: Path, assets: tuple[str, ...]) -> Count:
    """Count with nothing but Python's own library."""
    found, addresses = Count(), set()
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            match = WRITTEN.match(line)
            if match is None:
                continue
            address, request, status = match[1], match[2].split(" "), int(match[3])
            found.read += 1
            found.statuses[status] += 1
            addresses.add(address)
            found.pages += len(request) > 1 and is_page(request[0], request[1], status, assets)
    found.addresses = len(addresses)
    return found


def is_page(method: str, target: str, status: int, assets: tuple[str, ...]) -> bool:
    """Say whether a request read a page."""
    path = target.partition("?")[0].partition("#")[0]
    ending = path.rpartition("/")[2].rpartition(".")
    is_asset = bool(ending[1]) and ending[2].lower() in assets
    return method in PAGE_METHODS and status in PAGE_STATUSES and not is_asset and not path.startswith(NO_PAGES)


def goaccess(log: Path, assets: tuple[str, ...]) -> Count:
    """Count with goaccess: once of all, and once of what was answered as pages are."""
    whole = report(log)
    statuses = Counter(
        {
            int(code["data"][:3]): code["hits"]["count"]
            for kind in whole["status_codes"]["data"]
            for code in kind["items"]
        }
    )
    # It takes no more than 64 statuses to leave out, so that only those are named that are there.
    others = [f"--ignore-status={status}" for status in statuses if status not in PAGE_STATUSES]
    static = [f"--static-file=.{ending}" for ending in assets]
    pages = report(log, "--all-static-files", "--http-method=yes", *static, *others)
    return Count(
        read=whole["general"]["valid_requests"],
        statuses=statuses,
        addresses=whole["hosts"]["metadata"]["data"]["total"]["value"],
        pages=sum(
            entry["hits"]["count"] for entry in pages["requests"]["data"]
            if entry["method"] in PAGE_METHODS and not entry["data"].startswith(NO_PAGES)
        ),
    )  # fmt: skip


def report(log: Path, *options: str) -> dict[str, Any]:
    """Run goaccess, without anybody's settings; return its report.

    Raises:
        CalledProcessError: it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "report.json"
        subprocess.run(
            [*goaccess_command(log, written), "--max-items=10000000", *options], check=True, capture_output=True
        )
        return dict(json.loads(written.read_text(encoding="utf-8", errors="replace")))


def goaccess_command(log: Path, report: Path) -> list[str]:
    """Say how goaccess reads a combined log into a report (HTML or JSON, as its name ends)."""
    program = shutil.which("goaccess")
    assert program, "goaccess is not installed"
    return [program, str(log), "--no-global-config", "--log-format=COMBINED", "--no-progress", f"--output={report}"]


def ours(settings: Settings) -> Count:
    """Count what a home has made of the access logs that landed in it.

    Pages are its messages, before those are taken out that are the same line twice; of the other lines, which it
    keeps no further, its own reader is asked for all.
    """
    lake = Lake(settings)
    files = list(landed_files(lake, "access").values())
    with lake.workbench() as con:
        parts = [part for _, part in Parse().parts(lake, "messages")]
        pages = con.execute(f"select count(*) from {lake.scan('messages', parts)} where is_access").fetchall()[0][0]
    found = Count(pages=int(pages))
    addresses: set[str] = set()
    for pieces in plan_slices(files):
        with engine(settings, settings.home) as con:
            register_lines(con, pieces)
            describe_logs(con, settings, list({piece.file.file_id: piece.file for piece in pieces}.values()))
            access_log.read_lines(con, "true", settings.trusted_proxies)
            add(con, found, addresses)
    found.addresses = len(addresses)
    return found


def add(con: duckdb.DuckDBPyConnection, found: Count, addresses: set[str]) -> None:
    """Add what one slice's lines say."""
    for status, count in con.execute(
        "select status, count(*) from logged where reason is null group by 1"
    ).fetchall():  # fmt: skip
        found.read += count
        found.statuses[status] += count
    addresses.update(ip for (ip,) in con.execute("select distinct ip from logged where reason is null").fetchall())


def goaccess_version() -> str:
    """Name the goaccess that is installed."""
    said = subprocess.run(["goaccess", "--version"], check=True, capture_output=True, text=True).stdout
    return said.splitlines()[0].rstrip(".").replace(" - ", " ")
