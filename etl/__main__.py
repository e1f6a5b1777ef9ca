"""`python -m etl`: every task of the DAGs as a command, and what people ask of a home."""

import os
import signal
from typing import NoReturn

from etl.errors import INTERRUPTED, STOPPED


def stop(*_signal: object) -> NoReturn:
    """Leave at once, in one line: nothing has begun yet."""
    os.write(2, f"bloodhound: {STOPPED}\n".encode())
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, stop)
    from etl.commands.main import main

    main()
