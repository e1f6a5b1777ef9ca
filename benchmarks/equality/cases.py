"""The inboxes that old and new code are given: whole folders, one for each run of a case."""

import gzip
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backports import zstd

Message = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """What inboxes are made of.

    Args:
        code: the checkout whose simulator makes the samples.
        real: the folder of real logs, if there is one.
        environment: for its processes.
    """

    code: Path
    real: Path | None
    environment: Mapping[str, str]

    def simulate(self, inbox: Path, *words: str) -> None:
        """Fill an inbox with a sample."""
        subprocess.run(
            [sys.executable, "-m", "etl", "simulate", "--out", str(inbox), *words],
            cwd=self.code, env=self.environment, check=True, capture_output=True,
        )  # fmt: skip
        shutil.rmtree(inbox.parent / "truth", ignore_errors=True)


@dataclass(frozen=True)
class Case:
    """An inbox as it is at each run, and how the runs are set.

    Args:
        make: fills `1/`, `2/`, … below a folder, each a whole inbox; False if what it needs is missing.
        environment: settings of both sides.
        is_same_at_once: a run over the last inbox alone must give what all runs give.
    """

    name: str
    make: Callable[[Source, Path], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    is_same_at_once: bool = False


def sample(source: Source, folder: Path) -> bool:
    """A simulated shop: batches of all versions and Snowplow's, pixel, spend, duplicates, late batches, bad lines."""
    source.simulate(folder / "1", "--days", "3", "--messages", "20000", "--seed", "7")
    return True


def small_sample(source: Source, folder: Path) -> bool:
    source.simulate(folder / "1", "--days", "3", "--messages", "6000", "--seed", "11")
    return True


def real(source: Source, folder: Path) -> bool:
    """A web server's log of 2015, a Snowplow shop's events and an ads export."""
    if not source.real or not source.real.is_dir():
        return False
    for name in (
        "access/apache_2015.log", "events/snowplow_shop.jsonl", "spend/google_ads_campaign_stats.csv",
    ):  # fmt: skip
        target = folder / "1" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source.real / name, target)
    return True


def exclusions(source: Source, folder: Path) -> bool:
    """Exclusions of every kind come, and go again."""
    small_sample(source, folder)
    link(folder / "1", folder / "2")
    link(folder / "1", folder / "3")
    messages = [message for line in event_lines(folder / "1") for message in batch_of(line) or ()]
    visitors = sorted({message["visitor_id"] for message in messages if message.get("visitor_id")})
    users = sorted({message["user_id"] for message in messages if message.get("user_id")})
    rows = [
        f"visitor,{visitors[0]},,,staff", f"visitor,{visitors[len(visitors) // 2]},2026-03-02,2026-03-03,test",
        f"user,{users[0]},,,staff", "ip,198.18.0.0/18,,2026-03-02T12:00:00Z,office", "ip,300.1.2.3,,,unreadable",
    ]  # fmt: skip
    target = folder / "2" / "exclusions" / "staff.csv"
    target.parent.mkdir()
    target.write_text("kind,value,from,to,reason\n" + "\n".join(rows) + "\n")
    return True


def link(source: Path, target: Path) -> None:
    """Make another inbox of the same files."""
    shutil.copytree(source, target, copy_function=os.link)


# Lines shuffled, some written again, cut anew, arriving bit by bit.

FILES = 14
RUNS = 3
LATE = 0.05
"""Share of the first day's lines that the last run brings."""


def shuffled(source: Source, folder: Path) -> bool:
    """The sample's lines in any order, in other files, with copies, collisions and older versions, in three runs."""
    draw = random.Random(23)
    plain = folder / "plain"
    source.simulate(plain, "--days", "3", "--messages", "8000", "--seed", "5")
    lines = [written for line in event_lines(plain) for written in told_again(line, draw)]
    days = [received(line) for line in lines]
    first_day = min(day for day in days if day)
    is_late = [day == first_day and draw.random() < LATE for day in days]
    late = [line for line, is_one in zip(lines, is_late, strict=True) if is_one]
    others = [line for line, is_one in zip(lines, is_late, strict=True) if not is_one]
    draw.shuffle(others)
    hits = [line for path in sorted((plain / "pixel").iterdir()) for line in read_lines(path)]
    draw.shuffle(hits)
    files = {
        **{f"events/{name}": content for name, content in cut(others, FILES, "jsonl", draw).items()},
        **{f"pixel/{name}": content for name, content in cut(hits, RUNS, "log", draw).items()},
        **{f"spend/{path.name}": path.read_bytes() for path in sorted((plain / "spend").iterdir())},
    }
    for place, (name, content) in enumerate(sorted(files.items(), key=lambda _: draw.random())):
        put(folder / str(place % RUNS + 1) / name, content)
    put(folder / str(RUNS) / "events" / "late.jsonl", b"".join(late))
    for run in range(1, RUNS):
        for path in sorted((folder / str(run)).rglob("*.*")):
            target = folder / str(run + 1) / path.relative_to(folder / str(run))
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)
    shutil.rmtree(plain)
    return True


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def read_lines(path: Path) -> list[bytes]:
    """Read a log's lines with their ends, whatever it is packed with."""
    content = path.read_bytes()
    if path.suffix == ".zst":
        content = zstd.decompress(content)
    return content.splitlines(keepends=True)


def event_lines(inbox: Path) -> list[bytes]:
    return [line for path in sorted((inbox / "events").rglob("*.*")) for line in read_lines(path)]


def received(line: bytes) -> str | None:
    """Read the day a line was received; None of a line that cannot be read."""
    try:
        return datetime.fromtimestamp(float(json.loads(line)["received_at"]), UTC).date().isoformat()
    except (ValueError, KeyError, TypeError):
        return None


def batch_of(line: bytes) -> list[Message] | None:
    """Read the messages of a batch in version 3; None of any other line."""
    try:
        messages = json.loads(json.loads(line)["body"])["messages"]
    except (ValueError, KeyError, TypeError):
        return None
    return messages if all(message.get("version") == NEWEST for message in messages) else None


def cut(lines: list[bytes], count: int, ending: str, draw: random.Random) -> dict[str, bytes]:
    """Cut lines into so many files of any size: plain, gzip and zstd."""
    packings: dict[str, Callable[[bytes], bytes]] = {
        "": bytes, ".gz": lambda content: gzip.compress(content, mtime=0), ".zst": zstd.compress,
    }  # fmt: skip
    places = sorted(draw.sample(range(1, len(lines)), count - 1))
    files = {}
    for number, (start, end) in enumerate(zip([0, *places], [*places, len(lines)], strict=True)):
        suffix, pack = list(packings.items())[number % len(packings)]
        files[f"part-{number:02d}.{ending}{suffix}"] = pack(b"".join(lines[start:end]))
    return files


def told_again(line: bytes, draw: random.Random) -> list[bytes]:
    """Give a line, sometimes with another that says it again, or says something else under its messages' ids."""
    line = line.removesuffix(b"\n") + b"\n"
    messages = batch_of(line)
    if not messages:
        return [line]
    ways: dict[Callable[[], list[bytes]], int] = {
        lambda: [line]: 82,
        # The same bytes once more; and the same batch by a later request.
        lambda: [line, line]: 3,
        lambda: [line, retold(line, messages, draw)]: 3,
        # Written in an older version, by a client that never sent it otherwise; and by one that did.
        lambda: [retold(line, [in_version_2(message) for message in messages])]: 4,
        lambda: [retold(line, [in_version_1(message) for message in messages])]: 4,
        lambda: [line, retold(line, [in_version_2(message) for message in messages], draw)]: 2,
        # A collision: another content under the same id.
        lambda: [line, retold(line, [message | {"country": "AQ"} for message in messages], draw)]: 2,
    }
    return draw.choices(list(ways), list(ways.values()))[0]()


def retold(line: bytes, messages: list[Message], draw: random.Random | None = None) -> bytes:
    """Write a line with other messages; as another, later request if `draw` is given."""
    row = json.loads(line)
    row["body"] = json.dumps(json.loads(row["body"]) | {"messages": messages}, separators=(",", ":"))
    if draw:
        row["request_id"] = f"{draw.getrandbits(128):032x}"
        row["received_at"] = round(float(row["received_at"]) + draw.choice([0, 0.001, 1, 90, 4000]), 3)
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"


NEWEST = 3
V2_NAVIGATIONS = {"navigate": 0, "reload": 1, "back_forward": 2}


def in_version_2(message: Message) -> Message:
    """Write a message of version 3 as version 2 did: no stream, a flat page, times in milliseconds."""
    page = message.get("page") or {}
    names = {
        "page_id": "id", "page_type": "type", "url": "url", "referrer": "referrer",
        "parent_page_id": "referring_page_id", "parent_click_id": "referring_click_id",
    }  # fmt: skip
    kept = {key: value for key, value in message.items() if key not in ("page", "stream_id")}
    flat = {old: page[new] for old, new in names.items() if new in page}
    navigation = V2_NAVIGATIONS.get(page.get("navigation", ""))
    return kept | {"version": 2, "created_at": milliseconds(message["created_at"])} | flat | (
        {} if navigation is None else {"nav": navigation}
    )  # fmt: skip


def in_version_1(message: Message) -> Message:
    """Write a message of version 3 as version 1 did, in short names."""
    data = dict(message.get("data") or {})
    short = {"click": {"click_id": "cid"}, "experiment_exposure": {"experiment": "e", "variant": "v"}}
    short["order"] = {"order_id": "oid", "currency": "cur", "quantity": "qty"}
    written = {short.get(message["schema"], {}).get(key, key): value for key, value in data.items()}
    if "revenue" in written:
        written["amt_cents"] = round(float(written.pop("revenue")) * 100)
    kinds = {"page_view": "pv", "impression": "imp", "click": "clk", "order": "ord", "experiment_exposure": "exp"}
    platforms = {"desktop_web": "web", "mobile_web": "touch", "backend": "svc"}
    page = message.get("page") or {}
    names = {
        "id": "id",
        "type": "t",
        "url": "u",
        "referrer": "r",
        "referring_page_id": "rp",
        "referring_click_id": "rc",
    }
    return {
        "eid": message["id"], "type": kinds.get(message["schema"], message["schema"]), "app": message["app_id"],
        "plat": platforms.get(message["platform"], message["platform"]), "lib": "1.4", "idx": message["index"],
        "ts": milliseconds(message["created_at"]), "uid": message["visitor_id"], "cid": message.get("user_id"),
        "li": int(bool(message.get("logged_in"))), "cc": message.get("country"), "lc": message.get("locale"),
        "pg": {short: page[name] for name, short in names.items() if name in page}
        | {"nav": V2_NAVIGATIONS.get(page.get("navigation", ""), 0)},
        "d": written,
    }  # fmt: skip


def milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


SETTINGS = {
    "BLOODHOUND_REPORTING_TIMEZONE": "America/New_York", "BLOODHOUND_REPORTING_CURRENCY": "EUR",
    "BLOODHOUND_SESSION_GAP_MINUTES": "10", "BLOODHOUND_ATTRIBUTION_WINDOW_DAYS": "1",
    "BLOODHOUND_IP_ADDRESSES": "truncate", "BLOODHOUND_BOT_RULES": '["fan_out"]',
    "BLOODHOUND_CONVERSIONS": '[{"name": "search", "schema": "custom.search", "once_per": "session", "value": 2.5}]',
}  # fmt: skip
CASES = (
    Case("sample", sample),
    Case("real", real),
    Case("shuffled", shuffled, is_same_at_once=True),
    Case("exclusions", exclusions),
    Case("settings", small_sample, SETTINGS),
)
