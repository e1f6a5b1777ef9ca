"""Run the world slot by slot: sessions, their messages, and the logs these leave behind.

A slot is a part of a day small enough for memory. Nothing but the register of people, the lines
that are still on their way, and the servers' waiting orders goes from one slot to the next.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from etl.simulate import behaviour, costs, garbage, visits, wire, world
from etl.simulate.delivery import (
    BLOCKED,
    RECEIVED,
    Delivery,
    Route,
    deliver,
    number,
)
from etl.simulate.files import LogFiles
from etl.simulate.incidents import incident_loss
from etl.simulate.letters import Letters
from etl.simulate.people import DEVICES, Crowd, Register
from etl.simulate.plan import Plan
from etl.simulate.scene import Orders, Scene
from etl.simulate.text import (
    DAY,
    HOUR,
    SECOND,
    Floats,
    Ints,
    draw,
    pick,
)
from etl.simulate.truth import Names, Truth
from etl.simulate.witnesses import Lines, fire_pixels, serve_pages

Progress = Callable[[int, int], None]
"""Told the slots done and the slots there are."""

SLOT_MESSAGES = 120_000
SLOTS_A_DAY = (1, 2, 3, 4, 6, 8, 12, 24, 48, 96, 144, 288, 480, 720, 1440)
MESSAGES_PER_SESSION = 17.0
"""A first guess; what was seen corrects it."""
GUESS_WEIGHT = 2_000
KNOWN_BEFORE = 0.55
"""People known before the log begins, for each session of its first day."""


class Simulation:
    """One run from the first day to the last."""

    def __init__(self, out: Path, truth: Path, plan: Plan) -> None:
        self.plan, self.out = plan, out
        self.crowd = Crowd(plan)
        self.begin = _epoch(plan.start)
        self.end = self.begin + plan.days * DAY
        opening, closing = plan.open_hours
        self.hours = np.where((np.arange(24) >= opening) & (np.arange(24) < closing), world.HOURS, 0.0)
        weights = np.array([self._weight(day) for day in range(plan.days)])
        self.day_messages = plan.messages * weights / weights.sum()
        self.slots = next((n for n in SLOTS_A_DAY if self._busiest(n) <= SLOT_MESSAGES), SLOTS_A_DAY[-1])
        known = int(self.day_messages[0] / MESSAGES_PER_SESSION * KNOWN_BEFORE)
        self.register = Register(self.crowd, known)
        self.truth = Truth(truth, plan)
        self.events = LogFiles(out / "events", "events", ".jsonl", plan.compress)
        self.pixel = LogFiles(out / "pixel", "pixel", ".log", plan.compress)
        self.access = LogFiles(out / "access" / "shop", "access", ".log", plan.compress)
        self.letters = Letters(plan, self.crowd, self.register, self.truth, self.end, self._record)
        self.visits = np.zeros((plan.days, len(world.TRAFFIC)), dtype=np.int64)
        self.sums = {
            "made": 0, "sessions": 0, "bot_sessions": 0, "orders": 0, "pixel_hits": 0,
        }  # fmt: skip
        self.arms = np.zeros((2, 2), dtype=np.int64)
        self.garbage: dict[str, int] = {}

    def _weight(self, day: int) -> float:
        weekday = (self.plan.start + timedelta(days=day)).weekday()
        return world.WEEKDAYS[weekday] if self.plan.is_open(day) else 0.0

    def _busiest(self, slots: int) -> float:
        """Count the messages of the busiest slot if a day had so many."""
        return float(self.day_messages.max() * self._slot_weights(slots).max())

    def _slot_weights(self, slots: int) -> Floats:
        """Weigh the slots of a day by the sessions that begin in them."""
        fine = np.repeat(self.hours / 60, 60)
        weights = fine.reshape(slots, -1).sum(axis=1)
        return weights if self.plan.open_hours == (0, 24) else weights / weights.sum()

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
        mails = visits.opened_mails(scene.sessions, rng, self.register.people)
        parts = [client, self.letters.mail(rng, begin, *mails), self.letters.serve(rng, begin, end, orders)]
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
        sessions = visits.visit(self.register, self.plan, rng, starts, robots)
        pages = behaviour.browse(sessions, rng, self.register.free_at)
        actions = behaviour.act(sessions, pages, rng)
        return Scene(self.crowd, sessions, pages, actions, rng)

    def _start_times(self, rng: np.random.Generator, begin: int, end: int, count: int) -> Ints:
        """Draw when sessions begin, by the hours' weights."""
        hours = np.arange(begin // HOUR, (end - 1) // HOUR + 1)
        if not count:
            return np.zeros(0, dtype=np.int64)
        if len(hours) == 1:
            return rng.integers(begin, end, count)
        return (hours[draw(rng, self.hours[hours % 24], count)]) * HOUR + rng.integers(0, HOUR, count)

    def _track(self, rng: np.random.Generator, scene: Scene) -> tuple[Orders, Lines]:
        """Send what the clients track, and fire the pixels beside it."""
        sessions, session, at = scene.sessions, scene.session, scene.actions.at
        blocked = self.crowd.is_blocked(sessions.device)
        route = Route(
            plan=self.plan, end=self.end, loss=self.plan.loss,
            hazard=np.where(blocked[session], BLOCKED, RECEIVED),
            incident_loss=incident_loss(self.plan, scene),
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
        hits, seen = fire_pixels(self.plan, self.end, scene, delivery, blocked, rng)
        self.truth.count_pages(seen)
        self.pixel.add(*hits)
        self.sums["pixel_hits"] += len(hits[0])
        if self.plan.access:
            for lines in serve_pages(scene, self.end):
                self.access.add(*lines)
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
        self.letters.close()
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
                **({"refunds": self.letters.refunded} if self.plan.refunds else {}),
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
