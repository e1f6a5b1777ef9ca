"""Verify: is every file that the home is made of there, and what was written; and what can be made again, is."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from etl.errors import Damaged
from etl.lake import erasures, files, landed, sealed, sql
from etl.lake.catalogue import Lake, read_unchanged, write_note
from etl.lake.datasets import DATASETS
from etl.lake.fingerprint import Fingerprint
from etl.lake.key import require_key
from etl.lake.manifests import Commit, Landing, Part, Reading, Unit
from etl.lake.published import published
from etl.stages.land.inbox import find_files
from etl.stages.land.lines import read_chunks
from etl.stages.land.stage import Land
from etl.stages.land.streams import DAMAGE, Bomb
from etl.stages.runner import placed, remove_parts
from etl.stages.stage import Stage
from etl.tools.reseal import made_again, reseal

SHOWN = 3
RESTORE, LAND = "restore", "landed by the next run"


@dataclass(frozen=True)
class Damage:
    """A file of the home that is not what was written.

    Attributes:
        remedy: `made again` or `landed by the next run`, `landed again` from the inbox, `restore` from a backup, or
            `lost`.
        commit: the commit that names it; none of a manifest, the warehouse or a file that nobody names.
    """

    path: Path
    what: str
    remedy: str
    stage: str | None = None
    commit: Commit[Any] | None = None

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


def verify(lake: Lake, stages: Sequence[Stage[Any]], *, deep: bool = False) -> list[Damage]:
    """Compare the home with its manifests: files there, of their size, and if `deep` of their hash; and the warehouse.

    Files that no manifest names are told too: they are in no table, and `repair` removes them.
    """
    unlike = without_raw(lake)
    found = list(damaged_manifests(lake, stages, is_all_there=bool(unlike)))
    broken = {damage.path for damage in found}
    named: set[str] = set()
    for stage in stages:
        for commit in readable_commits(lake, stage, broken):
            for part in commit.parts:
                named.add(part.path)
                if what := wrong_with(lake.path(part.path), part, deep=deep):
                    found.append(Damage(lake.path(part.path), what, remedy_of(commit, unlike), stage.name, commit))
    found += [*damaged_warehouse(lake), *damaged_history(lake)]
    if broken:
        return found
    if deep:
        found += changed_unseen(lake)
    if told := landed.unread(landed.landed_files(lake), lake.units(landed.PARSED, Reading)):
        return [*found, Damage(lake.path("manifests", landed.PARSED), told, RESTORE, landed.PARSED)]
    return [*found, *orphans(lake, stages, named)]


def changed_unseen(lake: Lake) -> Iterator[Damage]:
    """Hash the files of the inbox: one whose size, times and number are as they were may hold something else."""
    commits = {commit.facts.source_file: commit for commit in lake.commits(landed.STAGE, Landing)}
    for file in find_files(lake.settings.inbox):
        commit = commits.get(file.name)
        content = commit.facts.contents[-1] if commit else None
        if commit and content and content.status == "landed" and Land.is_as_it_was(file, commit):
            found = hashlib.sha256()
            try:
                for _ in read_chunks(lake.settings, file, found):
                    pass
            except (*DAMAGE, Bomb, OSError) as error:
                yield Damage(file.path, f"cannot be read any more: {error}", LAND, landed.STAGE, commit)
                continue
            if found.hexdigest() != content.sha256:
                what = "holds something else than what landed, though its size and times are the same"
                yield Damage(file.path, what, LAND, landed.STAGE, commit)


def remedy_of(commit: Commit[Any], without_raw: set[str]) -> str:
    """Say what mends a file of a commit: what was parsed of lines that are gone cannot be made again."""
    if commit.stage == landed.STAGE:
        return "landed again"
    return RESTORE if landed.holds_all_there_is(commit, without_raw) else "made again"


def require_whole(lake: Lake, stages: Sequence[Stage[Any]]) -> None:
    """Refuse to say that nothing is new of a home of which files are gone or cut: sizes alone are looked at.

    Raises:
        Damaged: the message names them.
    """
    found = [
        f"{part.path}: {what}"
        for stage in stages
        for commit in stage.commits(lake)
        for part in commit.parts
        if (what := wrong_with(lake.path(part.path), part, deep=False))
    ] + [str(damage) for damage in (*damaged_warehouse(lake), *damaged_history(lake))]
    if found:
        more = f" (and {len(found) - SHOWN} more)" if len(found) > SHOWN else ""
        raise Damaged(
            f"{len(found)} files of {lake.settings.home} are not what was written: {'; '.join(found[:SHOWN])}{more}",
            "See them: python -m etl verify --deep; mend them: python -m etl verify --repair",
        )


def wrong_with(path: Path, part: Part, *, deep: bool) -> str | None:
    """Say what is wrong with a file; None when nothing is."""
    try:
        size = path.stat().st_size
        if size != part.size:
            return f"{size:,} bytes, {part.size:,} were written"
        if deep and files.sha256_of(path) != part.sha256:
            return "its content is not what was written"
    except FileNotFoundError:
        return "is gone"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return None


def without_raw(lake: Lake) -> set[str]:
    """Name the contents whose lines are gone, as far as manifests can be read."""
    try:
        return landed.without_raw(lake)
    except Damaged:
        return set()


def damaged_manifests(lake: Lake, stages: Sequence[Stage[Any]], *, is_all_there: bool) -> Iterator[Damage]:
    """Find manifests that cannot be read.

    Args:
        is_all_there: what was parsed may be all there is of some lines.
    """
    for stage in stages:
        for path in sorted(lake.path("manifests", stage.name).glob("[!.]*.json")):
            try:
                info = path.stat()
                read_unchanged(str(path), stage.facts, info.st_mtime_ns, info.st_ino, info.st_size)  # type: ignore[arg-type]
            except Damaged as error:
                remedy = "landed again" if stage.name == landed.STAGE else "made again"
                if stage.name == landed.PARSED and is_all_there:
                    remedy = RESTORE
                if stage.name == sealed.STAGE and made_again(lake, path.stem) is None:
                    remedy = RESTORE
                yield Damage(path, f"a manifest that cannot be read: {error.__cause__}", remedy, stage.name)


def readable_commits(lake: Lake, stage: Stage[Any], broken: set[Path]) -> list[Commit[Any]]:
    """Read the commits of a stage, but for manifests that cannot be read."""
    if not any(path.parent.name == stage.name for path in broken):
        return stage.commits(lake)
    return [
        msgspec.json.decode(path.read_bytes(), type=Commit[stage.facts])  # type: ignore[name-defined]
        for path in sorted(lake.path("manifests", stage.name).glob("[!.]*.json"))
        if path not in broken
    ]


def damaged_warehouse(lake: Lake) -> list[Damage]:
    """Open what is published, and ask every table and view of it for its columns."""
    path = lake.settings.warehouse
    if not path.exists():
        return []
    try:
        with published(lake.settings) as con:
            tables = con.execute("select table_schema, table_name from information_schema.tables").fetchall()
            if not tables:
                return [Damage(path, "holds no table", "made again")]
            for schema, name in tables:
                con.execute(f"select * from {sql.name(schema)}.{sql.name(name)} limit 1")
    except Damaged as error:
        return [Damage(path, error.message, "made again")]
    except duckdb.Error as error:
        return [Damage(path, f"does not open or is not whole: {str(error).splitlines()[0]}", "made again")]
    return []


def damaged_history(lake: Lake) -> Iterator[Damage]:
    """Read what cannot be made again: what was published, told and sent, who is forgotten, and the key."""
    for path in sorted(lake.history().rglob("*")):
        try:
            if path.suffix == ".parquet":
                pq.read_metadata(path)
            elif path.suffix == ".json":
                orjson.loads(path.read_bytes())
        except (pa.ArrowInvalid, orjson.JSONDecodeError, OSError) as error:
            yield Damage(path, f"cannot be read: {str(error).splitlines()[0]}", RESTORE)
    for look, path in (
        (lambda: require_key(lake.settings), lake.settings.home / "key"),
        (lambda: erasures.read(lake), lake.settings.home / erasures.NAME),
    ):
        try:
            look()
        except Damaged as error:
            yield Damage(path, error.message, RESTORE)


def require_history(lake: Lake) -> None:
    """Refuse to begin what could not be published: a run would find that out after all else is made.

    Raises:
        Damaged: the message names the file.
    """
    require_key(lake.settings)
    erasures.read(lake)
    for damage in damaged_history(lake):
        raise Damaged(str(damage), "Put it back from a backup; without it go on by removing it: then it is forgotten")


def orphans(lake: Lake, stages: Sequence[Stage[Any]], named: set[str]) -> Iterator[Damage]:
    """Find files in the datasets' folders that no manifest names."""
    for dataset in sorted({dataset for stage in stages for dataset in stage.gives}):
        # Of a kept dataset older files lie there for those who read the warehouse before.
        if not DATASETS[dataset].is_kept:
            for path in placed(lake.path(DATASETS[dataset].place)):
                if path.relative_to(lake.root).as_posix() not in named:
                    yield Damage(path, "no manifest names it", "removed")


def repair(lake: Lake, found: Sequence[Damage]) -> list[Damage]:
    """Make ready what the next run makes again; say what cannot be.

    A raw file is landed again if the inbox still holds its content; else it is `lost`: what was made of its lines
    holds, and it can never be read anew.
    """
    lost = []
    for damage in found:
        if damage.remedy == RESTORE:
            lost.append(damage)
        elif damage.stage == sealed.STAGE:
            reseal(lake, damage.path.stem)
        elif damage.remedy == LAND and damage.commit is not None:
            look_again(lake, damage.commit)
        elif damage.stage == landed.STAGE and damage.commit is not None:
            lost += repair_raw(lake, damage.commit)
        elif damage.path == lake.settings.warehouse or damage.commit is None:
            damage.path.unlink(missing_ok=True)
        else:
            lake.manifest_path(str(damage.stage), damage.commit.name).unlink(missing_ok=True)
            remove_parts(lake, damage.commit.parts, ())
    return lost


def look_again(lake: Lake, commit: Commit[Landing]) -> None:
    """Let an inbox file be looked at again: nothing has this fingerprint."""
    units = {name: Unit(Fingerprint("damaged"), unit.counts) for name, unit in commit.units.items()}
    write_note(lake.manifest_path(commit.stage, commit.name), msgspec.structs.replace(commit, units=units))


def repair_raw(lake: Lake, commit: Commit[Landing]) -> list[Damage]:
    """Forget the damaged raw files of an inbox file, and let it be looked at again if it is there; else it is lost."""
    facts = commit.facts
    broken = [part for part in commit.parts if wrong_with(lake.path(part.path), part, deep=True)]
    whole = [part for part in commit.parts if part not in broken]
    for part in broken:
        lake.path(part.path).unlink(missing_ok=True)
    is_there = (lake.settings.inbox / facts.source_file).is_file()
    if is_there:
        # Nothing has this fingerprint.
        units = {name: Unit(Fingerprint("damaged"), unit.counts) for name, unit in commit.units.items()}
        mended = msgspec.structs.replace(commit, units=units, parts=whole)
    else:
        contents = landed.without_lines(facts.contents, whole)
        mended = msgspec.structs.replace(commit, parts=whole, facts=msgspec.structs.replace(facts, contents=contents))
    write_note(lake.manifest_path(commit.stage, commit.name), mended)
    return (
        []
        if is_there
        else [Damage(lake.path(part.path), "lost: the inbox holds it no more", "lost", commit.stage) for part in broken]
    )
