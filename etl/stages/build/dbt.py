"""dbt, run in this process: the only place that imports it."""

import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import duckdb

from etl.errors import BuildFailed
from etl.settings import Settings
from etl.stages.build.failures import failed_node, relation_of
from etl.stages.build.project import DBT_PROJECT, dbt_variables


@dataclass(frozen=True)
class Workplace:
    """Where dbt builds: files of one home that nobody else reads."""

    folder: Path

    @property
    def database(self) -> Path:
        """The DuckDB file that dbt writes."""
        return self.folder / "build.duckdb"

    @property
    def definitions(self) -> Path:
        """The definitions of the metrics, as dbt read them for the last build."""
        return self.folder / "metrics.json"

    @property
    def failures(self) -> Path:
        """The folder of the rows that broke tests of the last build."""
        return self.folder / "failures"

    @property
    def unfinished(self) -> Path:
        """A note that a build has begun and not come to its end: which session days it was to make."""
        return self.folder / "unfinished.json"


def workplace(settings: Settings) -> Workplace:
    """Name the files of a home's builds."""
    return Workplace(settings.home / "warehouse" / "build")


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while: the only way dbt's profile can be told paths."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def dbt_environment(settings: Settings, database: Path | str) -> Iterator[None]:
    """Tell dbt's profile its paths and limits."""
    with environment(
        {
            "BLOODHOUND_BUILD_DB": str(database),
            "BLOODHOUND_MEMORY_LIMIT": settings.memory_limit,
            "BLOODHOUND_THREADS": str(settings.threads),
        }
    ):
        yield


def options(work: Workplace) -> list[str]:
    """Say where dbt finds the project and puts what it writes, and that it keeps quiet."""
    return [
        "--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT),
        "--target-path", str(work.folder / "target"), "--log-path", str(work.folder / "logs"),
        "--log-level-file", "info", "--no-write-json", "--log-level", "none", "--no-use-colors",
    ]  # fmt: skip


def read_definitions(settings: Settings) -> Any:
    """Let dbt read the project, and write down what its metrics mean; return dbt's manifest.

    Read without the days, so that dbt's own memory of the parsed project holds from run to run: a variable that
    differs makes it parse everything anew, which takes longer than a day's models.

    Raises:
        BuildFailed: the project cannot be read.
    """
    from dbt.cli.main import dbtRunner  # noqa: PLC0415  (slow to import)
    from dbt.contracts.graph.semantic_manifest import SemanticManifest  # noqa: PLC0415

    work = workplace(settings)
    work.folder.mkdir(parents=True, exist_ok=True)
    with dbt_environment(settings, work.database), quiet_logging():
        outcome = dbtRunner().invoke(["parse", *options(work), "--vars", dbt_variables(settings, None)])
        if not outcome.success:
            raise_failure(outcome)
        manifest: Any = outcome.result
        SemanticManifest(manifest).write_json_to_file(str(work.definitions))
    return manifest


def run_dbt(settings: Settings, days: Sequence[str] | None) -> tuple[int, int]:
    """Run `dbt build` for session days, or for all; return how many models and tests ran.

    Raises:
        BuildFailed: something failed; the message names each node and why.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager  # noqa: PLC0415  (slow to import)
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    work = workplace(settings)
    shutil.rmtree(work.failures, ignore_errors=True)
    # Unit tests judge the code, not the data: the project's own tests run them. Seeds are files of the
    # project, so a build of some days finds them as the first build left them.
    command = ["build", "--exclude-resource-type", "unit_test"]
    if days is not None:
        command += ["--exclude-resource-type", "seed"]
    manifest = read_definitions(settings)
    with dbt_environment(settings, work.database), quiet_logging():
        outcome = dbtRunner(manifest=manifest).invoke(
            [*command, *options(work), "--vars", dbt_variables(settings, days)]
        )
        # dbt leaves the file open, and a second connection in this process would see its old state.
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    if outcome.exception is not None:
        raise_failure(outcome)
    results: list[Any] = list(outcome.result)  # type: ignore[arg-type]
    failed = [result for result in results if result.status in {"error", "fail", "runtime error"}]
    if failed or not outcome.success:
        with duckdb.connect(str(work.database), read_only=True) as con:
            nodes = [failed_node(con, result, relation_of(manifest, result.node), work.failures) for result in failed]
        raise BuildFailed(
            f"dbt failed at {'; '.join(node.reason for node in nodes)}",
            f"The warehouse stays as it was; see {work.folder / 'logs' / 'dbt.log'}",
            nodes,
        )
    kinds = [result.node.resource_type.value for result in results]
    return kinds.count("model"), kinds.count("test") + kinds.count("unit_test")


def raise_failure(outcome: Any) -> NoReturn:
    """Say that dbt did not run, and why."""
    if isinstance(outcome.exception, OSError):
        raise outcome.exception
    raise BuildFailed(f"dbt did not run: {outcome.exception}") from outcome.exception


@contextmanager
def quiet_logging() -> Iterator[None]:
    """Keep dbt's log from printing a traceback for each line that it cannot write: on a full disk, all of them."""
    before = logging.raiseExceptions
    logging.raiseExceptions = False
    try:
        yield
    finally:
        logging.raiseExceptions = before
