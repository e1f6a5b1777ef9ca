"""What people do in a visit: its pages, and on each page impressions, clicks, features, orders."""

from dataclasses import dataclass

import numpy as np

from etl.simulate import world
from etl.simulate.people import FAST, HUMAN
from etl.simulate.text import MINUTE, SECOND, Flags, Ints, at, random_words
from etl.simulate.visits import ORDER_PAGES, REST, Sessions, factors

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
    deal = factors("deal")[sessions.traffic[session]]
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
    kept = (schema == world.PAGE_VIEW) | ~sessions.brief[pages.session[page]]
    order = order[kept[order]]
    return Actions(
        page=page[order], at=(pages.at[page] + after)[order], schema=schema[order],
        detail=detail[order],
    )  # fmt: skip


def page_ids(pages: Pages, rng: np.random.Generator) -> np.ndarray:
    """Draw the pages' ids: two words each; repeats carry the id of the page they repeat."""
    return random_words(rng, len(pages))[pages.same_as]
