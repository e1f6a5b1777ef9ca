"""The command line, as an operator uses it."""

import os
import subprocess
import sys
from pathlib import Path

from etl.settings import PROJECT


def etl(*arguments: str | Path, exit_code: int = 0, **environment: str) -> str:
    """Run a command of `python -m etl` to its end; return what it printed, on either stream."""
    done = subprocess.run(
        [sys.executable, "-m", "etl", *map(str, arguments)], cwd=PROJECT, capture_output=True, text=True, check=False,
        env=os.environ | environment,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == exit_code, done.stdout + done.stderr
    return done.stdout + done.stderr
