"""Spark: tasks in the Python processes of its executors. No other module knows it.

The process that runs a stage is Spark's driver. A task brings what it needs (settings, the home's key, names of
files), and runs the code that stands on its own machine: one that has other code than the driver's refuses. Spark
retries what fails and may run a task twice; the first that ends counts.
"""

import atexit
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from py4j.protocol import Py4JJavaError
from pydantic import SecretStr
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from etl.engines.code import code_digest
from etl.engines.engine import Result, Task
from etl.errors import BloodhoundError
from etl.lake.access import keeping_private
from etl.lake.key import read_key
from etl.settings import PROJECT, Settings

GROUPS_AT_ONCE = 64
"""Each is a thread of the driver that waits for a job of a few tasks: more cores than so many tasks fill wait."""
MOST_TASKS = 128
"""Each share of a day reads a little of every file: with many more, that would be most of what they read."""
STARTING = threading.Lock()


class Spark:
    """The cluster that `spark_master` names; what else it is told stands in Spark's own configuration."""

    most_tasks = MOST_TASKS
    groups_at_once = GROUPS_AT_ONCE

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def settings_for(self, settings: Settings) -> Settings:
        """A task has one core, a DuckDB of `memory_limit`, and the key, which only its home's owner can read there."""
        key = SecretStr(read_key(settings).decode())
        return settings.model_copy(update={"threads": 1, "key": key, "engine": "duckdb"})

    def map(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        if not tasks:
            return iter(())
        context = open_session(self.settings.spark_master).sparkContext
        run = Checked(function, code_digest(self.settings))
        try:
            return iter(context.parallelize(tasks, len(tasks)).map(run).collect())
        except (Py4JJavaError, PySparkException) as error:
            raise BloodhoundError(
                f"a task on Spark failed: {last_line(error)}", "Spark's log says where; the next run goes on from here"
            ) from None


class Checked:
    """A function that runs only where the code is the driver's: rows must not depend on who was free."""

    def __init__(self, function: Callable[[Any], Any], code: str) -> None:
        self.function, self.code = function, code

    def __call__(self, task: Any) -> Any:
        if code_digest(task.settings) != self.code:
            raise BloodhoundError(
                f"{os.uname().nodename} has other code, configuration or libraries than the driver",
                "Bring every machine of the cluster to the same version",
            )
        with keeping_private(task.settings):
            return self.function(task)


def open_session(master: str) -> SparkSession:
    """Start Spark, or find the session that this process has; it ends with the process."""
    with STARTING:
        return start(master)


@cache
def start(master: str) -> SparkSession:
    """Start Spark; what the cluster's own `spark-defaults.conf` says holds, but for what is set here."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("bloodhound")
    builder = builder.config("spark.executorEnv.PYTHONPATH", str(PROJECT))
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    if master:
        builder = builder.master(master)
    if master.startswith("local"):
        # On one machine nobody else is to be served: neither pages nor the driver's port.
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        builder = builder.config("spark.ui.enabled", "false")
    with warnings.catch_warnings():
        # Of its own data frames, which are not used here.
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    atexit.register(session.stop)
    return session


def last_line(error: Exception) -> str:
    """Say in one line why a task failed: the last of its traceback, without Spark's stack."""
    told = [line.strip() for line in str(error).splitlines() if line and not line.startswith((" ", "\t"))]
    found = [line for line in told if ": " in line and not line.startswith(("Caused by", "Driver stack"))]
    return (found or told or ["no reason given"])[-1]
