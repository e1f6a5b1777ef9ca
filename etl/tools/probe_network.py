"""Probes over the network: the known messages of `probe`, in every format, sent to a collector as a client would.

They are looked for as those of the inbox are. What the collector answered stands in the note of the run, so that a
message that is lost was last seen there, or in the lake: as a line, in quarantine, as a message.
"""

from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import httpx

from etl.errors import BadUse
from etl.formats.collector import BATCH_PATH
from etl.lake.catalogue import Lake, write_note
from etl.tools import probe
from etl.tools.probe import AGENT, Row

TIMEOUT_SECONDS = 10


def send(lake: Lake, collector: str, pixel: str) -> Row:
    """Send a run to a collector and its pixel; return the note, with `answers` by message.

    Args:
        collector: its address, such as https://t.shop.example.
        pixel: the pixel's, such as https://px.shop.example.

    Raises:
        BadUse: an address is none, or the collector does not answer.
    """
    with httpx.Client(timeout=TIMEOUT_SECONDS, headers={"User-Agent": AGENT}) as client:
        note = probe.begin(lake, clock_of(client, collector), files=())
        sent_at = datetime.fromisoformat(note["sent_at"])
        answers: dict[str, str] = {}
        for number, request in requests(client, note["messages"], sent_at, collector, pixel):
            try:
                answers[number] = str(client.send(request).status_code)
            except httpx.HTTPError as error:
                answers[number] = f"none ({type(error).__name__})"
    write_note(probe.note_path(lake, note["run"]), note | {"answers": answers})
    return note | {"answers": answers}


def clock_of(client: httpx.Client, collector: str) -> datetime:
    """Ask the collector what time it is: by its clock the messages are received.

    Raises:
        BadUse: it does not say.
    """
    try:
        return parsedate_to_datetime(client.get(f"{collector}/health").headers["Date"])
    except (httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError) as error:
        raise BadUse(f"{collector} does not answer: {error}", "Name it as https://t.shop.example") from error


def requests(
    client: httpx.Client, messages: list[Row], sent_at: datetime, collector: str, pixel: str
) -> Iterator[tuple[str, httpx.Request]]:
    """Make each message's requests, with its number."""
    for message in messages:
        number, letter = str(message["number"]), message["letter"]
        if letter == "h":
            fields = message["fields"]
            pairs = {"e": message["id"], "a": fields["app_id"], "p": fields["platform"], "v": fields["visitor_id"]}
            query = "&".join(f"{key}={quote(value, safe='')}" for key, value in pairs.items())
            yield number, client.build_request("GET", f"{pixel}/px.gif?{query}")
            continue
        said = {"method": "POST", "path": BATCH_PATH, "query": "", "body": ""}
        said |= probe.as_request(message, sent_at)
        url = f"{collector}{said['path']}" + (f"?{said['query']}" if said["query"] else "")
        for _ in range(2 if letter == "f" else 1):
            headers = {"Content-Type": "application/json"} if said["body"] else {}
            yield number, client.build_request(said["method"], url, content=said["body"].encode(), headers=headers)
