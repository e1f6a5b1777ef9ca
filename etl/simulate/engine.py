"""Run the world slot by slot: sessions, their messages, and the logs these leave behind.

A slot is a part of a day small enough for memory. Nothing but the register of people, the lines
that are still on their way, and the servers' waiting orders goes from one slot to the next.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from etl.simulate import behaviour, costs, garbage, people, wire, world
from etl.simulate.delivery import (
    BLOCKED,
    PENDING,
    RECEIVED,
    Delivery,
    Route,
    deliver,
    number,
)
from etl.simulate.dialects import Cast, Facts, order_details, speak_without_page
from etl.simulate.files import LogFiles
from etl.simulate.people import DEVICES, V3, Crowd, Register
from etl.simulate.plan import Plan
from etl.simulate.scene import OUTSIDE, TRACKER_NAMES, Orders, Scene
from etl.simulate.text import (
    DAY,
    HOUR,
    SECOND,
    Flags,
    Floats,
    Ints,
    body,
    column,
    draw,
    in_line,
    integers,
    join,
    pick,
    random_words,
    texts,
    uuids,
)
from etl.simulate.truth import Names, Truth, Views

Progress = Callable[[int, int], None]
"""Told the slots done and the slots there are."""

Post = tuple[Ints, pa.StringArray]
"""Lines with the times they arrive at."""

SLOT_MESSAGES = 120_000
SLOTS_A_DAY = (1, 2, 3, 4, 6, 8, 12, 24, 48, 96, 144, 288, 480, 720, 1440)
MESSAGES_PER_SESSION = 17.0
"""A first guess; what was seen corrects it."""
GUESS_WEIGHT = 2_000
KNOWN_BEFORE = 0.55
"""People known before the log begins, for each session of its first day."""
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


class Simulation:
    """One run from the first day to the last."""

    def __init__(self, out: Path, truth: Path, plan: Plan) -> None:
        self.plan, self.out = plan, out
        self.crowd = Crowd(plan)
        self.begin = _epoch(plan.start)
        self.end = self.begin + plan.days * DAY
        weights = np.array([self._weight(day) for day in range(plan.days)])
        self.day_messages = plan.messages * weights / weights.sum()
        self.slots = next((n for n in SLOTS_A_DAY if self._busiest(n) <= SLOT_MESSAGES), SLOTS_A_DAY[-1])
        known = int(self.day_messages[0] / MESSAGES_PER_SESSION * KNOWN_BEFORE)
        self.register = Register(self.crowd, known)
        self.truth = Truth(truth, plan)
        self.events = LogFiles(out / "events", "events", ".jsonl", plan.compress)
        self.pixel = LogFiles(out / "pixel", "pixel", ".log", plan.compress)
        self.access = LogFiles(out / "access" / "shop", "access", ".log", plan.compress)
        self.server_index = np.zeros(SERVERS_PER_APP * len(world.APPS), dtype=np.int64)
        self.orders: Orders | None = None
        self.visits = np.zeros((plan.days, len(world.TRAFFIC)), dtype=np.int64)
        self.sums = {
            "made": 0, "sessions": 0, "bot_sessions": 0, "orders": 0, "pixel_hits": 0,
        }  # fmt: skip
        self.arms = np.zeros((2, 2), dtype=np.int64)
        self.garbage: dict[str, int] = {}

    def _weight(self, day: int) -> float:
        weekday = (self.plan.start + timedelta(days=day)).weekday()
        return world.WEEKDAYS[weekday]

    def _busiest(self, slots: int) -> float:
        """Count the messages of the busiest slot if a day had so many."""
        return float(self.day_messages.max() * self._slot_weights(slots).max())

    @staticmethod
    def _slot_weights(slots: int) -> Floats:
        """Weigh the slots of a day by the sessions that begin in them."""
        fine = np.repeat(world.HOURS / 60, 60)
        return fine.reshape(slots, -1).sum(axis=1)

    def run(self, progress: Progress | None = None) -> dict[str, Any]:
        """Simulate all slots and write everything."""
        length = DAY // self.slots
        for slot in range(self.plan.days * self.slots):
            begin = self.begin + slot * length
            day, part = divmod(slot, self.slots)
            share = self._slot_weights(self.slots)[part]
            rng = np.random.default_rng([self.plan.seed, slot])
            self._slot(rng, begin, begin + length, self.day_messages[day] * share)
            if progress is not None:
                progress(slot + 1, self.plan.days * self.slots)
        return self._finish()

    def _slot(self, rng: np.random.Generator, begin: int, end: int, messages: float) -> None:
        """Simulate the sessions that begin in a slot, and write what is due until its end."""
        scene = self._behave(rng, begin, end, messages)
        orders, client = self._track(rng, scene)
        mails = behaviour.opened_mails(scene.sessions, rng, self.register.people)
        parts = [client, self._mail(rng, begin, *mails), self._serve(rng, begin, end, orders)]
        times = np.concatenate([when for when, _ in parts])
        when, bad, reasons = garbage.lines(rng, times, self.plan.garbage)
        for reason in reasons:
            self.garbage[reason] = self.garbage.get(reason, 0) + 1
        lines = pa.concat_arrays([*(text for _, text in parts), bad])
        self.events.add(np.concatenate([times, when]), lines)
        for files in (self.events, self.pixel, self.access):
            files.flush(end)

    def _behave(self, rng: np.random.Generator, begin: int, end: int, messages: float) -> Scene:
        """Draw what people do."""
        guessed = self.sums["made"] + MESSAGES_PER_SESSION * GUESS_WEIGHT
        rate = guessed / (self.sums["sessions"] + GUESS_WEIGHT)
        count = int(rng.poisson(messages / rate))
        starts = self._start_times(rng, begin, end, count)
        robots = int(rng.binomial(count, self.plan.bots))
        sessions = behaviour.visit(self.register, self.plan, rng, starts, robots)
        pages = behaviour.browse(sessions, rng, self.register.free_at)
        actions = behaviour.act(sessions, pages, rng)
        return Scene(self.crowd, sessions, pages, actions, rng)

    @staticmethod
    def _start_times(rng: np.random.Generator, begin: int, end: int, count: int) -> Ints:
        """Draw when sessions begin, by the hours' weights."""
        hours = np.arange(begin // HOUR, (end - 1) // HOUR + 1)
        if len(hours) == 1:
            return rng.integers(begin, end, count)
        return (hours[draw(rng, world.HOURS[hours % 24], count)]) * HOUR + rng.integers(0, HOUR, count)

    def _track(self, rng: np.random.Generator, scene: Scene) -> tuple[Orders, Post]:
        """Send what the clients track, and fire the pixels beside it."""
        sessions, session, at = scene.sessions, scene.session, scene.actions.at
        blocked = self.crowd.is_blocked(sessions.device)
        route = Route(
            plan=self.plan, end=self.end, loss=self.plan.loss,
            hazard=np.where(blocked[session], BLOCKED, RECEIVED),
            incident_loss=self._incident_loss(scene),
        )  # fmt: skip
        delivery = deliver(session, at, route, rng)
        orders = scene.new_orders(rng, self.sums["orders"], delivery.status)
        self.sums["orders"] += len(orders)
        messages = scene.messages(self._number(scene), orders, rng)
        page_ids = pick(scene.page_ids, scene.actions.page)
        names = Names(
            scene.visitors, scene.streams, sessions.app[session], sessions.platform[session],
            page_ids,
        )  # fmt: skip
        self._record(messages, delivery, names)
        self._record_sessions(scene)
        self._fire_pixels(rng, scene, delivery, blocked)
        if self.plan.access:
            self._serve_pages(scene)
        return orders, (delivery.received, wire.collector_lines(messages, delivery, rng))

    def _number(self, scene: Scene) -> Ints:
        """Number the messages of each device, on from where its counter stands."""
        sessions, register = scene.sessions, self.register
        human = ~scene.is_robot
        device, first, local = np.unique(sessions.device, return_index=True, return_inverse=True)
        kept = device[human[first]]
        counters = np.zeros(len(device), dtype=np.int64)
        counters[human[first]] = register.next_index[kept]
        restart = sessions.restart & sessions.returning & human
        # A counter that was running before the log begins would restart out of sight.
        restart &= sessions.device >= register.before_log * DEVICES
        # A counter that has not counted yet has nothing to restart from.
        restart &= (counters[local] > 0) | (first[local] < np.arange(len(sessions)))
        np.add.at(register.restarts, sessions.device[restart], 1)
        opens = np.ones(len(scene.session), dtype=bool)
        opens[1:] = scene.session[1:] != scene.session[:-1]
        index = number(local[scene.session], opens & restart[scene.session], counters)
        register.next_index[kept] = counters[human[first]]
        register.seen[kept] = True
        return index

    def _incident_loss(self, scene: Scene) -> dict[int, Floats]:
        """Give each message's extra loss on its way to each collector."""
        incidents = self.plan.incidents
        if not incidents:
            return {}
        at, session = scene.actions.at, scene.session
        platform, tracker = scene.sessions.platform, scene.tracker
        kept = {host: np.ones(len(at)) for host in range(len(world.COLLECTORS))}
        for incident in incidents:
            hit = np.ones(len(at), dtype=bool)
            if incident.start is not None:
                hit &= at >= incident.start.timestamp() * SECOND
            if incident.end is not None:
                hit &= at < incident.end.timestamp() * SECOND
            if incident.platform is not None:
                hit &= (np.array(world.PLATFORMS) == incident.platform)[platform][session]
            if incident.tracker is not None:
                hit &= (np.array(TRACKER_NAMES) == incident.tracker)[tracker][session]
            if incident.browser is not None:
                named = np.array([incident.browser in name for name in people.agent_names()])
                hit &= named[scene.agent][session]
            for host, survival in kept.items():
                if incident.host in (None, world.COLLECTORS[host]):
                    survival[hit] *= 1 - incident.loss
        return {host: 1 - survival for host, survival in kept.items()}

    def _fire_pixels(self, rng: np.random.Generator, scene: Scene, delivery: Delivery, blocked: Flags) -> None:
        """Write the pixel's log of the web pages, and add up what both witnesses saw."""
        pages, sessions = scene.pages, scene.sessions
        count, session = len(pages), pages.session
        web = sessions.platform[session] <= world.MOBILE
        first = pages.same_as == np.arange(count)
        # Visits whose messages come weeks later left no pixel in these days' logs.
        # A reload fires the pixel again; a page out of the browser's cache does not.
        on_line = sessions.age[session] == 0
        fires = web & on_line & (first | (pages.navigation == world.RELOAD)) & ~blocked[session]
        after = rng.integers(20, 200, count) + rng.exponential(150, count).astype(np.int64)
        hit_at = pages.at + after
        fires &= (rng.random(count) >= self.plan.pixel_loss) & (hit_at < self.end)
        views = scene.actions.schema == world.PAGE_VIEW
        view_page = scene.actions.page[views]
        received = np.zeros(count, dtype=bool)
        got = delivery.status[views] == RECEIVED
        received[pages.same_as[view_page[got]]] = True
        hit = np.zeros(count, dtype=bool)
        hit[pages.same_as[fires]] = True
        counted = np.flatnonzero(web & on_line & first)
        whose = session[counted]
        self.truth.count_pages(
            Views(
                pages.at[counted], sessions.app[whose], sessions.platform[whose],
                scene.is_robot[whose], hit[counted], received[counted],
            )
        )  # fmt: skip
        row = np.flatnonzero(fires)
        mine = session[row]
        request = join(
            "/px.gif?e=", pick(scene.page_ids, row), "&a=", pick(scene.apps, mine),
            "&p=", pick(scene.platforms, mine), "&v=", pick(scene.visitors, mine),
        )  # fmt: skip
        self.pixel.add(
            hit_at[row],
            wire.log_lines(
                wire.Served(
                    pick(scene.addresses, mine), hit_at[row], request, "200 43",
                    pick(scene.urls, row), pick(scene.agents, mine),
                )
            ),
        )  # fmt: skip
        self.sums["pixel_hits"] += len(row)

    def _serve_pages(self, scene: Scene) -> None:
        """Write the web servers' log: every page they served, and a style sheet for each visit."""
        pages = scene.pages
        first = pages.same_as == np.arange(len(pages))
        web = scene.sessions.platform[pages.session] <= world.MOBILE
        served = first & web & (scene.sessions.age[pages.session] == 0) & (pages.navigation != world.AJAX)
        row = np.flatnonzero(served & (pages.at < self.end))
        mine = pages.session[row]
        own = pages.before[row] >= 0
        referrer = pa.compute.if_else(
            pa.array(own), pick(scene.urls, np.maximum(pages.before[row], 0)),
            pick(OUTSIDE, scene.came_from[mine]),
        )  # fmt: skip
        agents, addresses = pick(scene.agents, mine), pick(scene.addresses, mine)
        at = pages.at[row]
        page = wire.Served(addresses, at, pick(scene.targets, row), "200 18213", referrer, agents)
        self.access.add(at, wire.log_lines(page))
        landing = np.flatnonzero(~own)
        style = wire.Served(
            pick(addresses, landing), at[landing], texts(["/static/site.css"] * len(landing)),
            "200 40211", pick(scene.urls, row[landing]), pick(agents, landing),
        )  # fmt: skip
        self.access.add(at[landing], wire.log_lines(style))

    def _mail(self, rng: np.random.Generator, begin: int, device: Ints, at: Ints, campaign: Ints) -> Post:
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

    def _serve(self, rng: np.random.Generator, begin: int, end: int, orders: Orders) -> Post:
        """Send the servers' own messages of the orders they took until the slot's end."""
        taken = orders.at - rng.integers(200, 3_000, len(orders))
        orders = replace(orders, at=np.maximum(taken, begin))
        if self.orders is not None:
            orders = self.orders.followed_by(orders)
        due = orders.at < end
        self.orders = orders.take(np.flatnonzero(~due))
        orders = orders.take(np.flatnonzero(due))
        server = orders.app * SERVERS_PER_APP + rng.integers(0, SERVERS_PER_APP, len(orders))
        order = np.lexsort((orders.at, server))
        orders, server = orders.take(order), server[order]
        index = number(server, np.zeros(len(server), dtype=bool), self.server_index)
        device = orders.device
        tracker = world.TRACKERS[world.BACKEND][0][0]
        facts = Facts(
            (), texts(()), texts(()), orders.order_id, orders.cents, orders.currency,
            orders.quantity,
        )  # fmt: skip
        post, status = self._post(
            rng,
            Letter(
                schema=world.ORDER, stream=server, at=orders.at, index=index, app=orders.app,
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
        self.truth.record_orders(self.crowd, orders, status)
        return post

    def _post(self, rng: np.random.Generator, letter: Letter, loss: float) -> tuple[Post, Ints]:
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
        self._record(messages, delivery, names)
        return (delivery.received, wire.collector_lines(messages, delivery, rng)), delivery.status

    # --- the truth

    def _record(self, messages: wire.Messages, delivery: Delivery, names: Names) -> None:
        """Write down what became of messages."""
        self.sums["made"] += len(messages.at)
        self.truth.record_messages(messages, delivery, names)

    def _record_sessions(self, scene: Scene) -> None:
        """Write down who visited, from where, and what came of it."""
        sessions, human = scene.sessions, ~scene.is_robot
        self.sums["sessions"] += len(sessions)
        self.sums["bot_sessions"] += int(scene.is_robot.sum())
        shown = sessions.exposed & human
        np.add.at(self.arms, (sessions.variant[shown], sessions.converts[shown].astype(int)), 1)
        day = np.clip((sessions.start - self.begin) // DAY, 0, self.plan.days - 1)
        np.add.at(self.visits, (day[human], sessions.traffic[human]), 1)
        self.truth.record_sessions(scene)

    def _finish(self) -> dict[str, Any]:
        """Write spend and exclusions, close all files, and say what was made."""
        if self.orders is not None and len(self.orders):
            # The servers had not taken them when the log ended.
            self.truth.record_orders(self.crowd, self.orders, np.full(len(self.orders), PENDING))
        spent = costs.write_spend(self.out / "spend", self.plan, self.visits)
        if self.plan.exclusions:
            costs.write_exclusions(self.out / "exclusions", self.plan, self.crowd)
        self.truth.write_visitors(self.register)
        made = {
            **self.sums,
            "lines": self.events.lines,
            "pixel_lines": self.pixel.lines,
            "files": self.events.files + self.pixel.files + self.access.files,
            "bytes": self.events.bytes + self.pixel.bytes + self.access.bytes,
            "garbage": dict(sorted(self.garbage.items())),
        }
        exposed = self.arms.sum(axis=1)
        self.truth.close(
            {
                "made": made,
                "garbage": made["garbage"],
                "spend": spent,
                "experiment": {
                    "experiment": world.EXPERIMENT,
                    "true_lift": self.plan.effect,
                    "unit": "conversion of exposed human sessions",
                    "exposed_sessions": dict(zip(world.VARIANTS, exposed.tolist(), strict=True)),
                    "with_order": dict(zip(world.VARIANTS, self.arms[:, 1].tolist(), strict=True)),
                },
            }
        )
        return made


def _epoch(day: date) -> int:
    """Give the milliseconds at which a UTC day begins."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * SECOND
