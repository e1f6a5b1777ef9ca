"""Check: what would become of a file or of messages, without touching the home.

Of messages it takes what a tracker's author has at hand: collector lines, batches, single messages, Snowplow payloads
or query strings; one a line, or one JSON text over many lines. Of other files the stages themselves say it, in a home
that is thrown away: so the words are the ledger's.
"""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from etl.formats import collector, exclusions, messages, snowplow
from etl.formats.recognise import FIRST_LINES, chosen, holds, recognise
from etl.lake.catalogue import Lake
from etl.lake.key import read_key
from etl.settings import Settings
from etl.stages import runner
from etl.stages.build.ledger import files_table
from etl.stages.deduplicate.contents import Texts, is_same_content
from etl.stages.exclusions.stage import Exclusions
from etl.stages.land.inbox import SOURCES, InboxFile
from etl.stages.land.stage import Land, refuse
from etl.stages.land.streams import DAMAGE, Bomb, read_bytes
from etl.stages.parse.stage import Parse
from etl.stages.spend.stage import Spend
from etl.stages.stage import Stage
from etl.vocabulary import tracking_plan as plan
from etl.vocabulary.tracker_exports import EXPORTS

FATES = {
    "unrouted": "no message, only landed and counted (unrouted: {})",
    "refused_at_edge": "no message, only landed and counted (refused_at_edge: {})",
}
MOST_REFUSALS = 20
"""So many quarantined lines of a file are told one by one."""


@dataclass(frozen=True)
class Verdict:
    """What would become of one message, or of a line that holds none.

    Args:
        where: "line 3" or "line 3, message 0".
        outcome: accepted, duplicate, quarantined, or nothing (the line holds no message).
        reason: of quarantine.
        said: the rest, for people.
    """

    where: str
    outcome: str
    reason: str | None
    said: str

    def __str__(self) -> str:
        head = f"{self.where}: {self.outcome}"
        return f"{head} {self.reason}: {self.said}" if self.reason else f"{head}: {self.said}"


def check_file(path: Path, settings: Settings) -> list[Verdict]:
    """Say what would become of a file: message by message of `events/`, else as its row of the ledger says."""
    content = unpacked(path, settings)
    source = source_of(path, content, settings)
    # Links and dot files are judged by what they hold: whoever asks means that.
    name = f"{source}/{'/'.join(below(path, source))}"
    if source == "events":
        # A message over many lines is what a tracker's author has at hand; in the inbox it would be refused.
        is_at_hand = b"\n" in content.strip() and is_object(content)
        refusal = None if is_at_hand else refuse(settings, source, name, content.split(b"\n")[:FIRST_LINES])
        return [Verdict(name, "ignored", None, refusal)] if refusal else check(content, settings)
    with tempfile.TemporaryDirectory() as folder:
        trial = settings.model_copy(update={"inbox": Path(folder, "inbox"), "home": Path(folder, "home")})
        copy = trial.inbox / name
        copy.parent.mkdir(parents=True)
        shutil.copyfile(path, copy)
        lake = Lake(trial)
        lake.initialise()
        stages: list[Stage[Any]] = [Land(), Parse(), Spend(), Exclusions()]
        for stage in stages:
            runner.run(lake, stage)
        (row,) = files_table(lake).to_pylist()
        parts = [part for stage in stages[1:] for _, part in stage.parts(lake, "quarantine")]
        with lake.workbench() as con:
            refused = con.execute(
                f"select line_number, reason, detail from {lake.scan('quarantine', parts)}"
                " order by line_number, position nulls first limit $most",
                {"most": MOST_REFUSALS},
            ).fetchall()
    verdicts = [Verdict(name, row["status"], None, summary(row, source, content, settings))]
    return verdicts + [Verdict(f"line {line}", "quarantined", reason, detail) for line, reason, detail in refused]


def unpacked(path: Path, settings: Settings) -> bytes:
    """Read a file, decompressed as far as it can be."""
    pieces: list[bytes] = []
    with suppress(Bomb, *DAMAGE):
        pieces.extend(read_bytes(settings, InboxFile(path.name, "", path, path.stat().st_size, 0, 0, 0)))
    return b"".join(pieces)


def is_object(content: bytes) -> bool:
    """Say whether a file is one JSON object, over however many lines."""
    try:
        return isinstance(json.loads(content), dict)
    except (ValueError, RecursionError):
        return False


def summary(row: dict[str, Any], source: str, content: bytes, settings: Settings) -> str:
    """Say a file's row of the ledger in one sentence."""
    if row["status"] != "landed":
        return str(row["detail"])
    lines = content.split(b"\n")[:FIRST_LINES]
    entry = (
        chosen(row["source_file"], settings.log_formats) or recognise(lines) if source in {"access", "pixel"} else None
    )
    what = {"access": "page views", "pixel": "hits", "spend": "rows of spend", "exclusions": "exclusions"}[source]
    # Hits and exclusions are no messages: the books count those of them that say nothing.
    known = row["valid"] if source in {"access", "spend"} else row["lines"] - row["quarantined"]
    said = f"{row['lines']} lines, {known} {what}, {row['quarantined']} quarantined"
    aside = f"; {row['detail']}" if row["detail"] else ""
    return f"{entry.title}, {said}" if entry else said + aside


def below(path: Path, source: str) -> tuple[str, ...]:
    """Name a file's folders below the one that says what it is, and itself; without such a folder itself alone."""
    parts = path.absolute().parts
    place = max((number for number, part in enumerate(parts[:-1]) if part == source), default=len(parts) - 2)
    return tuple(part.lstrip(".") or "_" for part in parts[place + 1 :])


def source_of(path: Path, content: bytes, settings: Settings) -> str:
    """Say what a file is: by the folder that it lies in, as in the inbox, else by its first lines."""
    folders = path.absolute().parts[:-1]
    try:
        folders = path.absolute().relative_to(settings.inbox.absolute()).parts[:1]
    except ValueError:
        folders = folders[::-1]
    named = next((folder for folder in folders if folder in SOURCES), None)
    if named:
        return named
    lines = content.split(b"\n")[:FIRST_LINES]
    if recognise(lines):
        return "access"
    first = next((line.strip() for line in lines if line.strip()), b"").decode("utf-8", "replace")
    if first[:1] in {"{", "[", "}"} or first.startswith("e=") or "?e=" in first:
        return "events"
    if exclusions.read_header(first):
        return "exclusions"
    is_table = any(mark in first for mark in ",;\t") or content.startswith((b"\xff\xfe", b"\xfe\xff"))
    return "spend" if is_table else "access"


def check(content: bytes, settings: Settings) -> list[Verdict]:
    """Judge everything in `content` as the pipeline would, in its order."""
    numbered = list(as_collector_lines(content))
    lines = [line for _, line in numbered]
    sha256 = [hashlib.sha256(line).hexdigest() if len(line) > settings.max_line_bytes else None for line in lines]
    lines = pa.table(
        {
            "file_id": pa.array([0] * len(lines), pa.int64()),
            "source_file": pa.array([""] * len(lines), pa.string()),
            "line_number": pa.array([number for number, _ in numbered], pa.int64()),
            "line": pa.array(lines, pa.binary()),
            "line_bytes": pa.array([len(line) for line in lines], pa.int64()),
            "line_sha256": pa.array(sha256, pa.string()),
        }
    )
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        con.register("lines", lines)
        limits = messages.Limits(settings.max_message_bytes, settings.max_lateness_days)
        collector.decode_requests(con, settings.batch_paths)
        known = plan.load_plan(settings.tracking_plan)
        collector.list_messages(con, settings.max_message_bytes, list(known))
        messages.decode_messages(con, limits, known)
        messages.name_people(con, read_key(settings) or b"check", settings.trusted_proxies)
        silent = con.execute(
            "select line_number from requests where line_reason is null and coalesce(len(items), 0) = 0 order by 1"
        ).fetchall()
        relation = con.execute(
            """
            select
                decoded.line_number, decoded.position, reason, detail, event_id, decoded.schema, platform, visitor_id,
                page_id, event_us, created_us, decoded.sent_us, version,
                is_snowplow,
                struct_pack(sent := sent.item, newest := sent.message, version := sent.version_text) as texts
            from decoded
            left join sent
                on decoded.line_number = sent.line_number and decoded.position = sent.ordinal
            order by decoded.received_us, decoded.request_id, position, decoded.line_number
            """
        )
        names = [column[0] for column in relation.description]
        rows = [dict(zip(names, row, strict=True)) for row in relation.fetchall()]
    verdicts = {(row["line_number"], row["position"]): judged for row, judged in judge(rows)}
    verdicts |= {
        (number, None): Verdict(f"line {number}", "nothing", None, "no message, only landed and counted")
        for (number,) in silent
    }
    return [
        verdicts[place]
        for place in sorted(verdicts, key=lambda place: (place[0], -1 if place[1] is None else place[1]))
    ]


def judge(rows: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Verdict]]:
    """Say what becomes of each row, the copies of an id after the one that is kept."""
    kept: dict[str, tuple[str, Texts]] = {}
    for row in rows:
        where = f"line {row['line_number']}" + ("" if row["position"] is None else f", message {row['position']}")
        if row["reason"] in FATES:
            yield row, Verdict(where, "nothing", None, FATES[row["reason"]].format(row["detail"]))
            continue
        if row["reason"]:
            yield row, Verdict(where, "quarantined", row["reason"], row["detail"])
            continue
        texts = Texts(**row["texts"])
        first, content = kept.setdefault(row["event_id"], (where, texts))
        if first == where:
            yield row, Verdict(where, "accepted", None, describe(row))
        elif is_same_content(texts, content):
            yield row, Verdict(where, "duplicate", None, f"of {first}")
        else:
            said = f"id {row['event_id']} belongs to {first}, whose content is another"
            yield row, Verdict(where, "quarantined", "id_collision", said)


def describe(row: dict[str, Any]) -> str:
    """Say in one line what an accepted message is."""
    language = f"version {row['version']}" if row["version"] else "Snowplow" if row["is_snowplow"] else "an export"
    happened = datetime.fromtimestamp(row["event_us"] / 1e6, UTC).isoformat(timespec="milliseconds")
    is_corrected = row["created_us"] is not None and row["sent_us"] is not None and row["created_us"] <= row["sent_us"]
    clock = "clock corrected" if is_corrected else "as received"
    page = f", page {row['page_id']}" if row["page_id"] else ""
    return (
        f"{row['schema']} ({language}) {row['event_id']} on {row['platform']} at {happened} ({clock}),"
        f" visitor {row['visitor_id']}{page}"
    )


def as_collector_lines(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Cut input into numbered collector lines, wrapping what is not one; blank lines are counted and left out."""
    try:
        yield 1, wrap(json.loads(content), content.strip())
        return
    except (ValueError, RecursionError):
        pass
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            yield number, wrap(json.loads(line), line)
        except (ValueError, RecursionError):
            yield number, wrap_query(line) or line


def wrap(value: Any, line: bytes) -> bytes:
    """Make a collector line of a JSON text: of a line as it is, else of a request that carries it."""
    if not isinstance(value, dict) or "body" in value or "request_id" in value:
        return line
    if any(holds(value, entry.needs) for entry in EXPORTS.values()):
        return orjson.dumps(value)
    if "messages" in value:
        return request("POST", collector.BATCH_PATH, line)
    if isinstance(value.get("data"), list) and "payload_data" in str(value.get("schema")):
        return request("POST", snowplow.POST_PATH, line)
    if "e" in value and "aid" in value:
        return request("POST", snowplow.POST_PATH, b'{"data":[' + line + b"]}")
    return request("POST", collector.BATCH_PATH, b'{"messages":[' + line + b"]}")


def wrap_query(line: bytes) -> bytes | None:
    """Make a collector line of `/i?e=pv&…`, or of its query alone; None if it is neither."""
    path, mark, query = line.strip().partition(b"?")
    if mark and path.endswith(snowplow.GET_PATH.encode()):
        return request("GET", snowplow.GET_PATH, b"", query)
    return request("GET", snowplow.GET_PATH, b"", line.strip()) if line.startswith(b"e=") else None


def request(method: str, path: str, body: bytes, query: bytes = b"") -> bytes:
    """Write a request received now."""
    return orjson.dumps(
        {
            "request_id": "check", "received_at": time.time(), "method": method, "path": path,
            "body": body.decode("utf-8", "replace"), "query": query.decode("utf-8", "replace"),
        }
    )  # fmt: skip
