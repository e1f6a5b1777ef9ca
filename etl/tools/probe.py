"""Probes: known messages, sent as a client would send them, and looked for in the marts after the run.

A probe's messages say of themselves all that is needed to judge them, in the one thing that every format
keeps as it is, the id: `bhprobe.<sent at, epoch ms>-<mark>.<number>.<a letter for each message sent>.<digest of
its fields>`. So `quality.probes` is made from the lake alone. What it cannot know is a run of which nothing
arrived: that is what the note in the home is for (`history/probes/`).

A probe changes no number about people. It calls itself a bot, it has an app of its own that the checks of
people's messages leave out, and it is received at the lake's now, so that it opens no day and moves no clock.
"""

import hashlib
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import orjson

from etl.errors import BadUse
from etl.formats.collector import BATCH_PATH
from etl.formats.snowplow import GET_PATH, POST_PATH
from etl.lake import files
from etl.lake.catalogue import Lake, write_note

Row = dict[str, Any]

APP_ID = "bloodhound-probe"
AGENT = "Mozilla/5.0 (compatible; BloodhoundProbe/1.0; synthetic monitoring bot)"
ADDRESS = "192.0.2.1"
"""Of the range for documentation: no client has it."""
KINDS = {
    "a": "version 3", "b": "version 2", "c": "version 1", "d": "Snowplow GET", "e": "Snowplow POST",
    "f": "sent twice", "g": "invalid", "h": "pixel",
}  # fmt: skip
SENT = "abcdfeghhhh"
"""What a run sends, a letter for each message: four page views, two other events, one that must be refused,
and the pixel's hits of the page views."""
PAGES = "abcd"
DIGESTED = (
    "schema", "app_id", "platform", "tracker", "stream_id", "message_index", "visitor_id", "page_id", "url",
    "referrer", "user_agent", "country", "locale", "created_ms", "word",
)  # fmt: skip
"""Fields of a canonical event that a probe's digest holds, in the order of `int_probe_messages`."""
DIGESTED_OF_HITS = ("app_id", "platform", "visitor_id", "user_agent")
PATIENCE = 2
"""So many publications may pass before a run that nobody has heard of is lost: the first may have been under way."""
KEPT = 100
WELL = "event and pixel speak of one page"
"""What is said of a page of the site that is as it should be."""


def digest(fields: Row, names: Sequence[str]) -> str:
    """Digest what a message says, as `int_probe_messages` and `probes` do."""
    texts = ("" if fields.get(name) is None else str(fields[name]) for name in names)
    return hashlib.md5("\n".join(texts).encode(), usedforsecurity=False).hexdigest()


def compose(run: str, sent_at: datetime) -> list[Row]:
    """Make a run's messages: `number`, `letter`, `id`, `fields` (what the marts must say of it).

    Args:
        run: `<epoch ms>-<mark>`.
        sent_at: when it is sent, to the millisecond; it is created and received then too.
    """
    visitor = f"probe-{run}"
    common = {
        "app_id": APP_ID, "platform": "desktop_web", "visitor_id": visitor, "user_agent": AGENT,
    }  # fmt: skip
    letters = list(enumerate(SENT, 1))
    hits = []
    for number, letter in letters:
        if letter == "h":
            name = f"bhprobe.{run}.{number}.{SENT}.{digest(common, DIGESTED_OF_HITS)}"
            hits.append({"number": number, "letter": letter, "id": name, "fields": common})
    composed = []
    of_pages = iter(hits)
    for number, letter in letters:
        if letter == "h":
            continue
        # Half of what goes wrong on the way goes wrong with letters like these.
        word = f"Zoë & “Ünïcode” 100 % + {number}"
        is_page = letter in PAGES
        fields = common | {
            "schema": "page_view" if is_page or letter == "g" else "custom.probe",
            "tracker": f"bh-probe/{run}" if letter == "f" else "bh-probe",
            "stream_id": visitor, "message_index": number - 1,
            "page_id": next(of_pages)["id"] if is_page else None,
            "url": f"https://probe.example/{letter}?q=100%25&utm_source=probe", "referrer": "https://probe.example/",
            "country": "US", "locale": "en_US",
            "created_ms": epoch_ms(sent_at), "word": word,
        }  # fmt: skip
        if letter == "b":
            fields["stream_id"] = f"{APP_ID}:{visitor}"
        if letter == "c":
            fields |= {"tracker": "bh-js/1.4", "stream_id": f"{APP_ID}:{visitor}"}
        if letter in "de":
            fields |= {"stream_id": None, "message_index": None, "country": None}
        if letter == "f":
            fields |= {"url": None, "referrer": None}
        name = f"bhprobe.{run}.{number}.{SENT}."
        if letter == "e":
            # A Snowplow event without a page of its own is on the page of its own id, which cannot hold its digest.
            fields["page_id"] = f"page-{run}"
        composed.append({"number": number, "letter": letter, "id": name + digest(fields, DIGESTED), "fields": fields})
    return sorted([*composed, *hits], key=lambda message: message["number"])


def epoch_ms(moment: datetime) -> int:
    """Count milliseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def iso(moment: datetime) -> str:
    """Write a time as trackers do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def request(run: str, number: int, sent_at: datetime, **keys: Any) -> bytes:
    """Write a collector's line."""
    line = {
        "request_id": hashlib.md5(f"{run}-{number}".encode(), usedforsecurity=False).hexdigest(),
        "received_at": epoch_ms(sent_at) / 1000, "remote_addr": ADDRESS, "host": "probe.example", "method": "POST",
        "path": BATCH_PATH, "query": "", "user_agent": AGENT, "referer": "https://probe.example/",
        "content_type": "application/json", "body": "",
    }  # fmt: skip
    return orjson.dumps(line | keys) + b"\n"


def collector_lines(run: str, sent_at: datetime, messages: Sequence[Row]) -> bytes:
    """Write the collector's log of a run."""
    written = []
    for message in messages:
        if message["letter"] == "h":
            continue
        # Sent twice: the same message by two requests, as a client that got no answer does.
        for copy in range(2 if message["letter"] == "f" else 1):
            keys = as_request(message, sent_at)
            written.append(request(run, 100 * copy + message["number"], sent_at, **keys))
    return b"".join(written)


def as_request(message: Row, sent_at: datetime) -> Row:
    """Say a message in its own format: what of the request's line is its own."""
    fields, letter = message["fields"], message["letter"]
    said = {
        "a": lambda: newest(message, sent_at), "f": lambda: newest(message, sent_at),
        "g": lambda: newest(message, sent_at, url=None),
        "b": lambda: {
            "version": 2, "id": message["id"], "schema": "page_view", "app_id": APP_ID, "platform": "desktop_web",
            "tracker": fields["tracker"], "index": fields["message_index"], "created_at": fields["created_ms"],
            "visitor_id": fields["visitor_id"], "user_id": None, "logged_in": False, "country": fields["country"],
            "locale": fields["locale"], "page_id": fields["page_id"], "page_type": "probe", "url": fields["url"],
            "referrer": fields["referrer"], "nav": 0, "data": {"word": fields["word"]},
        },
        "c": lambda: {
            "eid": message["id"], "type": "pv", "app": APP_ID, "plat": "web", "lib": "1.4",
            "idx": fields["message_index"], "ts": fields["created_ms"], "uid": fields["visitor_id"], "li": 0,
            "cc": fields["country"], "lc": fields["locale"],
            "pg": {"id": fields["page_id"], "t": "probe", "u": fields["url"], "r": fields["referrer"], "nav": 0},
            "d": {"word": fields["word"]},
        },
    }  # fmt: skip
    if letter in said:
        return {"body": orjson.dumps({"sent_at": iso(sent_at), "messages": [said[letter]()]}).decode()}
    event = snowplow(message)
    if letter == "d":
        query = "&".join(f"{key}={quote(value, safe='')}" for key, value in event.items())
        return {"method": "GET", "path": GET_PATH, "query": query, "body": "", "content_type": ""}
    payload = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"
    return {"path": POST_PATH, "body": orjson.dumps({"schema": payload, "data": [event]}).decode()}


def newest(message: Row, sent_at: datetime, **page: Any) -> Row:
    """Say a message in version 3."""
    fields = message["fields"]
    return {
        "version": 3, "id": message["id"], "schema": fields["schema"], "app_id": APP_ID, "platform": "desktop_web",
        "tracker": fields["tracker"], "stream_id": fields["stream_id"], "index": fields["message_index"],
        "created_at": iso(sent_at), "visitor_id": fields["visitor_id"], "user_id": None, "logged_in": False,
        "country": fields["country"], "locale": fields["locale"],
        "page": {"id": fields["page_id"] or "probe", "type": "probe", "url": fields["url"],
                 "referrer": fields["referrer"], "navigation": "navigate"} | page
        if fields["url"] else None,
        "data": {"word": fields["word"]},
    }  # fmt: skip


def snowplow(message: Row) -> dict[str, str]:
    """Say a page view or a self-describing event in Snowplow's words."""
    fields = message["fields"]
    schema = "iglu:com.snowplowanalytics.snowplow"
    event = {
        "e": "pv", "p": "web", "tv": fields["tracker"], "aid": APP_ID, "eid": message["id"],
        "duid": fields["visitor_id"], "url": fields["url"], "refr": fields["referrer"], "lang": fields["locale"],
        "dtm": str(fields["created_ms"]), "stm": str(fields["created_ms"]),
        "co": orjson.dumps({
            "schema": f"{schema}/contexts/jsonschema/1-0-1",
            "data": [{"schema": f"{schema}/web_page/jsonschema/1-0-0", "data": {"id": fields["page_id"]}}],
        }).decode(),
    }  # fmt: skip
    if message["letter"] == "d":
        return event | {"page": fields["word"]}
    described = {
        "schema": f"{schema}/unstruct_event/jsonschema/1-0-0",
        "data": {"schema": "iglu:example.bloodhound/probe/jsonschema/1-0-0", "data": {"word": fields["word"]}},
    }
    return event | {"e": "ue", "ue_pr": orjson.dumps(described).decode()}


def pixel_lines(sent_at: datetime, messages: Sequence[Row]) -> bytes:
    """Write the pixel server's log of a run."""
    when = sent_at.strftime("%d/%b/%Y:%H:%M:%S +0000")
    written = []
    for message in messages:
        if message["letter"] == "h":
            fields = message["fields"]
            pairs = {"e": message["id"], "a": APP_ID, "p": fields["platform"], "v": fields["visitor_id"]}
            target = "/px.gif?" + "&".join(f"{key}={quote(value, safe='')}" for key, value in pairs.items())
            written.append(f'{ADDRESS} - - [{when}] "GET {target} HTTP/1.1" 200 43 "-" "{AGENT}"\n')
    return "".join(written).encode()


def send(lake: Lake, con: duckdb.DuckDBPyConnection) -> Row:
    """Put a run's logs into the inbox and note in the home what was sent; return the note.

    Args:
        con: the published warehouse, whose latest arrival is the run's time.

    Raises:
        BadUse: the inbox is missing, or nothing has arrived yet.
    """
    settings = lake.settings
    if not settings.inbox.is_dir():
        raise BadUse(f"the inbox {settings.inbox} does not exist", "Make it, or name another by --inbox")
    ((latest,),) = con.execute("select max(received_at) from core.events").fetchall()
    if latest is None:
        raise BadUse("no event has arrived yet", "A probe is sent at the time of the latest: run the pipeline first")
    sent_at = latest.astimezone(UTC).replace(microsecond=latest.microsecond // 1000 * 1000)
    note = begin(lake, sent_at, files=("events/probe-{}.jsonl", "pixel/probe-{}.log"))
    run, messages = note["run"], note["messages"]
    logs = {
        f"events/probe-{run}.jsonl": collector_lines(run, sent_at, messages),
        f"pixel/probe-{run}.log": pixel_lines(sent_at, messages),
    }
    for name, content in logs.items():
        files.write_bytes(settings.inbox / name, content)
    return note


def begin(lake: Lake, sent_at: datetime, files: Sequence[str]) -> Row:
    """Compose a run's messages and note them: what was sent and not noted could be lost and nobody would know.

    Args:
        sent_at: to the millisecond.
        files: by which names they will lie in the inbox, with the run in place of `{}`; none that go over the network.
    """
    notes = read_notes(lake)
    order = 1 + max((note["order"] for note in notes), default=0)
    # Runs between two arrivals have one time: their marks tell which came later.
    run = f"{epoch_ms(sent_at)}-{order % 0x10000:04x}{uuid.uuid4().hex[:4]}"
    note = {
        "run": run, "order": order, "sent_at": iso(sent_at), "files": sorted(name.format(run) for name in files),
        "messages": compose(run, sent_at), "passed": [], "state": "waiting",
    }  # fmt: skip
    write_note(note_path(lake, run), note)
    for old in notes[: max(0, len(notes) + 1 - KEPT)]:
        note_path(lake, old["run"]).unlink(missing_ok=True)
    return note


def note_path(lake: Lake, run: str) -> Path:
    """Name the note of a run."""
    return lake.history("probes", f"{run}.json")


def read_notes(lake: Lake) -> list[Row]:
    """Read what was sent from this home, the oldest first."""
    notes = [orjson.loads(path.read_bytes()) for path in lake.history("probes").glob("[!.]*.json")]
    return sorted(notes, key=lambda note: note["order"])
