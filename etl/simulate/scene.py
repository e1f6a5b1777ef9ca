"""A slot's sessions with everything their log lines say about them, as columns of text."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from etl.simulate import behaviour, dialects, people, world
from etl.simulate.behaviour import Actions, Pages
from etl.simulate.dialects import Cast, Facts, Places
from etl.simulate.people import DEVICES, FIRST_ROBOT, SNOWPLOW, V1, V2, V3, Crowd
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
from etl.simulate.visits import Sessions
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
            joined[name] = pa.concat_arrays(pair) if isinstance(value, pa.Array) else np.concatenate(pair)
        return Orders(**joined)


def _static_details() -> tuple[tuple[str, ...], Ints, Ints]:
    """List the data of messages that needs no making: texts, first of each schema, how many."""
    by_schema: dict[int, tuple[str, ...]] = {
        world.PAGE_VIEW: ("",),
        world.IMPRESSION: world.IMPRESSIONS,
        world.EXPOSURE: tuple(f'"experiment":"{world.EXPERIMENT}","variant":"{variant}"' for variant in world.VARIANTS),
        world.FEATURE_USE: world.FEATURES,
        **world.CUSTOM,
    }
    first = np.zeros(len(world.SCHEMAS), dtype=np.int64)
    count = np.ones(len(world.SCHEMAS), dtype=np.int64)
    pool: list[str] = []
    for schema, data in by_schema.items():
        first[schema], count[schema] = len(pool), len(data)
        pool += data
    return tuple(pool), first, count


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
        """Write the stream id of each session; older versions have none of their own."""
        named = self.crowd.stream_ids(self.sessions.device)
        if not (self.dialect != V3).any():
            return named
        made = join(self.apps, ":", self.visitors)
        old = (self.dialect == V2) | (self.dialect == V1)
        streams = pa.compute.if_else(pa.array(old), made, named)
        return pa.compute.if_else(pa.array(self.dialect == SNOWPLOW), None, streams)

    @cached_property
    def dialect(self) -> Ints:
        """Give the protocol of each session."""
        return self.crowd.dialect(self.sessions.device)

    @cached_property
    def tracker(self) -> Ints:
        """Give the tracker of each session, as a position in `TRACKER_NAMES`."""
        first = np.array([_FIRST_TRACKER[number] for number in range(len(world.PLATFORMS))])
        tracker = first[self.sessions.platform] + self.crowd.tracker(self.sessions.device)
        for dialect, name in dialects.TRACKERS.items():
            tracker[self.dialect == dialect] = TRACKER_NAMES.index(name)
        return tracker

    @cached_property
    def apps(self) -> pa.StringArray:
        """Write the app of each session."""
        return pick(texts(world.APPS), self.sessions.app)

    @cached_property
    def trackers(self) -> pa.StringArray:
        """Write the tracker of each session."""
        return pick(texts(TRACKER_NAMES), self.tracker)

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

    def places(self) -> Places:
        """Describe the pages as messages do."""
        pages, before = self.pages, self.pages.before
        inside, back = before >= 0, np.maximum(before, 0)
        led = pages.led_on[back] & inside
        click = np.zeros(len(pages), dtype=np.int64)
        leading = self.actions.detail[self.clicks] < 0
        click[self.actions.page[self.clicks[leading]]] = np.flatnonzero(leading) + 1
        web = (self.sessions.platform <= world.MOBILE)[pages.session]
        ids, click_ids = _quoted(self.page_ids), _quoted(self.click_ids)
        return Places(
            id=self.page_ids,
            type=pages.type,
            url=self.urls,
            referrer=self._referrers(inside & web),
            from_page=pa.compute.if_else(pa.array(inside), pick(ids, back), "null"),
            from_click=pick(pa.concat_arrays([texts(("null",)), click_ids]), np.where(led, click[back], 0)),
            navigation=pages.navigation,
        )

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
            country.currency if country.currency in accepted else accepted[0] for country in world.COUNTRIES
        )
        currency = pick(currencies, self.crowd.country(device))
        order_id = join("A", integers(FIRST_ORDER + ORDER_NUMBERS * (number + np.arange(count))))
        logged_in = self.pages.position[self.actions.page[row]] >= self.sessions.login[session]
        return Orders(
            order_id=order_id, at=self.actions.at[row], device=device,
            app=self.sessions.app[session],
            user=pa.compute.if_else(pa.array(logged_in), self.crowd.user_ids(device), ""),
            cents=cents, currency=currency, quantity=quantity, client_status=status[row],
        )  # fmt: skip

    def facts(self, orders: Orders) -> Facts:
        """Describe what the messages' data tell."""
        target = np.abs(self.actions.detail[self.clicks]) % len(world.TARGETS)
        return Facts(
            static=STATIC, click_id=self.click_ids, target=pick(texts(world.TARGETS), target),
            order_id=orders.order_id, cents=orders.cents, currency=orders.currency,
            quantity=orders.quantity,
        )  # fmt: skip

    def fact(self, orders: Orders) -> Ints:
        """Give each action's row in the pool of data: what needs no making, clicks, orders."""
        schema, detail = self.actions.schema, self.actions.detail
        place: Ints = STATIC_FIRST[schema] + np.mod(np.abs(detail), STATIC_COUNT[schema])
        exposed = schema == world.EXPOSURE
        arms = STATIC_FIRST[world.EXPOSURE] + self.sessions.variant[self.session[exposed]]
        place[exposed] = arms
        clicks = len(self.clicks)
        place[self.clicks] = len(STATIC) + np.arange(clicks)
        place[schema == world.ORDER] = len(STATIC) + clicks + np.arange(len(orders))
        return place

    def messages(self, index: Ints, orders: Orders, rng: np.random.Generator) -> Messages:
        """Put the messages together that tell of these actions."""
        sessions, session = self.sessions, self.session
        device = sessions.device
        cast = Cast(
            app=self.apps, platform=sessions.platform, tracker=self.trackers, stream=self.streams,
            visitor=self.visitors, user=self.crowd.user_ids(device),
            country=self.crowd.country(device), anonymous=self.crowd.refuses(device),
        )  # fmt: skip
        places, facts = self.places(), self.facts(orders)
        logged_in = self.pages.position[self.actions.page] >= sessions.login[session]
        site = join(pick(texts(world.SITES), self.site), "/")
        web = pa.array(sessions.platform <= world.MOBILE)
        return Messages(
            ids=column(uuids(random_words(rng, len(session)))),
            schema=self.actions.schema, at=self.actions.at,
            clock=(self.crowd.clock_offset(device))[session],
            age=sessions.age[session], index=index, stream=session,
            who=session + len(sessions) * logged_in, page=self.actions.page,
            data=self.fact(orders), dialect=self.dialect[session],
            voices={
                dialect: dialects.speak(dialect, cast, places, facts)
                for dialect in np.unique(self.dialect).tolist()
            },
            addresses=self.addresses,
            headers=join(self.agents, '","referer":"', pa.compute.if_else(web, site, "")),
        )  # fmt: skip

    @cached_property
    def is_robot(self) -> Flags:
        """Say which sessions are robots'."""
        return self.sessions.device >= FIRST_ROBOT * DEVICES


def _quoted(text: pa.StringArray) -> pa.StringArray:
    return join(body('"'), text, body('"'))


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
_OUTSIDE_QUOTED = texts(["null", *(body(f'"{in_body(address)}"') if address else "null" for address in _OUTSIDE)])
OUTSIDE = texts(["-", *(address or "-" for address in _OUTSIDE)])
"""Outside referrers as access logs write them, by `Scene.came_from`."""
TRACKER_NAMES = (
    *(name for versions in world.TRACKERS.values() for name, _ in versions),
    *dialects.TRACKERS.values(),
)
_FIRST_TRACKER = dict(
    zip(
        world.TRACKERS,
        np.cumsum([0, *(len(versions) for versions in world.TRACKERS.values())]).tolist(),
        strict=False,
    )
)
