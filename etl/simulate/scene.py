"""A slot's sessions with everything their log lines say about them, as columns of text."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from etl.simulate import behaviour, people, wire, world
from etl.simulate.behaviour import Actions, Pages, Sessions
from etl.simulate.people import DEVICES, FIRST_ROBOT, Crowd
from etl.simulate.text import (
    Flags,
    Ints,
    body,
    column,
    hexadecimal,
    in_body,
    in_line,
    integers,
    join,
    pick,
    random_words,
    texts,
    uuids,
)
from etl.simulate.wire import Messages

MEDIAN_ORDER_CENTS, ORDER_SPREAD, LEAST_ORDER_CENTS = 4_400, 0.65, 500
FIRST_ORDER = 1_000_000
ORDER_NUMBERS = 7_919
"""Step between order numbers, so that they do not tell how many there are."""


@dataclass
class Orders:
    """True orders, by the client's time."""

    order_id: pa.StringArray
    at: Ints
    device: Ints
    app: Ints
    user: pa.StringArray
    detail: pa.StringArray
    cents: Ints
    currency: pa.StringArray
    quantity: Ints
    client_status: Ints

    def __len__(self) -> int:
        return len(self.at)

    def take(self, rows: Ints) -> "Orders":
        """Take some orders, in this order."""
        return Orders(
            **{
                name: pick(value, rows) if isinstance(value, pa.Array) else value[rows]
                for name, value in vars(self).items()
            }
        )

    def followed_by(self, more: "Orders") -> "Orders":
        """Put more orders after these."""
        joined = {}
        for name, value in vars(self).items():
            pair = [value, getattr(more, name)]
            joined[name] = (
                pa.concat_arrays(pair) if isinstance(value, pa.Array) else np.concatenate(pair)
            )
        return Orders(**joined)


def _static_details() -> tuple[pa.StringArray, Ints, Ints]:
    """List the data of messages that needs no making: texts, first of each schema, how many."""
    by_schema: dict[int, tuple[str, ...]] = {
        world.PAGE_VIEW: ("",),
        world.IMPRESSION: world.IMPRESSIONS,
        world.EXPOSURE: tuple(
            f'"experiment":"{world.EXPERIMENT}","variant":"{variant}"' for variant in world.VARIANTS
        ),
        world.FEATURE_USE: world.FEATURES,
        **world.CUSTOM,
    }
    first = np.zeros(len(world.SCHEMAS), dtype=np.int64)
    count = np.ones(len(world.SCHEMAS), dtype=np.int64)
    pool: list[str] = []
    for schema, data in by_schema.items():
        first[schema], count[schema] = len(pool), len(data)
        pool += [body(text) for text in data]
    return texts(pool), first, count


STATIC, STATIC_FIRST, STATIC_COUNT = _static_details()


class Scene:
    """A slot's sessions, pages and actions, with their texts; each is made once."""

    def __init__(
        self, crowd: Crowd, sessions: Sessions, pages: Pages, actions: Actions,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self.crowd, self.sessions, self.pages, self.actions = crowd, sessions, pages, actions
        self.session = pages.session[actions.page]
        self.page_ids = column(uuids(behaviour.page_ids(pages, rng)))
        self.clicks = np.flatnonzero(actions.schema == world.CLICK)
        self.click_ids = column(uuids(random_words(rng, len(self.clicks))))
        self.advert_ids = column(hexadecimal(random_words(rng, len(sessions), 3)))
        self.outside = rng.integers(0, 1 << 30, len(sessions))

    # --- of sessions

    @cached_property
    def agent(self) -> Ints:
        """Give the user agent of each session."""
        return self.crowd.agent(self.sessions.device)

    @cached_property
    def agents(self) -> pa.StringArray:
        """Write the user agent of each session, for a log line."""
        return pick(texts(in_line(name) for name in people.agent_names()), self.agent)

    @cached_property
    def addresses(self) -> pa.StringArray:
        """Write the IP address of each session."""
        return self.crowd.addresses(self.sessions.device)

    @cached_property
    def visitors(self) -> pa.StringArray:
        """Write the visitor id of each session."""
        return self.crowd.visitor_ids(self.sessions.device)

    @cached_property
    def streams(self) -> pa.StringArray:
        """Write the stream id of each session."""
        return self.crowd.stream_ids(self.sessions.device)

    @cached_property
    def tracker(self) -> Ints:
        """Give the tracker of each session, as a position in `TRACKERS`."""
        first = np.array([_FIRST_TRACKER[number] for number in range(len(world.PLATFORMS))])
        return first[self.sessions.platform] + self.crowd.tracker(self.sessions.device)

    @cached_property
    def apps(self) -> pa.StringArray:
        """Write the app of each session."""
        return pick(texts(world.APPS), self.sessions.app)

    @cached_property
    def platforms(self) -> pa.StringArray:
        """Write the platform of each session."""
        return pick(texts(world.PLATFORMS), self.sessions.platform)

    @cached_property
    def site(self) -> Ints:
        """Give the site each session visits."""
        sites = np.array([[world.site(platform, app) for app in (0, 1)] for platform in range(4)])
        return sites[self.sessions.platform, self.sessions.app]

    # --- of pages

    @cached_property
    def targets(self) -> pa.StringArray:
        """Write path and query of each page; the landing page carries how people came."""
        landing = self.pages.position[self.pages.origin] == 0
        session = self.pages.session
        came = np.where(landing, self.sessions.traffic[session] + 1, 0)
        asks = np.char.find(_PATH_LIST, "?")[self.pages.path] >= 0
        advert = np.array([False, *(bool(way.click_id) for way in world.TRAFFIC)])[came]
        pool = pa.concat_arrays([texts(("",)), self.advert_ids])
        return join(
            pick(_PATHS, self.pages.path),
            pick(_QUERIES, came + asks * (len(world.TRAFFIC) + 1)),
            pick(pool, np.where(advert, session + 1, 0)),
        )

    @cached_property
    def urls(self) -> pa.StringArray:
        """Write the address of each page."""
        return join(pick(texts(world.SITES), self.site[self.pages.session]), self.targets)

    @cached_property
    def page_texts(self) -> pa.StringArray:
        """Write each page as messages carry it, up to the opening of `data`."""
        pages, before = self.pages, self.pages.before
        inside, back = before >= 0, np.maximum(before, 0)
        led = pages.led_on[back] & inside
        click = np.zeros(len(pages), dtype=np.int64)
        leading = self.actions.detail[self.clicks] < 0
        click[self.actions.page[self.clicks[leading]]] = np.flatnonzero(leading) + 1
        web = (self.sessions.platform <= world.MOBILE)[pages.session]
        ids = _quoted(self.page_ids)
        click_ids = pa.concat_arrays([_NULL, _quoted(self.click_ids)])
        return join(
            body(',"page":{"id":'), ids,
            pick(_TYPES, pages.type), self.urls,
            body('","referrer":'), self._referrers(inside & web), body(',"referring_page_id":'),
            pa.compute.if_else(pa.array(inside), pick(ids, back), "null"),
            body(',"referring_click_id":'), pick(click_ids, np.where(led, click[back], 0)),
            pick(_NAVIGATIONS, pages.navigation),
        )  # fmt: skip

    def _referrers(self, inside: Flags) -> pa.StringArray:
        """Write the referrer of each page: the page before, or where people came from."""
        pages = self.pages
        own = _quoted(pick(self.urls, np.maximum(pages.before, 0)))
        came = self.came_from[pages.session]
        foreign = pick(_OUTSIDE_QUOTED, np.where(pages.before < 0, came, 0))
        return pa.compute.if_else(pa.array(inside), own, foreign)

    @cached_property
    def came_from(self) -> Ints:
        """Draw the outside referrer of each session, as a position in `_OUTSIDE` (0: none)."""
        sizes = np.array([len(way.referrers) for way in world.TRAFFIC])
        traffic = self.sessions.traffic
        return _FIRST_OUTSIDE[traffic] + self.outside % sizes[traffic]

    # --- of actions

    def new_orders(self, rng: np.random.Generator, number: int, status: Ints) -> Orders:
        """Draw the orders that these actions are; `number` orders were made before."""
        row = np.flatnonzero(self.actions.schema == world.ORDER)
        session = self.session[row]
        count = len(row)
        device = self.sessions.device[session]
        cents = np.exp(np.log(MEDIAN_ORDER_CENTS) + ORDER_SPREAD * rng.standard_normal(count))
        cents = np.maximum(np.round(cents).astype(np.int64), LEAST_ORDER_CENTS)
        quantity = 1 + rng.poisson(0.4, count)
        cents = cents * quantity
        accepted = self.crowd.plan.currencies
        currencies = texts(
            country.currency if country.currency in accepted else accepted[0]
            for country in world.COUNTRIES
        )
        currency = pick(currencies, self.crowd.country(device))
        order_id = join("A", integers(FIRST_ORDER + ORDER_NUMBERS * (number + np.arange(count))))
        revenue = join(integers(cents // 100), ".", pick(_HUNDREDTHS, cents % 100))
        logged_in = self.pages.position[self.actions.page[row]] >= self.sessions.login[session]
        return Orders(
            order_id=order_id, at=self.actions.at[row], device=device,
            app=self.sessions.app[session],
            user=pa.compute.if_else(pa.array(logged_in), self.crowd.user_ids(device), ""),
            detail=join(
                body('"order_id":"'), order_id, body('","revenue":"'), revenue,
                body('","currency":"'), currency, body('","quantity":'), integers(quantity),
            ),
            cents=cents, currency=currency, quantity=quantity, client_status=status[row],
        )  # fmt: skip

    def details(self, orders: Orders) -> tuple[pa.StringArray, Ints]:
        """Write the data of all actions: a pool, and each action's place in it."""
        schema, detail = self.actions.schema, self.actions.detail
        place: Ints = STATIC_FIRST[schema] + np.mod(np.abs(detail), STATIC_COUNT[schema])
        exposed = schema == world.EXPOSURE
        arms = STATIC_FIRST[world.EXPOSURE] + self.sessions.variant[self.session[exposed]]
        place[exposed] = arms
        clicks = join(
            body('"click_id":'), _quoted(self.click_ids), body(',"target":"'),
            pick(texts(world.TARGETS), np.abs(detail[self.clicks]) % len(world.TARGETS)),
            body('"'),
        )  # fmt: skip
        place[self.clicks] = len(STATIC) + np.arange(len(clicks))
        place[schema == world.ORDER] = len(STATIC) + len(clicks) + np.arange(len(orders))
        return pa.concat_arrays([STATIC, clicks, orders.detail]), place

    def messages(self, index: Ints, orders: Orders, rng: np.random.Generator) -> Messages:
        """Put the messages together that tell of these actions."""
        sessions, session = self.sessions, self.session
        place = pick(wire.PLACES, self.crowd.country(sessions.device))
        users = self.crowd.user_ids(sessions.device)
        logged_in = self.pages.position[self.actions.page] >= sessions.login[session]
        pool, detail = self.details(orders)
        site = join(pick(texts(world.SITES), self.site), "/")
        web = pa.array(sessions.platform <= world.MOBILE)
        return Messages(
            ids=column(uuids(random_words(rng, len(session)))),
            schema=self.actions.schema, at=self.actions.at,
            clock=self.crowd.clock_offset(sessions.device)[session],
            stream=session,
            streams=wire.stream_texts(
                self.apps, self.platforms, pick(TRACKERS, self.tracker), self.streams
            ),
            index=index,
            who=session + len(sessions) * logged_in,
            persons=pa.concat_arrays(
                [
                    wire.person_texts(self.visitors, "", place),
                    wire.person_texts(self.visitors, users, place),
                ]
            ),
            page=self.actions.page, pages=self.page_texts, data=detail, details=pool,
            sender=session, addresses=self.addresses,
            headers=join(self.agents, '","referer":"', pa.compute.if_else(web, site, "")),
        )  # fmt: skip

    @cached_property
    def is_robot(self) -> Flags:
        """Say which sessions are robots'."""
        return self.sessions.device >= FIRST_ROBOT * DEVICES


def _quoted(text: pa.StringArray) -> pa.StringArray:
    return join(body('"'), text, body('"'))


_NULL = texts(("null",))
_PATH_LIST = np.array(world.paths())
_PATHS = texts(world.paths())
_QUERIES = texts(
    [
        "", *(way.query for way in world.TRAFFIC),
        "", *(way.query.replace("?", "&", 1) for way in world.TRAFFIC),
    ]
)  # fmt: skip
_OUTSIDE = [address for way in world.TRAFFIC for address in way.referrers]
_FIRST_OUTSIDE = 1 + np.cumsum([0, *(len(way.referrers) for way in world.TRAFFIC[:-1])])
_OUTSIDE_QUOTED = texts(
    ["null", *(body(f'"{in_body(address)}"') if address else "null" for address in _OUTSIDE)]
)
OUTSIDE = texts(["-", *(address or "-" for address in _OUTSIDE)])
"""Outside referrers as access logs write them, by `Scene.came_from`."""
_TYPES = texts(body(f',"type":"{name}","url":"') for name in world.PAGE_TYPES)
_NAVIGATIONS = texts(body(f',"navigation":"{name}"}},"data":{{') for name in world.NAVIGATIONS)
_HUNDREDTHS = texts(f"{cents:02d}" for cents in range(100))
TRACKER_NAMES = tuple(name for versions in world.TRACKERS.values() for name, _ in versions)
TRACKERS = texts(TRACKER_NAMES)
_FIRST_TRACKER = dict(
    zip(
        world.TRACKERS,
        np.cumsum([0, *(len(versions) for versions in world.TRACKERS.values())]).tolist(),
        strict=False,
    )
)
