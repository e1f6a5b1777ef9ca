"""Who visits: people, their devices, and what lasts about them between sessions."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa

from etl.simulate import agents, world
from etl.simulate.plan import Plan
from etl.simulate.text import (
    DAY,
    HOUR,
    Flags,
    Floats,
    Ints,
    at,
    chance,
    column,
    hexadecimal,
    integers,
    join,
    scramble,
    texts,
    uuids,
)

DEVICES = 4
"""Device numbers a person takes up: two devices, the mailbox, one spare."""

FIRST_ROBOT = 1 << 40
"""Robots never come back: their persons are numbered from here and nothing is kept about them."""

HUMAN, DECLARED, MALFORMED, FAST = range(4)
BOT_KINDS = ("", "declared", "malformed_ua", "rate")
BOT_SHARES = (0.0, 0.6, 0.2, 0.2)

SECOND_DEVICE_SHARE = 0.22
ACCOUNT_SHARE = 0.3
IPV6_SHARE = 0.12
OFFICE_SHARE = 0.003
BADLY_OFF_SHARE = 0.15
"""Of the wrong clocks, those that are years off."""

# Salts: one for each lasting fact.
(_PLATFORM, _SECOND, _APP, _COUNTRY, _AGENT, _VISITOR, _STREAM, _STREAM_TAIL, _TRACKER, _ACCOUNT,
 _ADDRESS, _IPV6, _OFFICE, _CLOCK, _CLOCK_SIZE, _BLOCKED, _VARIANT, _ROBOT, _DIALECT, _BEFORE,
 _HAS_SECOND, _SKEW, _REFUSES) = range(23)  # fmt: skip

_FIRST_PLATFORMS = (0.42, 0.38, 0.11, 0.09)
_SECOND_PLATFORMS = (0.05, 0.55, 0.22, 0.18)
_WRONG_HOURS = np.array([-12, -8, -7, -6, -5, -3, -1, 1, 2, 3, 5, 8, 9], dtype=np.int64)
_WRONG_DAYS = np.array([-20454, -9131, -3652, -1461, -365, -31, 30, 365, 3652], dtype=np.int64)

DIALECTS = ("v3", "v2", "v1", "snowplow")
V3, V2, V1, SNOWPLOW = range(4)


@cache
def _agent_pools() -> tuple[list[str], dict[int, tuple[int, Floats]], int, int]:
    """List all user agents, and where those of each platform stand, with their weights."""
    names: list[str] = []
    places: dict[int, tuple[int, Floats]] = {}
    pools = {
        world.DESKTOP: agents.desktop(),
        world.MOBILE: agents.mobile(),
        world.IOS: agents.ios_app(),
        world.ANDROID: agents.android_app(),
        -DECLARED: agents.declared_bots(),
        -MALFORMED: agents.malformed(),
    }
    for place, (pool, weights) in pools.items():
        places[place] = (len(names), weights)
        names += pool
    mail = len(names)
    names.append("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)")
    server = len(names)
    names.append("python-requests/2.32.3")
    return names, places, mail, server


def agent_names() -> list[str]:
    """List every user agent of this world."""
    return _agent_pools()[0]


def server_agent() -> int:
    """Say which user agent the shop's own servers have."""
    return _agent_pools()[3]


@dataclass(frozen=True)
class Crowd:
    """The lasting facts of all people, as functions of (seed, device number).

    A device is `4 * person + k`: k is 0 for the first device, 1 for the second, 2 for the mailbox.
    """

    plan: Plan

    def _chance(self, numbers: Ints, salt: int) -> Floats:
        return chance(numbers, self.plan.seed * 64 + salt)

    def kind(self, person: Ints) -> Ints:
        """Say what each person is: a human, or which sort of robot."""
        robot = at(BOT_SHARES, self._chance(person, _ROBOT))
        return np.where(person >= FIRST_ROBOT, robot, HUMAN)

    def has_second_device(self, person: Ints) -> Flags:
        """Draw whether a person owns a second device."""
        return self._chance(person, _HAS_SECOND) < SECOND_DEVICE_SHARE

    def has_account(self, person: Ints) -> Flags:
        """Draw whether a person has an account to log in to."""
        return (self._chance(person, _ACCOUNT) < ACCOUNT_SHARE) & (person < FIRST_ROBOT)

    def platform(self, device: Ints) -> Ints:
        """Say which platform a device is."""
        person, which = np.divmod(device, DEVICES)
        first = at(_FIRST_PLATFORMS, self._chance(person, _PLATFORM))
        second = at(_SECOND_PLATFORMS, self._chance(person, _SECOND))
        second = np.where(first == world.DESKTOP, np.maximum(second, world.MOBILE), world.DESKTOP)
        platform = np.where(which == 0, first, np.where(which == 1, second, world.EMAIL))
        # The outlet has no app, and robots use browsers.
        plain = (self.app(device) == 1) | (person >= FIRST_ROBOT)
        return np.where(plain & (platform <= world.ANDROID), platform % 2, platform)

    def app(self, device: Ints) -> Ints:
        """Say which of the two shops the person goes to."""
        return (self._chance(device // DEVICES, _APP) < world.OUTLET_SHARE).astype(np.int64)

    def country(self, device: Ints) -> Ints:
        """Say which entry of the countries a person lives in."""
        weights = [country.weight for country in world.COUNTRIES]
        return at(weights, self._chance(device // DEVICES, _COUNTRY))

    def agent(self, device: Ints) -> Ints:
        """Say which user agent a device sends."""
        _, places, mail, _ = _agent_pools()
        kind, platform = self.kind(device // DEVICES), self.platform(device)
        value = self._chance(device, _AGENT)
        agent = np.full(len(device), mail, dtype=np.int64)
        for place, (first, weights) in places.items():
            mine = (kind == -place) if place < 0 else (platform == place) & ((kind == HUMAN) | (kind == FAST))
            agent[mine] = first + at(weights, value[mine])
        return agent

    def tracker(self, device: Ints) -> Ints:
        """Say which tracker version of its platform a device runs."""
        value, platform = self._chance(device, _TRACKER), self.platform(device)
        tracker = np.zeros(len(device), dtype=np.int64)
        for number, versions in world.TRACKERS.items():
            mine = platform == number
            tracker[mine] = at([share for _, share in versions], value[mine])
        return tracker

    def dialect(self, device: Ints) -> Ints:
        """Say which protocol a device speaks; mailboxes always speak the newest."""
        plan = self.plan
        newest = max(0.0, 1 - plan.v2 - plan.v1 - plan.snowplow)
        dialect = at((newest, plan.v2, plan.v1, plan.snowplow), self._chance(device, _DIALECT))
        speaks = (self.platform(device) <= world.ANDROID) & ~self.refuses(device)
        return np.where(speaks, dialect, V3)

    def variant(self, device: Ints) -> Ints:
        """Say which arm of the experiment a device is in."""
        return (self._chance(device, _VARIANT) < 1 / 2).astype(np.int64)

    def is_blocked(self, device: Ints) -> Flags:
        """Draw whether a blocker stops tracker and pixel alike."""
        web = self.platform(device) <= world.MOBILE
        return web & (self._chance(device, _BLOCKED) < self.plan.blocked)

    def refuses(self, device: Ints) -> Flags:
        """Draw whether a web visitor refuses consent; the newest tracker alone knows what to do then."""
        web = (self.platform(device) <= world.MOBILE) & (device < FIRST_ROBOT * DEVICES)
        return web & (self._chance(device, _REFUSES) < self.plan.refused)

    def clock_offset(self, device: Ints) -> Ints:
        """Give the milliseconds a device's clock is ahead: mostly a second or so, rarely years."""
        size = self._chance(device, _CLOCK_SIZE)
        offset = ((self._chance(device, _SKEW) - 0.5) * 3_000).astype(np.int64)
        wrong = self._chance(device, _CLOCK) < self.plan.wrong_clocks
        years = wrong & (size < BADLY_OFF_SHARE)
        hours = wrong & ~years
        spread = scramble(device, _CLOCK_SIZE).astype(np.uint64) >> np.uint64(8)
        which = spread.astype(np.int64)
        offset[hours] += _WRONG_HOURS[which[hours] % len(_WRONG_HOURS)] * HOUR
        offset[years] += _WRONG_DAYS[which[years] % len(_WRONG_DAYS)] * DAY
        return offset

    def first_index(self, person: Ints) -> Ints:
        """Give the messages that people's devices had sent before the log begins."""
        return (self._chance(person, _BEFORE) ** 4 * 900).astype(np.int64)

    def visitor_ids(self, device: Ints) -> pa.StringArray:
        """Write the visitor ids of devices; a mailbox carries the id of the first device."""
        person, which = np.divmod(device, DEVICES)
        owner = np.where(which == 2, person * DEVICES, device)  # noqa: PLR2004
        words = scramble(owner, self.plan.seed * 64 + _VISITOR)
        return join("v", column(hexadecimal(words.reshape(-1, 1))))

    def user_ids(self, device: Ints) -> pa.StringArray:
        """Write the account numbers of people."""
        return join("u", integers(100_000 + device // DEVICES))

    def stream_ids(self, device: Ints) -> pa.StringArray:
        """Write the ids of the devices' message counters."""
        salt = self.plan.seed * 64
        words = np.stack([scramble(device, salt + _STREAM), scramble(device, salt + _STREAM_TAIL)])
        return column(uuids(np.ascontiguousarray(words.T)))

    def addresses(self, device: Ints) -> pa.StringArray:
        """Write the devices' IP addresses, all from ranges kept for tests and documentation."""
        person = device // DEVICES
        word = (scramble(device, self.plan.seed * 64 + _ADDRESS) >> np.uint64(20)).astype(np.int64)
        low = integers(word % 254 + 1)
        middle = integers(word // 254 % 256)
        robot, office = person >= FIRST_ROBOT, self.is_office(device)
        v4 = pa.array(np.where(robot | office, "", "198."), type=pa.string())
        block = texts(np.where(robot, "203.0.113.", np.where(office, "192.0.2.", np.where(word & 1, "18.", "19."))))
        dotted = pa.array(np.where(robot | office, "", "."), type=pa.string())
        middle = pa.compute.if_else(pa.array(robot | office), "", middle)
        address = join(v4, block, middle, dotted, low)
        six = (self._chance(device, _IPV6) < IPV6_SHARE) & ~robot & ~office
        groups = column(hexadecimal(word.astype(np.uint64).reshape(-1, 1))[:, 0:4])
        return pa.compute.if_else(pa.array(six), join("2001:db8:4:", groups, "::", low), address)

    def is_office(self, device: Ints) -> Flags:
        """Draw whether a person sits in the shop's own office."""
        return self._chance(device // DEVICES, _OFFICE) < OFFICE_SHARE


class Register:
    """What has to be remembered between slots: who exists, message counters, when each is free."""

    def __init__(self, crowd: Crowd, known: int) -> None:
        self.crowd = crowd
        self.people = 0
        self.robots = 0
        self.next_index = np.zeros(0, dtype=np.int64)
        self.free_at = np.zeros(0, dtype=np.int64)
        self.restarts = np.zeros(0, dtype=np.int32)
        self.seen = np.zeros(0, dtype=bool)
        self.before_log = known
        self.newcomers(known)

    def newcomers(self, count: int) -> Ints:
        """Register new people and give their numbers."""
        people = np.arange(self.people, self.people + count)
        self.people += count
        room = self.people * DEVICES
        if room > len(self.next_index):
            grown = max(room, 2 * len(self.next_index))
            for name in ("next_index", "free_at", "restarts", "seen"):
                old = getattr(self, name)
                new = np.zeros(grown, dtype=old.dtype)
                new[: len(old)] = old
                setattr(self, name, new)
        old_hands = people[people < self.before_log]
        self.next_index[old_hands * DEVICES] = self.crowd.first_index(old_hands)
        return people

    def new_robots(self, count: int) -> Ints:
        """Register robots and give their numbers."""
        self.robots += count
        return FIRST_ROBOT + np.arange(self.robots - count, self.robots)

    def returning(self, rng: np.random.Generator, count: int) -> Ints:
        """Choose known people who come again: regulars first, then those seen lately."""
        lately = self.people - 1 - (self.people * rng.random(count) ** 2).astype(np.int64)
        regulars = 6 * (rng.random(count) * (self.people // 6)).astype(np.int64)
        return np.where(rng.random(count) < 0.4, regulars, lately)  # noqa: PLR2004
