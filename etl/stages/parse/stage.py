"""Parse: landed lines → judged messages, pixel hits and quarantine, in batches of files.

A batch is parsed whole or not at all. Which files share a batch depends on what arrived together
and changes no row. A batch is parsed anew when this code's `PARSER_VERSION` or a setting it reads
has changed, when the tracking plan says something else of a schema among its messages, or when a
file of it was superseded.
"""

import hashlib
import itertools
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from etl.enrich import urls, user_agents
from etl.formats import collector
from etl.formats import combined_log as access_log
from etl.lake import files as lake
from etl.settings import Settings
from etl.stages.land import stage as land
from etl.vocabulary import bot_rules
from etl.vocabulary import tracking_plan as plan
from etl.vocabulary.columns import MESSAGES

PARSER_VERSION = 9
SLICE_BYTES = 384 * 2**20
DAY_US = 86_400_000_000
REASONS = (
    "too_large", "bad_line", "bad_body", "unknown_version", "unknown_schema", "missing_key", "malformed_key",
    "too_late",
)  # fmt: skip
"""Why parsing quarantines, in the order in which the reasons count. Collisions are found later, between messages."""
MOST_SCHEMAS = 1000
"""A batch remembers so many names; beyond, they are noise that no plan will ever name."""
PARSED_SOURCES = ("events", "pixel", "access")

MESSAGE_COLUMNS = ", ".join(field.name for field in MESSAGES if field.name != "event_date")


@dataclass(frozen=True)
class Part:
    """Rows of one raw Parquet file: all, or the lines from `first` to `last`."""

    path: Path
    file: dict[str, Any]
    size: int
    first: int | None = None
    last: int | None = None


def fingerprint(settings: Settings) -> str:
    """Name all that decides how a line is parsed."""
    decisive = (
        PARSER_VERSION, settings.max_lateness_days, settings.max_message_bytes, sorted(settings.asset_extensions),
        bot_rules.digest("declared", "malformed_ua", "platforms"), user_agents.NAMES.pattern,
    )  # fmt: skip
    return hashlib.sha256(repr(decisive).encode()).hexdigest()[:16]


def landed_files(settings: Settings) -> dict[int, dict[str, Any]]:
    """The landed files that count, by file id."""
    files = lake.manifests(settings, "files").values()
    return {file["file_id"]: file for file in files if file["status"] in {"landed", "truncated"}}


def fresh_batches(settings: Settings) -> dict[str, dict[str, Any]]:
    """The parsed batches that still hold, by name."""
    landed, wanted = landed_files(settings), fingerprint(settings)
    tracking_plan = plan.load_plan(settings.tracking_plan)
    # Of a year's batches nearly all hold the same few schemas.
    planned = cache(lambda schemas: plan.digests(tracking_plan, schemas))
    return {
        name: batch
        for name, batch in lake.manifests(settings, "batches").items()
        if batch["fingerprint"] == wanted
        and batch["plan"] == planned(tuple(batch["plan"]))
        and all(number in landed for number in batch["file_ids"])
    }


def unparsed_files(
    settings: Settings, days: Sequence[date] = (), numbers: Collection[int] = ()
) -> list[dict[str, Any]]:
    """The landed files no fresh batch holds, those with lines of `days`, and those of `numbers` (file ids)."""
    redo = {day.isoformat() for day in days}
    parsed = {number for batch in fresh_batches(settings).values() for number in batch["file_ids"]}
    return [
        file
        for number, file in sorted(landed_files(settings).items(), key=lambda item: item[1]["source_file"])
        if file["source"] in PARSED_SOURCES
        and (number not in parsed or number in numbers or redo & set(file["partitions"]))
    ]


def parse(
    settings: Settings,
    days: Sequence[date] = (),
    advance: Callable[[int], None] = lambda _: None,
    numbers: Collection[int] = (),
) -> list[dict[str, Any]]:
    """Parse all files that need it; return the manifests of the batches made.

    Args:
        days: received days whose files are parsed even when they are fresh.
        numbers: ids of files that are parsed even when they are fresh.
        advance: told the bytes of each slice done.
    """
    sweep_orphans(settings)
    files = unparsed_files(settings, days, numbers)
    redone = {file["file_id"] for file in files}
    fresh = fresh_batches(settings)
    shared = {number for batch in fresh.values() if redone & set(batch["file_ids"]) for number in batch["file_ids"]}
    landed = landed_files(settings)
    files += [landed[number] for number in sorted(shared - redone)]
    batches = list(plan_batches(files))
    made = [parse_batch(settings, batch, advance) for batch in batches]
    drop_stale(settings, {batch["name"] for batch in made}, {file["file_id"] for file in files})
    return made


def quarantined_by_file(settings: Settings, reasons: Sequence[str] = ()) -> dict[int, int]:
    """Count what parsing has quarantined for `reasons` (none: for any), by id of files that count.

    Batches that are to be parsed again, for a plan that has changed, are among them.
    """
    landed = landed_files(settings)
    outputs = [
        lake.lake_path(settings, output)
        for batch in lake.manifests(settings, "batches").values()
        for output in batch["outputs"]
        if output.startswith("quarantine/")
    ]
    if not outputs:
        return {}
    with lake.staging(settings) as folder, lake.engine(settings, folder) as con:
        rows = con.execute(
            f"select file_id, count(*) from {lake.scan(outputs)} where reason in (select unnest($reasons)) group by 1",
            {"reasons": list(reasons or REASONS)},
        ).fetchall()
    return {number: count for number, count in rows if number in landed}


def plan_batches(files: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Group files of one source up to a slice's size; a large file is a batch of its own."""
    for source in PARSED_SOURCES:
        group: list[dict[str, Any]] = []
        size = 0
        for file in files:
            if file["source"] != source:
                continue
            if group and size + file["bytes"] > SLICE_BYTES:
                yield group
                group, size = [], 0
            group.append(file)
            size += file["bytes"]
        if group:
            yield group


def plan_slices(settings: Settings, batch: Sequence[dict[str, Any]]) -> Iterator[list[Part]]:
    """Cut a batch into parts of bounded size, along the row groups of its raw files."""
    group: list[Part] = []
    size = 0
    for file in batch:
        for day in file["partitions"]:
            path = land.raw_path(settings, file["source"], day, file["file_id"])
            for part in cut_file(path, file):
                if group and size + part.size > SLICE_BYTES:
                    yield group
                    group, size = [], 0
                group.append(part)
                size += part.size
    if group:
        yield group


def cut_file(path: Path, file: dict[str, Any]) -> Iterator[Part]:
    """Cut one raw file where its row groups add up to a slice."""
    metadata = pq.ParquetFile(path).metadata
    sizes = [metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups)]
    if sum(sizes) <= SLICE_BYTES:
        yield Part(path, file, sum(sizes))
        return
    first: int | None = None
    size = 0
    for index, group_size in enumerate(sizes):
        numbers = metadata.row_group(index).column(0).statistics
        first = numbers.min if first is None else first
        size += group_size
        if size >= SLICE_BYTES // 2 or index == len(sizes) - 1:
            yield Part(path, file, size, first, numbers.max)
            first, size = None, 0


def halve(parts: Sequence[Part]) -> list[list[Part]]:
    """Cut a slice in two, down to single lines.

    Raises:
        duckdb.OutOfMemoryException: it is a single line.
    """
    middle = len(parts) // 2
    if middle:
        return [list(parts[:middle]), list(parts[middle:])]
    (part,) = parts
    metadata = pq.ParquetFile(part.path).metadata
    numbers = [metadata.row_group(index).column(0).statistics for index in range(metadata.num_row_groups)]
    first = min(found.min for found in numbers) if part.first is None else part.first
    last = max(found.max for found in numbers) if part.last is None else part.last
    if first == last:
        raise duckdb.OutOfMemoryException(f"{part.file['source_file']}, line {first}, takes more than memory_limit")
    half = (first + last) // 2
    return [
        [replace(part, size=part.size // 2, first=low, last=high)] for low, high in ((first, half), (half + 1, last))
    ]


def parse_batch(settings: Settings, files: Sequence[dict[str, Any]], advance: Callable[[int], None]) -> dict[str, Any]:
    """Parse a group of files of one source; commit; return the manifest."""
    numbers = sorted(file["file_id"] for file in files)
    source = files[0]["source"]
    tracking_plan = plan.load_plan(settings.tracking_plan)
    identity = repr((fingerprint(settings), plan.digests(tracking_plan, tracking_plan), source, numbers))
    name = hashlib.sha256(identity.encode()).hexdigest()[:16]
    outputs: list[str] = []
    schemas: set[str] = set()
    counts: dict[int, dict[str, int]] = {number: {} for number in numbers}
    with lake.staging(settings) as folder:
        waiting = list(plan_slices(settings, files))
        for index in itertools.count():
            if not waiting:
                break
            parts = waiting.pop(0)
            target = folder / str(index)
            target.mkdir()
            try:
                with lake.engine(settings, folder) as con:
                    register_raw(con, parts)
                    DECODERS[source](con, settings)
                    write_slice(con, source, target)
                    schemas |= sent_schemas(con) if source == "events" else set()
                    add_counts(con, source, counts)
            except duckdb.OutOfMemoryException:
                # Few lines can hold very many messages: no client may stop the parser so.
                waiting[:0] = halve(parts)
                shutil.rmtree(target)
                continue
            outputs += place_slice(settings, target, f"{name}-{index}")
            advance(sum(part.size for part in parts))
    manifest = {
        "name": name, "source": source, "fingerprint": fingerprint(settings), "file_ids": numbers,
        "plan": plan.digests(tracking_plan, schemas),
        "counts": {f"{number:016x}": counts[number] for number in numbers}, "outputs": sorted(outputs),
    }  # fmt: skip
    lake.write_manifest(lake.manifest_path(settings, "batches", name), manifest)
    return manifest


def sent_schemas(con: duckdb.DuckDBPyConnection) -> set[str]:
    """Name the schemas among a slice's messages, known or not, that the tracking plan could speak of."""
    rows = con.execute(
        "select schema from decoded where regexp_full_match(schema, $name) group by 1 order by count(*) desc, 1",
        {"name": plan.NAME},
    ).fetchall()
    return {name for (name,) in rows[:MOST_SCHEMAS]}


def register_raw(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> None:
    """Make `raw_files` (file_id, source_file, app_id) and the view `raw` (file_id, source_file, columns of RAW)."""
    table = pa.table(
        {
            "filename": pa.array([str(part.path) for part in parts], pa.string()),
            "file_id": pa.array([part.file["file_id"] for part in parts], pa.uint64()),
            "source_file": pa.array([part.file["source_file"] for part in parts], pa.string()),
            "app_id": pa.array([access_app(part.file["source_file"]) for part in parts], pa.string()),
        }
    )
    con.register("raw_parts", table)
    con.execute("create temp table raw_file_paths as select distinct * from raw_parts")
    con.execute("create temp table raw_files as select distinct file_id, source_file, app_id from raw_parts")
    columns = "line_number, line, line_bytes, line_sha256, filename"
    whole = [part.path for part in parts if part.first is None]
    scans = (
        [f"select {columns} from read_parquet({sql_paths(whole)}, filename = true, hive_partitioning = false)"]
        if whole
        else []
    )
    scans += [
        f"select {columns} from read_parquet({sql_paths([part.path])}, filename = true, hive_partitioning = false)"
        f" where line_number between {part.first} and {part.last}"
        for part in parts
        if part.first is not None
    ]
    con.execute(
        f"""
        create temp view raw as
        select file_id, source_file, line_number, line, line_bytes, line_sha256
        from ({" union all ".join(scans)}) inner join raw_file_paths using (filename)
        """
    )


def sql_paths(paths: Sequence[Path]) -> str:
    """Write a list of paths as an SQL list of strings."""
    return "[" + ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths) + "]"


def access_app(source_file: str) -> str:
    """Name the app of an access log by its first folder below `access/`."""
    folders = source_file.split("/")[1:-1]
    return f"access:{folders[0] if folders else 'site'}"


def decode_events(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make `decoded`, `rejected` and `agents` of collector lines."""
    limits = collector.Limits(settings.max_message_bytes, settings.max_lateness_days)
    collector.decode_requests(con)
    collector.list_messages(con, settings.max_message_bytes)
    collector.decode_messages(con, limits, plan.load_plan(settings.tracking_plan))
    describe_agents(con, "decoded")
    con.execute(
        """
        create temp table refused as
        select
            source_file, line_number, position, reason, detail, payload, received_us, file_id,
            event_id, schema, app_id, platform, tracker, stream_id, message_index
        from decoded where reason is not null
        """
    )


def decode_access(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make `decoded`, `refused` and `agents` of web servers' lines."""
    access_log.decode_lines(con)
    describe_agents(con, "logged")
    access_log.select_page_views(con, tuple(settings.asset_extensions))
    refuse_logged(con)


def decode_pixel(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make `hits` and `refused` of the pixel server's lines."""
    del settings
    access_log.decode_lines(con)
    describe_agents(con, "logged")
    access_log.select_pixel_hits(con)
    refuse_logged(con)


def refuse_logged(con: duckdb.DuckDBPyConnection) -> None:
    """Make `refused` of the lines of `logged` that are not in combined format."""
    con.execute(
        """
        create temp table refused as
        select
            source_file, line_number, cast(null as integer) as position, reason, detail, payload, received_us, file_id,
            cast(null as varchar) as event_id, cast(null as varchar) as schema, cast(null as varchar) as app_id,
            cast(null as varchar) as platform, cast(null as varchar) as tracker, cast(null as varchar) as stream_id,
            cast(null as bigint) as message_index
        from logged where reason is not null
        """
    )


DECODERS: dict[str, Callable[[duckdb.DuckDBPyConnection, Settings], None]] = {
    "events": decode_events,
    "access": decode_access,
    "pixel": decode_pixel,
}


def describe_agents(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Make `agents`: what the distinct user agents of a table say."""
    distinct = con.execute(f"select distinct user_agent from {table}").fetchall()
    con.register("agents_described", user_agents.describe(agent for (agent,) in distinct))
    con.execute("create temp table agents as select * from agents_described")


def write_slice(con: duckdb.DuckDBPyConnection, source: str, folder: Path) -> None:
    """Write a slice's datasets below `folder`, partitioned by their day."""
    if source == "pixel":
        copy(con, "select * from hits", folder / "pixel_hits", "hit_date")
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
        copy_decoded(con, select_messages(), "event_us", folder / "messages", "event_date")
        copy_decoded(con, SELECT_KEYS, "received_us", folder / "ids", "received_date")
    copy(
        con,
        """
        select source_file, line_number, position, reason, detail, payload,
            case when received_us is not null then make_timestamptz(received_us) end as received_at, file_id,
            event_id, schema, app_id, platform, tracker, stream_id, message_index
        from refused order by file_id, line_number, position
        """,
        folder / "quarantine",
    )


def select_messages() -> str:
    """Say in SQL the wide rows of `chosen` messages, with what their URLs and user agent tell."""
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
            from chosen as decoded
            left join urls as pages on decoded.url = pages.url
            left join urls as referrers on decoded.referrer = referrers.url
            left join agents on decoded.user_agent is not distinct from agents.user_agent
        )
    """


SELECT_KEYS = """
    select
        md5_number_lower(event_id) as id_hash,
        case when schema = 'page_view' then md5_number_lower(visitor_id || chr(10) || page_id) end as page_hash,
        received_us, file_id, (line_number << 24) | position as message_ref,
        cast(make_timestamp(event_us) as date) as event_date
    from chosen
"""


def copy(con: duckdb.DuckDBPyConnection, query: str, target: Path, day: str | None = None) -> None:
    """Write a query's rows as Parquet, by day if it has one."""
    if day is None:
        target.mkdir(parents=True)
        con.execute(f"copy ({query}) to '{sql_text(target / 'part.parquet')}' ({lake.PARQUET})")
    else:
        con.execute(f"create or replace temp view to_copy as {query}")
        days = con.execute(f"select distinct {day} from to_copy order by 1").fetchall()
        for (name,) in days:
            part = target / f"{day}={name}" / "part.parquet"
            part.parent.mkdir(parents=True)
            con.execute(
                f"copy (select * exclude ({day}) from to_copy where {day} = date '{name}')"
                f" to '{sql_text(part)}' ({lake.PARQUET})"
            )


def copy_decoded(con: duckdb.DuckDBPyConnection, query: str, moment: str, target: Path, day: str) -> None:
    """Write what a query makes of `chosen`, the valid rows of `decoded` of one day at a time.

    One copy a day: DuckDB's own partitioned write costs three times as much. The day is a range of a plain
    column, so that a scan skips the others': a slice of ninety days was read ninety times, with all its columns.

    Args:
        moment: the column of `decoded` (µs) whose day counts.
    """
    days = con.execute(
        f"select distinct cast(make_timestamp({moment}) as date) from decoded where reason is null order by 1"
    ).fetchall()
    for (name,) in days:
        start = (name - date(1970, 1, 1)).days * DAY_US
        con.execute(
            "create or replace temp view chosen as select * from decoded"
            f" where reason is null and {moment} between {start} and {start + DAY_US - 1}"
        )
        part = target / f"{day}={name}" / "part.parquet"
        part.parent.mkdir(parents=True)
        con.execute(f"copy ({query}) to '{sql_text(part)}' ({lake.PARQUET})")


def sql_text(path: Path) -> str:
    """Write a path of this project for use inside SQL quotes."""
    return str(path).replace("'", "''")


def place_slice(settings: Settings, folder: Path, name: str) -> list[str]:
    """Move a slice's files into the lake; return their paths below it."""
    placed = []
    for path in sorted(folder.rglob("*.parquet")):
        relative = path.relative_to(folder)
        target = relative.with_name(f"{name}.parquet")
        lake.move_into_place(path, lake.lake_path(settings, str(target)))
        placed.append(target.as_posix())
    shutil.rmtree(folder)
    return placed


def add_counts(con: duckdb.DuckDBPyConnection, source: str, counts: dict[int, dict[str, int]]) -> None:
    """Add what became of each file's lines to its counts."""
    queries = {
        "quarantined": "select file_id, count(*) from refused group by 1",
        "bad_lines": "select file_id, count(*) from refused"
        " where reason in ('bad_line', 'too_large') and position is null group by 1",
    }
    if source == "pixel":
        queries["hits"] = "select file_id, count(*) from hits group by 1"
    else:
        queries["valid"] = "select file_id, count(*) from decoded where reason is null group by 1"
    found = [(key, con.execute(query).fetchall()) for key, query in queries.items()]
    for key, rows in found:
        for number, count in rows:
            counts[number][key] = counts[number].get(key, 0) + count


def drop_stale(settings: Settings, made: set[str], redone: set[int]) -> None:
    """Remove the batches that newer ones replace, manifest first."""
    fresh = fresh_batches(settings)
    for name, batch in lake.manifests(settings, "batches").items():
        replaced = name not in made and redone & set(batch["file_ids"])
        if name in fresh and not replaced:
            continue
        lake.manifest_path(settings, "batches", name).unlink()
        for output in batch["outputs"]:
            lake.lake_path(settings, output).unlink(missing_ok=True)


def sweep_orphans(settings: Settings) -> None:
    """Remove files that a killed run placed without committing them."""
    named = {output for batch in lake.manifests(settings, "batches").values() for output in batch["outputs"]}
    for dataset in ("messages", "ids", "pixel_hits", "quarantine"):
        for path in lake.lake_path(settings, dataset).rglob("*.parquet"):
            others = path.name.startswith(("collisions-", "exclusions-", "spend-"))
            if path.relative_to(settings.lake).as_posix() not in named and not others:
                path.unlink()
