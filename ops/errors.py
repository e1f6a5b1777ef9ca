"""What ends a command of Airflow's: a sentence for the person who gave it."""


class OpsError(Exception):
    """Airflow cannot be run as asked; the message says why and what to do."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
