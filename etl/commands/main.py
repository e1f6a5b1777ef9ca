"""The command line: all commands, where they log, and how an error is said."""

import logging
import os
import signal
import sys
from typing import NoReturn

import duckdb
import structlog
import typer

from etl.commands import answers, app, run, screen, tools, upkeep
from etl.errors import INTERRUPTED, STOPPED, BadUse, BloodhoundError

COMMANDS = (run, upkeep, tools, answers)
"""The rooms of commands, in the order of the help."""


def keep_quiet() -> None:
    """Write structured lines to standard error, from the level that BLOODHOUND_LOG_LEVEL names; else warnings."""
    level = logging.getLevelNamesMapping().get(
        os.environ.get("BLOODHOUND_LOG_LEVEL", "WARNING").upper(), logging.WARNING
    )
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def main() -> None:
    """Run a command; one clear line and an exit code when it cannot be done."""
    keep_quiet()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except BloodhoundError as error:
        complain(str(error), error.exit_code)
    except typer.TyperException as error:
        complain(error.format_message(), BadUse.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        complain(STOPPED, INTERRUPTED)
    except duckdb.OutOfMemoryException as error:
        complain(
            f"more memory is needed than memory_limit allows ({str(error).splitlines()[0]})."
            " Raise it: BLOODHOUND_MEMORY_LIMIT=4GB, or in conf/bloodhound.toml",
            1,
        )
    except duckdb.Error as error:
        complain(f"DuckDB says: {str(error).splitlines()[0]}", 1)
    except OSError as error:
        complain(f"{error.strerror or error}: {error.filename or ''}", 1)


def complain(message: str, code: int) -> NoReturn:
    """Say in one line what is wrong, and leave."""
    screen.print(f"bloodhound: {' '.join(message.split())}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(code)
