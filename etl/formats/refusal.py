"""Refusals: why a row cannot be read."""


class Refusal(Exception):
    """A row that cannot be read: a reason of the quarantine and what exactly was wrong."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
