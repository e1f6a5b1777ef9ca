"""Log files as a collector leaves them: one an hour or a day, lines in the order they came."""

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
from backports import zstd

from etl.errors import BadUse
from etl.simulate.plan import Compression
from etl.simulate.text import DAY, HOUR, SECOND, Ints

_SUFFIXES: dict[Compression, str] = {"zst": ".zst", "gz": ".gz", "none": ""}
FAST_GZIP, FAST_ZSTD = 1, 1


class LogFiles:
    """A folder of log files that is written slot after slot.

    Lines whose time lies beyond the slot wait in memory for theirs; a file appears under its name
    only when it is complete.
    """

    def __init__(self, folder: Path, stem: str, suffix: str, compress: Compression) -> None:
        self.folder, self.stem, self.compress = folder, stem, compress
        self.suffix = suffix + _SUFFIXES[compress]
        self.period = HOUR if stem == "events" else DAY
        self.waiting_times: Ints = np.zeros(0, dtype=np.int64)
        self.waiting: pa.StringArray = pa.array([], type=pa.string())
        self.open_period = -1
        self.open_path = folder
        self.sink: IO[bytes] | gzip.GzipFile | zstd.ZstdFile | None = None
        self.files = self.lines = self.bytes = 0

    def path(self, period: int) -> Path:
        """Name the file of an hour or a day."""
        begin = datetime.fromtimestamp(period * self.period / SECOND, UTC)
        if self.period == DAY:
            return self.folder / f"{self.stem}-{begin:%Y-%m-%d}{self.suffix}"
        return self.folder / f"{begin:%Y-%m-%d}" / f"{self.stem}-{begin:%Y-%m-%dT%H}{self.suffix}"

    def add(self, times: Ints, lines: pa.StringArray) -> None:
        """Take lines that wait for the slot's end."""
        self.waiting_times = np.concatenate([self.waiting_times, times])
        self.waiting = pa.concat_arrays([self.waiting, lines])

    def flush(self, until: int) -> None:
        """Write out all lines that came before `until`, which ends a slot."""
        times, lines = self.waiting_times, self.waiting
        order = np.argsort(times, kind="stable")
        due = int(np.searchsorted(times[order], until))
        now, later = order[:due], order[due:]
        self.waiting_times, self.waiting = times[later], lines.take(pa.array(later))
        self._append(times[now] // self.period, lines.take(pa.array(now)))
        if until % self.period == 0:
            self.close()

    def _append(self, periods: Ints, lines: pa.StringArray) -> None:
        """Append sorted lines to the files of their periods."""
        if not len(periods):
            return
        begins = np.flatnonzero(np.diff(periods, prepend=-1))
        for begin, end in zip(begins, np.append(begins[1:], len(periods)), strict=True):
            if periods[begin] != self.open_period:
                self.close()
                self._open(int(periods[begin]))
            part = lines.slice(int(begin), int(end - begin))
            offsets = np.frombuffer(part.buffers()[1], dtype=np.int32)
            content = memoryview(part.buffers()[2])[offsets[begin] : offsets[end]]
            assert self.sink is not None
            self.sink.write(content)
            self.lines += int(end - begin)
            self.bytes += len(content)

    def _open(self, period: int) -> None:
        path = self.path(period)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.open_path, self.open_period = path, period
        part = path.with_name(path.name + ".part")
        if self.compress == "zst":
            self.sink = zstd.ZstdFile(part, "wb", level=FAST_ZSTD)
        elif self.compress == "gz":
            # No name and no time in the header: the same lines are the same bytes.
            self.sink = _OwningGzip(part.open("wb"))
        else:
            self.sink = part.open("wb")

    def close(self) -> None:
        """Finish the open file and give it its name."""
        if self.sink is not None:
            self.sink.close()
            self.open_path.with_name(self.open_path.name + ".part").replace(self.open_path)
            self.files += 1
        self.sink, self.open_period = None, -1


class _OwningGzip(gzip.GzipFile):
    """A gzip stream without a date that closes the file under it."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__("", "wb", FAST_GZIP, file, mtime=0)
        self._under = file

    def close(self) -> None:
        """Finish the stream, then its file."""
        super().close()
        self._under.close()


def refuse_to_mix(out: Path) -> None:
    """Refuse an inbox that holds logs already: its files are closed and stay as they are.

    Raises:
        BadUse: the folder holds logs.
    """
    for name in ("events", "pixel", "access", "spend", "exclusions"):
        if (out / name).is_dir() and any((out / name).iterdir()):
            raise BadUse(f"{out} holds logs already ({name}/)", "Choose an empty folder")
