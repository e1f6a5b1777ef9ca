"""Verdicts: which messages repeat another's id or page, found across files and days.

Two questions are asked of narrow rows (64-bit hashes), never of whole messages: which ids came
more than once (duplicates, collisions), and which page views came again (repeats). Only the few
that did are looked at in full. What is known is kept a file per event day; a run touches the ids
and pages its new messages bring, so the outcome does not depend on what arrived when.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from etl.formats import collector
from etl.lake import files as lake
from etl.settings import Settings
from etl.stages.land import stage as land
from etl.stages.parse import stage as parse

VERDICTS = pa.schema(
    [
        ("verdict", pa.string()),
        ("key", pa.uint64()),
        ("file_id", pa.uint64()),
        ("message_ref", pa.int64()),
        ("kept_file_id", pa.uint64()),
        ("kept_message_ref", pa.int64()),
        ("event_date", pa.date32()),
    ]
)
"""`verdict`: duplicate, id_collision or repeat; `key`: the hash of the id or page in question."""

VERDICTS_VERSION = 1
DETAILS = (
    "event_id, request_id, received_at, event_at, visitor_id, page_id, stream_id, message_index, source_file, position,"
    " line_number, content_hash"
)


def state_path(settings: Settings) -> Path:
    return lake.manifest_path(settings, "state", "verdicts")


def verdict_path(settings: Settings, day: date) -> Path:
    """Name the file of one event day's verdicts."""
    return lake.lake_path(settings, "verdicts", f"event_date={day}", "verdicts.parquet")


def outputs(
    batches: Iterable[dict[str, Any]],
    settings: Settings,
    dataset: str,
    days: Callable[[date], bool] = lambda _: True,
) -> list[Path]:
    """List the batches' files of one dataset, of the days asked for."""
    paths = [
        lake.lake_path(settings, output)
        for batch in batches
        for output in batch["outputs"]
        if output.startswith(f"{dataset}/")
    ]
    return [path for path in paths if (day := lake.partition_day(path)) and days(day)]


def update(settings: Settings) -> dict[str, str]:
    """Bring the verdicts up to date with the parsed batches; return each day's content hash."""
    batches = {name: batch for name, batch in parse.fresh_batches(settings).items() if batch["source"] != "pixel"}
    version = f"{VERDICTS_VERSION}:{settings.max_lateness_days}"
    state = lake.read_manifest(state_path(settings)) or {}
    known = set(state.get("batches", []))
    if state.get("version") != version or not known <= set(batches):
        # What a vanished batch had decided is not known any more: all is decided anew.
        state, known = {"hashes": {}}, set()
    new = [batch for name, batch in batches.items() if name not in known]
    if not new and "version" in state:
        return state["hashes"]
    hashes: dict[str, str] = dict(state["hashes"])
    with lake.staging(settings) as folder, lake.engine(settings, folder) as con:
        old = [batch for name, batch in batches.items() if name in known]
        find_copies(con, settings, old, new)
        judge_copies(con, settings, list(batches.values()))
        days = sorted(date.fromisoformat(day) for day in hashes)
        find_page_copies(con, settings, old, new, days)
        days = sorted({*days, *store(con, settings, days)})
    # Of every day: a run that was killed may have written files that no manifest speaks of.
    hashes = {
        day.isoformat(): hashlib.sha256(verdict_path(settings, day).read_bytes()).hexdigest()[:16] for day in days
    }
    manifest = {"version": version, "batches": sorted(batches), "hashes": hashes}
    lake.write_manifest(state_path(settings), manifest)
    return hashes


def find_copies(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    old: Sequence[dict[str, Any]],
    new: Sequence[dict[str, Any]],
) -> None:
    """Make `arrived` (keys of new messages) and `copies` (keys of all messages whose id came again).

    Old keys are read from as far back and ahead as lateness reaches, and further where a copy lies so
    near the edge that one beyond could have decided about it.
    """
    con.execute(f"create temp table arrived as select * from {scan_keys(settings, outputs(new, settings, 'ids'))}")
    bounds = con.execute("select min(received_us), max(received_us) from arrived").fetchone()
    if bounds is None or bounds[0] is None:
        con.execute("create temp table copies as select * from arrived")
        return
    reach = timedelta(days=settings.max_lateness_days)
    first, last = (date(1970, 1, 1) + timedelta(days=us // 86_400_000_000) for us in bounds)
    low, high = first - reach, last + reach
    nearby = outputs(old, settings, "ids", lambda day: low <= day <= high)
    con.execute(
        f"""
        create temp table matched as
        select history.* from {scan_keys(settings, nearby)} as history
        where id_hash in (select id_hash from arrived)
        """
    )
    con.execute(
        """
        create temp table contested as
        select id_hash from matched
        union
        select id_hash from arrived group by id_hash having count(*) > 1
        """
    )
    old_days = [day for path in outputs(old, settings, "ids") if (day := lake.partition_day(path))]
    while True:
        edges = con.execute(
            """
            select min(received_us), max(received_us)
            from (select * from matched union all select * from arrived)
            where id_hash in (select id_hash from contested)
            """
        ).fetchone()
        if edges is None or edges[0] is None:
            break
        earliest, latest = (date(1970, 1, 1) + timedelta(days=us // 86_400_000_000) for us in edges)
        wanted_low, wanted_high = min(low, earliest - reach), max(high, latest + reach)
        beyond = {day for day in old_days if wanted_low <= day < low or high < day <= wanted_high}
        low, high = wanted_low, wanted_high
        if not beyond:
            break
        further = outputs(old, settings, "ids", beyond.__contains__)
        con.execute(
            f"insert into matched select * from {scan_keys(settings, further)}"
            " where id_hash in (select id_hash from contested)"
        )
    con.execute(
        """
        create temp table copies as
        select * from matched union all select * from arrived where id_hash in (select id_hash from contested)
        """
    )


def scan_keys(settings: Settings, paths: Sequence[Path]) -> str:
    """Scan id files; none when there are none."""
    if not paths:
        return (
            "(select null::ubigint as id_hash, null::ubigint as page_hash, null::bigint as received_us,"
            " null::ubigint as file_id, null::bigint as message_ref, null::date as event_date where false)"
        )
    return f"(select id_hash, page_hash, received_us, file_id, message_ref, event_date from {lake.scan(paths)})"


def read_details(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    batches: Sequence[dict[str, Any]],
    keys: str,
    target: str,
) -> None:
    """Make `target`: the rows of `keys` with what their messages say (columns `DETAILS`)."""
    days = {day for (day,) in con.execute(f"select distinct event_date from {keys}").fetchall()}
    paths = outputs(batches, settings, "messages", days.__contains__)
    messages = lake.scan(paths, lake.lake_path(settings, "schemas", "messages.parquet"))
    con.execute(
        f"""
        create or replace temp table {target} as
        select keys.*, {DETAILS}
        from {messages} as messages
        inner join {keys} as keys
            on messages.file_id = keys.file_id and messages.message_ref = keys.message_ref
        """
    )


def judge_copies(con: duckdb.DuckDBPyConnection, settings: Settings, batches: Sequence[dict[str, Any]]) -> None:
    """Make `rejected` (columns of `VERDICTS`): each copy of an id but the kept one.

    Kept is the copy with the smallest (received_at, request_id, position, source file, line); one
    received more than `max_lateness` after the kept copy is kept anew.
    """
    read_details(con, settings, batches, "copies", "copy_details")
    reach_us = settings.max_lateness_days * 86_400_000_000
    con.execute(
        """
        create temp table ordered as
        select
            *,
            row_number() over copy_order as ordinal,
            max(received_us) over (partition by event_id) - min(received_us) over (partition by event_id) as span_us
        from copy_details
        window copy_order as (
            partition by event_id order by received_us, request_id nulls last, position, source_file, line_number
        )
        """
    )
    con.execute(
        "create temp table keepers as select event_id, ordinal, 1::bigint as kept_ordinal"
        f" from ordered where span_us <= {reach_us}"
    )
    wide = con.execute(
        f"select event_id, ordinal, received_us from ordered where span_us > {reach_us} order by event_id, ordinal"
    ).fetchall()
    kept: list[tuple[str, int, int]] = []
    current, kept_ordinal, kept_us = None, 0, 0
    for event_id, ordinal, received_us in wide:
        if event_id != current or received_us - kept_us > reach_us:
            current, kept_ordinal, kept_us = event_id, ordinal, received_us
        kept.append((event_id, ordinal, kept_ordinal))
    if kept:
        names = ("event_id", "ordinal", "kept_ordinal")
        con.register(
            "wide_keepers",
            pa.table(dict(zip(names, map(list, zip(*kept, strict=True)), strict=True))),
        )
        con.execute("insert into keepers select event_id, ordinal, kept_ordinal from wide_keepers")
    con.execute(
        """
        create temp table pairs as
        select
            copy.id_hash as key, copy.file_id, copy.message_ref, kept.file_id as kept_file_id,
            kept.message_ref as kept_message_ref, copy.event_date,
            copy.content_hash = kept.content_hash as is_same_text
        from ordered as copy
        inner join keepers using (event_id, ordinal)
        inner join ordered as kept on copy.event_id = kept.event_id and keepers.kept_ordinal = kept.ordinal
        where copy.ordinal <> kept.ordinal
        """
    )
    con.register("same_content", compare_contents(con, settings))
    con.execute(
        """
        create temp table rejected as
        select
            case when is_same_text or same_content.file_id is not null then 'duplicate' else 'id_collision' end
                as verdict,
            pairs.key, pairs.file_id, pairs.message_ref, kept_file_id, kept_message_ref, event_date
        from pairs
        left join same_content on pairs.file_id = same_content.file_id and pairs.message_ref = same_content.message_ref
        """
    )


def compare_contents(con: duckdb.DuckDBPyConnection, settings: Settings) -> pa.Table:
    """Find the pairs that differ in text but not in content (columns file_id, message_ref)."""
    pairs = con.execute(
        "select file_id, message_ref, kept_file_id, kept_message_ref from pairs where not is_same_text"
    ).fetchall()
    wanted = {(pair[0], pair[1]) for pair in pairs} | {(pair[2], pair[3]) for pair in pairs}
    texts = message_texts(settings, wanted)
    same = [pair[:2] for pair in pairs if is_same_content(texts.get(pair[:2]), texts.get(pair[2:]))]
    return pa.table(
        {
            "file_id": pa.array([number for number, _ in same], pa.uint64()),
            "message_ref": pa.array([reference for _, reference in same], pa.int64()),
        }
    )


class Texts(NamedTuple):
    """One message as it came, the same in the newest version, and the version it came in."""

    sent: str
    newest: str
    version: str | None


def is_same_content(one: Texts | None, other: Texts | None) -> bool:
    """Compare two messages as canonical JSON; those that cannot be read have no content to share.

    Between versions a key that is null is one that is absent: migrations write out what older trackers leave out.
    """
    if one is None or other is None:
        return False
    is_migrated = one.version != other.version
    content = canonical(one.newest, drop_nulls=is_migrated)
    return content is not None and content == canonical(other.newest, drop_nulls=is_migrated)


def canonical(text: str, drop_nulls: bool = False) -> str | None:
    """Write a message's JSON with its keys in order; None when it is none.

    Integers keep all their digits: two that differ in the twentieth are two contents. Of a key that comes twice the
    first counts, as in the columns. A message nested deeper than Python reads (about a thousand levels) has no content.
    """
    try:
        message = json.loads(text, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
        if drop_nulls and isinstance(message, dict):
            page = message.get("page")
            if isinstance(page, dict):
                message["page"] = {key: value for key, value in page.items() if value is not None}
            message = {key: value for key, value in message.items() if value is not None}
        return json.dumps(message, sort_keys=True)
    except (ValueError, RecursionError):
        return None


def message_texts(settings: Settings, wanted: set[tuple[int, int]]) -> dict[tuple[int, int], Texts]:
    """Fetch messages' own JSON from the raw lines, by (file_id, message_ref)."""
    files = parse.landed_files(settings)
    by_file: dict[int, list[int]] = {}
    for number, reference in wanted:
        by_file.setdefault(number, []).append(reference)
    found: dict[tuple[int, int], Texts] = {}
    with lake.staging(settings) as folder, lake.engine(settings, folder) as con:
        for number, references in by_file.items():
            file = files[number]
            paths = [land.raw_path(settings, file["source"], day, number) for day in file["partitions"]]
            wanted_messages = pa.table(
                {
                    "line_number": pa.array([reference >> 24 for reference in references], pa.int64()),
                    "position": pa.array([reference & 0xFFFFFF for reference in references], pa.int64()),
                }
            )
            con.register("wanted_messages", wanted_messages)
            con.execute(
                f"""
                create or replace temp table raw as
                select
                    {number}::ubigint as file_id, null::varchar as source_file,
                    line_number, line, line_bytes, line_sha256
                from {lake.scan(paths)} semi join wanted_messages using (line_number)
                """
            )
            rows = con.execute(cut_messages(con, settings, file["source"])).fetchall()
            found |= {(number, line << 24 | position): Texts(*texts) for line, position, *texts in rows if texts[0]}
    return found


def cut_messages(con: duckdb.DuckDBPyConnection, settings: Settings, source: str) -> str:
    """Say in SQL the wanted messages of `raw`: line_number, position, and what `Texts` holds.

    By the parser that judged the lines: others read less (NaN, deep nesting) or other duplicate keys.
    An access line is its own message.
    """
    if source == "access":
        text = "cast(to_json(try(decode(line))) as varchar)"
        return (
            f"select line_number, position, {text}, {text}, null"
            " from raw inner join wanted_messages using (line_number)"
        )
    collector.decode_requests(con)
    collector.list_messages(con, settings.max_message_bytes)
    return """
        select sent.line_number, position, coalesce(query, item), message, version_text
        from sent inner join wanted_messages
            on sent.line_number = wanted_messages.line_number and sent.ordinal = wanted_messages.position
    """


def find_page_copies(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    old: Sequence[dict[str, Any]],
    new: Sequence[dict[str, Any]],
    known_days: Sequence[date],
) -> None:
    """Make `page_keys` (pages in question) and `repeated` (columns of `VERDICTS`).

    Of the accepted page views of one (visitor_id, page_id) the first in session order counts.
    """
    con.execute(
        """
        create temp table page_keys as
        select page_hash from arrived where page_hash is not null
        union
        select page_hash from copies where page_hash is not null
        """
    )
    # Of history one column is read, then the few files in which a page in question came before.
    history = outputs(old, settings, "ids")
    seen_in = [
        Path(name)
        for (name,) in con.execute(
            f"select distinct filename from {scan_pages(history)} where page_hash in (select page_hash from page_keys)"
        ).fetchall()
    ]
    con.execute(
        f"""
        create temp table page_rows as
        select * from arrived where page_hash is not null
        union all
        select keys.* from {scan_keys(settings, sorted(seen_in))} as keys
        where page_hash in (select page_hash from page_keys)
        """
    )
    con.execute(
        """
        create temp table page_copies as
        select * from page_rows
        where page_hash in (select page_hash from page_rows group by page_hash having count(*) > 1)
        """
    )
    days = {day for (day,) in con.execute("select distinct event_date from page_copies").fetchall()}
    earlier = [verdict_path(settings, day) for day in known_days if day in days]
    read_details(con, settings, [*old, *new], "page_copies", "page_details")
    con.execute(
        f"""
        create temp table repeated as
        with refused as (
            select file_id, message_ref from rejected
            union
            select file_id, message_ref from {scan_verdicts(earlier)}
            where verdict <> 'repeat' and (file_id, message_ref) not in (select (file_id, message_ref) from copies)
        ),
        ordered as (
            select
                page_details.*,
                row_number() over page_order as ordinal,
                first_value(page_details.file_id) over page_order as kept_file_id,
                first_value(page_details.message_ref) over page_order as kept_message_ref
            from page_details
            anti join refused
                on page_details.file_id = refused.file_id and page_details.message_ref = refused.message_ref
            window page_order as (
                partition by visitor_id, page_id
                order by event_at, stream_id nulls last, message_index nulls last, event_id
            )
        )
        select 'repeat' as verdict, page_hash as key, file_id, message_ref, kept_file_id, kept_message_ref, event_date
        from ordered where ordinal > 1
        """
    )


def scan_pages(paths: Sequence[Path]) -> str:
    """Scan the page hashes of id files, each with its file; none when there are none."""
    if not paths:
        return "(select null::ubigint as page_hash, null::varchar as filename where false)"
    listed = ", ".join(f"'{parse.sql_text(path)}'" for path in paths)
    return f"(select page_hash, filename from read_parquet([{listed}], filename = true, hive_partitioning = false))"


def scan_verdicts(paths: Sequence[Path]) -> str:
    """Scan verdict files; none when there are none."""
    if paths:
        return lake.scan(paths)
    return (
        "(select null::varchar as verdict, null::ubigint as key, null::ubigint as file_id, null::bigint as message_ref,"
        " null::ubigint as kept_file_id, null::bigint as kept_message_ref, null::date as event_date where false)"
    )


def store(con: duckdb.DuckDBPyConnection, settings: Settings, known_days: Sequence[date]) -> list[date]:
    """Put the new verdicts in place of the old ones about the same ids and pages; return the days rewritten."""
    # A verdict lies on its message's day: no other file can hold one about these ids and pages.
    concerned = {
        day
        for (day,) in con.execute(
            "select event_date from page_rows union select event_date from copies union select event_date from rejected"
        ).fetchall()
    }
    paths = [verdict_path(settings, day) for day in known_days if day in concerned]
    con.execute(f"create temp table before as select * from {scan_verdicts(paths)}")
    # Of an id's copies months apart only those near the new ones were judged anew.
    con.execute(
        """
        create temp table outdated as
        select * from before
        where
            (verdict = 'repeat' and key in (select page_hash from page_keys))
            or (verdict <> 'repeat' and (file_id, message_ref) in (select (file_id, message_ref) from copies))
        """
    )
    con.execute("create temp table fresh as select * from rejected union all select * from repeated")
    con.execute(
        """
        create temp table touched as
        select event_date from (
            (select * from outdated except all select * from fresh)
            union all
            (select * from fresh except all select * from outdated)
        ) group by event_date
        """
    )
    days = [day for (day,) in con.execute("select event_date from touched order by 1").fetchall()]
    for day in days:
        table = con.sql(
            """
            select * from (
                (select * from before where event_date = $day except all select * from outdated where event_date = $day)
                union all
                select * from fresh where event_date = $day
            ) order by file_id, message_ref
            """,
            params={"day": day},
        ).to_arrow_table()
        lake.write_table(verdict_path(settings, day), table.cast(VERDICTS))
    return days
