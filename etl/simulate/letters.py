"""Messages that stand alone, without a page or a session: opened mails, and the servers' own orders."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from etl.simulate import people, wire, world
from etl.simulate.delivery import PENDING, RECEIVED, Delivery, Route, deliver, number
from etl.simulate.dialects import Cast, Facts, order_details, speak_without_page
from etl.simulate.people import V3, Crowd, Register
from etl.simulate.plan import Plan
from etl.simulate.scene import Orders
from etl.simulate.text import (
    DAY,
    Flags,
    Ints,
    body,
    column,
    in_line,
    integers,
    join,
    pick,
    random_words,
    texts,
    uuids,
)
from etl.simulate.truth import Names, Truth
from etl.simulate.witnesses import Lines

SERVER_LOSS = 0.05
"""Servers lose this share of what browsers lose."""
SERVERS_PER_APP = 2


@dataclass
class Letter:
    """Messages that stand alone, ordered by stream and time: every column has a row for each.

    `stream` tells the streams apart, `logged_in` who is known to be who.
    """

    schema: int
    stream: Ints
    at: Ints
    index: Ints
    app: Ints
    cast: Cast
    logged_in: Flags
    details: pa.StringArray
    addresses: pa.StringArray
    agent: Ints


@dataclass
class Letters:
    """Who writes them, from slot to slot: mailboxes count on in the register, servers by themselves.

    Attributes:
        end: when the log ends; what arrives later has not arrived.
        record: told of all messages, what became of them, and whose they are.
        orders: those that the servers have not taken yet.
        refunds: those that the servers have not given back yet; refunded: how many they have.
    """

    plan: Plan
    crowd: Crowd
    register: Register
    truth: Truth
    end: int
    record: Callable[[wire.Messages, Delivery, Names], None]
    orders: Orders | None = None
    refunds: Orders | None = None
    refunded: dict[str, int] = field(default_factory=lambda: {"sent": 0, "received": 0})
    counters: Ints = field(default_factory=lambda: np.zeros(SERVERS_PER_APP * len(world.APPS), dtype=np.int64))

    def mail(self, rng: np.random.Generator, begin: int, device: Ints, at: Ints, campaign: Ints) -> Lines:
        """Send the messages of opened mails."""
        at = np.maximum(at, begin)
        boxes, local = np.unique(device, return_inverse=True)
        counters = self.register.next_index[boxes]
        index = number(local, np.zeros(len(device), dtype=bool), counters)
        self.register.next_index[boxes] = counters
        names = texts(body(f'"campaign":"{in_line(way.campaign)}"') for way in world.TRAFFIC)
        app = self.crowd.app(device)
        tracker = world.TRACKERS[world.EMAIL][0][0]
        return self._post(
            rng,
            Letter(
                schema=world.EMAIL_OPEN, stream=local, at=at, index=index, app=app,
                cast=Cast(
                    app=pick(texts(world.APPS), app), platform=np.full(len(device), world.EMAIL),
                    tracker=texts([tracker] * len(device)), stream=self.crowd.stream_ids(device),
                    visitor=self.crowd.visitor_ids(device), user=self.crowd.user_ids(device),
                    country=self.crowd.country(device),
                ),
                logged_in=np.zeros(len(device), dtype=bool), details=pick(names, campaign),
                addresses=self.crowd.addresses(device), agent=self.crowd.agent(device),
            ),
            self.plan.loss,
        )[0]  # fmt: skip

    def serve(self, rng: np.random.Generator, begin: int, end: int, orders: Orders) -> Lines:
        """Send the servers' own messages of the orders they took until the slot's end."""
        taken = orders.at - rng.integers(200, 3_000, len(orders))
        orders = replace(orders, at=np.maximum(taken, begin))
        if self.orders is not None:
            orders = self.orders.followed_by(orders)
        due = orders.at < end
        self.orders = orders.take(np.flatnonzero(~due))
        orders = orders.take(np.flatnonzero(due))
        lines, status, orders = self._tell(rng, orders, world.ORDER)
        self.truth.record_orders(self.crowd, orders, status)
        return self._give_back(rng, end, orders, lines) if self.plan.refunds else lines

    def _give_back(self, rng: np.random.Generator, end: int, orders: Orders, lines: Lines) -> Lines:
        """Add the messages of refunds that are due until the slot's end."""
        chosen = orders.take(np.flatnonzero(rng.random(len(orders)) < self.plan.refunds))
        refunds = replace(chosen, at=chosen.at + rng.integers(DAY, 5 * DAY, len(chosen)))
        if self.refunds is not None:
            refunds = self.refunds.followed_by(refunds)
        due = refunds.at < end
        self.refunds = refunds.take(np.flatnonzero(~due))
        (when, text), status, told = self._tell(rng, refunds.take(np.flatnonzero(due)), world.REFUND)
        self.refunded["sent"] += len(told)
        self.refunded["received"] += int((status == RECEIVED).sum())
        return np.concatenate([lines[0], when]), pa.concat_arrays([lines[1], text])

    def _tell(self, rng: np.random.Generator, orders: Orders, schema: int) -> tuple[Lines, Ints, Orders]:
        """Send the servers' messages about orders.

        Returns:
            the lines, what became of each message, and the orders in the order of the messages.
        """
        server = orders.app * SERVERS_PER_APP + rng.integers(0, SERVERS_PER_APP, len(orders))
        order = np.lexsort((orders.at, server))
        orders, server = orders.take(order), server[order]
        index = number(server, np.zeros(len(server), dtype=bool), self.counters)
        device = orders.device
        tracker = world.TRACKERS[world.BACKEND][0][0]
        facts = Facts(
            (), texts(()), texts(()), orders.order_id, orders.cents, orders.currency,
            orders.quantity,
        )  # fmt: skip
        post, status = self._post(
            rng,
            Letter(
                schema=schema, stream=server, at=orders.at, index=index, app=orders.app,
                cast=Cast(
                    app=pick(texts(world.APPS), orders.app),
                    platform=np.full(len(server), world.BACKEND),
                    tracker=texts([tracker] * len(server)),
                    stream=self.crowd.stream_ids(-1 - server),
                    visitor=self.crowd.visitor_ids(device), user=orders.user,
                    country=self.crowd.country(device),
                ),
                logged_in=np.ones(len(server), dtype=bool), details=order_details(facts),
                addresses=join("198.51.100.", integers(server + 10)),
                agent=np.full(len(server), people.server_agent()),
            ),
            self.plan.loss * SERVER_LOSS,
        )  # fmt: skip
        return post, status, orders

    def _post(self, rng: np.random.Generator, letter: Letter, loss: float) -> tuple[Lines, Ints]:
        """Send messages that stand alone: no page, no session.

        Returns:
            the lines, and what became of each message.
        """
        count = len(letter.at)
        row, none = np.arange(count), np.zeros(count, dtype=np.int64)
        route = Route(self.plan, self.end, loss, np.full(count, RECEIVED), {})
        delivery = deliver(letter.stream, letter.at, route, rng)
        agents = pick(texts(map(in_line, people.agent_names())), letter.agent)
        messages = wire.Messages(
            ids=column(uuids(random_words(rng, count))), schema=np.full(count, letter.schema),
            at=letter.at, clock=none, age=none, index=letter.index, stream=row,
            who=row + count * letter.logged_in, page=none, data=row, dialect=np.full(count, V3),
            voices={V3: speak_without_page(letter.cast, letter.details)},
            addresses=letter.addresses, headers=join(agents, '","referer":"'),
        )  # fmt: skip
        names = Names(
            letter.cast.visitor, letter.cast.stream, letter.app, letter.cast.platform,
            pa.nulls(count, pa.string()),
        )  # fmt: skip
        self.record(messages, delivery, names)
        return (delivery.received, wire.collector_lines(messages, delivery, rng)), delivery.status

    def close(self) -> None:
        """Write down the orders that the servers had not taken when the log ended."""
        if self.orders is not None and len(self.orders):
            self.truth.record_orders(self.crowd, self.orders, np.full(len(self.orders), PENDING))
