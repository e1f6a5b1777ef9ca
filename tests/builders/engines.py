"""An engine that treats tasks as a cluster does: each in the form in which it travels, in another order, and twice."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from builders import House, each, events
from etl.settings import Settings

DATASETS = (
    "messages", "keys", "pixel_hits", "quarantine", "copies", "fast_views", "events", "open_sessions", "event_counts",
)  # fmt: skip
DICTIONARIES = ("agents", "hosts")
"""Each slice says what it saw: how often a value is said is how often the lines were cut."""
KEYS = {"key": "the same for all"}
"""A home makes itself a key of its own, and pseudonyms would differ."""
PLAN: dict[str, Any] = {
    "messages": 1500, "days": 2, "access": True, "exclusions": True, "snowplow": 0.2, "v1": 0.1, "v2": 0.1,
}  # fmt: skip
"""Simulated logs of every source and format."""


def bring_late(house: House) -> None:
    """Put a file into the inbox whose visitors are there at midnight, with messages that are nobody's."""
    many = [message for number in range(20) for message in events("23:50 /a", "24:05 /b", visitor=f"late{number}")]
    nobody = events("23:55 /c", "24:10 /c", visitor="x", visitor_id=None)
    house.put("events/late.jsonl", each(many + nobody))


def assert_same_rows(house: House, plain: House) -> None:
    """Compare what two homes' stages have made."""
    for dataset in DATASETS:
        assert house.scan(dataset) == plain.scan(dataset), dataset
    for dataset in DICTIONARIES:
        assert house.scan(dataset, columns="distinct *") == plain.scan(dataset, columns="distinct *"), dataset


@dataclass
class Twice:
    """Runs each task twice, the last first, several at a time; what counts is the attempt that ended first or last.

    Attributes:
        ran: how many tasks there were of each function.
    """

    counted: int
    most_tasks: int = 1000
    groups_at_once: int = 3

    def __post_init__(self) -> None:
        self.ran: dict[str, int] = {}

    def settings_for(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"threads": 1})

    def map(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
        self.ran[function.__name__] = self.ran.get(function.__name__, 0) + len(tasks)
        sent = [pickle.dumps((function, task)) for task in tasks]
        with ThreadPoolExecutor(max_workers=2) as pool:
            attempts = [[pool.submit(run, text) for text in reversed(sent)] for _ in range(2)]
        return iter([pickle.loads(attempt.result()) for attempt in reversed(attempts[self.counted])])


def run(sent: bytes) -> bytes:
    """Run a task where it has come to, and send back what came of it."""
    function, task = pickle.loads(sent)
    return pickle.dumps(function(task))
