"""Writing a slice: its valid messages, their keys, pixel hits and refusals, each as Parquet by its day."""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import duckdb

from etl.enrich import urls
from etl.lake import sql
from etl.lake.datasets import PARQUET, SORTED_PARQUET
from etl.lake.engine import run_file, set_variables
from etl.lake.fingerprint import digest
from etl.stages.stage import Output
from etl.vocabulary import bot_rules
from etl.vocabulary.columns import AGENTS, HOSTS, MESSAGES

HERE = Path(__file__).parent
DAY_US = 86_400_000_000
MESSAGE_COLUMNS = ", ".join(field.name for field in MESSAGES if field.name != "event_date")


def write_slice(
    con: duckdb.DuckDBPyConnection, source: str, folder: Path, *, is_sorted: bool = False
) -> Iterator[Output]:
    """Write a decoded slice below `folder`; the content of a day's file names what libraries say of its values.

    Args:
        is_sorted: messages in order of their visitor.
    """
    if source == "pixel":
        run_file(con, HERE / "distinct_hit_urls.sql")
        urls.split(con, "distinct_urls", "urls")
        run_file(con, HERE / "wide_hits.sql")
        hits = write_by_day(con, "select * from wide_hits", folder / "pixel_hits", "hit_date")
        yield from dated(con, "pixel_hits", hits, folder)
    else:
        run_file(con, HERE / "distinct_urls.sql")
        urls.split(con, "distinct_urls", "urls")
        set_variables(con, bot_platforms=list(bot_rules.PLATFORMS))
        order = "order by visitor_id" if is_sorted else ""
        con.execute(f"set preserve_insertion_order = {is_sorted}")
        messages = write_valid(con, "wide", MESSAGE_COLUMNS, "event_us", folder / "messages", order)
        con.execute("set preserve_insertion_order = false")
        yield from dated(con, "messages", messages, folder)
        for day, path in write_valid(con, "keyed", "*", "received_us", folder / "keys").items():
            yield Output("keys", path, day=day.isoformat(), content="")
    path = folder / "quarantine.parquet"
    run_file(con, HERE / "quarantine.sql")
    con.execute(f"copy (from quarantined order by file_id, line_number, position) to {sql.text(path)} ({PARQUET})")
    if con.execute("select count(*) from refused").fetchall() != [(0,)]:
        yield Output("quarantine", path)


def dated(con: duckdb.DuckDBPyConnection, dataset: str, paths: Mapping[date, Path], folder: Path) -> Iterator[Output]:
    """Name what libraries said of each day's distinct values, and keep it."""
    con.execute(f"create temp table said_of_agents ({columns_of('agents')})")
    con.execute(f"create temp table said_of_hosts ({columns_of('hosts')})")
    names = ("agents", "hosts") if dataset == "messages" else ("agents",)
    for day, path in paths.items():
        for name in names:
            run_file(con, HERE / f"said_of_{name}.sql", written=str(path), day=day)
    said = {day: digest(run_file(con, HERE / "said_of_day.sql", day=day).fetchall()) for day in paths}
    for day, path in paths.items():
        yield Output(dataset, path, day=day.isoformat(), content=said[day])
    for name in names:
        target = folder / f"{name}.parquet"
        con.execute(f"copy (from said_of_{name} order by all) to {sql.text(target)} ({PARQUET})")
        yield Output(name, target)
    con.execute("drop table said_of_agents")
    con.execute("drop table said_of_hosts")


def columns_of(dataset: str) -> str:
    """Say the columns of a dictionary of distinct values in SQL."""
    kinds = {"date32[day]": "date", "string": "varchar", "bool": "boolean"}
    return ", ".join(f"{field.name} {kinds[str(field.type)]}" for field in {"agents": AGENTS, "hosts": HOSTS}[dataset])


def write_by_day(con: duckdb.DuckDBPyConnection, query: str, folder: Path, day: str) -> dict[date, Path]:
    """Write a query's rows as Parquet, a file for each value of its column `day`, which goes."""
    con.execute(f"create or replace temp view undated as {query}")
    written = {}
    folder.mkdir(parents=True)
    for (name,) in con.execute(f"select distinct {day} from undated order by 1").fetchall():
        written[name] = folder / f"{name}.parquet"
        con.execute(
            f"copy (select * exclude ({day}) from undated where {day} = date '{name}')"
            f" to {sql.text(written[name])} ({PARQUET})"
        )
    return written


def write_valid(
    con: duckdb.DuckDBPyConnection, view: str, columns: str, moment: str, folder: Path, order: str = ""
) -> dict[date, Path]:
    """Write what a view of wide.sql makes of `valid`: the valid rows of `decoded`, of one day at a time.

    One copy a day: DuckDB's own partitioned write costs three times as much. The day is a range of a plain
    column, so that a scan skips the others': a slice of ninety days was read ninety times, with all its columns.

    Args:
        moment: the column of `decoded` (µs) whose day counts.
        order: in which rows are written, then in small groups; as they come, unless said.
    """
    days = con.execute(
        f"select distinct cast(make_timestamp({moment}) as date) from decoded where reason is null order by 1"
    ).fetchall()
    written = {}
    folder.mkdir(parents=True)
    con.execute("create or replace temp view valid as from decoded")
    run_file(con, HERE / "wide.sql")
    for (name,) in days:
        start = (name - date(1970, 1, 1)).days * DAY_US
        con.execute(
            "create or replace temp view valid as select * from decoded"
            f" where reason is null and {moment} between {start} and {start + DAY_US - 1}"
        )
        written[name] = folder / f"{name}.parquet"
        kind = SORTED_PARQUET if order else PARQUET
        con.execute(f"copy (select {columns} from {view} {order}) to {sql.text(written[name])} ({kind})")
    return written
