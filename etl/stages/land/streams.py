"""Streams: a file's bytes, decompressed, up to the limits and up to what is damaged."""

import bz2
import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from backports import zstd
from isal import igzip, isal_zlib

from etl.settings import Settings
from etl.stages.land.inbox import InboxFile

MAGIC = {b"\x1f\x8b": "gz", b"\x28\xb5\x2f\xfd": "zst", b"BZh": "bz2"}
"""How compressed files begin. What a file is called says nothing of it."""

CHUNK_BYTES = 16 * 2**20
BOMB_FLOOR_BYTES = 2**30
SALVAGE_BYTES = 4 * 2**10

ISAL_ERROR: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub says instance
DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, ISAL_ERROR, zstd.ZstdError)


class Decompressor(Protocol):
    """What decompresses piece by piece."""

    def decompress(self, data: bytes, /) -> bytes:
        """Decompress a piece."""
        ...


class Bomb(Exception):
    """A compressed file that unpacks to more than the limits allow."""


def read_bytes(settings: Settings, file: InboxFile) -> Iterator[bytes]:
    """Read and decompress a file in pieces of about `CHUNK_BYTES`, up to the limits.

    Raises:
        Bomb: it unpacks to more than the limits allow.
        one of `DAMAGE`: the compressed stream is; what could be read has been yielded.
    """
    total = 0
    pieces: list[bytes] = []
    damage: Exception | None = None
    stream = decompress(file.path)
    while True:
        try:
            piece = next(stream, b"")
        except DAMAGE as error:
            piece, damage = b"", error
        total += len(piece)
        if total > settings.max_decompressed_bytes or (
            total > BOMB_FLOOR_BYTES and total / max(file.size, 1) > settings.max_compression_ratio
        ):
            raise Bomb(f"unpacks to more than {total:,} bytes from {file.size:,}")
        pieces.append(piece)
        if any(pieces) and (not piece or sum(map(len, pieces)) >= CHUNK_BYTES):
            yield b"".join(pieces)
            pieces = []
        if damage:
            raise damage
        if not piece:
            return


def decompress(path: Path) -> Iterator[bytes]:
    """Read a file as fast as it goes; what a fast reader keeps back at a damage is salvaged."""
    total = 0
    try:
        with open_stream(path) as stream:
            while piece := stream.read1(CHUNK_BYTES):
                total += len(piece)
                yield piece
    except DAMAGE:
        yield from salvage(path, total)
    except OSError as error:
        # The disk's errors have a number, bzip2's have none.
        if error.errno is not None:
            raise
        yield from salvage(path, total)


def salvage(path: Path, known: int) -> Iterator[bytes]:
    """Decompress what follows the first `known` bytes up to the damage, then raise it.

    A decompressor gives nothing of the piece that it fails on, so that piece is read again byte by byte.
    """
    careful_from: int | None = None
    while True:
        total, offset = 0, 0
        try:
            for reached, piece in unpack(path, careful_from):
                offset = reached
                fresh = piece[max(known - total, 0) :]
                total += len(piece)
                if fresh:
                    known = total
                    yield fresh
            return
        except DAMAGE:
            if careful_from is not None:
                raise
            careful_from = offset


def unpack(path: Path, careful_from: int | None) -> Iterator[tuple[int, bytes]]:
    """Decompress a file in small pieces, byte by byte from `careful_from`; yield how far, and what came out."""
    stream: Any = None
    offset = 0
    packing = packing_of(path)
    with path.open("rb") as file:
        while data := file.read(SALVAGE_BYTES if careful_from is None or offset < careful_from else 1):
            offset += len(data)
            pieces = []
            while data:
                if stream is None:
                    stream = DECOMPRESSORS[packing]()
                pieces.append(decompressed(stream, data))
                data = stream.unused_data if stream.eof else b""
                stream = None if stream.eof else stream
            yield offset, b"".join(pieces)
    if stream is not None:
        raise EOFError


DECOMPRESSORS: dict[str, Callable[[], Decompressor]] = {
    "gz": lambda: zlib.decompressobj(wbits=31),
    "zst": zstd.ZstdDecompressor,
    "bz2": bz2.BZ2Decompressor,
}


def decompressed(stream: Decompressor, data: bytes) -> bytes:
    """Decompress a piece; bzip2's reader calls damage an error of the system's."""
    try:
        return stream.decompress(data)
    except OSError as error:
        raise zlib.error(str(error)) from error


def packing_of(path: Path) -> str:
    """Say how a file is compressed, by its first bytes; nothing where it is plain."""
    with path.open("rb") as file:
        start = file.read(4)
    return next((packing for magic, packing in MAGIC.items() if start.startswith(magic)), "")


def open_stream(path: Path) -> Any:
    """Open a log file, plain or compressed."""
    match packing_of(path):
        case "gz":
            return igzip.open(path, "rb")  # type: ignore[no-untyped-call]
        case "zst":
            return zstd.open(path, "rb")
        case "bz2":
            return bz2.open(path, "rb")
        case _:
            return path.open("rb")
