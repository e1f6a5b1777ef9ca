"""The command line: all commands, where they log, and how an error is said."""

import logging
import os
import re
import signal
import sys
from collections.abc import Iterable
from typing import NoReturn

import duckdb
import structlog
import typer

from etl import INTERRUPTED, STOPPED
from etl.commands import answers, app, run, screen, tools, upkeep
from etl.errors import BadUse, BloodhoundError

COMMANDS = (run, upkeep, tools, answers)
"""The rooms of commands, in the order of the help."""
OURS = "BLOODHOUND_"
HALF_WRITTEN = re.compile(r"/\.([^/]+)\.[0-9a-f]{32}$")
"""A file that is written whole before it takes its own name."""
SEE_TO_IT = "Name another place, or let this user write there"


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
        refuse_other_bytes((ascii(text), text) for text in sys.argv)
        refuse_other_bytes((name, text) for name, text in os.environ.items() if name.startswith(OURS))
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
        place = HALF_WRITTEN.sub(r"/\1", str(error.filename or ""))
        complain(f"{error.strerror or error}: {place}. {SEE_TO_IT}", 1)


def refuse_other_bytes(texts: Iterable[tuple[str, str]]) -> None:
    """Refuse arguments and settings that are no UTF-8: no database, log or key could hold them.

    Args:
        texts: each behind what it may be called; a setting may be a secret.

    Raises:
        BadUse: one is not.
    """
    for name, text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise BadUse(f"{name} is not UTF-8", "Write it in UTF-8") from None


def complain(message: str, code: int) -> NoReturn:
    """Say in one line what is wrong, and leave; a command that shows its help has nothing more to say."""
    if not message:
        sys.exit(code)
    screen.print(f"bloodhound: {' '.join(message.split())}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(code)
