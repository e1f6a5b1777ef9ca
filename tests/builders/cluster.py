"""A Spark cluster of this machine: a standalone master and workers of one core each, on loopback."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import psutil

PATIENCE = 120
SECRET = "only for this test"
DEFAULTS = f"""
spark.authenticate true
spark.authenticate.secret {SECRET}
spark.executor.cores 1
spark.executor.memory 512m
spark.driver.memory 512m
spark.ui.enabled false
spark.master.rest.enabled false
spark.speculation true
spark.speculation.interval 100ms
spark.speculation.multiplier 1.01
spark.speculation.quantile 0.1
spark.speculation.minTaskRuntime 1ms
"""
"""What a cluster's `spark-defaults.conf` says; tasks that take a little longer than others run twice."""


@dataclass
class Cluster:
    """What was started, and where."""

    root: Path
    port: int
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def master(self) -> str:
        return f"spark://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a driver of this cluster is told by its environment."""
        return {
            "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_CONF_DIR": str(self.root / "conf"), "BLOODHOUND_ENGINE": "spark",
            "BLOODHOUND_SPARK_MASTER": self.master,
        }  # fmt: skip

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a service of Spark by the pip package's own script."""
        (spec,) = find_spec("pyspark").submodule_search_locations  # type: ignore[union-attr]
        with (self.root / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [f"{spec}/bin/spark-class", f"org.apache.spark.deploy.{name}", "--host", "127.0.0.1", *arguments],
                stdout=log, stderr=log, start_new_session=True,
                env=os.environ | self.environment | {"SPARK_DAEMON_MEMORY": "256m", "SPARK_HOME": spec},
            )  # fmt: skip
        self.started.append(process)
        return process

    def add_worker(self) -> None:
        """Start a worker and wait until the master knows it."""
        known = self.log().count("Registering worker")
        folder = self.root / f"worker{len(self.started)}"
        self.workers.append(
            self.start("worker.Worker", "--cores", "1", "--memory", "1g", "--webui-port", "0", "--work-dir",
                       str(folder), self.master)
        )  # fmt: skip
        wait(lambda: self.log().count("Registering worker") > known, "the master knows no worker")

    def log(self) -> str:
        path = self.root / "master.Master.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def kill_worker(self) -> None:
        """Kill the worker that was started first, with its executors and their Python, as a lost machine would."""
        kill_tree(self.workers.pop(0))


def wait(is_so, complaint: str) -> None:  # type: ignore[no-untyped-def]
    """Wait until something is so."""
    until = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < until, complaint
        time.sleep(0.1)


def kill_tree(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process that was started here, and all that came of it."""
    try:
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    except psutil.NoSuchProcess:
        family = []
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


@contextmanager
def cluster(root: Path, workers: int = 2) -> Iterator[Cluster]:
    """Lend a cluster; whatever was started ends with it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Cluster(root, port)
    (root / "conf").mkdir(parents=True)
    (root / "conf" / "spark-defaults.conf").write_text(DEFAULTS)
    try:
        made.start("master.Master", "--port", str(port), "--webui-port", "0")
        wait(lambda: "I have been elected leader" in made.log(), "the master does not start")
        for _ in range(workers):
            made.add_worker()
        yield made
    finally:
        for process in made.started:
            kill_tree(process)
