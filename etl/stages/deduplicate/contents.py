"""What messages hold: their own JSON out of the raw lines, and whether two are one."""

import json
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import duckdb
import pyarrow as pa

from etl.formats import collector
from etl.lake import sql
from etl.lake.catalogue import Lake
from etl.lake.landed import ERASED, LandedFile, file_name, landed_files
from etl.vocabulary import tracking_plan
from etl.vocabulary.columns import KEYS

Reference = tuple[int, int]
"""A message: its file's number and its place there, as `message_ref` says it."""


class Texts(NamedTuple):
    """One message as it came, the same in the newest version, and the version it came in."""

    sent: str
    newest: str
    version: str | None


def same_contents(lake: Lake, pairs: Sequence[tuple[Reference, Reference]]) -> pa.Table:
    """Find those first messages of pairs that differ in text from the second but not in content."""
    texts = message_texts(lake, {message for pair in pairs for message in pair})
    return references(one for one, other in pairs if is_same_content(texts.get(one), texts.get(other)))


def references(messages: Iterator[Reference] | Collection[Reference]) -> pa.Table:
    """Write messages as a table (file_id, message_ref)."""
    listed = list(messages)
    return pa.table(
        {
            name: pa.array([message[place] for message in listed], KEYS.field(name).type)
            for place, name in enumerate(("file_id", "message_ref"))
        }
    )


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


def message_texts(lake: Lake, wanted: Collection[Reference]) -> dict[Reference, Texts]:
    """Fetch messages' own JSON from the raw lines."""
    places: dict[int, list[int]] = {}
    for number, reference in wanted:
        places.setdefault(number, []).append(reference)
    if not places:
        return {}
    files = landed_files(lake)
    found: dict[Reference, Texts] = {}
    with lake.workbench() as con:
        for number, listed in places.items():
            for reference, texts in file_texts(con, lake, files[file_name(number)], listed):
                found[number, reference] = texts
    return found


def file_texts(
    con: duckdb.DuckDBPyConnection, lake: Lake, file: LandedFile, wanted: Sequence[int]
) -> Iterator[tuple[int, Texts]]:
    """Fetch messages of one file, by the parser that judged its lines.

    Others read less (NaN, deep nesting) or other duplicate keys. An access line is its own message.
    """
    messages = pa.table(
        {
            "line_number": pa.array([reference >> 24 for reference in wanted], pa.int64()),
            "position": pa.array([reference & 0xFFFFFF for reference in wanted], pa.int64()),
        }
    )
    con.register("wanted_messages", messages)
    con.execute(
        f"""
        create or replace temp table lines as
        select
            cast({file.file_id} as bigint) as file_id, cast(null as varchar) as source_file,
            line_number, line, line_bytes,
            case when not starts_with(line_sha256, '{ERASED}') then line_sha256 end as line_sha256
        from {sql.scan(file.parts.values(), lake.empty("raw"))} semi join wanted_messages using (line_number)
        """
    )
    if file.source == "access":
        text = "cast(to_json(try(decode(line))) as varchar)"
        query = (
            f"select line_number, position, {text}, {text}, null"
            " from lines inner join wanted_messages using (line_number)"
        )
    else:
        collector.decode_requests(con)
        plan = tracking_plan.load_plan(lake.settings.tracking_plan)
        collector.list_messages(con, lake.settings.max_message_bytes, list(plan))
        query = """
            select sent.line_number, position, coalesce(query, item), message, version_text
            from sent inner join wanted_messages
                on sent.line_number = wanted_messages.line_number and sent.ordinal = wanted_messages.position
        """
    for line, position, *texts in con.execute(query).fetchall():
        if texts[0]:
            yield line << 24 | position, Texts(*texts)
