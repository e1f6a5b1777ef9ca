"""What people do: sessions of pages, and on each page impressions, clicks, features, orders."""

from dataclasses import dataclass, fields

import numpy as np

from etl.simulate import world
from etl.simulate.people import DEVICES, FAST, HUMAN, Register
from etl.simulate.plan import Plan
from etl.simulate.text import DAY, MINUTE, SECOND, Flags, Floats, Ints, at, draw, random_words

RETURNING_SHARE = 0.46
SECOND_DEVICE_USE = 0.35
REST = 35 * MINUTE
"""A device's next session begins at least this long after the one before."""

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

DWELL_MEDIAN, DWELL_SPREAD = 24 * SECOND, 1.1
SHORTEST_DWELL, LONGEST_DWELL = 1_500, 25 * MINUTE
FORGOTTEN_TAB = 0.008
FAST_DWELL = (350, 1_500)

RELOADED, WENT_BACK, AJAXED = 0.03, 0.11, 0.45
SAME_PAGE = 0.5
"""Of reloads and steps back, those that keep the page id (browser cache, bfcache)."""

IMPRESSIONS_PER_PAGE = (0.9, 2.2, 1.6, 0.6, 0.1, 0.8)
CLICK_LEADS_ON, IDLE_CLICK = 0.85, 0.16
FEATURE_USED, SCROLLED, PLAYED, SEARCH_NOTED = 0.14, 0.12, 0.02, 0.4
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
    restart: Flags
    age: Ints
    end: Ints

    def __len__(self) -> int:
        return len(self.device)

    def take(self, rows: Ints) -> "Sessions":
        """Take some rows, in this order."""
        return Sessions(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})


@dataclass
class Pages:
    """One row per page view event, by session and time.

    `origin` is the row whose content is on the screen (after reloads and steps back), `same_as`
    the first row with this page id, `before` the row one came from (-1: from outside).
    """

    session: Ints
    position: Ints
    at: Ints
    dwell: Ints
    type: Ints
    path: Ints
    navigation: Ints
    origin: Ints
    same_as: Ints
    before: Ints
    led_on: Flags

    def __len__(self) -> int:
        return len(self.session)


@dataclass
class Actions:
    """One row per tracked event of the pages, by stream and time."""

    page: Ints
    at: Ints
    schema: Ints
    detail: Ints


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
    rate = _factors("convert")[traffic] * CONVERSION * (1 + plan.effect * variant)
    rate *= np.where(returning, RETURNING_CONVERTS, 1) * np.where(
        platform == world.DESKTOP,
        DESKTOP_CONVERTS,
        np.where(platform > world.MOBILE, APP_CONVERTS, 1),
    )
    stale = (kind == HUMAN) & (rng.random(count) < plan.too_late)
    age = np.where(stale, rng.integers(31 * DAY, 60 * DAY, count), 0)
    # Who is cut off for weeks orders nothing.
    converts = exposed & (kind == HUMAN) & ~stale & (rng.random(count) < rate)
    pages = np.where(converts, np.maximum(pages, ORDER_PAGES + rng.integers(0, 4, count)), pages)

    account = crowd.has_account(person)
    login = np.full(count, LONGEST * DEVICES, dtype=np.int64)
    login[account & converts & (rng.random(count) < LOGIN_TO_ORDER)] = 2
    login[account & (rng.random(count) < LOGIN_AT_START)] = 0
    return Sessions(
        device=device, start=start, kind=kind, platform=platform, app=crowd.app(device),
        traffic=traffic, returning=returning, pages=pages, exposed=exposed, variant=variant,
        converts=converts, login=login, restart=rng.random(count) < plan.restarts,
        age=age,
        end=start.copy(),
    )  # fmt: skip


def _factors(name: str) -> Floats:
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
    bounce = BOUNCE_RATE * _factors("bounce")[traffic]
    bounce = np.where(platform > world.MOBILE, bounce * APP_BOUNCE, bounce)
    more = 1 + np.minimum(rng.geometric(MORE_PAGES, count), LONGEST - 1)
    pages = np.where(rng.random(count) < bounce, 1, more)
    pages = np.where(kind == FAST, rng.integers(40, 160, count), pages)
    lands_on_deal = landing < _factors("deal")[traffic]
    exposed = lands_on_deal | ((pages > 1) & (rng.random(count) < REACH_DEAL))
    return pages, exposed


def browse(sessions: Sessions, rng: np.random.Generator, free_at: Ints) -> Pages:
    """Walk every session through its pages; moves starts so that a device is in one place at once.

    Args:
        free_at: when each of the register's devices may begin its next session; updated.
    """
    session = np.repeat(np.arange(len(sessions)), sessions.pages)
    count = len(session)
    first = np.cumsum(sessions.pages) - sessions.pages
    position = np.arange(count) - first[session]
    to_go = sessions.pages[session] - 1 - position
    ordering = sessions.converts[session] & (to_go < ORDER_PAGES)
    kind, web = sessions.kind[session], sessions.platform[session] <= world.MOBILE

    navigation = _navigations(rng, position, ordering, web, kind)
    origin = np.arange(count)
    origin[navigation == world.RELOAD] -= 1
    origin[navigation == world.BACK_FORWARD] -= 2
    while not np.array_equal(origin[origin], origin):
        origin = origin[origin]
    keeps_id = (origin != np.arange(count)) & (rng.random(count) < SAME_PAGE)
    same_as = np.where(keeps_id, origin, np.arange(count))
    before = np.where(position > 0, np.arange(count) - 1, -1)[origin]

    types, path = _contents(rng, sessions, session, position, to_go)
    searching = (types == world.SEARCH) & (navigation == world.NAVIGATE) & (position > 0) & web
    searching &= types[np.maximum(np.arange(count) - 1, 0)] == world.SEARCH
    navigation[searching & (rng.random(count) < AJAXED)] = world.AJAX

    dwell = np.exp(np.log(DWELL_MEDIAN) + DWELL_SPREAD * rng.standard_normal(count))
    dwell = np.clip(dwell, SHORTEST_DWELL, LONGEST_DWELL)
    forgotten = (rng.random(count) < FORGOTTEN_TAB) & (kind == HUMAN)
    dwell = np.where(forgotten, rng.uniform(31 * MINUTE, 90 * MINUTE, count), dwell)
    dwell = np.where(kind == FAST, rng.uniform(*FAST_DWELL, count), dwell).astype(np.int64)
    passed = np.cumsum(dwell) - dwell
    offset = passed - passed[first][session]
    duration = np.bincount(session, dwell, len(sessions)).astype(np.int64)
    _take_turns(sessions, duration, free_at)

    follows = np.zeros(count, dtype=bool)
    follows[:-1] = (to_go[:-1] > 0) & np.isin(navigation[1:], (world.NAVIGATE, world.AJAX, world.SCREEN))
    return Pages(
        session=session, position=position, at=sessions.start[session] + offset, dwell=dwell,
        type=types[origin], path=path[origin], navigation=navigation, origin=origin,
        same_as=same_as, before=before,
        led_on=follows & (kind == HUMAN) & (rng.random(count) < CLICK_LEADS_ON),
    )  # fmt: skip


def _navigations(rng: np.random.Generator, position: Ints, ordering: Flags, web: Flags, kind: Ints) -> Ints:
    """Draw how each page is come by."""
    value = rng.random(len(position))
    navigation = np.where(web, world.NAVIGATE, world.SCREEN)
    free = web & ~ordering & (kind == HUMAN)
    navigation[free & (position > 0) & (value < RELOADED)] = world.RELOAD
    back = (value >= RELOADED) & (value < RELOADED + WENT_BACK)
    navigation[free & (position > 1) & back] = world.BACK_FORWARD
    return navigation


def _contents(
    rng: np.random.Generator, sessions: Sessions, session: Ints, position: Ints, to_go: Ints
) -> tuple[Ints, Ints]:
    """Draw the type and path of each page; only exposed sessions see deals, and all of them do."""
    count = len(session)
    exposed = sessions.exposed[session]
    deal = _factors("deal")[sessions.traffic[session]]
    value = rng.random(count)
    types = np.where(
        position == 0,
        np.where(value < deal, world.DEAL, np.where(value < deal + 0.12, world.SEARCH, world.HOME)),
        at((0.1, 0.3, 0.56, 0.04), value),
    )
    # An exposed session sees a deal at the latest on its last page.
    seen = np.bincount(session, types == world.DEAL, len(sessions)) > 0
    types[exposed & ~seen[session] & (to_go == 0)] = world.DEAL
    hidden = ~exposed & (types >= world.DEAL)
    types[hidden] = np.where(value[hidden] < 1 / 2, world.HOME, world.SEARCH)
    ordering = sessions.converts[session] & (to_go < ORDER_PAGES)
    types[ordering] = world.CONFIRMATION - to_go[ordering]

    path = np.array([world.FIRST_PATH[number] for number in range(6)])[types]
    popular = rng.random(count) ** 3
    path += np.where(types == world.DEAL, (popular * world.DEALS).astype(np.int64), 0)
    path += np.where(types == world.SEARCH, (popular * world.SEARCHES).astype(np.int64), 0)
    return types, path


def _take_turns(sessions: Sessions, duration: Ints, free_at: Ints) -> None:
    """Move starts so that no two sessions of a device overlap, within the slot and before it."""
    device, start = sessions.device, sessions.start
    human = sessions.kind == HUMAN
    new = np.ones(len(device), dtype=bool)
    new[1:] = device[1:] != device[:-1]
    first = np.maximum.accumulate(np.where(new, np.arange(len(device)), 0))
    turn = np.arange(len(device)) - first
    start[new & human] = np.maximum(start[new & human], free_at[device[new & human]])
    for number in range(1, int(turn.max(initial=0)) + 1):
        row = np.flatnonzero(turn == number)
        start[row] = np.maximum(start[row], start[row - 1] + duration[row - 1] + REST)
    sessions.end = start + duration
    last = human & np.append(new[1:], True)[: len(new)]
    free_at[device[last]] = sessions.end[last] + REST


def act(sessions: Sessions, pages: Pages, rng: np.random.Generator) -> Actions:
    """Draw what happens on every page, in the order in which each device's counter sees it."""
    count = len(pages)
    row = np.arange(count)
    human = sessions.kind[pages.session] == HUMAN
    shown = rng.poisson(np.array(IMPRESSIONS_PER_PAGE)[pages.type]) * (human | (row % 2 == 0))
    used = row[human & (rng.random(count) < FEATURE_USED)]
    idle = row[human & (rng.random(count) < IDLE_CLICK)]
    scrolled = row[human & (rng.random(count) < SCROLLED)]
    played = row[human & (pages.type == world.DEAL) & (rng.random(count) < PLAYED)]
    noted = row[human & (pages.type == world.SEARCH) & (rng.random(count) < SEARCH_NOTED)]
    deals = row[(pages.type == world.DEAL) & human]
    _, first_deal = np.unique(pages.session[deals], return_index=True)
    exposed = deals[first_deal]
    ordered = row[(pages.type == world.CONFIRMATION) & (pages.origin == row) & sessions.converts[pages.session]]
    led_on = row[pages.led_on]
    parts = [
        (row, world.PAGE_VIEW, 0.0, 0.0),
        (exposed, world.EXPOSURE, 0.001, 0.01),
        (np.repeat(row, shown), world.IMPRESSION, 0.002, 0.12),
        (ordered, world.ORDER, 0.01, 0.03),
        (noted, world.SEARCHED, 0.005, 0.03),
        (used, world.FEATURE_USE, 0.1, 0.9),
        (scrolled, world.SCROLL_DEPTH, 0.1, 0.95),
        (played, world.VIDEO_PLAY, 0.2, 0.7),
        (idle, world.CLICK, 0.1, 0.9),
        (led_on, world.CLICK, 0.985, 0.999),
    ]
    page = np.concatenate([rows for rows, *_ in parts])
    schema = np.repeat([code for _, code, *_ in parts], [len(rows) for rows, *_ in parts])
    share = np.concatenate([rng.uniform(low, high, len(rows)) for rows, _, low, high in parts])
    after = (share * np.minimum(pages.dwell[page], 10 * MINUTE)).astype(np.int64)
    after = np.where(schema == world.PAGE_VIEW, 0, after + 1)
    detail = rng.integers(0, 1 << 30, len(page))
    # A click that led on is known by the page it leads from: its click id is the page's.
    leading = np.zeros(len(page), dtype=bool)
    leading[len(page) - len(led_on) :] = True
    detail = np.where(leading, -1, detail)
    order = np.argsort((page << 24) | after, kind="stable")
    return Actions(
        page=page[order], at=(pages.at[page] + after)[order], schema=schema[order],
        detail=detail[order],
    )  # fmt: skip


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


def page_ids(pages: Pages, rng: np.random.Generator) -> np.ndarray:
    """Draw the pages' ids: two words each; repeats carry the id of the page they repeat."""
    return random_words(rng, len(pages))[pages.same_as]
