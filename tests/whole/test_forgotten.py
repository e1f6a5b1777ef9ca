"""Twenty people of a mixed home are forgotten, and stay so when all of its files are delivered again."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from builders import House, Message, Row, combined, event, lines, moment, request
from builders.command import etl
from builders.snowplow import PV, posted
from builders.tables import asked

PEOPLE, GONE = 40, 20
"""People by number; of each pair n and n + 20 the first is forgotten, and both share batches and a tablet."""


@dataclass(frozen=True)
class Person:
    number: int

    @property
    def user(self) -> str:
        return f"user{self.number:02}-6b1f@mail.example"

    @property
    def laptop(self) -> str:
        return f"laptop{self.number:02}-a4c7"

    @property
    def phone(self) -> str:
        return f"phone{self.number:02}-e90d"

    @property
    def tablet(self) -> str:
        return f"tablet{self.number % GONE:02}-77d2"

    @property
    def visits(self) -> list[tuple[str, str, str | None]]:
        """When, on what device, and as whom: nobody yet on the laptop, then themselves on all three."""
        at = f"{self.number:02}"
        evening = "20" if self.number < GONE else "22"
        return [(f"09:{at}", self.laptop, None), (f"11:{at}", self.laptop, self.user),
                (f"13:{at}", self.phone, self.user), (f"{evening}:{at}", self.tablet, self.user)]  # fmt: skip


def version_3(clock: str, device: str, user: str | None) -> Message:
    number = int(clock.replace(":", ""))
    return event(f"{clock} /v3", number, device, user_id=user, logged_in=bool(user))


def version_2(clock: str, device: str, user: str | None) -> Message:
    at = moment(clock)
    return {
        "version": 2, "id": f"{device}-{clock}", "schema": "page_view", "app_id": "shop", "platform": "desktop_web",
        "index": int(clock.replace(":", "")), "created_at": int(at.timestamp() * 1000), "visitor_id": device,
        "user_id": user, "logged_in": bool(user), "page_id": f"{device}-{clock}", "data": {},
        "url": "https://shop.example/v2",
    }  # fmt: skip


def version_1(clock: str, device: str, user: str | None) -> Message:
    said: Message = {
        "eid": f"{device}-{clock}", "type": "pv", "app": "shop", "plat": "web", "lib": "1.4", "uid": device,
        "idx": int(clock.replace(":", "")), "ts": int(moment(clock).timestamp() * 1000),
        "pg": {"id": f"{device}-{clock}", "u": "https://shop.example/v1"},
    }  # fmt: skip
    return said | ({"cid": user, "li": 1} if user else {})


def snowplow(clock: str, device: str, user: str | None) -> dict[str, Any]:
    said = PV | {"eid": f"{device}-{clock}", "duid": device, "dtm": str(int(moment(clock).timestamp() * 1000))}
    return said | {"stm": said["dtm"]} | ({"uid": user} if user else {})


def ga4(clock: str, device: str, user: str | None) -> Row:
    said: Row = {
        "event_timestamp": str(int(moment(clock).timestamp() * 1_000_000)), "event_name": "page_view",
        "user_pseudo_id": device, "platform": "WEB", "stream_id": "99", "device": {"category": "desktop"},
        "event_params": [{"key": "page_location", "value": {"string_value": f"https://shop.example/g?id={device}"}}],
    }  # fmt: skip
    return said | ({"user_id": user} if user else {})


def segment(clock: str, device: str, user: str | None) -> Row:
    at = moment(clock).isoformat().replace("+00:00", "Z")
    return {
        "type": "page", "messageId": f"{device}-{clock}", "anonymousId": device, "userId": user, "receivedAt": at,
        "sentAt": at, "originalTimestamp": at, "properties": {"title": "B", "email": user},
        "context": {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0", "page": {"url": "https://shop.example/s"}},
    }  # fmt: skip


BATCHED = {0: version_3, 1: version_2, 2: version_1}


def files() -> Iterator[tuple[str, list[Row | str]]]:
    """Write what everybody did: a pair in the same format, side by side in the same batches."""
    logs: dict[str, list[Row | str]] = {
        name: [] for name in ("events/a.jsonl", "events/ga4.jsonl", "events/segment.jsonl")
    }
    hits: list[Row | str] = []
    for number in range(GONE):
        both = Person(number), Person(number + GONE)
        pairs = zip(*(person.visits for person in both), strict=True)
        kind = number % 4
        for one, other in pairs:
            latest = max(one[0], other[0]) + ":10"
            if kind == 0:
                write = BATCHED[number // 4 % 3]
                logs["events/a.jsonl"].append(request([write(*one), write(*other)], latest))
            elif kind == 1:
                logs["events/a.jsonl"].append(posted(snowplow(*one), snowplow(*other), received=latest))
            else:
                name, write_line = ("ga4", ga4) if kind == 2 else ("segment", segment)
                logs[f"events/{name}.jsonl"] += [write_line(*one), write_line(*other)]
            for clock, device, _ in (one, other):
                page = f"{device}-p{int(clock.replace(':', ''))}" if kind == 0 else f"{device}-{clock}"
                hits.append(combined(f"{clock}:02 /px.gif?e={page}&a=shop&p=desktop_web&v={device}"))
        refused = [event(f"15:{person.number:02} nonsense", 9999, person.phone) for person in both]
        logs["events/a.jsonl"].append(request(refused, "16:00:10"))
    logs["pixel/a.log"] = hits
    logs["access/a.log"] = [
        combined(
            "10:00:00 /page", ip=f"198.51.100.{number}", referrer=f"https://shop.example/?v={Person(number).laptop}"
        )
        for number in range(PEOPLE)
    ]
    return iter(logs.items())


def names(person: Person) -> list[str]:
    """What is a person's alone."""
    return [person.user, person.laptop, person.phone]


def texts(home: Path) -> Iterator[tuple[Path, str]]:
    """Read every file of a home: its bytes, and what is compressed in it."""
    for path in sorted(home.rglob("*")):
        if not path.is_file():
            continue
        yield path, path.read_bytes().decode("utf-8", "replace")
        if path.suffix == ".parquet":
            yield path, json.dumps(pq.read_table(path, partitioning=None).to_pylist(), default=str)
        elif path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as con:
                for schema, name in con.execute(
                    "select table_schema, table_name from information_schema.tables"
                ).fetchall():
                    yield path, json.dumps(con.execute(f'from {schema}."{name}"').fetchall(), default=str)


def found_in(home: Path, people: range) -> set[str]:
    """Name the identifiers of some people that stand anywhere in a home."""
    wanted = re.compile("|".join(re.escape(name) for number in people for name in names(Person(number))))
    return {match for _, text in texts(home) for match in wanted.findall(text)}


def others(home: Path) -> list[tuple[Any, ...]]:
    """Read the events of who stays, but for columns that say from which file they came."""
    with duckdb.connect(str(home / "warehouse" / "bloodhound.duckdb"), read_only=True) as con:
        return con.execute(
            "select event_id, visitor_id, user_id, event_at, session_id, url from core.events where visitor_id in"
            " (select unnest($stay)) and (user_id is null or user_id not in (select unnest($gone))) order by all",
            {
                "stay": [name for n in range(GONE, PEOPLE) for name in [*names(Person(n)), Person(n).tablet]],
                "gone": [Person(n).user for n in range(GONE)],
            },
        ).fetchall()


@pytest.mark.prove
def test_twenty_people_are_forgotten_in_every_format_and_stay_so(tmp_path: Path) -> None:
    house, home = House(tmp_path), tmp_path / "home"
    folders = ["--inbox", tmp_path / "inbox", "--home", home]
    for name, rows in files():
        house.put(name, lines(rows))
    # A page in forty is lost to some witness: checks are in error, which is no matter here.
    etl("run", *folders, exit_code=1)
    etl("export", "core.sessions", "--home", home)
    before = others(home)
    assert len(before) == GONE * 4, "each who stays has four views, in every format"
    assert found_in(home, range(PEOPLE)) == {name for n in range(PEOPLE) for name in names(Person(n))}

    words = [word for n in range(GONE) for word in ("--user", Person(n).user)]
    said = etl("erase", *words, *folders)
    assert "of 20 persons" in said and "nothing is left" in said
    assert found_in(home, range(GONE)) == set()
    assert others(home) == before

    for path in [path for path in (tmp_path / "inbox").rglob("*") if path.is_file()]:
        shutil.copy(path, path.with_name(f"again-{path.name}"))
        path.write_bytes(path.read_bytes())
    etl("run", *folders, exit_code=1)
    assert found_in(home, range(GONE)) == set()
    assert others(home) == before
    assert asked(home, "select sum(abs(balance)) from quality.ledger") == [(0,)]
