"""What a file is, by its first lines: a format of the register, or what it looks like instead."""

import codecs
import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest

import msgspec
import orjson

from etl.enrich.addresses import NOT_PUBLIC, fields_of, lies_in, read_chain
from etl.vocabulary.log_formats import FORMATS, UNREAD, LogFormat
from etl.vocabulary.tracker_exports import EXPORTS
from etl.vocabulary.tracker_exports import UNREAD as UNREAD_EXPORTS

FIRST_LINES = 200
LONGEST_LINE = 16_384
"""No more is looked at, of lines and of bytes of each."""

TEXT = r'"((?:[^"\\]|\\.)*)"'
WITH_AGENT = rf"^(.*?) \[([^\]]*)\] {TEXT} ([0-9]{{3}}) (?:[0-9]+|-) {TEXT} {TEXT}((?: .*)?)\r?$"
WITHOUT_AGENT = rf"^(.*?) \[([^\]]*)\] {TEXT} ([0-9]{{3}}) (?:[0-9]+|-)(?: {TEXT} {TEXT}((?: .*)?)|(?: [^\"]*)?)\r?$"
"""Lines of the kind `quoted`: head, time, request, status, and where they are there referrer, agent and the rest."""
HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+\.?(:[0-9]+)?|[A-Za-z0-9_.-]+:[0-9]+")
ARCHIVES = {
    b"PK\x03\x04": "a ZIP archive", b"\xfd7zXZ": "an xz file", b"7z\xbc\xaf": "a 7-Zip archive",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF", b"SQLite format 3": "an SQLite database", b"Obj\x01": "an Avro file",
}  # fmt: skip
"""How files begin that are no text."""
UNKNOWN = "no log that is known"
NOBODY = {"", "-", "unknown"}
TIME = re.compile(r"[0-9]{1,2}/[A-Z][a-z]{2}/[0-9]{4}:|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]")
"""How times begin that are read."""
MOST_FIELDS = 12
"""So many quoted fields after the agent are looked at."""
QUOTED = re.compile('"([^"]*)"')
PORT = re.compile(r"(?:[0-9.]+|\[.*\]):[0-9]+")

_with_agent, _without_agent = map(re.compile, (WITH_AGENT, WITHOUT_AGENT))
_texts = {name: re.compile(entry.lines) for name, entry in FORMATS.items() if entry.kind == "text"}
_unread = [(title, re.compile(expression)) for title, expression in UNREAD]


def recognise(lines: Sequence[bytes]) -> LogFormat | None:
    """Name the format in which most of a file's first lines are; None where not one of them is in any."""
    texts = readable(lines)
    found: dict[str, int] = {}
    for text in texts:
        for name in formats_of(text):
            found[name] = found.get(name, 0) + 1
    if not found:
        return None
    # Of as many lines the one that the register names first.
    name = max(FORMATS, key=lambda name: found.get(name, 0))
    return quoted(texts, FORMATS[name]) if FORMATS[name].kind == "quoted" else FORMATS[name]


def looks_like(lines: Sequence[bytes]) -> str:
    """Say in words what a file that is no format of the register looks like."""
    is_wide = any(b"\0" in line for line in lines[:FIRST_LINES])
    if lines and is_wide and lines[0].startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "a text in UTF-16 (save it as UTF-8)"
    archive = binary(lines)
    if archive:
        return archive
    texts = readable(lines)
    found = {
        title: count for title, expression in _unread if (count := sum(bool(expression.search(text)) for text in texts))
    }
    return max(found, key=lambda title: found[title]) if found else UNKNOWN


def no_requests(lines: Sequence[bytes]) -> str | None:
    """Say in words what a file is that is no log of requests, as far as that is known; None where it may be one.

    A line that was cut short, or in which a client wrote nonsense, is still a request's.
    """
    texts = [text.strip() for text in readable(lines)]
    if not texts:
        return None
    objects = [text for text in texts if text.startswith("{") and text != "{"]
    if texts[0].startswith("[") and (not objects or not is_json(texts[0])):
        return "an array of JSON (write an object a line, as jq -c '.[]' does)"
    if objects:
        return another_trackers(objects) or logged_elsewhere(lines, objects)
    if texts[0] == "{":
        return "JSON of many lines (write an object a line, as jq -c . does)"
    found = recognise(lines)
    if found:
        return f"{found.title}, which belongs into access/ or pixel/"
    title = looks_like(lines)
    return None if title == UNKNOWN else title


def another_trackers(objects: Sequence[str]) -> str | None:
    """Say in words whose export it is that most objects are of, where it is one that is not read."""
    read = [value for text in objects if isinstance(value := read_json(text), dict)]
    if any("request_id" in value or any(holds(value, entry.needs) for entry in EXPORTS.values()) for value in read):
        return None
    counts = {entry.title: sum(holds(value, entry.needs) for value in read) for entry in UNREAD_EXPORTS}
    title = max(counts, key=lambda title: counts[title])
    return title if 2 * counts[title] > len(objects) else None


def logged_elsewhere(lines: Sequence[bytes], objects: Sequence[str]) -> str | None:
    """Say in words which web server's log it is whose lines are objects; a request of the collector's has an id."""
    if any('"request_id"' in text for text in objects):
        return None
    found = recognise(lines)
    return f"{found.title}, which belongs into access/ or pixel/" if found and found.kind == "json" else None


def read_json(text: str) -> object:
    """Read a text as JSON; None where it is none."""
    try:
        return orjson.loads(text)
    except ValueError:
        return None


def is_json(text: str) -> bool:
    """Say whether a text is JSON by itself."""
    return read_json(text) is not None


def binary(lines: Sequence[bytes]) -> str | None:
    """Say what a file is that is not text; None where it is."""
    start = lines[0] if lines else b""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return None
    found = next((title for magic, title in ARCHIVES.items() if start.startswith(magic)), None)
    return found or (None if any(readable([line]) or not line.strip() for line in lines) else "binary data")


def readable(lines: Sequence[bytes]) -> list[str]:
    """Read the first lines as text, without those that are none or empty."""
    read = [line[:LONGEST_LINE].decode("utf-8", "replace") for line in lines[:FIRST_LINES]]
    texts = [text.lstrip("\ufeff").rstrip("\0").rstrip("\r") for text in read]
    return [text for text in texts if text.strip() and "\0" not in text]


def formats_of(text: str) -> list[str]:
    """Name the formats that a line could be of."""
    if text.startswith("#Fields:"):
        columns = columns_of(text)
        return [name for name, entry in FORMATS.items() if entry.kind == "table" and set(entry.needs) <= set(columns)]
    if text.startswith("{"):
        return [name for name, entry in FORMATS.items() if entry.kind == "json" and holds_text(text, entry.needs)]
    for name, expression in (("combined", _with_agent), ("common", _without_agent)):
        found = expression.match(text)
        if found:
            return [name] if TIME.match(found[2]) else []
    return [name for name, expression in _texts.items() if expression.match(text)]


def columns_of(header: str) -> list[str]:
    """Read the names of a table's columns out of its line `#Fields:`."""
    return header.partition(":")[2].split()


def holds_text(text: str, paths: Sequence[str]) -> bool:
    """Say whether a text is a JSON object that has all of these keys; a server's escapes of bytes are text."""
    try:
        return holds(orjson.loads(text), paths)
    except ValueError:
        pass
    try:
        return holds(orjson.loads(text.replace("\\x", "\\\\x")), paths)
    except ValueError:
        return False


def holds(value: object, paths: Sequence[str]) -> bool:
    """Say whether an object has all of these keys (paths of plain names)."""
    for path in paths:
        found = value
        for key in path.split(".")[1:]:
            found = found.get(key) if isinstance(found, dict) else None
        if found is None:
            return False
    return True


def quoted(texts: Sequence[str], base: LogFormat) -> LogFormat:
    """Say what stands in front of the client in quoted lines, and what follows the agent."""
    matches = [found for text in texts if (found := (_with_agent if base.has_agent else _without_agent).match(text))]
    heads = [fields_of(found[1]) for found in matches]
    chains = [[read_chain(field) for field in head[:2]] for head in heads if len(head) > 1]
    both = [(first, second) for first, second in (pair for pair in chains if len(pair) > 1) if first and second]
    name = base.name
    if 2 * len(both) > len(heads):
        is_behind = all(lies_in(second[0], NOT_PUBLIC) for _, second in both)
        # A server has one address, and a proxy few: what varies more is the clients'.
        is_in_front = len({str(first) for first, _ in both}) > len({str(second) for _, second in both})
        is_chain = is_behind or is_in_front or any(len(first) > 1 for first, _ in both)
        name = "forwarded_first" if is_chain else "server_first"
    elif 2 * sum(len(head) > 1 and bool(HOST.fullmatch(head[0])) and not read_chain(head[0]) for head in heads) > len(
        heads
    ):
        name = "vhost_combined"
    place = forwarded_place([match[7] or "" for match in matches]) if base.has_agent else 0
    if place == 1 and name == "combined":
        return FORMATS["main"]
    return msgspec.structs.replace(FORMATS[name], has_agent=base.has_agent, forwarded=place)


def forwarded_place(rests: Sequence[str]) -> int:
    """Say which quoted field of what follows the agent holds the forwarded-for chain; 0 where none does.

    The first that holds addresses alone, public ones if there are. Whom a proxy asked has a port in every line.
    """
    columns = list(zip_longest(*(QUOTED.findall(rest)[:MOST_FIELDS] for rest in rests)))
    said = [[text for text in column if text is not None] for column in columns]
    ranked = []
    for place, texts in enumerate(said, 1):
        chains = [read_chain(text) for text in texts if text.lower() not in NOBODY]
        if 2 * len(texts) <= len(rests) or not all(chains):
            continue
        is_public = any(not lies_in(address, NOT_PUBLIC) for chain in chains for address in chain)
        is_asked = bool(chains) and all(PORT.fullmatch(text) for text in texts if text.lower() not in NOBODY)
        if chains and (is_public or not is_asked):
            ranked.append((0 if is_public else 1, place))
        elif not chains and place == 1:
            ranked.append((2, place))
    return min(ranked)[1] if ranked else 0


def chosen(source_file: str, formats: Mapping[str, str]) -> LogFormat | None:
    """Find the format that the settings name for a file's folder, the innermost first."""
    folders = source_file.split("/")[:-1]
    for depth in range(len(folders), 0, -1):
        name = formats.get("/".join(folders[:depth]))
        if name is not None:
            return FORMATS[name]
    return None
