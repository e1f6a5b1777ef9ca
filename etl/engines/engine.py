"""An engine runs a function on tasks and gives back what it returned for each.

A task is a value that can be pickled, and its function one of a module: it may run in another process, more than once,
at the same time, or die half way. So it writes into a folder of its own and only names what it wrote; who asked places
files and commits.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from etl.settings import Settings

Task = TypeVar("Task")
Result = TypeVar("Result")


class Engine(Protocol):
    """Where tasks run.

    Attributes:
        most_tasks: into how many tasks one piece of work may be cut.
        groups_at_once: how many groups of a stage's units are in the making at once.
    """

    most_tasks: int
    groups_at_once: int

    def settings_for(self, settings: Settings) -> Settings:
        """Say the settings under which one task runs."""

    def map(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        """Run a function on each task; give back the results in the order of the tasks."""


class Here:
    """This process, task after task: DuckDB takes all threads for each."""

    most_tasks = 1
    groups_at_once = 1

    def settings_for(self, settings: Settings) -> Settings:
        return settings

    def map(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
        return map(function, tasks)


HERE = Here()


def attempt(folder: Path) -> Path:
    """Make a folder of its own for one attempt at a task, below the folder that a stage was lent.

    No two attempts share a name, so one that Spark has given up cannot write over the one that counts. Nothing is made
    where the stage's own folder has gone: the attempt fails, instead of leaving what nobody looks for.
    """
    own = folder / uuid.uuid4().hex
    own.mkdir()
    return own
