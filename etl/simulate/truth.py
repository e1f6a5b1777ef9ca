"""What really happened, written beside the logs for those who check what was measured."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from etl.simulate import world
from etl.simulate.delivery import RECEIVED, STATUSES, Delivery
from etl.simulate.people import (
    BOT_KINDS,
    DEVICES,
    DIALECTS,
    FIRST_ROBOT,
    HUMAN,
    Crowd,
    Register,
)
from etl.simulate.plan import Plan
from etl.simulate.scene import Orders, Scene
from etl.simulate.text import HOUR, Flags, Ints, pick
from etl.simulate.wire import Messages

CHUNK = 200_000
REPEATED = ("visitor_id", "stream_id", "source", "medium", "campaign")
"""Texts worth a dictionary in Parquet."""
LOSS_SUMS = (
    "page_views", "pixel_hits", "event_page_views", "matched", "only_pixel", "only_event",
    "neither",
)  # fmt: skip


def labels(codes: Ints, names: tuple[str, ...]) -> pa.DictionaryArray:
    """Name codes; stored as a dictionary.

    Each name stands in it once: for every repeated entry pyarrow's Parquet writer leaves bytes of
    uninitialised memory in the file, and the same plan would not give the same bytes.
    """
    entries = {name: code for code, name in enumerate(dict.fromkeys(names))}
    entry = np.array([entries[name] for name in names], dtype=np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(entry[codes]), pa.array(list(entries)))


def moments(milliseconds: Ints) -> pa.TimestampArray:
    """Turn epoch milliseconds into timestamps; 0 is none."""
    times = pa.array(milliseconds).cast(pa.timestamp("ms", tz="UTC"))
    return pa.compute.if_else(pa.array(milliseconds == 0), None, times)


@dataclass
class Views:
    """Web page views, one a page id: where and when, and which witness saw them."""

    at: Ints
    app: Ints
    platform: Ints
    is_bot: Flags
    hit: Flags
    event: Flags


@dataclass
class Names:
    """Whose messages they are: visitors and streams a row a stream, the rest a row a message."""

    visitors: pa.StringArray
    streams: pa.StringArray
    app: Ints
    platform: Ints
    page_ids: pa.StringArray


class Truth:
    """The folder of true facts: Parquet tables that grow slot by slot, and a summary in JSON."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        folder.mkdir(parents=True, exist_ok=True)
        self.writers: dict[str, pq.ParquetWriter] = {}
        self.loss: dict[tuple[int, int, int, bool], Ints] = {}
        self.sent: dict[tuple[int, int, int, int], int] = {}
        self.duplicates = 0

    def append(self, name: str, table: pa.Table) -> None:
        """Append rows to a table of the truth."""
        if name not in self.writers:
            self.writers[name] = pq.ParquetWriter(
                self.folder / f"{name}.parquet", table.schema, compression="zstd",
                use_dictionary=[
                    item.name
                    for item in table.schema
                    if pa.types.is_dictionary(item.type) or item.name in REPEATED
                ],
            )  # fmt: skip
        self.writers[name].write_table(table)

    def record_messages(self, messages: Messages, delivery: Delivery, names: Names) -> None:
        """Write down what became of messages."""
        self._count_messages(messages.at, names.app, names.platform, delivery.status)
        self.duplicates += int(np.maximum(delivery.copies - 1, 0).sum())
        if not self.plan.details:
            return
        stream = pa.array(messages.stream.astype(np.int32))
        self.append(
            "messages",
            pa.table(
                {
                    "event_id": messages.ids,
                    "schema": labels(messages.schema, world.SCHEMAS if self.plan.refunds else world.SCHEMAS[:-1]),
                    "dialect": labels(messages.dialect, DIALECTS),
                    "app_id": labels(names.app, world.APPS),
                    "platform": labels(names.platform, world.PLATFORMS),
                    "visitor_id": names.visitors.take(stream),
                    "stream_id": names.streams.take(stream),
                    "message_index": messages.index,
                    "page_id": names.page_ids,
                    "happened_at": moments(messages.at - messages.age),
                    "status": labels(delivery.status, STATUSES),
                    "received_at": moments(delivery.first_received),
                    "is_too_late": (messages.age > 0) & (delivery.copies > 0),
                    "copies": delivery.copies.astype(np.int32),
                }
            ),
        )

    def record_sessions(self, scene: Scene) -> None:
        """Write down visits: who, from where, how far, with which arm of the experiment."""
        if not self.plan.details:
            return
        sessions = scene.sessions
        ways = {
            name: pa.array([getattr(way, name) for way in world.TRAFFIC]) for name in ("source", "medium", "campaign")
        }
        self.append(
            "sessions",
            pa.table(
                {
                    "visitor_id": scene.visitors,
                    "person": sessions.device // DEVICES,
                    "app_id": labels(sessions.app, world.APPS),
                    "platform": labels(sessions.platform, world.PLATFORMS),
                    "is_bot": scene.is_robot,
                    "is_returning": sessions.returning,
                    "started_at": moments(sessions.start - sessions.age),
                    "ended_at": moments(sessions.end - sessions.age),
                    "page_views": sessions.pages,
                    "has_order": sessions.converts,
                    "is_exposed": sessions.exposed & ~scene.is_robot,
                    "variant": labels(sessions.variant, world.VARIANTS),
                    **{name: pick(values, sessions.traffic) for name, values in ways.items()},
                }
            ),
        )

    def record_orders(self, crowd: Crowd, orders: Orders, backend_status: Ints) -> None:
        """Write down orders, and which of their two messages arrived."""
        self.append(
            "orders",
            pa.table(
                {
                    "order_id": orders.order_id,
                    "visitor_id": crowd.visitor_ids(orders.device),
                    "person": orders.device // DEVICES,
                    "user_id": pa.compute.if_else(pa.compute.equal(orders.user, ""), None, orders.user),
                    "app_id": labels(orders.app, world.APPS),
                    "ordered_at": moments(orders.at),
                    "revenue_cents": orders.cents,
                    "currency": orders.currency,
                    "quantity": orders.quantity,
                    "client_status": labels(orders.client_status, STATUSES),
                    "backend_status": labels(backend_status, STATUSES),
                }
            ),
        )

    def _count_messages(self, at: Ints, app: Ints, platform: Ints, status: Ints) -> None:
        """Add messages to the sums by hour, app, platform and what became of them."""
        key = ((at // HOUR * 8 + app) * 16 + platform) * 16 + status
        for code, count in zip(*np.unique(key, return_counts=True), strict=True):
            rest, state = divmod(int(code), 16)
            rest, where = divmod(rest, 16)
            hour, which = divmod(rest, 8)
            place = (hour, which, where, state)
            self.sent[place] = self.sent.get(place, 0) + int(count)

    def count_pages(self, views: Views) -> None:
        """Add web page views (one a page id) to the two witnesses' sums by hour, app, platform."""
        key = ((views.at // HOUR * 8 + views.app) * 8 + views.platform) * 2 + views.is_bot
        hit, event = views.hit, views.event
        sums = np.stack(
            [np.ones(len(hit), bool), hit, event, hit & event, hit & ~event, event & ~hit,
             ~(hit | event)]
        ).astype(np.int64)  # fmt: skip
        codes, which = np.unique(key, return_inverse=True)
        totals = np.zeros((len(codes), len(LOSS_SUMS)), dtype=np.int64)
        np.add.at(totals, which, sums.T)
        for code, total in zip(codes, totals, strict=True):
            rest, bot = divmod(int(code), 2)
            rest, where = divmod(rest, 8)
            hour, which_app = divmod(rest, 8)
            place = (hour, which_app, where, bool(bot))
            self.loss[place] = self.loss.get(place, np.zeros(len(LOSS_SUMS), np.int64)) + total

    def write_visitors(self, register: Register) -> None:
        """Write what is true of every visitor seen: person, device, robot or not, clock, arm."""
        crowd = register.crowd
        humans = np.flatnonzero(register.seen)
        robots = (FIRST_ROBOT + np.arange(register.robots)) * DEVICES
        devices = np.concatenate([humans, robots])
        restarts = np.concatenate([register.restarts[humans], np.zeros(len(robots), dtype=np.int32)])
        for begin in range(0, max(len(devices), 1), CHUNK):
            device = devices[begin : begin + CHUNK]
            person = device // DEVICES
            kind = crowd.kind(person)
            self.append(
                "visitors",
                pa.table(
                    {
                        "visitor_id": crowd.visitor_ids(device),
                        "stream_id": crowd.stream_ids(device),
                        "person": person,
                        "user_id": pa.compute.if_else(
                            pa.array(crowd.has_account(person)), crowd.user_ids(device), None
                        ),
                        "is_bot": kind != HUMAN,
                        "bot_kind": labels(kind, BOT_KINDS),
                        "app_id": labels(crowd.app(device), world.APPS),
                        "platform": labels(crowd.platform(device), world.PLATFORMS),
                        "country": labels(crowd.country(device), tuple(item.code for item in world.COUNTRIES)),
                        "dialect": labels(crowd.dialect(device), DIALECTS),
                        "clock_offset_ms": crowd.clock_offset(device),
                        "is_blocked": crowd.is_blocked(device),
                        "is_office": crowd.is_office(device),
                        "variant": labels(crowd.variant(device), world.VARIANTS),
                        "restarts": restarts[begin : begin + CHUNK],
                    }
                ),
            )

    def close(self, summary: Mapping[str, Any]) -> None:
        """Write the sums and the summary, and finish all tables."""
        places = sorted(self.sent)
        hours = np.array([hour for hour, *_ in places], dtype=np.int64) * HOUR
        self.append(
            "messages_hourly",
            pa.table(
                {
                    "hour": pa.array(hours).cast(pa.timestamp("ms", tz="UTC")),
                    "app_id": [world.APPS[app] for _, app, _, _ in places],
                    "platform": [world.PLATFORMS[where] for _, _, where, _ in places],
                    "status": [STATUSES[status] for *_, status in places],
                    "messages": [self.sent[place] for place in places],
                }
            ),
        )
        pages = sorted(self.loss)
        hours = np.array([hour for hour, *_ in pages], dtype=np.int64) * HOUR
        self.append(
            "loss_hourly",
            pa.table(
                {
                    "hour": pa.array(hours).cast(pa.timestamp("ms", tz="UTC")),
                    "app_id": [world.APPS[app] for _, app, _, _ in pages],
                    "platform": [world.PLATFORMS[where] for _, _, where, _ in pages],
                    "is_bot": [bot for *_, bot in pages],
                    **{name: [int(self.loss[page][number]) for page in pages] for number, name in enumerate(LOSS_SUMS)},
                }
            ),
        )
        for writer in self.writers.values():
            writer.close()
        made = sum(self.sent.values())
        received = sum(count for (*_, status), count in self.sent.items() if status == RECEIVED)
        text = json.dumps(
            {
                "plan": asdict(self.plan),
                "messages": {
                    "made": made,
                    "received": received,
                    "duplicates": self.duplicates,
                    **{
                        name: sum(n for (*_, state), n in self.sent.items() if state == code)
                        for code, name in enumerate(STATUSES)
                        if code != RECEIVED
                    },
                },
                **summary,
            },
            ensure_ascii=False, indent=2, default=_plain,
        )  # fmt: skip
        (self.folder / "truth.json").write_text(text + "\n", encoding="utf-8")


def _plain(value: object) -> str:
    """Write dates and times in JSON as ISO text."""
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"Not for JSON: {value!r}")
