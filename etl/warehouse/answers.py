"""What people ask of the published warehouse by command: a mart as a file, metrics by name, the project's page."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from etl.lake.published import published, require_published
from etl.settings import Settings
from etl.warehouse import metrics


def export(settings: Settings, mart: str, *, form: str = "csv", out: Path | None = None) -> dict[str, Any]:
    """Write a mart of the published warehouse as CSV or XLSX.

    Raises:
        BadUse: nothing has been published, or there is no such mart or format.
    """
    from etl.warehouse.export import export as write_mart  # noqa: PLC0415  (loads the writer of spreadsheets)

    target = out or settings.home / "exports" / f"{mart}.{form}"
    with published(settings) as con:
        return {"rows": write_mart(con, mart, target, form), "file": str(target)}


def query(
    settings: Settings,
    names: Sequence[str],
    *,
    by: Sequence[str] = (),
    where: Sequence[tuple[str, str]] = (),
    first: date | None = None,
    last: date | None = None,
    with_changes: bool = False,
) -> metrics.Answer:
    """Ask the published warehouse for metrics.

    Raises:
        BadUse: nothing has been published, or a metric or dimension is not known.
    """
    require_published(settings)
    return metrics.query(
        settings.warehouse, names, by=by, where=where, first=first, last=last, with_changes=with_changes
    )


def list_metrics(settings: Settings) -> list[metrics.Metric]:
    """List the metrics of the published warehouse.

    Raises:
        BadUse: nothing has been published.
    """
    require_published(settings)
    with metrics.opened(settings.warehouse) as con:
        return list(metrics.read_metrics(metrics.read_manifest(con)).values())


def docs(settings: Settings, *, out: Path | None = None) -> dict[str, Any]:
    """Make the page of the dbt project, every model and column with its lineage: `docs/index.html` in the home.

    Beside it lie the marts' columns and the tracking plan as Markdown.
    """
    from etl.warehouse import docs as documentation  # noqa: PLC0415  (loads dbt's rooms)

    folder = out or settings.home / "docs"
    size = documentation.make(settings, folder / "index.html")
    beside = documentation.write_pages(settings, folder)
    return {"page": str(folder / "index.html"), "bytes": size, "beside": [path.name for path in beside]}
