"""How requests look in the log: collector lines, pixel lines, access lines.

The body of a request is JSON inside a string of JSON: its pieces are written with their quotes
escaped already, so that a line is made by one join of columns.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from etl.simulate import world
from etl.simulate.delivery import Delivery
from etl.simulate.dialects import PAYLOAD, Voice
from etl.simulate.people import SNOWPLOW
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
        age: how much older than that a message is that was kept for weeks.
        index: the message counter's number.
        stream, who, page, data: rows of the voices' pools.
        dialect: which voice tells it.
        voices: the pools, by dialect.
        addresses, headers: what the request of a stream's message says about its sender.
    """

    ids: pa.StringArray
    schema: Ints
    at: Ints
    clock: Ints
    age: Ints
    index: Ints
    stream: Ints
    who: Ints
    page: Ints
    data: Ints
    dialect: Ints
    voices: dict[int, Voice]
    addresses: pa.StringArray
    headers: pa.StringArray


_HOST = texts(f'","host":"{host}' for host in world.COLLECTORS)
_TRACK, _SNOWPLOW_TRACK = "/t", "/com.snowplowanalytics.snowplow/tp2"


def collector_lines(messages: Messages, delivery: Delivery, rng: np.random.Generator) -> pa.StringArray:
    """Write the request lines that carry the messages, each with its newline."""
    rows, opens = delivery.rows, delivery.opens
    if not len(rows):
        return texts(())
    first = rows[opens]
    sender = messages.stream[first]
    sent = delivery.sent - delivery.set_back + messages.clock[first]
    foreign = messages.dialect[first] == SNOWPLOW
    start = join(body('"sent_at":"'), timestamps(sent), body('","messages":['))
    path: pa.StringArray | str = _TRACK
    if foreign.any():
        start = pa.compute.if_else(pa.array(foreign), PAYLOAD, start)
        path = pick(texts((_TRACK, _SNOWPLOW_TRACK)), foreign.astype(np.int64))
    heads = join(
        '{"request_id":"', column(hexadecimal(random_words(rng, len(first)))),
        '","received_at":', epoch_seconds(delivery.received),
        ',"remote_addr":"', pick(messages.addresses, sender), pick(_HOST, delivery.host),
        '","method":"POST","path":"', path, '","query":"","user_agent":"',
        pick(messages.headers, sender), '","content_type":"application/json","body":"{', start,
    )  # fmt: skip
    heads = pa.concat_arrays([texts(("",)), heads])
    letters = Letters(
        rows=rows,
        heads=pick(heads, np.where(opens, np.cumsum(opens), 0)),
        closes=delivery.closes,
        sent=sent[np.cumsum(opens) - 1],
    )
    return cut(_message_texts(messages, letters), opens)


@dataclass
class Letters:
    """Copies of messages in lines.

    Args:
        rows: which message each copy is of.
        heads: what stands before it: the line's beginning, or nothing.
        closes: whether it ends its line.
        sent: when its request was sent, by the client's clock.
    """

    rows: Ints
    heads: pa.StringArray
    closes: Flags
    sent: Ints

    def take(self, places: Ints) -> "Letters":
        """Take some copies."""
        return Letters(self.rows[places], pick(self.heads, places), self.closes[places], self.sent[places])


def _message_texts(messages: Messages, letters: Letters) -> pa.StringArray:
    """Write every copy of a message, each in its dialect."""
    dialects = messages.dialect[letters.rows]
    spoken = np.unique(dialects)
    if len(spoken) == 1:
        return _tell(messages, letters, int(spoken[0]))
    places = [np.flatnonzero(dialects == dialect) for dialect in spoken]
    told = [_tell(messages, letters.take(place), int(dialect)) for place, dialect in zip(places, spoken, strict=True)]
    return pick(pa.concat_arrays(told), np.argsort(np.concatenate(places)))


def _tell(messages: Messages, letters: Letters, dialect: int) -> pa.StringArray:
    """Write copies of messages in one dialect."""
    rows, voice = letters.rows, messages.voices[dialect]
    created = (messages.at + messages.clock - messages.age)[rows]
    time = integers(created) if voice.epoch else timestamps(created)
    ends = texts((voice.closing + ",", voice.closing + ']}"}\n'))
    end = pick(ends, letters.closes.astype(np.int64))
    ids, schemas = pick(messages.ids, rows), pick(voice.schemas, messages.schema[rows])
    streams = pick(voice.streams, messages.stream[rows])
    persons, pages = pick(voice.persons, messages.who[rows]), pick(voice.pages, messages.page[rows])
    details = pick(voice.details, messages.data[rows])
    if voice.after_data is not None:
        return join(
            letters.heads, voice.opening, schemas, details,
            pick(voice.after_data, messages.schema[rows]), body(',"eid":"'), ids, body('"'),
            streams, voice.created, time, body('","stm":"'), integers(letters.sent), persons,
            pages, end,
        )  # fmt: skip
    return join(
        letters.heads, voice.opening, ids, schemas, streams, integers(messages.index[rows]),
        voice.created, time, persons, pages, details, end,
    )  # fmt: skip


def cut(pieces: pa.StringArray, opens: Flags) -> pa.StringArray:
    """Put neighbouring texts together without copying: a new text begins where `opens` says."""
    offsets = np.frombuffer(pieces.buffers()[1], dtype=np.int32)[: len(pieces) + 1]
    starts = np.append(offsets[:-1][opens], offsets[-1])
    return pa.StringArray.from_buffers(len(starts) - 1, pa.py_buffer(starts.astype(np.int32)), pieces.buffers()[2])


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
