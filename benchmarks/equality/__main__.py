"""Run old and new code on the same inboxes, and compare every table that they publish.

    python -m benchmarks.equality --base REV                 # the working tree against a revision
    python -m benchmarks.equality --base REV --only sample   # one case; repeat for more
    python -m benchmarks.equality --homes OLD NEW            # two homes as they are; nothing is run

Each side runs in processes of its own, from a checkout of its own with its own settings files, into homes of its own.
After each run a snapshot of what is published is compared: the tables, their columns and types, and all rows as
multisets (floats to 1e-9 of their size). Snapshots of revisions are kept, so that a second comparison runs only the
working tree. Exit 1 if anything differs.
"""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.equality import cases as inboxes
from benchmarks.equality import tables
from benchmarks.equality.cases import CASES, Case, Source
from benchmarks.equality.tables import Allowed, Difference, differences, snapshot

PROJECT = Path(__file__).resolve().parents[2]
WORKING_TREE = "working tree"
FOREIGN = ("BLOODHOUND_", "DBT_", "AIRFLOW", "PYTHONPATH")
"""What the caller's environment must not tell either side."""
KEY = {"BLOODHOUND_KEY": "the same for both sides"}
"""A home makes itself a key of its own, and pseudonyms would differ."""
SHOWN_OUTPUT = 1500
CACHE = Path(tempfile.gettempdir()) / "bloodhound-equality"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
screen = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Side:
    """Code to run: a revision's, unpacked, or the working tree's.

    Args:
        name: how it is called.
        code: its checkout.
        kept: where its snapshots are kept; None of the working tree's, which may change.
    """

    name: str
    code: Path
    kept: Path | None


class RunFailed(Exception):
    """A run published nothing that could be compared."""


def bare_environment() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith(FOREIGN)}


def checkout(revision: str, cache: Path) -> Side:
    """Unpack a revision, once."""
    if revision == WORKING_TREE:
        return Side(WORKING_TREE, PROJECT, None)
    found = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if found.returncode:
        raise typer.BadParameter(f"{revision} is no revision")
    commit = found.stdout.strip()[:12]
    code = cache / commit / "code"
    if not code.exists():
        partial = code.with_name(f".code-{os.getpid()}")
        packed = subprocess.run(["git", "archive", commit], cwd=PROJECT, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(partial, filter="data")
        partial.replace(code)
    return Side(commit, code, cache / commit)


def make_inboxes(case: Case, source: Source, cache: Path) -> list[Path]:
    """Make a case's inboxes, once for a simulator and this module; none if what they need is missing."""
    simulator = sorted((source.code / "etl" / "simulate").rglob("*.py"))
    made_of = [*(path.read_text() for path in (Path(inboxes.__file__), *simulator)), str(source.real)]
    made_by = hashlib.sha256(repr(made_of).encode()).hexdigest()[:12]
    folder = cache / "inboxes" / f"{case.name}-{made_by}"
    if not folder.exists():
        partial = folder.with_name(f".{folder.name}-{os.getpid()}")
        shutil.rmtree(partial, ignore_errors=True)
        if not case.make(source, partial):
            return []
        partial.replace(folder)
    return sorted(folder.iterdir(), key=lambda path: int(path.name))


def run_case(side: Side, case: Case, runs: Sequence[Path], scratch: Path, name: str) -> list[Path]:
    """Run a side on a case's inboxes, one after the other into one home; return the snapshot of each run."""
    told = sorted((KEY | dict(case.environment)).items())
    made_of = [Path(tables.__file__).read_text(), told, *map(content_of, runs)]
    digest = hashlib.sha256(repr(made_of).encode()).hexdigest()[:12]
    folder = (side.kept or scratch) / f"{case.name}-{digest}" / name
    snapshots = [folder / f"{number}.duckdb" for number in range(1, len(runs) + 1)]
    if all(path.exists() for path in snapshots):
        screen.print(f"  {case.name}, {name}: {side.name} is known")
        return snapshots
    with tempfile.TemporaryDirectory(dir=scratch, prefix=f"{case.name}-{side.name}-".replace(" ", "-")) as home:
        for inbox, target in zip(runs, snapshots, strict=True):
            begun = time.perf_counter()
            run(side, inbox, Path(home) / "home", case.environment)
            snapshot(Path(home) / "home", target)
            took = time.perf_counter() - begun
            screen.print(f"  {case.name}, {name}: {side.name}, run {target.stem} of {len(runs)}, {took:.0f} s")
    return snapshots


def content_of(inbox: Path) -> list[tuple[str, str]]:
    """Name the files of an inbox and what they hold."""
    return [
        (str(path.relative_to(inbox)), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(inbox.rglob("*"))
        if path.is_file()
    ]


def run(side: Side, inbox: Path, home: Path, settings: Mapping[str, str]) -> None:
    """Run all stages.

    Raises:
        RunFailed: nothing was published. Checks in error are none of it: the marts stand.
    """
    done = subprocess.run(
        [sys.executable, "-m", "etl", "run", "--inbox", str(inbox), "--home", str(home)],
        cwd=side.code, env=bare_environment() | KEY | dict(settings), capture_output=True, text=True, check=False,
    )  # fmt: skip
    is_judged = done.returncode == 1 and "See quality.checks" in done.stderr
    if done.returncode and not is_judged:
        raise RunFailed(f"{side.name} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-SHOWN_OUTPUT:]}")


def tell(title: str, old: Path, new: Path, allowed: Allowed) -> bool:
    """Compare two snapshots and print what differs; tell whether they are equal."""
    count, rows, found = differences(old, new, allowed)
    lines = [f"  {line}" for difference in found for line in describe(difference)]
    told = f"DIFFERENT, {len(found)} of {count} tables" if found else f"equal, {count} tables, {rows:,} rows"
    # At once: other cases tell theirs meanwhile.
    print("\n".join([f"{title}: {told}", *lines]), flush=True)
    return not found


def describe(difference: Difference) -> list[str]:
    """Write a table's difference as lines."""
    lines = [f"{difference.table}: {told}" for told in difference.shape]
    if difference.gone or difference.come:
        columns = ", ".join(difference.columns)
        lines.append(f"{difference.table}: {difference.gone:,} rows gone, {difference.come:,} come, in {columns}")
    lines += [f"  - {row}" for row in difference.gone_rows] + [f"  + {row}" for row in difference.come_rows]
    return lines


def compare_case(
    case: Case, base: Side, head: Side, source: Source, cache: Path, scratch: Path, allowed: Allowed
) -> bool:
    """Run both sides on a case and compare each run; tell whether all is equal."""
    runs = make_inboxes(case, source, cache)
    if not runs:
        print(f"{case.name}: skipped, there are no real logs at {source.real or '--real'}", flush=True)
        return True
    try:
        old = run_case(base, case, runs, scratch, "runs")
        new = run_case(head, case, runs, scratch, "runs")
        at_once = run_case(head, case, runs[-1:], scratch, "at once") if case.is_same_at_once else []
    except RunFailed as failure:
        print(f"{case.name}: FAILED, {failure}", flush=True)
        return False
    titles = [case.name] if len(runs) == 1 else [f"{case.name}, run {number}" for number in range(1, len(runs) + 1)]
    equal = [tell(title, before, after, allowed) for title, before, after in zip(titles, old, new, strict=True)]
    # What was published when depends on the runs, and nothing else does.
    without_history = Allowed([*allowed.anything, "*quality.restatements"], allowed.types)
    equal += [tell(f"{case.name}, all at once", path, new[-1], without_history) for path in at_once]
    return all(equal)


@app.command(help=__doc__.partition("\n\n")[0])
def main(
    base: Annotated[str | None, typer.Option(help="The revision whose code is right.")] = None,
    head: Annotated[str, typer.Option(help="A revision to compare with it.")] = WORKING_TREE,
    only: Annotated[list[str] | None, typer.Option(help=f"A case: {', '.join(c.name for c in CASES)}; repeat.")] = None,
    homes: Annotated[tuple[Path, Path] | None, typer.Option(help="Compare these two homes and run nothing.")] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            help="A table or table.column not to compare, as core.events.file_id; * stands for anything; repeat."
        ),
    ] = None,
    allow_type: Annotated[
        list[str] | None,
        typer.Option(help="A column that may change its type, or a table the order of its columns; repeat."),
    ] = None,
    real: Annotated[Path | None, typer.Option(help="Folder of real logs; without it their case is left out.")] = None,
    cache: Annotated[Path, typer.Option(help="Where inboxes, code and snapshots of revisions are kept.")] = CACHE,
    jobs: Annotated[int, typer.Option(min=1, help="Cases at a time.")] = 2,
) -> None:
    allowed = Allowed(allow or (), allow_type or ())
    if homes:
        with tempfile.TemporaryDirectory() as folder:
            old, new = Path(folder) / "old.duckdb", Path(folder) / "new.duckdb"
            snapshot(homes[0], old)
            snapshot(homes[1], new)
            is_equal = tell(f"{homes[0]} and {homes[1]}", old, new, allowed)
        raise typer.Exit(not is_equal)
    if base is None:
        raise typer.BadParameter("say which code is right: --base REV")
    unknown = {*(only or ())} - {case.name for case in CASES}
    if unknown:
        raise typer.BadParameter(f"no case is called {', '.join(sorted(unknown))}")
    wanted = [case for case in CASES if not only or case.name in only]
    before, after = checkout(base, cache.absolute()), checkout(head, cache.absolute())
    source = Source(after.code, real.absolute() if real else None, bare_environment())
    with (
        tempfile.TemporaryDirectory(dir=cache, prefix="run-") as scratch,
        ThreadPoolExecutor(jobs) as pool,
    ):
        made = pool.map(
            lambda case: compare_case(case, before, after, source, cache.absolute(), Path(scratch), allowed), wanted
        )
        is_equal = all(list(made))
    raise typer.Exit(not is_equal)


if __name__ == "__main__":
    app()
