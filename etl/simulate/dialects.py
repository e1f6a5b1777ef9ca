"""How each protocol writes messages: Bloodhound's versions 3, 2 and 1, and Snowplow's.

All text is written as it stands inside the body of a line of the log: its quotes are escaped.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from etl.simulate import world
from etl.simulate.people import SNOWPLOW, V1, V2, V3
from etl.simulate.text import (
    Flags,
    Ints,
    body,
    in_body,
    integers,
    join,
    pick,
    texts,
)

TRACKERS = {V2: "bh-js/2.7.0", V1: "bh-js/1.4", SNOWPLOW: "js-4.1.0"}
"""The tracker of each older protocol, as the canonical events name it."""

_V1_SCHEMAS = {
    "page_view": "pv", "impression": "imp", "click": "clk", "order": "ord",
    "experiment_exposure": "exp",
}  # fmt: skip
_V1_PLATFORMS = ("web", "touch", "ios", "android")
_SNOWPLOW_PLATFORMS = ("web", "web", "mob", "mob")
_OLD_NAVIGATIONS = {world.RELOAD: ',"nav":1', world.BACK_FORWARD: ',"nav":2'}
_IGLU = "iglu:com.snowplowanalytics.snowplow"
_PAGE_CONTEXT = (
    f'{{"schema":"{_IGLU}/contexts/jsonschema/1-0-1","data":[{{"schema":'
    f'"{_IGLU}/web_page/jsonschema/1-0-0","data":{{"id":"'
)
_SELF_DESCRIBING = f'{{"schema":"{_IGLU}/unstruct_event/jsonschema/1-0-0","data":{{"schema":'
PAYLOAD = body(f'"schema":"{_IGLU}/payload_data/jsonschema/1-0-4","data":[')


@dataclass
class Voice:
    """How a protocol writes the parts of messages; pools have a row a stream, person, page, data.

    Args:
        opening, closing: around a message.
        schemas: what follows the id, by schema; for Snowplow, which begins with the schema, what
            stands around the data is in `schemas` and `after_data`.
        streams: up to the value of the index.
        created: from the index to the time; `epoch`: whether that is in milliseconds.
        persons, pages, details: the rest; `pages` leads up to the data.
        after_data: what follows the data, by schema.
    """

    opening: str
    schemas: pa.StringArray
    streams: pa.StringArray
    created: str
    epoch: bool
    persons: pa.StringArray
    pages: pa.StringArray
    details: pa.StringArray
    closing: str
    after_data: pa.StringArray | None = None


@dataclass
class Cast:
    """Who sends: a row a stream. `users` may be '' for somebody who never logs in; the anonymous name nobody."""

    app: pa.StringArray
    platform: Ints
    tracker: pa.StringArray
    stream: pa.StringArray
    visitor: pa.StringArray
    user: pa.StringArray
    country: Ints
    anonymous: Flags | None = None


@dataclass
class Places:
    """Pages: a row a page. Referrer and references are quoted, or `null`."""

    id: pa.StringArray
    type: Ints
    url: pa.StringArray
    referrer: pa.StringArray
    from_page: pa.StringArray
    from_click: pa.StringArray
    navigation: Ints


@dataclass
class Facts:
    """Data of messages: a pool of what needs no making, then a row a click, then a row an order."""

    static: tuple[str, ...]
    click_id: pa.StringArray
    target: pa.StringArray
    order_id: pa.StringArray
    cents: Ints
    currency: pa.StringArray
    quantity: Ints


def speak(dialect: int, cast: Cast, places: Places, facts: Facts) -> Voice:
    """Write the parts of messages in a protocol."""
    return {V3: _v3, V2: _v2, V1: _v1, SNOWPLOW: _snowplow}[dialect](cast, places, facts)


def speak_without_page(cast: Cast, details: pa.StringArray) -> Voice:
    """Write the parts of messages that happen on no page, in the newest version."""
    return _v3_voice(cast, texts([body(',"page":null,"data":{')]), details)


def _v3(cast: Cast, places: Places, facts: Facts) -> Voice:
    types = texts(body(f',"type":"{name}","url":"') for name in world.PAGE_TYPES)
    ways = texts(body(f',"navigation":"{name}"}},"data":{{') for name in world.NAVIGATIONS)
    pages = join(
        body(',"page":{"id":"'), places.id, body('"'), pick(types, places.type), places.url,
        body('","referrer":'), places.referrer, body(',"referring_page_id":'), places.from_page,
        body(',"referring_click_id":'), places.from_click, pick(ways, places.navigation),
    )  # fmt: skip
    return _v3_voice(cast, pages, _details(facts))


def _v3_voice(cast: Cast, pages: pa.StringArray, details: pa.StringArray) -> Voice:
    return Voice(
        opening=body('{"version":3,"id":"'),
        schemas=texts(body(f'","schema":"{schema}",') for schema in world.SCHEMAS),
        streams=join(
            body('"app_id":"'), cast.app, body('","platform":"'),
            pick(texts(world.PLATFORMS), cast.platform), body('","tracker":"'), cast.tracker,
            body('","stream_id":"'), cast.stream, body('","index":'),
        ),
        created=body(',"created_at":"'),
        epoch=False,
        persons=_persons(body('"'), cast),
        pages=pages, details=details, closing="}}",
    )  # fmt: skip


def _persons(start: str, cast: Cast) -> pa.StringArray:
    """Write everybody twice: first as nobody known, then logged in (if they have a user id)."""
    place = pick(
        texts(body(f',"country":"{country.code}","locale":"{country.locale}"') for country in world.COUNTRIES),
        cast.country,
    )
    visitor = join(start + body(',"visitor_id":"'), cast.visitor)
    nobody = join(visitor, body('","user_id":null,"logged_in":false'), place)
    known = join(visitor, body('","user_id":"'), cast.user, body('","logged_in":true'), place)
    if cast.anonymous is not None and cast.anonymous.any():
        said = body(',"anonymous":true,"visitor_id":null,"user_id":null,"logged_in":false')
        hidden, anonymous = join(start + said, place), pa.array(cast.anonymous)
        nobody, known = (pc.if_else(anonymous, hidden, told) for told in (nobody, known))
    return pa.concat_arrays([nobody, pc.if_else(pc.equal(cast.user, ""), nobody, known)])


def _details(facts: Facts, *, revenue_quote: str = '"') -> pa.StringArray:
    clicks = join(body('"click_id":"'), facts.click_id, body('","target":"'), facts.target, body('"'))
    return pa.concat_arrays([texts(map(body, facts.static)), clicks, order_details(facts, revenue_quote)])


def order_details(facts: Facts, revenue_quote: str = '"') -> pa.StringArray:
    """Write the data of orders; the quote around the revenue is '' where it is a number."""
    return join(
        body('"order_id":"'), facts.order_id, body(f'","revenue":{revenue_quote}'),
        decimals(facts.cents), body(f'{revenue_quote},"currency":"'), facts.currency,
        body('","quantity":'), integers(facts.quantity),
    )  # fmt: skip


def decimals(cents: Ints) -> pa.StringArray:
    """Write amounts of cents as decimals."""
    hundredths = texts(f".{number:02d}" for number in range(100))
    return join(integers(cents // 100), pick(hundredths, cents % 100))


def _v2(cast: Cast, places: Places, facts: Facts) -> Voice:
    types = texts(body(f'","page_type":"{name}","url":"') for name in world.PAGE_TYPES)
    ways = texts(
        body(_OLD_NAVIGATIONS.get(number, ',"nav":0' if number == world.NAVIGATE else ""))
        for number in range(len(world.NAVIGATIONS))
    )
    return Voice(
        opening=body('{"version":2,"id":"'),
        schemas=texts(body(f'","schema":"{schema}",') for schema in world.SCHEMAS),
        streams=join(
            body('"app_id":"'), cast.app, body('","platform":"'),
            pick(texts(world.PLATFORMS), cast.platform), body('","tracker":"'), cast.tracker,
            body('","index":'),
        ),
        created=body(',"created_at":'),
        epoch=True,
        persons=_persons("", cast),
        pages=join(
            body(',"page_id":"'), places.id, pick(types, places.type), places.url,
            body('","referrer":'), places.referrer, body(',"parent_page_id":'), places.from_page,
            body(',"parent_click_id":'), places.from_click, pick(ways, places.navigation),
            body(',"data":{'),
        ),
        details=_details(facts, revenue_quote=""),
        closing="}}",
    )  # fmt: skip


def _v1(cast: Cast, places: Places, facts: Facts) -> Voice:
    types = texts(body(f'","t":"{name}","u":"') for name in world.PAGE_TYPES)
    ways = texts(
        body(_OLD_NAVIGATIONS.get(number, ',"nav":0' if number == world.NAVIGATE else "") + "}")
        for number in range(len(world.NAVIGATIONS))
    )
    place = pick(
        texts(body(f',"cc":"{country.code}","lc":"{country.locale}"') for country in world.COUNTRIES),
        cast.country,
    )
    visitor = join(body(',"uid":"'), cast.visitor)
    nobody = join(visitor, body('","cid":null,"li":0'), place)
    known = join(visitor, body('","cid":"'), cast.user, body('","li":1'), place)
    static = [text.replace('"experiment":', '"e":').replace('"variant":', '"v":') for text in facts.static]
    clicks = join(body('"cid":"'), facts.click_id, body('","target":"'), facts.target, body('"'))
    return Voice(
        opening=body('{"eid":"'),
        schemas=texts(
            body(f'","type":"{_V1_SCHEMAS.get(schema, schema)}",') for schema in world.SCHEMAS
        ),
        streams=join(
            body('"app":"'), cast.app, body('","plat":"'),
            pick(texts(_V1_PLATFORMS), cast.platform), body('","lib":"1.4","idx":'),
        ),
        created=body(',"ts":'),
        epoch=True,
        persons=pa.concat_arrays([nobody, pc.if_else(pc.equal(cast.user, ""), nobody, known)]),
        pages=join(
            body(',"pg":{"id":"'), places.id, pick(types, places.type), places.url,
            body('","r":'), places.referrer, body(',"rp":'), places.from_page,
            body(',"rc":'), places.from_click, pick(ways, places.navigation), body(',"d":{'),
        ),
        details=pa.concat_arrays(
            [
                texts(map(body, static)),
                clicks,
                join(
                    body('"oid":"'), facts.order_id, body('","amt_cents":'), integers(facts.cents),
                    body(',"cur":"'), facts.currency, body('","qty":'), integers(facts.quantity),
                ),
            ]
        ),
        closing="}}",
    )  # fmt: skip


def _snowplow(cast: Cast, places: Places, facts: Facts) -> Voice:
    opening, after = [], []
    for schema in world.SCHEMAS:
        if schema == "page_view":
            opening.append(body('"e":"pv"'))
        elif schema == "order":
            opening.append(body('"e":"tr",'))
        else:
            name = schema.removeprefix("custom.")
            event = f'{_SELF_DESCRIBING}"iglu:example.shop/{name}/jsonschema/1-0-0","data":{{'
            opening.append(body('"e":"ue","ue_pr":"') + in_body(event))
        after.append("" if schema in ("page_view", "order") else in_body("}}}") + body('"'))
    # Data inside a string inside the body: one more escape.
    deeper = pc.replace_substring(_details(facts), '\\"', '\\\\\\"')
    made = len(facts.static) + len(facts.click_id)
    orders = join(
        body('"tr_id":"'), facts.order_id, body('","tr_tt":"'), decimals(facts.cents),
        body('","tr_cu":"'), facts.currency, body('"'),
    )  # fmt: skip
    languages = pick(
        texts(body(f'","lang":"{c.locale.replace("_", "-")}"') for c in world.COUNTRIES),
        cast.country,
    )
    visitor = join(body('","duid":"'), cast.visitor, languages)
    known = join(visitor, body(',"uid":"'), cast.user, body('"'))
    referrer = join(body(',"refr":'), places.referrer)
    return Voice(
        opening="{",
        schemas=texts(opening),
        streams=join(
            body(',"aid":"'), cast.app, body('","p":"'),
            pick(texts(_SNOWPLOW_PLATFORMS), cast.platform), body('","tv":"js-4.1.0","tna":"sp"'),
        ),
        created=body(',"dtm":"'),
        epoch=True,
        persons=pa.concat_arrays([visitor, pc.if_else(pc.equal(cast.user, ""), visitor, known)]),
        pages=join(
            body(',"url":"'), places.url, body('"'),
            pc.if_else(pc.equal(places.referrer, "null"), "", referrer),
            body(',"co":"') + in_body(_PAGE_CONTEXT), places.id, in_body('"}}]}') + body('"'),
        ),
        details=pa.concat_arrays([deeper.slice(0, made), orders]),
        closing="}",
        after_data=texts(after),
    )  # fmt: skip
