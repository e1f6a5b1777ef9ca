"""`python -m etl`: every task of the pipeline as a command, and what people ask of a home."""

import os
import signal

from etl import INTERRUPTED, STOPPED


def stop(*_signal: object) -> None:
    """Leave at once, in one line: nothing has begun yet."""
    os.write(2, f"bloodhound: {STOPPED}\n".encode())
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    # What follows takes most of a second to load.
    signal.signal(signal.SIGINT, stop)
    from etl.errors import BloodhoundError

    try:
        from etl.commands.main import main
    except BloodhoundError as error:
        # A register that everything reads says something that has no sense.
        os.write(2, f"bloodhound: {' '.join(str(error).split())}\n".encode())
        os._exit(error.exit_code)
    main()
