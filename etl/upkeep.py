"""Upkeep of a home, on the command line: back it up, restore it, make it again."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from etl import pipeline
from etl.errors import BadUse
from etl.lake.catalogue import Lake
from etl.lake.published import published
from etl.settings import Settings, load_settings
from etl.tools import backup as backups
from etl.tools import rebuild as rebuilding
from etl.warehouse import figures

Home = Annotated[Path | None, typer.Option(help="Folder of everything written.")]
PATIENCE_SECONDS = 3600.0

REMAKING: tuple[Callable[[Settings], dict[str, Any]], ...] = (
    pipeline.parse, pipeline.sessionize, pipeline.build,
)  # fmt: skip
"""The tasks that make everything of what has landed."""


def register(app: typer.Typer) -> None:
    """Add the commands of this room."""
    app.command()(backup)
    app.command()(restore)
    app.command()(rebuild)


def backup(
    folder: Annotated[Path, typer.Argument(help="Where it goes: an empty folder, or that of the backup before.")],
    wait: Annotated[float, typer.Option(help="Seconds to wait for a run that works.")] = PATIENCE_SECONDS,
    home: Home = None,
) -> None:
    """Copy what cannot be made again (landed lines, history, key), and what was last published of it."""
    settings = load_settings(None, home)
    require_lake(settings)
    with pipeline.writing(settings, wait) as lake:
        made = backups.take(lake, folder)
    print(f"backup: {made['files']:,} files, {made['bytes']:,} bytes, {made['new']:,} of them new, in {folder}")
    if settings.key.get_secret_value() or settings.ip_key.get_secret_value():
        print("backup: the key comes from the environment and is not in it: keep it elsewhere")


def restore(
    folder: Annotated[Path, typer.Argument(help="The folder of a backup.")],
    home: Home = None,
) -> None:
    """Make a home of a backup, and compare its figures with those that were published: exit 1 where they differ."""
    settings = load_settings(None, home)
    with Lake(settings).writing():
        restored = backups.put_back(Lake(settings), folder)
    remake(settings)
    before = restored.backup.said
    with pipeline.writing(settings) as lake:
        found = figures.differences(before.figures, read_figures(settings)) if before and not restored.mixed else []
        backups.put_rest(lake, restored)
    print(f"restore: {len(restored.backup.files):,} files in {settings.home}")
    if restored.waiting:
        print(f"restore: {len(restored.waiting):,} files landed after the last publication; the next run takes them")
    if before is None:
        print("restore: nothing had been published, so there is nothing to compare")
    elif restored.mixed:
        print(f"restore: not compared, for these changed after the last publication: {', '.join(restored.mixed)}")
    else:
        conclude("restore", "the last publication", found)


def rebuild(home: Home = None) -> None:
    """Make everything again of what has landed, and say whether the figures came out the same."""
    settings = load_settings(None, home)
    require_lake(settings)
    with pipeline.writing(settings) as lake:
        before = read_figures(settings) if settings.warehouse.exists() else None
        rebuilding.forget(lake)
    remake(settings)
    if before is None:
        print("rebuild: nothing had been published, so there is nothing to compare")
    else:
        conclude("rebuild", "before", figures.differences(before, read_figures(settings)))


def require_lake(settings: Settings) -> None:
    """Refuse to keep up what is not there.

    Raises:
        BadUse: there is no lake.
    """
    if not settings.lake.is_dir():
        raise BadUse(f"there is no lake at {settings.lake}", "Name its home by --home, or run the pipeline first")


def remake(settings: Settings) -> None:
    """Make everything of what has landed; what is in the inbox now waits for the next run."""
    for task in REMAKING:
        task(settings)


def read_figures(settings: Settings) -> dict[str, figures.Table]:
    """Add up what is published."""
    with published(settings) as con:
        return figures.read_figures(con)


def conclude(command: str, what: str, differences: list[str]) -> None:
    """Say whether figures are those of before; exit 1 where not."""
    for sentence in differences:
        print(f"{command}: {sentence}")
    if differences:
        raise typer.Exit(1)
    print(f"{command}: every table is equal to {what}")
