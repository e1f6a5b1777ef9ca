"""Trace: the whole story of one message, from the line it came in to the marts it counts in."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import duckdb
import orjson

from etl.errors import BadUse
from etl.formats.versions import NEWEST_VERSION
from etl.lake import sealed, sql
from etl.lake.catalogue import Lake
from etl.lake.landed import LandedFile, file_name, landed_files
from etl.lake.manifests import Reading
from etl.lake.published import published
from etl.settings import Settings
from etl.stages.deduplicate.stage import Deduplicate
from etl.stages.exclusions.stage import Exclusions
from etl.stages.parse.stage import Parse
from etl.stages.sessionize.stage import Sessionize
from etl.stages.spend.stage import Spend

Row = dict[str, Any]

Place = tuple[LandedFile, int]
"""A landed file and the number of one of its lines."""

SHOWN_PAYLOAD = 300
MESSAGE = (
    "file_id, source_file, line_number, position, event_id, schema, version, app_id, platform, tracker, stream_id,"
    " message_index, created_at, sent_at, received_at, event_at, visitor_id, page_id, message_ref,"
    " cast(event_at as date) as event_date, is_access"
)


def trace(settings: Settings, wanted: str) -> list[str]:
    """Tell what became of the message with this id, or of the line `file:line`; a line of text each.

    Raises:
        BadUse: the lake holds neither, or there is no lake.
    """
    if not settings.lake.is_dir():
        raise BadUse(f"there is no lake at {settings.lake}", "Name its home by --home, or run the pipeline first")
    lake = Lake(settings)
    with lake.workbench() as con:
        place = find_place(lake, wanted)
        copies = find_messages(con, lake, wanted, place)
        refused = find_refused(con, lake, wanted, place)
        if not copies and not refused and place is None:
            first = sealed.edge(lake).gone_before
            gone = f"; those of days before {first} are gone" if first else ""
            raise BadUse(f"no message has the id {wanted}{gone}", "Give an id, or a line as events/2026-03-01.jsonl:12")
        lines = list(tell_line(con, lake, *place)) if place else []
        for row in refused:
            lines += tell_refused(row)
        for row in copies:
            lines += tell_message(con, lake, row)
        if place and not copies and not refused:
            lines.append(tell_none(lake, place[0]))
        return lines


def find_place(lake: Lake, wanted: str) -> Place | None:
    """Read `file:line` as a landed file and a line number; None if it is an id.

    Raises:
        BadUse: the file has not so many lines.
    """
    name, colon, number = wanted.rpartition(":")
    files = [file for file in landed_files(lake).values() if file.source_file == name]
    if not colon or not number.isdecimal() or not files:
        return None
    file = max(files, key=lambda found: found.content.lines)
    if not 1 <= int(number) <= file.content.lines:
        raise BadUse(f"{name} has {file.content.lines} lines, not {number}", "Lines are counted from 1")
    return file, int(number)


def rows_of(con: duckdb.DuckDBPyConnection, query: str, values: dict[str, Any]) -> list[Row]:
    """Run a query; one dictionary a row."""
    found = con.execute(query, values)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def find_messages(con: duckdb.DuckDBPyConnection, lake: Lake, wanted: str, place: Place | None) -> list[Row]:
    """Find the valid messages with this id, or of this line, in the order in which copies count.

    An id is looked up among the narrow keys first, so that only the days it lies in are read whole.
    """
    commits = [commit for commit in lake.commits("parse", Reading) if commit.facts.source != "pixel"]
    days: set[str] | None = None
    values: dict[str, Any]
    if place is None:
        keys = [part for commit in commits for part in commit.parts if part.dataset == "keys"]
        days = {
            str(day)
            for (day,) in con.execute(
                f"select distinct event_date from {lake.scan('keys', keys)}"
                " where id_key = cast(md5_number_lower($id) >> 1 as bigint)",
                {"id": wanted},
            ).fetchall()
        }
        condition, values = "event_id = $id", {"id": wanted}
    else:
        file, line = place
        commits = [commit for commit in commits if file_name(file.file_id) in commit.units]
        condition, values = "file_id = $file and line_number = $line", {"file": file.file_id, "line": line}
    parts = [
        part
        for commit in commits
        for part in commit.parts
        if part.dataset == "messages" and (days is None or part.day in days)
    ]
    order = "received_at, request_id nulls last, position, source_file, line_number"
    return rows_of(
        con, f"select {MESSAGE} from {lake.scan('messages', parts)} where {condition} order by {order}", values
    )


def find_refused(con: duckdb.DuckDBPyConnection, lake: Lake, wanted: str, place: Place | None) -> list[Row]:
    """Find what was quarantined of this id or line (collisions are told with their message)."""
    parts = [
        part
        for stage in (Parse(), Spend(), Exclusions())
        for commit in stage.commits(lake)
        for part in commit.parts
        if part.dataset == "quarantine"
    ]
    condition = "event_id = $id" if place is None else "file_id = $file and line_number = $line"
    values: dict[str, Any] = {"id": wanted} if place is None else {"file": place[0].file_id, "line": place[1]}
    return rows_of(
        con,
        f"select * from {lake.scan('quarantine', parts)} where reason <> 'id_collision' and {condition}"
        " order by source_file, line_number, position",
        values,
    )


def tell_line(con: duckdb.DuckDBPyConnection, lake: Lake, file: LandedFile, number: int) -> Iterator[str]:
    """Say where a line has landed, or why it is there no more."""
    if file.is_lost:
        yield f"landed     {file.source_file} line {number}, of which {file.content.detail}"
        return
    rows = con.execute(
        f"select filename, line_bytes from {sql.scan_named(file.parts.values())} where line_number = $line",
        {"line": number},
    ).fetchall()
    for path, size in rows:
        yield f"landed     {file.source_file} line {number}, {size} bytes, in {path}"


def tell_none(lake: Lake, file: LandedFile) -> str:
    """Say why a line has no message."""
    first = sealed.edge(lake).gone_before
    if file.is_lost and any(day < first for day in file.content.days):
        return f"message    none: events of days before {first} are gone, and what was made of them stays"
    return "message    none: the line is landed and counted"


def tell_refused(row: Row) -> Iterator[str]:
    """Say why something is in quarantine."""
    yield place_of(row)
    yield f"quarantine {row['reason']}: {row['detail']}"
    payload = " ".join((row["payload"] or "").split())
    yield f"payload    {payload[:SHOWN_PAYLOAD]}{'…' if len(payload) > SHOWN_PAYLOAD else ''}"


def place_of(row: Row) -> str:
    position = "" if row["position"] is None else f", message {row['position']}"
    return f"message    {row['source_file']} line {row['line_number']}{position}"


def tell_message(con: duckdb.DuckDBPyConnection, lake: Lake, row: Row) -> Iterator[str]:
    """Tell the story of one valid message."""
    yield place_of(row)
    if row["is_access"]:
        yield "decoded    from a web server's combined line"
    elif row["version"] is None:
        yield "decoded    from Snowplow's tracker protocol"
    else:
        steps = "".join(f" → {version}" for version in range(row["version"] + 1, NEWEST_VERSION + 1))
        yield f"decoded    from version {row['version']}{f', migrated{steps}' if steps else ''}"
    yield (
        f"says       {row['schema']} {row['event_id']} of {row['app_id']} on {row['platform']},"
        f" stream {row['stream_id']} index {row['message_index']}, visitor {row['visitor_id']}"
    )
    yield f"event_at   {row['event_at']} ({tell_clock(row)})"
    copies = find_copies(con, lake, row)
    refused = [copy for copy in copies if copy["kind"] in {"duplicate", "id_collision"}]
    if refused:
        kept = name_place(lake, refused[0]["kept_file_id"], refused[0]["kept_message_ref"])
        if refused[0]["kind"] == "duplicate":
            yield f"verdict    duplicate of {kept}"
        else:
            yield f"quarantine id_collision: the id belongs to {kept}, whose content is another"
        return
    yield "verdict    accepted"
    yield from tell_event(con, lake, row, copies)


def tell_clock(row: Row) -> str:
    created, sent, received = row["created_at"], row["sent_at"], row["received_at"]
    if created is None or sent is None:
        return "when it was received: the client's times are not both there"
    if created > sent:
        return f"when it was received: created {created} lies after sent {sent}"
    return f"received {received} less the {sent - created} that it waited to be sent"


def find_copies(con: duckdb.DuckDBPyConnection, lake: Lake, row: Row) -> list[Row]:
    """Find what deduplication says of a message: that it repeats another's id, page or document."""
    parts = [part for _, part in Deduplicate().parts(lake, "copies") if part.day == str(row["event_date"])]
    return rows_of(
        con,
        f"select * from {lake.scan('copies', parts)} where file_id = $file and message_ref = $reference",
        {"file": row["file_id"], "reference": row["message_ref"]},
    )


def name_place(lake: Lake, number: int, reference: int) -> str:
    """Write where a message stands."""
    name = landed_files(lake)[file_name(number)].source_file
    return f"{name} line {reference >> 24}, message {reference & 0xFFFFFF}"


def tell_event(con: duckdb.DuckDBPyConnection, lake: Lake, row: Row, copies: list[Row]) -> Iterator[str]:
    """Say what the canonical event says, and where the published marts have it."""
    parts = [part for _, part in Sessionize().parts(lake, "events") if part.day == str(row["event_date"])]
    events = rows_of(
        con,
        f"select * from {lake.scan('events', parts)}"
        " where file_id = $file and line_number = $line and position = $position",
        {"file": row["file_id"], "line": row["line_number"], "position": row["position"]},
    )
    if not events:
        yield "event      not sessionized yet: run `python -m etl run`"
        return
    (event,) = events
    if event["session_id"]:
        part = "opens or extends it" if event["is_session_event"] else "belongs to it"
        yield f"session    {event['session_id']} of {event['session_date']} ({part})"
    else:
        yield "session    none was open"
    if event["schema"] == "page_view":
        first = {
            copy["kind"]: name_place(lake, copy["kept_file_id"], copy["kept_message_ref"]) for copy in copies
        }  # fmt: skip
        repeat = first.get("repeat")
        yield f"page view  {f'a repeat of {repeat}, not counted' if repeat else 'counted'}"
        if "later_view" in first:
            yield f"navigation ajax: its document was loaded for {first['later_view']}"
    flags = [f"bot ({event['bot_reason']})"] if event["is_bot"] else []
    flags += ["excluded"] if event["is_excluded"] else []
    yield f"flags      {', '.join(flags) or 'none'}"
    yield f"event      {lake.path(parts[0].path)}"
    yield from tell_marts(lake.settings, event | {"event_date": row["event_date"]})


def tell_marts(settings: Settings, event: Row) -> Iterator[str]:
    """Say which published marts have the event, its session and its order."""
    if not settings.warehouse.exists():
        yield "marts      none is published yet"
        return
    with published(settings) as con:
        seen = con.execute(
            "select count(*) from core.events where event_id = $id and event_date = $day",
            {"id": event["event_id"], "day": event["event_date"]},
        ).fetchone()
        if not seen or not seen[0]:
            yield "marts      not in the published warehouse yet: run `python -m etl run`"
            return
        yield "marts      core.events"
        pages = con.execute(
            "select page_number, person_id, is_repeat from core.page_views where event_id = $id",
            {"id": event["event_id"]},
        ).fetchall()
        for number, person, is_repeat in pages:
            yield f"           core.page_views: {'repeat' if is_repeat else f'page {number}'} of person {person}"
        sessions = con.execute(
            "select visit_number, person_id, channel, is_bot, is_excluded, session_date from core.sessions"
            " where session_id = $id",
            {"id": event["session_id"]},
        ).fetchall()
        for visit, person, channel, is_bot, is_excluded, day in sessions:
            yield f"           core.sessions: visit {visit} of person {person}, channel {channel}"
            counted = "left out as a bot" if is_bot else "left out as excluded" if is_excluded else f"counted on {day}"
            yield f"           executive.kpi_daily: {counted}"
            touched = con.execute(
                "select count(distinct order_id) from marketing.attribution where session_id = $id",
                {"id": event["session_id"]},
            ).fetchone()
            if touched and touched[0]:
                yield f"           marketing.attribution: its session is a touch of {touched[0]} orders"
        if event["schema"] == "order":
            near = {"since": event["event_at"] - timedelta(days=1), "until": event["event_at"] + timedelta(days=1)}
            orders = con.execute(
                "select order_id, ordered_at, revenue, currency from core.orders"
                " where order_id = $order and ordered_at between $since and $until",
                {"order": (parse_json(event["data"]) or {}).get("order_id"), **near},
            ).fetchall()
            for order, ordered_at, revenue, currency in orders:
                yield f"           core.orders: {order} at {ordered_at}, {revenue} {currency}"


def parse_json(text: str | None) -> dict[str, Any] | None:
    value = orjson.loads(text) if text else None
    return value if isinstance(value, dict) else None
