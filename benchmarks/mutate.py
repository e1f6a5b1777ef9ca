"""Mutants: does any test notice when a line of the pipeline says something else? `make mutate`, by hand and not by CI.

Each mutant changes one place of one file in a copy of the project, and runs the tests of that file there until one
fails. A mutant that all of them pass survives: a test is missing, or what was changed does not matter. The survivors
that are known stand in benchmarks/survivors.md, each with why.
"""

import argparse
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
COPIED = ("etl", "dags", "ops", "plugins", "collector", "conf", "dbt_project", "tests", "benchmarks", "pyproject.toml")
SECONDS = 900

TARGETS: dict[str, tuple[str, ...]] = {
    "etl/stages/deduplicate/*.sql": ("tests/stages/test_deduplicate_steps.py", "tests/stages/test_deduplicate.py"),
    "etl/stages/deduplicate/decide.py": ("tests/stages/test_deduplicate.py",),
    "etl/stages/deduplicate/history.py": ("tests/stages/test_deduplicate.py",),
    "etl/stages/sessionize/*.sql": ("tests/stages/test_sessionize_steps.py", "tests/stages/test_sessionize.py"),
    "etl/stages/land/stage.py": ("tests/stages/test_land.py", "tests/tools/test_erase.py"),
    "etl/stages/build/ledger.py": (
        "tests/tools/test_withdraw.py",
        "tests/stages/test_spend.py",
        "tests/tools/test_erase.py",
    ),
    "etl/lake/files.py": ("tests/lake/test_files.py",),
    "etl/tools/erase.py": ("tests/tools/test_erase.py",),
    "etl/lake/retention.py": ("tests/tools/test_retain.py",),
    "etl/tools/retain.py": ("tests/tools/test_retain.py",),
    "etl/tools/parsed_rows.py": ("tests/tools/test_retain.py",),
    "etl/tools/nameless.py": ("tests/tools/test_retain.py",),
    "etl/formats/persons.py": ("tests/tools/test_erase.py",),
    "etl/stages/publish/*.py": ("tests/stages/test_publish.py", "tests/marts/test_restatements.py"),
    "dbt_project/models/core/persons/*.sql": (
        "tests/marts/test_people.py",
        "tests/marts/test_lakes.py",
        "tests/whole/test_day_by_hand.py",
    ),
    "dbt_project/models/core/orders/*.sql": (
        "tests/marts/test_people.py",
        "tests/marts/test_shop.py",
        "tests/marts/test_money.py",
        "tests/marts/test_lakes.py",
    ),
    "dbt_project/models/marketing/attribution/*.sql": (
        "tests/marts/test_credits.py",
        "tests/marts/test_marketing.py",
        "tests/marts/test_markov.py",
        "tests/marts/test_customers.py",
    ),
    "dbt_project/models/quality/books/*.sql": (
        "tests/marts/test_shop.py",
        "tests/whole/test_day_by_hand.py",
        "tests/marts/test_lakes.py",
        "tests/marts/test_checks.py",
    ),
}
"""Files by pattern, and the tests that are to notice; the quickest first."""

SYNCED = "tests/lake/test_files.py"
SEEN, RAN = "tests/stages/test_land.py", "tests/stages/test_runner.py::test_what_is_wanted_no_more_goes_with_its_files"
TIES = "tests/stages/test_deduplicate.py::test_ties_are_broken_by_request_position_file_and_line"
REPEATS = "tests/stages/test_deduplicate.py::test_a_view_that_was_refused_before_is_repeated_by_none"
CARRIED = "tests/stages/test_sessionize_steps.py"
EMPTIED = "tests/stages/test_build.py::test_a_day_that_is_no_more_is_built_again_and_is_empty_then"
NAMED = (
    ("etl/stages/deduplicate/judge.sql", "messages.request_id nulls last, ", "", TIES),
    ("etl/stages/deduplicate/judge.sql", "messages.position, ", "", TIES),
    ("etl/stages/deduplicate/viewed_again.sql", "where known.kind in (", "where known.kind not in (", REPEATS),
    ("etl/stages/land/inbox.py", "self.size, self.mtime_ns, self.ctime_ns, self.inode", "self.size, self.inode", SEEN),
    ("etl/stages/land/inbox.py", "self.ctime_ns, self.inode", "0, 0", SEEN),
    ("etl/lake/files.py", "os.fsync(handle)", "pass", SYNCED),
    ("etl/lake/files.py", "os.fsync(file.fileno())", "pass", SYNCED),
    ("etl/lake/files.py", "sync_folder(path.parent)", "pass", SYNCED),
    ("etl/stages/sessionize/sessions.sql", "arg_max(campaign_key", "arg_min(campaign_key", CARRIED),
    ("etl/stages/sessionize/sessions.sql", "lag(campaign_key)", "first_value(campaign_key)", CARRIED),
    ("etl/stages/runner.py", "gone = drop(lake, stage, found.gone)", "gone = []", RAN),
    ("etl/stages/build/stage.py", "for day in {*then, *now}", "for day in {*now}", EMPTIED),
)
"""What once was wrong and no test noticed: a place of a file that occurs once, what stands there instead, the test."""

SQL_CHANGES = (
    (r" nulls last", " nulls first"), (r"\banti join\b", "semi join"), (r"\bsemi join\b", "anti join"),
    (r"\bleft join\b", "inner join"), (r"\binner join\b", "left join"), (r"\bmin\(", "max("), (r"\bmax\(", "min("),
    (r" <= ", " < "), (r" >= ", " > "), (r" < ", " <= "), (r" > ", " >= "), (r" = 1\b", " = 2"), (r" <> ", " = "),
    (r" \+ ", " - "), (r" and not ", " and "), (r"\bwhere not ", "where "), (r"\bunion all\b", "except"),
    (r"\barg_max\(", "arg_min("), (r"\blast_value\(", "first_value("), (r"\bfirst_value\(", "last_value("),
    (r"\bcoalesce\(([^(),]+), ([^(),]+)\)", r"coalesce(\2, \1)"), (r" desc\b", ""),
    (r"(order by [^,\n]+), [^,\n]+(?=,|\n)", r"\1"),
)  # fmt: skip
PYTHON_CHANGES = (
    (r" == ", " != "), (r" != ", " == "), (r" not in ", " in "), (r" <= ", " < "), (r" >= ", " > "), (r" < ", " <= "),
    (r" > ", " >= "), (r" and ", " or "), (r" or ", " and "), (r"\bif not ", "if "), (r" \| ", " & "),
    (r"\bos\.fsync\([^)]*\)", "pass"), (r"\bsync_folder\([^)]*\)$", "pass"), (r" is None\b", " is not None"),
    (r" is not None\b", " is None"), (r"\bFalse\b", "True"), (r"\bTrue\b", "False"), (r"file\.stamp", "file.size"),
    (r" \+ ", " - "),
)  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A change of one place."""

    file: str
    line: int
    before: str
    after: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.before.strip()} → {self.after.strip()}"


def mutants() -> Iterator[Mutant]:
    """List every change of every target that is no comment, docstring, import or line of logging."""
    for pattern, tests in TARGETS.items():
        for path in sorted(PROJECT.glob(pattern)):
            changes = SQL_CHANGES if path.suffix == ".sql" else PYTHON_CHANGES
            in_docstring = False
            for number, line in enumerate(path.read_text().splitlines(), 1):
                quotes = line.count('"""')
                skipped = in_docstring or quotes or line.lstrip().startswith(("--", "#", "import", "from etl", "raise"))
                in_docstring ^= quotes % 2 == 1
                if skipped:
                    continue
                name = path.relative_to(PROJECT).as_posix()
                for expression, instead in changes:
                    after = re.sub(expression, instead, line, count=1)
                    if after != line:
                        yield Mutant(name, number, line, after, tests)


def named() -> Iterator[Mutant]:
    """List the changes that have a name.

    Raises:
        ValueError: what is to be changed is not there once.
    """
    for name, before, after, tests in NAMED:
        lines = (PROJECT / name).read_text().splitlines()
        (number,) = [number for number, line in enumerate(lines, 1) if before in line]
        line = lines[number - 1]
        yield Mutant(name, number, line, line.replace(before, after), (tests,))


def noticed(mutant: Mutant, copy: Path) -> str:
    """Run a mutant's tests; name the one that fails, nothing where all pass."""
    path = copy / mutant.file
    original = path.read_text()
    lines = original.splitlines(keepends=True)
    lines[mutant.line - 1] = mutant.after + "\n"
    path.write_text("".join(lines))
    try:
        for tests in mutant.tests:
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", tests],
                cwd=copy, capture_output=True, check=False, timeout=SECONDS, text=True,
            )  # fmt: skip
            if done.returncode:
                return named_in(done.stdout)
    except subprocess.TimeoutExpired:
        return "a test that does not end"
    finally:
        path.write_text(original)
    return ""


def named_in(said: str) -> str:
    """Name the test that pytest says has failed; a file that does not even load is one too."""
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
    return found[1] if found else "tests that do not run"


def main() -> None:
    """Try mutants, say which survive, and fail if one is not known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a part of the names of the files to change")
    parser.add_argument("--most", type=int, default=40, help="try so many, chosen at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--named", action="store_true", help="those that once were missed, instead of any")
    asked = parser.parse_args()
    found = [mutant for mutant in (named() if asked.named else mutants()) if asked.only in mutant.file]
    chosen = found if asked.named else random.Random(asked.seed).sample(found, min(asked.most, len(found)))
    known = (PROJECT / "benchmarks" / "survivors.md").read_text()
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            source = PROJECT / name
            shutil.copytree(source, copy / name) if source.is_dir() else shutil.copy(source, copy / name)
        for number, mutant in enumerate(sorted(chosen, key=str), 1):
            test = noticed(mutant, copy)
            print(f"{number:3}/{len(chosen)} {f'noticed by {test}:' if test else 'SURVIVES'} {mutant}", flush=True)
            survivors += [] if test else [mutant]
    print(f"{len(survivors)} of {len(chosen)} mutants survive; there are {len(found)} in all")
    told = known.replace("\\|", "|")
    new = [mutant for mutant in survivors if f"`{mutant.before.strip()}` → `{mutant.after.strip()}`" not in told]
    sys.exit(f"{len(new)} of them are not in benchmarks/survivors.md" if new else 0)


if __name__ == "__main__":
    main()
