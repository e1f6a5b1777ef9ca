"""What the collector costs and what it loses: nginx's own CPU, rotations under load, killed workers, a disk that fills.

    python -m benchmarks.collector cpu | rotations | kills | full-disk

Requests go over loopback on kept connections, in bursts (one at a time for CPU), and their number is bounded. A request
counts as taken when its 200 has come back; a taken request without its line is lost. CPU is that of nginx's workers,
user and system.
"""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from backports import zstd

from collector import processes
from collector.demo.scene import free_ports
from collector.rotation import rotate
from collector.settings import CollectorSettings, load_collector_settings
from etl.settings import load_settings

BODY_BYTES = 800
BURST = 50
COUNT = 20_000


@dataclass
class Load:
    """Requests of one connection.

    Attributes:
        taken: the names of those that were answered by 200; each is in its own line.
        refused: answers other than 200.
    """

    port: int
    make: Callable[[str], bytes]
    burst: int = BURST
    taken: list[str] = field(default_factory=list)
    refused: int = 0

    def send(self, names: Iterator[str], pause: float = 0) -> None:
        """Send requests until there are no more names; a cut connection is opened again, what was under way is not."""
        connection = self.connect()
        while burst := [name for name, _ in zip(names, range(self.burst), strict=False)]:
            try:
                connection.sendall(b"".join(self.make(name) for name in burst))
                self.read(connection, burst)
            except OSError:
                connection.close()
                connection = self.connect()
            time.sleep(pause)
        connection.close()

    def connect(self) -> socket.socket:
        """Connect; wait for a listener if there is none."""
        while True:
            with suppress(OSError):
                return socket.create_connection(("127.0.0.1", self.port), 10)
            time.sleep(0.01)

    def read(self, connection: socket.socket, burst: list[str]) -> None:
        """Read the answers of a burst, in its order; whole ones count, whatever becomes of the others."""
        rest = b""
        for name in burst:
            while b"\r\n\r\n" not in rest:
                rest += received(connection)
            head, _, rest = rest.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
            while len(rest) < length:
                rest += received(connection)
            rest = rest[length:]
            if b" 200 " in head[:15]:
                self.taken.append(name)
            else:
                self.refused += 1


def received(connection: socket.socket) -> bytes:
    """Read what has come.

    Raises:
        ConnectionResetError: the other side has ended.
    """
    data = connection.recv(2**16)
    if not data:
        raise ConnectionResetError
    return data


def post(name: str) -> bytes:
    """Make a POST of 0.8 KB, with its name in it."""
    body = json.dumps({"messages": [], "name": name}).ljust(BODY_BYTES).encode()
    head = f"POST /t HTTP/1.1\r\nHost: t.shop.example\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\nOrigin: https://shop.example\r\n\r\n" + body


def get(name: str) -> bytes:
    """Ask for the pixel."""
    return f"GET /px.gif?e={name}&a=shop&p=web HTTP/1.1\r\nHost: px.shop.example\r\n\r\n".encode()


def load(port: int, make: Callable[[str], bytes], names: list[str], pause: float = 0, burst: int = BURST) -> Load:
    """Send named requests over four connections; return what became of them."""
    connections = 4
    parts = [Load(port, make, burst) for _ in range(connections)]
    threads = [
        threading.Thread(target=part.send, args=(iter(names[number::connections]), pause))
        for number, part in enumerate(parts)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = Load(port, make)
    for part in parts:
        whole.taken += part.taken
        whole.refused += part.refused
    return whole


@contextmanager
def collecting(folder: Path | None = None, **given: object) -> Iterator[CollectorSettings]:
    """Start a collector in a folder of its own."""
    place = folder or Path(tempfile.mkdtemp(prefix="bench-"))
    place.chmod(0o755)
    tracker_port, pixel_port = free_ports(2)
    (place / "inbox").mkdir()
    settings = load_collector_settings(
        load_settings(place / "inbox", place), sites=["shop.example"], tracker_port=tracker_port,
        pixel_port=pixel_port, requests_per_second=10**6, requests_at_once=10**6, **({"reserve_mb": 0} | given),
    )  # fmt: skip
    try:
        processes.start(settings)
        yield settings
    finally:
        processes.stop(settings)
        shutil.rmtree(place, ignore_errors=folder is not None)


def workers(settings: CollectorSettings, witness: str) -> list[psutil.Process]:
    """Find a witness's workers."""
    master = processes.running(settings, witness)
    return master.children() if master else []


def logged(settings: CollectorSettings) -> list[str]:
    """Read all lines, where they are: live, closed or delivered."""
    paths = [path for path in settings.folder.rglob("*") if path.parent.parent.name in ("live", "closed")]
    texts = [path.read_text() for path in paths if "@" not in path.name]
    texts += [zstd.decompress(path.read_bytes()).decode() for path in settings.inbox.rglob("[!.]*.zst")]
    return [line for text in texts for line in text.split("\n")[:-1]]


def names_in(lines: list[str]) -> dict[str, int]:
    """Count the requests that were answered by 200, by name."""
    counts: dict[str, int] = {}
    for line in lines:
        said = json.loads(line)
        if said["status"] == "200" and said["body"]:
            name = json.loads(said["body"])["name"]
            counts[name] = counts.get(name, 0) + 1
    return counts


def compare(taken: list[str], lines: list[str]) -> dict[str, int]:
    """Count what was taken and has no line, or more than one."""
    counts = names_in(lines)
    return {
        "taken": len(taken),
        "lost": sum(name not in counts for name in taken),
        "doubled": sum(count > 1 for count in counts.values()),
    }


def cpu() -> dict[str, float]:
    """Measure nginx's CPU a request, in microseconds."""
    figures = {}
    with collecting() as settings:
        for witness, port, make in (
            ("tracker", settings.tracker_port, post), ("pixel", settings.pixel_port, get),
        ):  # fmt: skip
            load(port, make, [f"warm{number}" for number in range(1000)])
            before = sum(sum(process.cpu_times()[:2]) for process in workers(settings, witness))
            load(port, make, [str(number) for number in range(COUNT)], burst=1)
            spent = sum(sum(process.cpu_times()[:2]) for process in workers(settings, witness)) - before
            figures["us_a_post" if witness == "tracker" else "us_a_get"] = round(spent / COUNT * 1e6, 1)
    return figures


def rotations(count: int) -> dict[str, int]:
    """Send on and on while files are moved: `count` rotations, 20,000 requests in each."""
    taken: list[str] = []
    with collecting(rotate_seconds=10, grace_seconds=2) as settings:
        for number in range(count):
            began = time.monotonic()
            taken += load(settings.tracker_port, post, [f"{number}-{n}" for n in range(COUNT)], pause=0.05).taken
            time.sleep(max(0, 10 - (time.monotonic() - began)))
        processes.stop(settings)
        files = len(list(settings.inbox.rglob("*.zst")))
        rotate(settings, datetime.now(UTC) + timedelta(hours=1))
        return compare(taken, logged(settings)) | {"files_under_load": files}


def kills(count: int) -> dict[str, int]:
    """Kill a worker again and again under load."""
    with collecting() as settings:
        ended = threading.Event()
        killed = 0

        def kill_some() -> None:
            nonlocal killed
            while not ended.wait(0.2) and killed < count:
                if found := workers(settings, "tracker"):
                    with suppress(psutil.NoSuchProcess):
                        random.choice(found).send_signal(signal.SIGKILL)
                        killed += 1

        killer = threading.Thread(target=kill_some)
        killer.start()
        done = load(settings.tracker_port, post, [str(number) for number in range(COUNT)], pause=0.02)
        ended.set()
        killer.join()
        time.sleep(0.5)
        return compare(done.taken, logged(settings)) | {"killed": killed}


def full_disk(size_mb: int, reserve_mb: int, interval: float) -> dict[str, float]:
    """Fill a disk of its own by what is collected, and see what was answered by 200 without a line."""
    disk = Path(tempfile.mkdtemp(prefix="disk-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(disk)], check=True)
    try:
        with collecting(disk, reserve_mb=reserve_mb, guard_seconds=interval) as settings:
            began = time.monotonic()
            done = load(settings.tracker_port, post, [str(number) for number in range(10 * COUNT)], pause=0.01)
            spent = time.monotonic() - began
            free = shutil.disk_usage(disk).free
            found = compare(done.taken, logged(settings))
            grew = sum(path.stat().st_size for path in settings.live("tracker").iterdir())
            return found | {
                "refused": done.refused, "free_mb": round(free / 2**20, 1),
                "filled_mb_a_second": round(grew / spent / 2**20, 1), "bound_mb_a_second": reserve_mb / interval,
            }  # fmt: skip
    finally:
        subprocess.run(["umount", str(disk)], check=True)
        disk.rmdir()


def main() -> None:
    """Run one of them and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("cpu", "rotations", "kills", "full-disk"))
    parser.add_argument("--count", type=int, default=20, help="rotations, or kills")
    chosen = parser.parse_args()
    figures = {
        "cpu": cpu, "rotations": lambda: rotations(chosen.count), "kills": lambda: kills(chosen.count),
        "full-disk": lambda: full_disk(size_mb=96, reserve_mb=32, interval=0.25),
    }[chosen.what]()  # fmt: skip
    print(json.dumps({chosen.what: figures, "load": round(os.getloadavg()[0], 1)}))


if __name__ == "__main__":
    main()
