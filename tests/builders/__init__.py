"""Small inboxes that read like the case, and the house that works on them."""

import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from etl import pipeline
from etl.lake.catalogue import Lake
from etl.lake.datasets import DATASETS
from etl.lake.landed import landings
from etl.lake.manifests import Content
from etl.settings import PROJECT, Settings

Message = dict[str, Any]
Row = dict[str, Any]

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
DAY = "2026-03-01"
CASE = re.compile(r"(?P<hour>\d+):(?P<minute>\d\d)(?::(?P<seconds>[\d.]+))?(?: (?P<words>.*))?")
SCHEMAS = {"click", "impression", "order", "experiment_exposure", "feature_use", "email_open"}


def moment(text: str) -> datetime:
    """Read "10:00", "10:00:05.000001", "24:10" (the next day) or "2026-03-02 10:00" as UTC."""
    day, _, clock = text.rpartition(" ")
    found = CASE.fullmatch(clock)
    assert found, text
    seconds = int(found["hour"]) * 3600 + int(found["minute"]) * 60
    whole, _, fraction = (found["seconds"] or "0").partition(".")
    start = datetime.fromisoformat(day or DAY).replace(tzinfo=UTC)
    return start + timedelta(seconds=seconds + int(whole), microseconds=int(fraction.ljust(6, "0")))


def iso(when: datetime) -> str:
    """Write a time as trackers do, but with microseconds."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(when: datetime) -> str:
    """Write a time as nginx does, but with microseconds."""
    whole = when - datetime(1970, 1, 1, tzinfo=UTC)
    return f"{whole // timedelta(seconds=1)}.{whole.microseconds:06d}"


def event(case: str, number: int = 0, visitor: str = "v", day: str = DAY, **keys: Any) -> Message:
    """Make a message of "10:31 /b?utm_source=x @ios #page7".

    The first word after the time is a page's path, or a schema; `@` names the platform, `#` the page id.
    Keys given replace the message's; a key given as `...` is taken away, `page_url` is `page`'s `url`.
    """
    clock, _, rest = case.partition(" ")
    words = rest.split()
    what = words.pop(0) if words and words[0][0] not in "@#" else "/"
    platform = next((word[1:] for word in words if word[0] == "@"), "desktop_web")
    page_id = next((word[1:] for word in words if word[0] == "#"), f"{visitor}-p{number}")
    is_page = what.startswith("/") or "://" in what
    url = what if "://" in what else f"https://shop.example{what if is_page else '/'}"
    message: Message = {
        "version": 3, "id": f"{visitor}-{number}", "schema": "page_view" if is_page else what, "app_id": "shop",
        "platform": platform, "tracker": "bh-js/3.1.0", "stream_id": f"s-{visitor}", "index": number,
        "created_at": iso(moment(f"{day} {clock}")), "visitor_id": visitor, "user_id": None, "logged_in": False,
        "country": "US", "locale": "en_US",
        "page": {"id": page_id, "type": "deal", "url": url, "referrer": None, "referring_page_id": None,
                 "referring_click_id": None, "navigation": "navigate"},
        "data": {"order_id": f"{visitor}-o{number}", "revenue": "5.00"} if what == "order" else {},
    }  # fmt: skip
    for key, value in keys.items():
        holder, name = (message["page"], key[5:]) if key.startswith("page_") else (message, key)
        if value is ...:
            del holder[name]
        else:
            holder[name] = value
    return message


def events(*cases: str, visitor: str = "v", first: int = 0, **keys: Any) -> list[Message]:
    """Make a visitor's messages, numbered in the order given."""
    return [event(case, first + number, visitor, **keys) for number, case in enumerate(cases)]


def burst(count: int, over: timedelta, start: str = "10:00", visitor: str = "v", **keys: Any) -> list[Message]:
    """Make so many page views, the first and last `over` apart."""
    step = over / (count - 1)
    times = [moment(start) + number * step for number in range(count - 1)] + [moment(start) + over]
    return [event("10:00 /p", number, visitor, created_at=iso(when), **keys) for number, when in enumerate(times)]


def request(messages: Sequence[Any], received: str | datetime | None = None, **keys: Any) -> Row:
    """Make a collector's line of a batch; sent when it is received, so that clocks agree.

    Without `received`, that is ten seconds after the latest message was created.
    """
    if received is None:
        latest = max(datetime.fromisoformat(message["created_at"]) for message in messages)
        received = latest + timedelta(seconds=10)
    when = moment(received) if isinstance(received, str) else received
    body = {"sent_at": keys.pop("sent_at", iso(when)), "messages": messages}
    if body["sent_at"] is ...:
        del body["sent_at"]
    line = {
        "request_id": f"r-{seconds(when)}", "received_at": float(seconds(when)), "remote_addr": "203.0.113.7",
        "host": "t.shop.example", "method": "POST", "path": "/t", "query": "", "user_agent": BROWSER,
        "referer": "https://shop.example/", "content_type": "application/json",
        "body": json.dumps(body, separators=(",", ":")),
    }  # fmt: skip
    return {key: value for key, value in (line | keys).items() if value is not ...}


def lines(rows: Iterable[Row | str | bytes]) -> bytes:
    """Write rows as the lines of a log."""
    return b"".join(written(row) + b"\n" for row in rows)


def written(row: Row | str | bytes) -> bytes:
    if isinstance(row, bytes):
        return row
    return (row if isinstance(row, str) else json.dumps(row, separators=(",", ":"))).encode()


def each(messages: Iterable[Message]) -> bytes:
    """Write each message as a request of its own."""
    return lines(request([message]) for message in messages)


def combined(
    case: str,
    *,
    ip: str = "198.51.100.4",
    agent: str = BROWSER,
    status: int = 200,
    referrer: str = "-",
    method: str = "GET",
) -> str:
    """Write a combined-format line of "10:00:00 /page"."""
    clock, _, target = case.rpartition(" ")
    when = moment(clock).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'{ip} - - [{when}] "{method} {target} HTTP/1.1" {status} 512 "{referrer}" "{agent}"'


def shared(name: str) -> Path:
    """Name a file of real input beside the project; without it a test is skipped, but never by CI."""
    path = PROJECT.parent / "shared" / "data" / name
    if not path.exists():
        assert not os.environ.get("CI"), f"{path} is missing"
        pytest.skip(f"{path} is not there")
    return path


@dataclass
class House:
    """An inbox, a home, and the stages that lead from the one to the other."""

    root: Path
    keys: dict[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return Settings(**({"inbox": self.root / "inbox", "home": self.root / "home"} | self.keys))

    def put(self, name: str, content: bytes) -> Path:
        """Put a file into the inbox."""
        path = self.root / "inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def digest(self) -> None:
        """Bring the lake up to date with the inbox, marts apart."""
        pipeline.land(self.settings)
        pipeline.parse(self.settings)
        pipeline.sessionize(self.settings)

    def take(self, *messages: Message, name: str = "events/a.jsonl") -> list[Row]:
        """Digest a file of these messages; return the canonical events."""
        self.put(name, each(messages))
        self.digest()
        return self.events()

    def files(self, dataset: str) -> list[Path]:
        """List the files of a dataset that hold, or of what is published beside the datasets."""
        if dataset not in DATASETS:
            return sorted((self.settings.lake / dataset).rglob("*.parquet"))
        lake = Lake(self.settings)
        stages = [stage for stages in pipeline.makers().values() for stage in stages if dataset in stage.gives]
        return lake.files(part for stage in stages for _, part in stage.parts(lake, dataset))

    def scan(self, dataset: str, order: str = "all", columns: str = "*") -> list[Row]:
        """Read a dataset's rows below the lake, in an order."""
        paths = [str(path) for path in self.files(dataset)]
        if not paths:
            return []
        with duckdb.connect() as con:
            con.execute("set timezone = 'UTC'")
            found = con.execute(
                f"select {columns} from read_parquet(?, hive_partitioning = true) order by {order}", [paths]
            )
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def events(self, order: str = "visitor_id, event_at, stream_id, message_index, event_id") -> list[Row]:
        """Read the canonical events, in session order."""
        return self.scan("events", order)

    def quarantine(self) -> list[Row]:
        """Read what was quarantined, in order of the inbox."""
        return self.scan("quarantine", "source_file, line_number, position nulls first")

    def landings(self) -> list[Content]:
        """List what is known of every content that the inbox had, in order of file name."""
        return [content for landing in landings(Lake(self.settings)) for content in landing.contents]

    def reasons(self) -> list[tuple[str, str]]:
        """Say why messages were quarantined, in order of the inbox."""
        return [(row["reason"], row["detail"]) for row in self.quarantine()]


def parsed(house: House, *rows: Any, name: str = "events/a.jsonl") -> list[Row]:
    """Land and parse lines; return the valid messages in order."""
    house.put(name, lines(rows))
    pipeline.land(house.settings)
    pipeline.parse(house.settings)
    return house.scan("messages", "source_file, line_number, position")
