"""Columns of text made a column at a time: hexadecimal, UUIDs, timestamps, JSON escapes.

Python formats about a million short strings a second, numpy's tables of ready-made pieces and
Arrow's joins ten times that; a log of tens of millions of messages hangs on it.
"""

import json
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_HEX = np.array([f"{number:04x}" for number in range(1 << 16)], dtype="S4")
_CLOCK = np.array([f"T{n // 60:02d}:{n % 60:02d}" for n in range(24 * 60)], dtype="S6")
_SECONDS = np.array([f":{n // 1000:02d}.{n % 1000:03d}Z" for n in range(60_000)], dtype="S8")
_UUID_DASHES = [8, 13, 18, 23]


def column(cells: Bytes) -> pa.StringArray:
    """Turn rows of equally long text (a matrix of bytes) into an Arrow column without a loop."""
    rows, width = cells.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * width
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(cells)))


def scramble(numbers: Ints, salt: int) -> Words:
    """Hash integers (splitmix64): the same number and salt give the same 64 bits for ever.

    Everything lasting about a device (its agent, country, clock, identifiers) is such a hash, so
    that millions of visitors cost no memory.
    """
    with np.errstate(over="ignore"):
        word = numbers.astype(np.uint64) + np.uint64((salt * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) & (2**64 - 1))
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return word ^ (word >> np.uint64(31))


def chance(numbers: Ints, salt: int) -> Floats:
    """Give each number its lasting value in [0, 1)."""
    return (scramble(numbers, salt) >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def hexadecimal(words: Words) -> Bytes:
    """Write 64-bit words as 16 hexadecimal digits a word; rows keep their number of words."""
    rows = len(words)
    return _HEX[words.view(np.uint16)].view(np.uint8).reshape(rows, 16 * words.shape[1])


def uuids(words: Words) -> Bytes:
    """Write pairs of words as version-4 UUIDs: a matrix of 36 bytes a row."""
    digits = hexadecimal(words)
    cells = np.empty((len(words), 36), dtype=np.uint8)
    cells[:, _UUID_DASHES] = ord("-")
    cells[:, 0:8] = digits[:, 0:8]
    cells[:, 9:13] = digits[:, 8:12]
    cells[:, 14:18] = digits[:, 12:16]
    cells[:, 19:23] = digits[:, 16:20]
    cells[:, 24:36] = digits[:, 20:32]
    cells[:, 14] = ord("4")
    cells[:, 19] = ord("8")
    return cells


def random_words(rng: np.random.Generator, rows: int, width: int = 2) -> Words:
    """Draw rows of 64-bit words (two make a UUID)."""
    return rng.integers(0, 2**64, (rows, width), dtype=np.uint64)


def timestamps(milliseconds: Ints) -> pa.StringArray:
    """Write epoch milliseconds as `2026-03-01T00:00:00.950Z`."""
    days, within = np.divmod(milliseconds, DAY)
    distinct, which = np.unique(days, return_inverse=True)
    dates = np.datetime_as_string(distinct.astype("datetime64[D]")).astype("S10")
    cells = np.empty((len(milliseconds), 24), dtype=np.uint8)
    cells[:, 0:10] = dates[which].view(np.uint8).reshape(-1, 10)
    cells[:, 10:16] = _CLOCK[within // MINUTE].view(np.uint8).reshape(-1, 6)
    cells[:, 16:24] = _SECONDS[within % MINUTE].view(np.uint8).reshape(-1, 8)
    return column(cells)


def epoch_seconds(milliseconds: Ints) -> pa.StringArray:
    """Write epoch milliseconds as nginx's `$msec`: `1772323201.123`."""
    seconds, rest = np.divmod(milliseconds, SECOND)
    fraction = column(_SECONDS[rest].view(np.uint8).reshape(-1, 8)[:, 3:7])
    return pc.binary_join_element_wise(integers(seconds), fraction, "")


def log_times(milliseconds: Ints) -> pa.StringArray:
    """Write epoch milliseconds as access logs do: `01/Mar/2026:00:00:01 +0000`."""
    days, within = np.divmod(milliseconds, DAY)
    distinct, which = np.unique(days, return_inverse=True)
    dates = np.array([day.item().strftime("%d/%b/%Y") for day in distinct.astype("datetime64[D]")], dtype="S11")
    cells = np.empty((len(milliseconds), 20), dtype=np.uint8)
    cells[:, 0:11] = dates[which].view(np.uint8).reshape(-1, 11)
    cells[:, 11:17] = _CLOCK[within // MINUTE].view(np.uint8).reshape(-1, 6)
    cells[:, 11] = ord(":")
    cells[:, 17:20] = _SECONDS[within % MINUTE].view(np.uint8).reshape(-1, 8)[:, 0:3]
    return column(cells)


def integers(numbers: Ints) -> pa.StringArray:
    """Write whole numbers in decimal."""
    return pa.array(numbers).cast(pa.string())


def join(*pieces: pa.StringArray | str) -> pa.StringArray:
    """Join columns and constants, row by row, into one column."""
    return pc.binary_join_element_wise(*pieces, "")


def pick(texts: pa.StringArray, rows: NDArray[np.integer]) -> pa.StringArray:
    """Take the text of each row; Arrow checks the bounds."""
    return texts.take(pa.array(rows))


def in_line(text: str) -> str:
    """Escape text for a string of the collector's line."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def in_body(text: str) -> str:
    """Escape text for a string inside the body, which is itself a string of the line."""
    return in_line(in_line(text))


def body(template: str) -> str:
    r"""Write a piece of the body's JSON as it stands in the line: every quote as `\"`."""
    return template.replace('"', '\\"')


def texts(values: Iterable[str]) -> pa.StringArray:
    """Make a text column of Python strings."""
    return pa.array(list(values), type=pa.string())


def ranges(starts: Ints, lengths: Ints) -> Ints:
    """List the numbers of all ranges one after another: ([5, 9], [2, 1]) gives [5, 6, 9]."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)


def draw(rng: np.random.Generator, weights: Sequence[float] | Floats, rows: int) -> Ints:
    """Draw positions in proportion to their weights."""
    edges = np.cumsum(np.asarray(weights, dtype=np.float64))
    return np.searchsorted(edges / edges[-1], rng.random(rows), side="right").astype(np.int64)


def at(weights: Sequence[float] | Floats, values: Floats) -> Ints:
    """Find the position that a value in [0, 1) falls on, in proportion to the weights."""
    edges = np.cumsum(np.asarray(weights, dtype=np.float64))
    return np.searchsorted(edges / edges[-1], values, side="right").astype(np.int64)
