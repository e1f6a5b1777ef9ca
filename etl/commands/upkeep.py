"""Commands that keep a home: compare it with what was written, back it up, restore it, make it again, forget."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from etl import pipeline
from etl.commands import Home, Inbox, app
from etl.errors import BadUse
from etl.lake import figures, files
from etl.lake.catalogue import Lake
from etl.lake.erasures import Kind, Request
from etl.lake.manifests import Publication
from etl.lake.published import published
from etl.settings import Settings, load_settings
from etl.stages.publish.stage import remove_old_versions
from etl.tools import backup as backups
from etl.tools import erase as erasing
from etl.tools import forget as forgetting
from etl.tools import rebuild as rebuilding
from etl.tools import usage as usages
from etl.tools import withdraw as withdrawing

PATIENCE_SECONDS = 3600.0

REMAKING: tuple[Callable[[Settings], dict[str, Any]], ...] = (
    pipeline.parse, pipeline.sessionize, pipeline.build,
)  # fmt: skip
"""The tasks that make everything of what has landed."""


@app.command()
def verify(
    deep: Annotated[bool, typer.Option("--deep", help="Hash every file.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Make ready what the next run makes again.")] = False,
    inbox: Inbox = None,
    home: Home = None,
) -> None:
    """Compare the home with what was written; exit 1 with the names of the files that differ."""
    made = pipeline.verify(load_settings(inbox, home), deep=deep, repair=repair)
    for damage in made["found"]:
        print(f"{damage} ({damage.remedy})")
    for damage in made["lost"]:
        print(damage)
    if not made["found"]:
        print("verify: every file is what was written")
    elif repair and not made["lost"]:
        print("verify: the next run makes it again: python -m etl run")
    else:
        raise typer.Exit(1)


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="Where it goes: an empty folder, or that of the backup before.")],
    wait: Annotated[float, typer.Option(help="Seconds to wait for a run that works.")] = PATIENCE_SECONDS,
    home: Home = None,
) -> None:
    """Copy what cannot be made again (landed lines, history, key), and what was last published of it."""
    settings = load_settings(None, home)
    if not wait >= 0:
        raise BadUse(f"--wait is {wait}", "Give seconds, 0 or more")
    require_lake(settings)
    with pipeline.writing(settings, wait) as lake:
        made = backups.take(lake, folder)
    print(f"backup: {made['files']:,} files, {made['bytes']:,} bytes, {made['new']:,} of them new, in {folder}")
    if settings.key.get_secret_value() or settings.ip_key.get_secret_value():
        print("backup: the key comes from the environment and is not in it: keep it elsewhere")


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="The folder of a backup.")],
    home: Home = None,
) -> None:
    """Make a home of a backup, and compare its figures with those that were published: exit 1 where they differ."""
    settings = load_settings(None, home)
    # Where there is no backup, no home is begun.
    backups.read(folder)
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


@app.command()
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


@app.command()
def erase(
    visitor: Annotated[
        list[str] | None,
        typer.Option(help="A visitor's id: the person, where only one user logged in; repeat for more."),
    ] = None,
    user: Annotated[list[str] | None, typer.Option(help="A user's id: the person, on all devices.")] = None,
    ip: Annotated[list[str] | None, typer.Option(help="An address: what was sent from it.")] = None,
    inbox: Inbox = None,
    home: Home = None,
) -> None:
    """Take people out of everything, now and whenever they come again; write a receipt. Exit 1 if anything is left."""
    told: dict[Kind, list[str]] = {"visitor": visitor or [], "user": user or [], "ip": ip or []}
    asked = [(kind, value) for kind, values in told.items() for value in values]
    if not asked:
        raise BadUse("say whom to erase", "Give --visitor, --user or --ip")
    settings = load_settings(inbox, home)
    require_lake(settings)
    # Who is stitched to whom is known once all that has landed is published.
    if pipeline.pending(settings) or not settings.warehouse.exists():
        remake(settings)
    with published(settings) as con:
        persons = [forgetting.person_of(con, Lake(settings), kind, value) for kind, value in asked]
    names = sorted({value for person in persons for _, value in person.names})
    with pipeline.writing(settings) as lake:
        request = forgetting.enlist(lake, persons)
        found = erasing.search_named(lake, names)
        forgetting.conclude(lake, request, found, persons)
        had_page = (settings.home / "report" / "index.html").exists()
        forgetting.clear(lake)
    remake(settings)
    with pipeline.writing(settings) as lake:
        drop_old_versions(lake)
    if had_page:
        pipeline.report(settings)
    left = forgetting.search(settings.home, names)
    receipt = receipt_of(settings, request, persons, found, left)
    path = Lake(settings).history("erasures", f"{request.number}.txt")
    files.write_bytes(path, ("\n".join(receipt) + "\n").encode())
    for line in receipt:
        print(line)
    print(f"receipt    {path}")
    if left:
        raise typer.Exit(1)


@app.command()
def withdraw(
    file: Annotated[str, typer.Argument(help="The file, as quality.ledger names it: events/2026-03-01.jsonl.")],
    reason: Annotated[str, typer.Option(help="Why; it stands in the ledger.")],
    home: Home = None,
) -> None:
    """Count what has landed of a file no more, whatever becomes of it in the inbox; its lines are kept."""
    settings = load_settings(None, home)
    require_lake(settings)
    with pipeline.writing(settings) as lake:
        lines = withdrawing.withdraw(lake, file, reason)
    print(f"withdraw: {sum(lines):,} lines of {file} count no more; the next run takes them out: python -m etl run")


@app.command()
def status(home: Home = None) -> None:
    """Say what a home takes on disk, by what it is for, and what the next run will free."""
    settings = load_settings(None, home)
    require_lake(settings)
    rows = usages.usage(Lake(settings))
    for row in rows:
        freed = f", {row.freed:,} of them go with the next run" if row.freed else ""
        print(f"{row.name:24} {row.files:>8,} files {row.bytes:>16,} bytes{freed}")
    print(f"{'together':24} {sum(row.files for row in rows):>8,} files {sum(row.bytes for row in rows):>16,} bytes")


def receipt_of(
    settings: Settings, request: Request, persons: Sequence[forgetting.Person], found: Sequence[erasing.Found],
    left: Sequence[Path],
) -> list[str]:  # fmt: skip
    """Say what was erased from where, and what still holds it; nobody can be known by it."""
    names, shared = sum(len(person.names) for person in persons), sum(len(person.shared) for person in persons)
    lines = [
        f"erasure    {request.number} of {len(persons)} persons, asked for at {request.asked_at}",
        f"found      {names} identifiers of theirs, {shared} sessions on devices that others use too",
    ]
    lines += [
        f"shared     {person.others} users logged in as a visitor that was named: name each by --user to erase the rest"
        for person in persons if person.others
    ]  # fmt: skip
    lines += [
        f"erased     {one.lines:,} lines, {one.messages:,} messages of {one.source_file}" if one.source_file
        else f"erased     {one.sessions:,} sessions of days whose events are gone; counts by day stay"
        for one in found
    ]  # fmt: skip
    if not found:
        lines.append("erased     nothing: no landed line holds it; what comes later is searched")
    still = sorted({one.source_file for one in found if (settings.inbox / one.source_file).is_file()})
    lines += [f"inbox      {name} still holds it: it is yours to mend or remove" for name in still]
    for folder in backups.known(Lake(settings)):
        lines.append(f"backup     {folder} still holds it, until the next backup into it")
    lines += [f"left       {path} still holds it" for path in left] or [
        "searched   every file of the home: nothing is left"
    ]
    return lines


def drop_old_versions(lake: Lake) -> None:
    """Remove the files of earlier publications, though somebody may read them."""
    for commit in lake.commits("publish", Publication):
        remove_old_versions(lake, set(commit.facts.now))


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
