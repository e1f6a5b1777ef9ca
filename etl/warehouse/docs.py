"""The dbt project as one page: every model, column, test and metric, and how they follow from each other."""

import re
import tempfile
from pathlib import Path
from typing import Any, cast

from etl.errors import BuildFailed
from etl.lake import files
from etl.settings import Settings
from etl.stages.build.dbt import dbt_environment
from etl.stages.build.project import DBT_PROJECT, dbt_variables
from etl.vocabulary import tracking_plan
from etl.warehouse.page import definitions

# dbt's page has code to call home that its own settings switch off; with this, no browser would let it.
POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data: blob:; font-src data:; '
    "style-src 'unsafe-inline' data:; script-src 'unsafe-inline' 'unsafe-eval'\">"
)


def make(settings: Settings, target: Path) -> int:
    """Write the page as one file that opens anywhere and loads nothing; return its size in bytes.

    It is of the project's text alone: neither the lake nor what was built is opened, so it can be made at any time.

    Raises:
        BuildFailed: dbt could not read the project.
    """
    from dbt.cli.main import dbtRunner  # noqa: PLC0415  (slow to import)

    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".docs-", dir=target.parent) as work:
        common = [
            "--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT),
            "--target-path", work, "--log-path", work, "--log-level", "none", "--no-use-colors",
            "--vars", dbt_variables(settings),
        ]  # fmt: skip
        with dbt_environment(":memory:"):
            outcome = dbtRunner().invoke(["parse", *common])
            if outcome.success:
                # To compile the models their seeds would have to be there: the page shows them as they are written.
                asked = ["docs", "generate", "--static", "--no-compile", "--empty-catalog"]
                outcome = dbtRunner(manifest=cast(Any, outcome.result)).invoke([*asked, *common])
        page = Path(work, "static_index.html")
        if not outcome.success or not page.exists():
            raise BuildFailed(f"dbt could not read its project: {outcome.exception or 'see its log'}")
        content = re.sub("<head[^>]*>", lambda head: head[0] + POLICY, page.read_text(), count=1)
        page.write_text(content)
        files.move_into_place(page, target)
    return len(content.encode())


def write_pages(settings: Settings, folder: Path) -> list[Path]:
    """Write the marts' columns and the home's tracking plan as Markdown."""
    pages = {
        "columns.md": definitions.dictionary(),
        "tracking-plan.md": tracking_plan.describe(tracking_plan.load_plan(settings.tracking_plan)),
    }
    for name, text in pages.items():
        files.write_bytes(folder / name, text.encode())
    return [folder / name for name in pages]
