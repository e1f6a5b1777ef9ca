"""Where a person stands in a line: the values that it holds, and the line without the person's messages.

A value is whatever a tracker, a server or a person could have written an identifier as: a value of JSON (also of JSON
inside text, and of Snowplow's base64), a parameter or a step of an address, a field of a log, a cell of a table.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from etl.enrich.addresses import read_chain

DEPTH = 8
LONGEST_VALUE = 4096
BETWEEN = re.compile(r"""[\s"'/?&=#;,|<>()\[\]{}]+""")
ADDRESS = re.compile(r"[0-9A-Fa-f.:\[\]]{3,60}")
SESSION = re.compile(r"(.+)-[0-9]{12,14}")
"""A session's id is its visitor's, and a time."""
ESCAPE = re.compile("%[0-9A-F]{2}")
ENCODED = re.compile(r"(?:eyJ|eyI|ewo|W3s)[A-Za-z0-9+/_-]{8,}={0,2}")
"""How JSON begins in base64."""
LISTS = ("messages", "data")
"""Under these names the body of a request holds its messages, or events."""
NOTHING = "null"
"""What stands in the place of a message that was taken out of its batch: no message, and its place."""

DECODER = json.JSONDecoder()


def values_of(text: str, depth: int = 0) -> Iterator[str]:
    """Yield the values that a text holds, each in every way in which it can be read; some more than once."""
    if len(text) <= LONGEST_VALUE:
        yield text
    if depth > DEPTH:
        return
    if text[:1] in "{[" and text:
        try:
            yield from values_of_json(json.loads(text), depth)
        except (ValueError, RecursionError):
            yield from tokens_of(text, depth)
        return
    yield from tokens_of(text, depth)


def values_of_json(value: object, depth: int) -> Iterator[str]:
    """Yield the values of parsed JSON."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            waiting += found.values()
            waiting += found.keys()
        elif isinstance(found, list):
            waiting += found
        elif isinstance(found, str):
            yield from values_of(found, depth + 1)
        elif isinstance(found, int | float) and not isinstance(found, bool):
            yield str(found)


def tokens_of(text: str, depth: int) -> Iterator[str]:
    """Yield the parts of a text that is no JSON: fields, parameters, steps of paths, addresses, sessions' visitors."""
    for word in BETWEEN.split(text):
        if not word or len(word) > LONGEST_VALUE:
            if ENCODED.match(word):
                yield from decoded(word, depth)
            continue
        yield word
        # A plus is a blank in a form, and itself in what many write into an address by hand.
        for read in {unquote(word), unquote_plus(word)} - {word}:
            yield from values_of(read, depth + 1)
        if ADDRESS.fullmatch(word):
            yield from (str(address) for address in read_chain(word))
        elif found := SESSION.fullmatch(word):
            yield found[1]
        if ENCODED.match(word):
            yield from decoded(word, depth)


def decoded(word: str, depth: int) -> Iterator[str]:
    """Yield the values of JSON in base64, of either alphabet."""
    try:
        text = base64.b64decode(word.replace("-", "+").replace("_", "/") + "=" * (-len(word) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return
    yield from values_of(text, depth + 1)


def spellings(value: str) -> set[str]:
    """Say how a value may stand in a line: as it is, inside JSON inside JSON, in an address, in base64."""
    once = json.dumps(value)[1:-1]
    quoted = {quote(value, safe=""), quote_plus(value), quote(value), quote(value, safe="+"), quote(value, safe="@")}
    found = {value, once, json.dumps(once)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], *quoted}
    found |= {ESCAPE.sub(lambda escape: escape[0].lower(), text) for text in quoted}
    raw = value.encode()
    for offset in range(3):
        # The first and last characters mix with what stands beside; those between do not.
        text = base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")
        inner = text[(0, 2, 3)[offset] : len(text) - 1]
        if len(inner) >= 6:  # noqa: PLR2004  (shorter stands in every line)
            found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return found


@dataclass(frozen=True)
class Request:
    """A collector's line, taken apart: what stands beside its messages, and these, by where they stand in the body."""

    line: str
    beside: str
    body: str
    body_span: tuple[int, int]
    spans: list[tuple[int, int]]

    @property
    def messages(self) -> list[str]:
        """The text of each message."""
        return [self.body[start:end] for start, end in self.spans]

    def without(self, places: set[int]) -> str:
        """Write the line without some of its messages; nothing else in it changes."""
        body, rest = [], 0
        for place, (start, end) in enumerate(self.spans):
            body += [self.body[rest:start], NOTHING if place in places else self.body[start:end]]
            rest = end
        written = json.dumps("".join(body) + self.body[rest:])
        return self.line[: self.body_span[0]] + written + self.line[self.body_span[1] :]


def read_request(line: str) -> Request | None:
    """Take a collector's line apart; None of a line that holds no batch."""
    try:
        body, span = next((value, span) for key, value, span in members(line, 0) if key == "body")
        if not isinstance(body, str):
            return None
        start = next(span[0] for key, value, span in members(body, 0) if key in LISTS and isinstance(value, list))
        spans = list(elements(body, start))
    except (ValueError, RecursionError, StopIteration, IndexError):
        return None
    beside = line[: span[0]] + '""' + line[span[1] :]
    return Request(line, beside, body, span, spans)


def blank(text: str, place: int) -> int:
    """Step over the blanks of JSON."""
    while text[place] in " \t\n\r":
        place += 1
    return place


def members(text: str, place: int) -> Iterator[tuple[str, object, tuple[int, int]]]:
    """Yield the members of a JSON object, each with where its value stands."""
    place = blank(text, place)
    if text[place] != "{":
        raise ValueError("no object")
    place = blank(text, place + 1)
    while text[place] != "}":
        key, place = DECODER.raw_decode(text, place)
        place = blank(text, place)
        if text[place] != ":":
            raise ValueError("no member")
        start = blank(text, place + 1)
        value, end = DECODER.raw_decode(text, start)
        yield key, value, (start, end)
        place = blank(text, end)
        if text[place] == ",":
            place = blank(text, place + 1)


def elements(text: str, place: int) -> Iterator[tuple[int, int]]:
    """Yield where the elements of a JSON list stand."""
    place = blank(text, place + 1)
    while text[place] != "]":
        _, end = DECODER.raw_decode(text, place)
        yield place, end
        place = blank(text, end)
        if text[place] == ",":
            place = blank(text, place + 1)
