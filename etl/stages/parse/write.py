"""Writing a slice: its valid messages, their keys, pixel hits and refusals, each as Parquet by its day."""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import duckdb

from etl.enrich import urls
from etl.formats import collector
from etl.lake import sql
from etl.lake.datasets import PARQUET
from etl.lake.fingerprint import digest
from etl.stages.runner import Output
from etl.vocabulary import bot_rules
from etl.vocabulary.columns import AGENTS, HOSTS, MESSAGES

DAY_US = 86_400_000_000
MESSAGE_COLUMNS = ", ".join(field.name for field in MESSAGES if field.name != "event_date")


def write_slice(con: duckdb.DuckDBPyConnection, source: str, folder: Path) -> Iterator[Output]:
    """Write a decoded slice below `folder`; the content of a day's file names what libraries say of its values."""
    if source == "pixel":
        hits = write_by_day(con, "select * from hits", folder / "pixel_hits", "hit_date")
        yield from dated(con, "pixel_hits", hits, folder)
    else:
        con.execute(
            """
            create temp table distinct_urls as
            select url from decoded where reason is null and url is not null
            union
            select referrer from decoded where reason is null and referrer is not null
            """
        )
        urls.split(con, "distinct_urls", "urls")
        messages = write_valid(con, select_messages(), "event_us", folder / "messages")
        yield from dated(con, "messages", messages, folder)
        for day, path in write_valid(con, SELECT_KEYS, "received_us", folder / "keys").items():
            yield Output("keys", path, day=day.isoformat(), content="")
    path = folder / "quarantine.parquet"
    con.execute(
        f"""
        copy (
            select source_file, line_number, position, reason, detail, payload,
                case when received_us is not null then make_timestamptz(received_us) end as received_at, file_id,
                event_id, schema, app_id, platform, tracker, stream_id, message_index
            from refused order by file_id, line_number, position
        ) to {sql.text(path)} ({PARQUET})
        """
    )
    if con.execute("select count(*) from refused").fetchall() != [(0,)]:
        yield Output("quarantine", path)


def dated(con: duckdb.DuckDBPyConnection, dataset: str, paths: Mapping[date, Path], folder: Path) -> Iterator[Output]:
    """Name what libraries said of each day's distinct values, and keep it."""
    con.execute(f"create temp table said_of_agents ({columns_of('agents')})")
    con.execute(f"create temp table said_of_hosts ({columns_of('hosts')})")
    for day, path in paths.items():
        scan = f"read_parquet([{sql.text(path)}], hive_partitioning = false)"
        con.execute(
            f"""
            insert into said_of_agents
            select date '{day}', agents.user_agent, agents.browser, agents.browser_version, agents.os,
                agents.os_version, agents.device, agents.is_touch, agents.ua_bot_reason
            from agents
            inner join (select distinct user_agent from {scan}) as seen
                on agents.user_agent is not distinct from seen.user_agent
            """
        )
        if dataset == "messages":
            con.execute(
                f"""
                insert into said_of_hosts
                select date '{day}', url_host, url_domain from {scan} where url_host is not null group by all
                union
                select date '{day}', referrer_host, referrer_domain from {scan}
                where referrer_host is not null group by all
                """
            )
    said = {
        day: digest(con.execute(SAID_OF_DAY, {"day": day}).fetchall())
        for day in paths
    }  # fmt: skip
    for day, path in paths.items():
        yield Output(dataset, path, day=day.isoformat(), content=said[day])
    for name in ("agents", "hosts") if dataset == "messages" else ("agents",):
        target = folder / f"{name}.parquet"
        con.execute(f"copy (from said_of_{name} order by all) to {sql.text(target)} ({PARQUET})")
        yield Output(name, target)
    con.execute("drop table said_of_agents")
    con.execute("drop table said_of_hosts")


SAID_OF_DAY = """
    select 'agent' as kind, to_json(said)::varchar as said
    from said_of_agents as said where event_date = $day
    union all
    select 'host', to_json(said)::varchar
    from said_of_hosts as said where event_date = $day
    order by all
"""


def columns_of(dataset: str) -> str:
    """Say the columns of a dictionary of distinct values in SQL."""
    kinds = {"date32[day]": "date", "string": "varchar", "bool": "boolean"}
    return ", ".join(f"{field.name} {kinds[str(field.type)]}" for field in {"agents": AGENTS, "hosts": HOSTS}[dataset])


def select_messages() -> str:
    """Say in SQL the wide rows of the `valid` messages, with what their URLs and user agent tell."""
    campaign = ", ".join(f"case when schema = 'page_view' then pages.{key} end as {key}" for key in urls.QUERY_KEYS)
    return f"""
        select {MESSAGE_COLUMNS}
        from (
            select
                decoded.* exclude (user_agent, url, referrer)
                    replace (case
                        when sent_platform = 'web' and agents.is_touch then 'mobile_web'
                        when sent_platform = 'mob' and (
                            agents.os = 'iOS' or regexp_matches(decoded.user_agent, 'Darwin|CFNetwork|iOS')
                        ) then 'ios'
                        else platform
                    end as platform),
                decoded.user_agent, decoded.url, decoded.referrer,
                pages.url_host, pages.url_path, pages.url_domain,
                referrers.url_host as referrer_host, referrers.url_domain as referrer_domain,
                {campaign},
                agents.* exclude (user_agent, ua_bot_reason),
                case when platform in ({collector.sql_list(bot_rules.PLATFORMS)})
                    then agents.ua_bot_reason end as ua_bot_reason,
                make_timestamptz(created_us) as created_at, make_timestamptz(sent_us) as sent_at,
                make_timestamptz(received_us) as received_at, make_timestamptz(event_us) as event_at,
                (line_number << 24) | position as message_ref
            from valid as decoded
            left join urls as pages on decoded.url = pages.url
            left join urls as referrers on decoded.referrer = referrers.url
            left join agents on decoded.user_agent is not distinct from agents.user_agent
        )
    """


SELECT_KEYS = """
    select
        cast(md5_number_lower(event_id) >> 1 as bigint) as id_key,
        case when schema = 'page_view'
            then cast(md5_number_lower(visitor_id || chr(10) || page_id) >> 1 as bigint) end as page_key,
        received_us, file_id, (line_number << 24) | position as message_ref,
        cast(make_timestamp(event_us) as date) as event_date
    from valid
"""


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


def write_valid(con: duckdb.DuckDBPyConnection, query: str, moment: str, folder: Path) -> dict[date, Path]:
    """Write what a query makes of `valid`: the valid rows of `decoded`, of one day at a time.

    One copy a day: DuckDB's own partitioned write costs three times as much. The day is a range of a plain
    column, so that a scan skips the others': a slice of ninety days was read ninety times, with all its columns.

    Args:
        moment: the column of `decoded` (µs) whose day counts.
    """
    days = con.execute(
        f"select distinct cast(make_timestamp({moment}) as date) from decoded where reason is null order by 1"
    ).fetchall()
    written = {}
    folder.mkdir(parents=True)
    for (name,) in days:
        start = (name - date(1970, 1, 1)).days * DAY_US
        con.execute(
            "create or replace temp view valid as select * from decoded"
            f" where reason is null and {moment} between {start} and {start + DAY_US - 1}"
        )
        written[name] = folder / f"{name}.parquet"
        con.execute(f"copy ({query}) to {sql.text(written[name])} ({PARQUET})")
    return written
