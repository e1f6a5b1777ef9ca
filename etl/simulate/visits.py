"""Who comes, when, from where and how far: the sessions of a slot, and the mails that are opened."""

from dataclasses import dataclass, fields

import numpy as np

from etl.simulate import world
from etl.simulate.people import DEVICES, FAST, HUMAN, Register
from etl.simulate.plan import Plan
from etl.simulate.text import DAY, MINUTE, SECOND, Flags, Floats, Ints, at, draw

BOUNCE_RATE = 0.44
APP_BOUNCE = 0.55
"""Factor on the bounce rate inside the apps."""
MORE_PAGES = 0.21
"""Chance to leave after each further page."""
LONGEST = 60
REACH_DEAL = 0.8
CONVERSION = 0.027
"""Of the sessions that reach a deal, before the factors."""
DESKTOP_CONVERTS, APP_CONVERTS, RETURNING_CONVERTS = 1.3, 1.2, 1.5
ORDER_PAGES = 4
"""Deal, cart, checkout, confirmation: how a session with an order ends."""
LOGIN_AT_START, LOGIN_TO_ORDER = 0.6, 0.6

RETURNING_SHARE = 0.46
SECOND_DEVICE_USE = 0.35
REST = 35 * MINUTE
"""A device's next session begins at least this long after the one before."""
MAIL_OPENED = 0.7
MAIL_ONLY = 1.6
"""Mails that are opened and nothing more, for each session that a mail brings."""


@dataclass
class Sessions:
    """One row per visit, ordered by (device, start).

    `age` is 0, or how long before `start` a visit really was whose messages were kept for weeks.
    """

    device: Ints
    start: Ints
    kind: Ints
    platform: Ints
    app: Ints
    traffic: Ints
    returning: Flags
    pages: Ints
    exposed: Flags
    variant: Ints
    converts: Flags
    login: Ints
    brief: Flags
    restart: Flags
    age: Ints
    end: Ints

    def __len__(self) -> int:
        return len(self.device)

    def take(self, rows: Ints) -> "Sessions":
        """Take some rows, in this order."""
        return Sessions(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})


def visit(register: Register, plan: Plan, rng: np.random.Generator, starts: Ints, robots: int) -> Sessions:
    """Draw who visits at the given times, from where, and how far each gets.

    The last `robots` of the starts are robots'.
    """
    crowd, count = register.crowd, len(starts)
    humans = count - robots
    returning = np.zeros(count, dtype=bool)
    returning[:humans] = (rng.random(humans) < RETURNING_SHARE) & (register.people > 0)
    person = np.empty(count, dtype=np.int64)
    person[returning] = register.returning(rng, int(returning.sum()))
    fresh = ~returning
    fresh[humans:] = False
    person[fresh] = register.newcomers(int(fresh.sum()))
    person[humans:] = register.new_robots(robots)

    second = crowd.has_second_device(person) & (rng.random(count) < SECOND_DEVICE_USE)
    device = person * DEVICES + (second & (np.arange(count) < humans))
    order = np.lexsort((starts, device))
    device, person, start, returning = device[order], person[order], starts[order], returning[order]
    kind, platform = crowd.kind(person), crowd.platform(device)

    traffic = _ways_in(rng, returning, platform, kind)
    landing = rng.random(count)
    pages, exposed = _lengths(rng, traffic, platform, kind, landing)
    variant = crowd.variant(device)
    rate = plan.converting * factors("convert")[traffic] * CONVERSION * (1 + plan.effect * variant)
    rate *= np.where(returning, RETURNING_CONVERTS, 1) * np.where(
        platform == world.DESKTOP,
        DESKTOP_CONVERTS,
        np.where(platform > world.MOBILE, APP_CONVERTS, 1),
    )
    stale = (kind == HUMAN) & (rng.random(count) < plan.too_late)
    age = np.where(stale, rng.integers(31 * DAY, 60 * DAY, count), 0)
    # Who is cut off for weeks orders nothing.
    converts = exposed & (kind == HUMAN) & ~stale & (rng.random(count) < rate)
    brief = np.zeros(count, dtype=bool)
    if plan.brief:
        brief = ~returning & (kind == HUMAN) & (rng.random(count) < plan.brief)
        converts, exposed, pages = converts & ~brief, exposed & ~brief, np.where(brief, 1, pages)
    pages = np.where(converts, np.maximum(pages, ORDER_PAGES + rng.integers(0, 4, count)), pages)

    account = crowd.has_account(person)
    login = np.full(count, LONGEST * DEVICES, dtype=np.int64)
    login[account & converts & (rng.random(count) < LOGIN_TO_ORDER)] = 2
    login[account & (rng.random(count) < LOGIN_AT_START)] = 0
    return Sessions(
        device=device, start=start, kind=kind, platform=platform, app=crowd.app(device),
        traffic=traffic, returning=returning, pages=pages, exposed=exposed, variant=variant,
        converts=converts, login=login, brief=brief, restart=rng.random(count) < plan.restarts,
        age=age,
        end=start.copy(),
    )  # fmt: skip


def factors(name: str) -> Floats:
    return np.array([getattr(way, name) for way in world.TRAFFIC])


def _ways_in(rng: np.random.Generator, returning: Flags, platform: Ints, kind: Ints) -> Ints:
    """Draw how each session comes to the site."""
    which = np.where(platform > world.MOBILE, 2, np.where(returning, 1, 0))
    value = rng.random(len(which))
    traffic = np.zeros(len(which), dtype=np.int64)
    for group in range(3):
        mine = which == group
        traffic[mine] = at(world.traffic_weights(group), value[mine])
    return np.where(kind == HUMAN, traffic, 0)


def _lengths(
    rng: np.random.Generator, traffic: Ints, platform: Ints, kind: Ints, landing: Floats
) -> tuple[Ints, Flags]:
    """Draw how many pages each session has, and whether it ever sees a deal."""
    count = len(traffic)
    bounce = BOUNCE_RATE * factors("bounce")[traffic]
    bounce = np.where(platform > world.MOBILE, bounce * APP_BOUNCE, bounce)
    more = 1 + np.minimum(rng.geometric(MORE_PAGES, count), LONGEST - 1)
    pages = np.where(rng.random(count) < bounce, 1, more)
    pages = np.where(kind == FAST, rng.integers(40, 160, count), pages)
    lands_on_deal = landing < factors("deal")[traffic]
    exposed = lands_on_deal | ((pages > 1) & (rng.random(count) < REACH_DEAL))
    return pages, exposed


def opened_mails(sessions: Sessions, rng: np.random.Generator, known: int) -> tuple[Ints, Ints, Ints]:
    """Draw who opens which mail when: before the sessions that mails bring, and by itself.

    Returns:
        devices (mailboxes), times, and positions in the ways to the site (the campaign).
    """
    brought = np.flatnonzero(np.isin(sessions.traffic, world.NEWSLETTER) & (rng.random(len(sessions)) < MAIL_OPENED))
    only = int(len(brought) * MAIL_ONLY) if known else 0
    person = np.append(sessions.device[brought] // DEVICES, (rng.random(only) * known).astype(np.int64))
    # The time of a mail only opened is that of some session's start.
    some = draw(rng, np.ones(max(len(sessions), 1)), only) if len(sessions) else np.zeros(0, int)
    ago = rng.integers(8 * SECOND, 4 * MINUTE, len(brought))
    when = np.append(sessions.start[brought] - ago, sessions.start[some])
    campaign = np.append(sessions.traffic[brought], np.array(world.NEWSLETTER)[rng.integers(0, 3, only)])
    order = np.lexsort((when, person))
    return person[order] * DEVICES + 2, when[order], campaign[order]
