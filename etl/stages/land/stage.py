"""Land: every line of every inbox file, byte for byte, as Parquet by source and received day.

A file lands whole or not at all, and once: what it holds is known by name and SHA-256. A file
that grew since it landed is landed anew in place of its beginning.
"""

import gzip
import hashlib
import os
import stat
import zlib
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from backports import zstd
from isal import igzip, isal_zlib

from etl.lake import files as lake
from etl.settings import Settings

SOURCES = {
    "events": ".jsonl",
    "pixel": ".log",
    "access": ".log",
    "spend": ".csv",
    "exclusions": ".csv",
}
CHUNK_BYTES = 16 * 2**20
OVERLONG_HEAD_BYTES = 64 * 2**10
BOMB_FLOOR_BYTES = 2**30
MOST_DAYS_A_FILE = 400

RAW = pa.schema(
    [
        ("line_number", pa.int64()),
        ("byte_offset", pa.int64()),
        ("line", pa.large_binary()),
        ("line_bytes", pa.int64()),
        ("line_sha256", pa.string()),
    ]
)
"""`line` without its newline. Of a line longer than `max_line_bytes` it is the beginning, and
`line_bytes` and `line_sha256` (else null) speak of the whole. `byte_offset` counts in the
decompressed file."""


ISAL_ERROR: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub says instance
DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, ISAL_ERROR, zstd.ZstdError)
SALVAGE_BYTES = 4 * 2**10


class Bomb(Exception):
    """A compressed file that unpacks to more than the limits allow."""


@dataclass(frozen=True)
class InboxFile:
    """A file found in the inbox; `name` is its path below the inbox, with `/`."""

    name: str
    source: str
    path: Path
    size: int
    mtime_ns: int


@dataclass
class Chunk:
    """Whole lines of a file; `is_open`: the file ended before the last one's newline."""

    first_line: int
    first_byte: int
    lines: pa.LargeBinaryArray
    line_bytes: np.ndarray
    sha256: list[str | None] | None = None
    is_open: bool = False


def find_files(inbox: Path, sources: Collection[str] = tuple(SOURCES)) -> list[InboxFile]:
    """List the inbox's log files, of these sources, in order of name; links and special files are not followed."""
    found = []
    for source in sources:
        for folder, _, names in os.walk(inbox / source):
            below = Path(folder).relative_to(inbox).as_posix()
            for name in names:
                plain = name.removesuffix(".gz").removesuffix(".zst")
                if not plain.endswith(SOURCES[source]) or name.startswith("."):
                    continue
                path = Path(folder, name)
                info = os.lstat(path)
                if stat.S_ISREG(info.st_mode):
                    shown = os.fsencode(f"{below}/{name}").decode("utf-8", "backslashreplace")
                    found.append(InboxFile(shown, source, path, info.st_size, info.st_mtime_ns))
    return sorted(found, key=lambda file: file.name)


def file_id(name: str, sha256: str) -> int:
    """Number a landed file by its name and content (64 bits)."""
    digest = hashlib.sha256(f"{name}\0{sha256}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def land_file(settings: Settings, file: InboxFile, known: dict[str, Any] | None) -> dict[str, Any]:
    """Land one file and return its manifest.

    Args:
        known: the manifest of an earlier landing under this name.

    Returns:
        The manifest: `status` is `landed`; `truncated` (what could be read has landed);
        `unreadable`, `bomb` or `growing` (nothing has landed).
    """
    manifest: dict[str, Any] = {
        "source_file": file.name, "source": file.source, "size": file.size,
        "mtime_ns": file.mtime_ns, "detail": None, "lines": 0, "bytes": 0, "partitions": [],
    }  # fmt: skip
    with lake.staging(settings) as folder:
        writer = DayWriter(folder, file.source)
        digest = hashlib.sha256()
        status = "landed"
        try:
            for chunk in read_chunks(settings, file, digest):
                writer.write(chunk)
        except Bomb as bomb:
            return manifest | {
                "status": "bomb",
                "detail": str(bomb),
                "file_id": file_id(file.name, ""),
                "limits": limits(settings),
            }
        except DAMAGE as error:
            cut = isinstance(error, EOFError)
            detail = "the compressed stream ends before its end marker" if cut else f"damaged: {error}"
            if not writer.lines:
                return manifest | {
                    "status": "unreadable",
                    "detail": detail,
                    "file_id": file_id(file.name, ""),
                }
            status, manifest["detail"] = "truncated", detail
        except (PermissionError, FileNotFoundError) as error:
            return manifest | {
                "status": "unreadable",
                "detail": error.strerror,
                "file_id": file_id(file.name, ""),
            }
        if has_changed(file):
            return manifest | {
                "status": "growing",
                "detail": "the file changed while it was read",
                "file_id": file_id(file.name, ""),
            }
        sha256 = digest.hexdigest()
        number = file_id(file.name, sha256)
        manifest |= {
            "status": status, "sha256": sha256, "file_id": number,
            "lines": writer.lines, "bytes": writer.bytes, "partitions": writer.close(),
        }  # fmt: skip
        if known is None or known.get("sha256") != sha256:
            for day in manifest["partitions"]:
                lake.move_into_place(folder / f"{day}.parquet", raw_path(settings, file.source, day, number))
    return manifest


def has_changed(file: InboxFile) -> bool:
    """Say whether a file is not what it was when it was found."""
    try:
        now = file.path.stat()
    except FileNotFoundError:
        return True
    return (now.st_size, now.st_mtime_ns) != (file.size, file.mtime_ns)


def limits(settings: Settings) -> list[int]:
    """The settings that make a bomb of a file."""
    return [settings.max_decompressed_bytes, settings.max_compression_ratio]


def raw_path(settings: Settings, source: str, day: str, number: int) -> Path:
    """Name the Parquet file that holds one landed file's lines of one day."""
    return lake.lake_path(settings, "raw", source, f"received_date={day}", f"{number:016x}.parquet")


def stale_files(settings: Settings) -> list[InboxFile]:
    """The inbox's files that are new or changed, or could not be read last time."""
    known = {entry["source_file"]: entry for entry in lake.manifests(settings, "files").values()}

    def is_stale(file: InboxFile) -> bool:
        entry = known.get(file.name)
        if entry is None or entry["status"] in {"unreadable", "growing"}:
            return True
        if entry["status"] == "bomb" and entry.get("limits") != limits(settings):
            return True
        return (entry["size"], entry["mtime_ns"]) != (file.size, file.mtime_ns)

    return [file for file in find_files(settings.inbox) if is_stale(file)]


def land(settings: Settings, advance: Callable[[InboxFile], None] = lambda _: None) -> list[dict[str, Any]]:
    """Land all files that are new or changed; return the manifests of those and of the failed.

    Two files are read at a time: decompression and Parquet run outside Python's lock.
    """
    known = {entry["source_file"]: entry for entry in lake.manifests(settings, "files").values()}

    def one(file: InboxFile) -> dict[str, Any]:
        manifest = land_file(settings, file, known.get(file.name))
        commit(settings, manifest, known.get(file.name))
        advance(file)
        return manifest

    with ThreadPoolExecutor(max_workers=settings.threads) as pool:
        return list(pool.map(one, stale_files(settings)))


def commit(settings: Settings, manifest: dict[str, Any], known: dict[str, Any] | None) -> None:
    """Make a landing count, in place of the landing it supersedes.

    A landed file that can no longer be read keeps what it landed.
    """
    if known and known["status"] in {"landed", "truncated"} and "sha256" not in manifest:
        return
    name = hashlib.sha256(manifest["source_file"].encode()).hexdigest()[:16]
    lake.write_manifest(lake.manifest_path(settings, "files", name), manifest)
    if known and "sha256" in known and known["sha256"] != manifest["sha256"]:
        for day in known["partitions"]:
            raw_path(settings, known["source"], day, known["file_id"]).unlink(missing_ok=True)


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
    with path.open("rb") as file:
        while data := file.read(SALVAGE_BYTES if careful_from is None or offset < careful_from else 1):
            offset += len(data)
            pieces = []
            while data:
                if stream is None:
                    stream = zstd.ZstdDecompressor() if path.suffix == ".zst" else zlib.decompressobj(wbits=31)
                pieces.append(stream.decompress(data))
                data = stream.unused_data if stream.eof else b""
                stream = None if stream.eof else stream
            yield offset, b"".join(pieces)
    if stream is not None:
        raise EOFError


def open_stream(path: Path) -> Any:
    """Open a log file, plain or compressed by its name."""
    if path.suffix == ".gz":
        return igzip.open(path, "rb")
    if path.suffix == ".zst":
        return zstd.open(path, "rb")
    return path.open("rb")


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


@dataclass
class DayWriter:
    """Write a file's lines into one Parquet file per received day."""

    folder: Path
    source: str
    lines: int = 0
    bytes: int = 0
    writers: dict[str, pq.ParquetWriter] = field(default_factory=dict)

    def write(self, chunk: Chunk) -> None:
        count = len(chunk.lines)
        table = pa.table(
            [
                np.arange(chunk.first_line, chunk.first_line + count),
                chunk.first_byte + np.concatenate(([0], np.cumsum(chunk.line_bytes[:-1] + 1))),
                chunk.lines,
                chunk.line_bytes.astype(np.int64),
                pa.array(chunk.sha256 or pa.nulls(count), pa.string()),
            ],
            schema=RAW,
        )
        self.lines += count
        self.bytes += int(chunk.line_bytes.sum()) + count - chunk.is_open
        days = received_days(self.source, chunk.lines)
        distinct = pc.unique(days).to_pylist()
        for day in distinct:
            part = table if len(distinct) == 1 else table.filter(pc.equal(days, day))
            self.writer(day).write_table(part)

    def writer(self, day: str) -> pq.ParquetWriter:
        if day not in self.writers and len(self.writers) >= MOST_DAYS_A_FILE:
            day = lake.UNKNOWN_DAY
        if day not in self.writers:
            self.writers[day] = pq.ParquetWriter(
                self.folder / f"{day}.parquet", RAW, compression="zstd", compression_level=1,
                use_dictionary=False, write_statistics=["line_number"],
            )  # fmt: skip
        return self.writers[day]

    def close(self) -> list[str]:
        for writer in self.writers.values():
            writer.close()
        return sorted(self.writers)


RECEIVED_AT = rb'"received_at"\s*:\s*"?(?P<seconds>[0-9]{1,11})'
LOGGED_AT = (
    rb"^[^\[]{1,400}\[(?P<minute>[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}):[0-9]{2} (?P<zone>[+-][0-9]{4})\]"
)
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2100, 1, 1)


def received_days(source: str, lines: pa.LargeBinaryArray) -> pa.StringArray:
    """Say on which UTC day each line was received, as ISO days; the unknown day where it can't be read.

    A coordinate for partitions only: what a line means is decided when it is parsed.
    """
    if source == "events":
        found = pc.struct_field(pc.extract_regex(lines, pattern=RECEIVED_AT), "seconds")
        days = pc.divide(pc.cast(pc.cast(found, pa.large_string()), pa.int64()), 86_400)
        names = {day.as_py(): epoch_day(day.as_py()) for day in pc.unique(days)}
        return relabel(days, names)
    if source in {"pixel", "access"}:
        found = pc.extract_regex(lines, pattern=LOGGED_AT)
        minutes = pc.struct_field(found, "minute").cast(pa.large_string())
        zones = pc.struct_field(found, "zone").cast(pa.large_string())
        stamps = pc.binary_join_element_wise(minutes, zones, pa.scalar(" ", pa.large_string()))
        names = {stamp.as_py(): log_day(stamp.as_py()) for stamp in pc.unique(stamps)}
        return relabel(stamps, names)
    return pa.array([lake.UNKNOWN_DAY] * len(lines), pa.string())


def relabel(values: pa.Array, names: dict[Any, str]) -> pa.StringArray:
    """Replace each value by its name."""
    keys = pa.array(list(names), values.type)
    return pa.array(list(names.values()), pa.string()).take(pc.index_in(values, keys))


def epoch_day(day: int | None) -> str:
    """Name the day that lies this many days after 1970-01-01."""
    if day is None or not (FIRST_DAY - date(1970, 1, 1)).days <= day < (LAST_DAY - date(1970, 1, 1)).days:
        return lake.UNKNOWN_DAY
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def log_day(stamp: str | None) -> str:
    """Name the UTC day of `17/May/2015:10:05 +0000`."""
    try:
        day = datetime.strptime(stamp or "", "%d/%b/%Y:%H:%M %z").astimezone(UTC).date()
    except (ValueError, OverflowError):
        return lake.UNKNOWN_DAY
    return day.isoformat() if FIRST_DAY <= day < LAST_DAY else lake.UNKNOWN_DAY


def read_text(settings: Settings, manifest: dict[str, Any]) -> str:
    """Read a small landed file back as text; bytes that are not UTF-8 are replaced."""
    paths = [raw_path(settings, manifest["source"], day, manifest["file_id"]) for day in manifest["partitions"]]
    lines: list[tuple[int, bytes]] = []
    for path in paths:
        table = pq.read_table(path, columns=["line_number", "line"], partitioning=None)
        lines += zip(table["line_number"].to_pylist(), table["line"].to_pylist(), strict=True)
    return "\n".join(line.decode(errors="replace") for _, line in sorted(lines))
