"""The command line, as an operator uses it."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from etl.commands.main import main
from etl.settings import PROJECT

# A process that has imported the commands, and of which each command is a fork: to import them again for each would
# take longer than most of them do. tests/commands/test_cli.py starts Python itself.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["etl.commands.main", "etl.warehouse.page.page"])


def etl(*arguments: str | Path, exit_code: int = 0, **environment: str) -> str:
    """Run a command of `python -m etl` to its end, in a process of its own; return what it printed, on either stream.

    What it printed as an error comes last.
    """
    with tempfile.NamedTemporaryFile() as printed, tempfile.NamedTemporaryFile() as complained:
        told = [*map(str, arguments)], dict(os.environ) | environment, printed.name, complained.name
        process = SERVER.Process(target=command, args=told)
        process.start()
        process.join()
        errors = complained.read().decode()
        said = printed.read().decode() + errors
    assert "Traceback" not in errors, errors
    assert process.exitcode == exit_code, said
    return said


def etl_alone(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of `python -m etl` in a Python that is started for it, whatever comes of it."""
    told = [sys.executable, "-m", "etl", *arguments]
    return subprocess.run(told, cwd=PROJECT, capture_output=True, text=True, check=False)


def command(arguments: list[str], environment: dict[str, str], printed: str, complained: str) -> None:
    """Be `python -m etl`."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(PROJECT)
    for number, path in ((1, printed), (2, complained)):
        os.dup2(os.open(path, os.O_WRONLY), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = ["etl", *arguments]
    main()
