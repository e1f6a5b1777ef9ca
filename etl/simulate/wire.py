"""How messages look in the log: collector lines, pixel lines, access lines.

The body of a request is JSON inside a string of JSON: its pieces are written with their quotes
escaped already, so that a line is made by one join of columns.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from etl.simulate import world
from etl.simulate.delivery import Delivery
from etl.simulate.text import (
    Flags,
    Ints,
    body,
    column,
    epoch_seconds,
    hexadecimal,
    integers,
    join,
    log_times,
    pick,
    random_words,
    texts,
    timestamps,
)


@dataclass
class Messages:
    """Messages ready to be written; texts shared by many stand in pools.

    Args:
        ids: the messages' UUIDs.
        schema: position in `world.SCHEMAS`.
        at: true time; `clock`: how far ahead the client's clock is.
        stream: row of `streams` (app, platform, tracker and stream id, as JSON).
        index: the message counter's number.
        who: row of `persons` (visitor, user, country and locale, as JSON).
        page: row of `pages` (the page, as JSON, up to the opening of `data`).
        data: row of `details` (the inside of `data`).
        sender: row of `senders` (address and headers of the request, around the host).
    """

    ids: pa.StringArray
    schema: Ints
    at: Ints
    clock: Ints
    stream: Ints
    streams: pa.StringArray
    index: Ints
    who: Ints
    persons: pa.StringArray
    page: Ints
    pages: pa.StringArray
    data: Ints
    details: pa.StringArray
    sender: Ints
    addresses: pa.StringArray
    headers: pa.StringArray


NO_PAGE = body(',"page":null,"data":{')
_SCHEMA = texts(body(f'","schema":"{schema}",') for schema in world.SCHEMAS)
_HOST = texts(f'","host":"{host}' for host in world.COLLECTORS)
_ENDS = texts(("}},", '}}]}"}\n'))


def stream_texts(
    app: pa.StringArray, platform: pa.StringArray, tracker: pa.StringArray, stream: pa.StringArray
) -> pa.StringArray:
    """Write what is the same for all messages of a stream."""
    return join(
        body('"app_id":"'), app, body('","platform":"'), platform, body('","tracker":"'), tracker,
        body('","stream_id":"'), stream, body('","index":'),
    )  # fmt: skip


def person_texts(
    visitor: pa.StringArray, user: pa.StringArray | str, place: pa.StringArray
) -> pa.StringArray:
    """Write who acts; `user` is the user's id, or '' for nobody logged in."""
    if isinstance(user, str):
        account = texts([body('","user_id":null,"logged_in":false,')] * len(visitor))
    else:
        account = join(body('","user_id":"'), user, body('","logged_in":true,'))
    return join(body('","visitor_id":"'), visitor, account, place)


PLACES = texts(
    body(f'"country":"{country.code}","locale":"{country.locale}"') for country in world.COUNTRIES
)


def collector_lines(
    messages: Messages, delivery: Delivery, rng: np.random.Generator
) -> pa.StringArray:
    """Write the request lines that carry the messages, each with its newline."""
    rows, opens = delivery.rows, delivery.opens
    if not len(rows):
        return texts(())
    first = rows[opens]
    sender = messages.sender[first]
    sent = delivery.sent - delivery.set_back + messages.clock[first]
    heads = join(
        '{"request_id":"', column(hexadecimal(random_words(rng, len(first)))),
        '","received_at":', epoch_seconds(delivery.received),
        ',"remote_addr":"', pick(messages.addresses, sender), pick(_HOST, delivery.host),
        '","method":"POST","path":"/t","query":"","user_agent":"', pick(messages.headers, sender),
        '","content_type":"application/json","body":"{' + body('"sent_at":"'), timestamps(sent),
        body('","messages":['),
    )  # fmt: skip
    heads = pa.concat_arrays([texts(("",)), heads])
    line = np.where(opens, np.cumsum(opens), 0)
    written = join(
        pick(heads, line),
        body('{"version":3,"id":"'), pick(messages.ids, rows),
        pick(_SCHEMA, messages.schema[rows]), pick(messages.streams, messages.stream[rows]),
        integers(messages.index[rows]),
        body(',"created_at":"'), timestamps((messages.at + messages.clock)[rows]),
        pick(messages.persons, messages.who[rows]), pick(messages.pages, messages.page[rows]),
        pick(messages.details, messages.data[rows]), pick(_ENDS, delivery.closes.astype(np.int64)),
    )  # fmt: skip
    return cut(written, opens)


def cut(pieces: pa.StringArray, opens: Flags) -> pa.StringArray:
    """Put neighbouring texts together without copying: a new text begins where `opens` says."""
    offsets = np.frombuffer(pieces.buffers()[1], dtype=np.int32)[: len(pieces) + 1]
    starts = np.append(offsets[:-1][opens], offsets[-1])
    return pa.StringArray.from_buffers(
        len(starts) - 1, pa.py_buffer(starts.astype(np.int32)), pieces.buffers()[2]
    )


@dataclass
class Served:
    """Requests as a web server notes them."""

    address: pa.StringArray
    at: Ints
    path: pa.StringArray
    status: str
    referrer: pa.StringArray
    agent: pa.StringArray


def log_lines(served: Served) -> pa.StringArray:
    """Write lines of an access log in combined format, each with its newline."""
    return join(
        served.address, " - - [", log_times(served.at), ' +0000] "GET ', served.path,
        f' HTTP/1.1" {served.status} "', served.referrer, '" "', served.agent, '"\n',
    )  # fmt: skip
