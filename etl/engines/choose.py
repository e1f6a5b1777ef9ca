"""The engine that the settings name, or a sentence that says what it lacks."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from etl.engines.engine import HERE, Engine
from etl.errors import BadUse
from etl.settings import Settings


def choose(settings: Settings) -> Engine:
    """Find the engine of the settings; Spark's session begins with the first task.

    Raises:
        BadUse: pyspark or Java is missing.
    """
    if settings.engine == "duckdb":
        return HERE
    if find_spec("pyspark") is None:
        raise BadUse('engine = "spark" needs pyspark, which is not installed', "Run: make setup-spark")
    if not has_java():
        raise BadUse(
            'engine = "spark" needs Java 17 or newer, which is not there',
            "Run: apt-get install openjdk-17-jre-headless, or set JAVA_HOME",
        )
    # Half a gigabyte that nobody else has installed.
    from etl.engines.spark import Spark  # noqa: PLC0415

    return Spark(settings)


def has_java() -> bool:
    """Say whether Spark's own start script would find Java."""
    home = os.environ.get("JAVA_HOME")
    return os.access(Path(home) / "bin" / "java", os.X_OK) if home else shutil.which("java") is not None
