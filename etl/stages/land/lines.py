"""Lines: a file's bytes cut into whole lines, in memory bounded by the longest."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.settings import Settings
from etl.stages.land.inbox import InboxFile
from etl.stages.land.streams import DAMAGE, read_bytes

OVERLONG_HEAD_BYTES = 64 * 2**10


@dataclass
class Chunk:
    """Whole lines of a file; `is_open`: the file ended before the last one's newline."""

    first_line: int
    first_byte: int
    lines: pa.LargeBinaryArray
    line_bytes: np.ndarray
    sha256: list[str | None] | None = None
    is_open: bool = False


def read_chunks(settings: Settings, file: InboxFile, digest: Any) -> Iterator[Chunk]:
    """Read a file as chunks of whole lines, in memory bounded by `max_line_bytes`.

    Args:
        digest: a hashlib object, fed with the decompressed bytes.

    Raises:
        Bomb: it unpacks to more than the limits allow.
        one of `DAMAGE`: the compressed stream is; all that could be read has been yielded.
    """
    rest = b""
    overlong: Overlong | None = None
    line, offset = 1, 0
    damage: Exception | None = None
    stream = read_bytes(settings, file)
    while True:
        try:
            read = next(stream, b"")
        except DAMAGE as error:
            read, damage = b"", error
        digest.update(read)
        if overlong:
            ended = read.find(b"\n")
            overlong.add(read if ended < 0 else read[:ended])
            if ended < 0 and read:
                continue
            yield overlong.chunk(line, offset, is_open=ended < 0)
            line, offset = line + 1, offset + overlong.size + 1
            rest, overlong = read[ended + 1 :] if ended >= 0 else b"", None
            read_on = ended >= 0
        else:
            rest, read_on = rest + read, bool(read)
        end = rest.rfind(b"\n") + 1
        is_open = not read_on and len(rest) > end
        if is_open:
            rest, end = rest + b"\n", len(rest) + 1
        if end:
            chunk = split_lines(rest[:end], line, offset, settings.max_line_bytes)
            chunk.is_open = is_open
            yield chunk
            line, offset = line + len(chunk.lines), offset + end
            rest = rest[end:]
        if len(rest) > settings.max_line_bytes:
            overlong, rest = Overlong(rest), b""
        if not read_on:
            break
    if damage:
        raise damage


@dataclass
class Overlong:
    """A line over the limit: its beginning, length and hash are kept."""

    head: bytes
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def __post_init__(self) -> None:
        start, self.head = self.head, b""
        self.add(start)

    def add(self, piece: bytes) -> None:
        self.head += piece[: OVERLONG_HEAD_BYTES - len(self.head)]
        self.size += len(piece)
        self.digest.update(piece)

    def chunk(self, line: int, offset: int, *, is_open: bool) -> Chunk:
        lines = pa.array([self.head], pa.large_binary())
        return Chunk(line, offset, lines, np.array([self.size]), [self.digest.hexdigest()], is_open)


def split_lines(buffer: bytes, line: int, offset: int, limit: int) -> Chunk:
    """Cut a buffer that ends in a newline into lines, without a loop over lines."""
    ends = np.flatnonzero(np.frombuffer(buffer, np.uint8) == ord("\n"))
    starts = np.concatenate(([0], ends[:-1] + 1))
    sizes = ends - starts
    offsets = np.concatenate(([0], ends + 1)).astype(np.int64)
    with_newlines = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(buffer)]
    )
    lines = pc.binary_slice(with_newlines, 0, -1)
    sha256: list[str | None] | None = None
    if len(sizes) and sizes.max() > limit:
        long = sizes > limit
        sha256 = [
            hashlib.sha256(value).hexdigest() if is_long else None
            for value, is_long in zip(lines.to_pylist(), long.tolist(), strict=True)
        ]
        lines = pc.if_else(pa.array(long), pc.binary_slice(lines, 0, OVERLONG_HEAD_BYTES), lines)
    return Chunk(line, offset, lines, sizes, sha256)
