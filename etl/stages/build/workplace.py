"""Where a home's marts are built: files that nobody else reads."""

from dataclasses import dataclass
from pathlib import Path

from etl.settings import Settings


@dataclass(frozen=True)
class Workplace:
    """The files of one home's builds."""

    folder: Path

    @property
    def database(self) -> Path:
        """The DuckDB file that is built; its name is the database's name in every model's SQL."""
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
