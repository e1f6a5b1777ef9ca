"""Tombstones: landed lines written again without who is to go, and the manifest that names what is left."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from etl.formats.persons import read_request
from etl.lake import engine, erasures, files
from etl.lake.catalogue import Lake, write_note
from etl.lake.fingerprint import digest
from etl.lake.landed import ERASED, STAGE, LandedFile, content_name, file_name, tombstone
from etl.lake.manifests import Commit, Content, Landing, Part
from etl.stages.parse.decode import DECODERS, register_lines
from etl.stages.parse.logs import LOGS, describe_logs
from etl.stages.parse.slices import plan_slices
from etl.vocabulary.columns import RAW

Places = dict[int, set[int] | None]
"""What is to go, by line number: places in its batch, or the whole line (None)."""


def rewrite(lake: Lake, commit: Commit[Landing], places: Mapping[str, Places], key: str) -> Commit[Landing]:
    """Write the raw files of some contents without what is to go, and the manifest that names them."""
    with lake.staging() as folder:
        parts, old = [], []
        for part in commit.parts:
            chosen = places.get(content_name(part), {})
            written = (
                write_without(lake.path(part.path), folder / Path(part.path).name, chosen, key) if chosen else None
            )
            if written is None:
                parts.append(part)
                continue
            sha256, size = files.sha256_of(written), written.stat().st_size
            path = Path(part.path).with_name(f"{content_name(part)}-{sha256[:8]}.parquet")
            files.move_into_place(written, lake.path(str(path)))
            parts.append(msgspec.structs.replace(part, path=path.as_posix(), size=size, sha256=sha256))
            old.append(part)
        contents = [
            mourned(lake, commit, content, places[file_name(content.file_id)])
            if file_name(content.file_id) in places else content
            for content in commit.facts.contents
        ]  # fmt: skip
        made = msgspec.structs.replace(
            commit, parts=parts, facts=msgspec.structs.replace(commit.facts, contents=contents)
        )
        write_note(lake.manifest_path(STAGE, commit.name), made)
        kept = {part.path for part in parts}
        for part in old:
            if part.path not in kept:
                lake.path(part.path).unlink(missing_ok=True)
    return made


def mourned(lake: Lake, commit: Commit[Landing], content: Content, places: Places) -> Content:
    """Say of a content what was taken out of it: how many messages, and a name for what is left."""
    told = sorted((line, sorted(chosen) if chosen is not None else None) for line, chosen in places.items())
    erased = content.erased + count_messages(lake, commit, content, places)
    return msgspec.structs.replace(content, erased=erased, tombstones=digest(content.tombstones, told))


def landed_file(lake: Lake, facts: Landing, content: Content, parts: Iterable[Part]) -> LandedFile:
    """Speak of a landed content, whether it counts or not."""
    name = file_name(content.file_id)
    raw = {str(part.day): part.path for part in parts if content_name(part) == name}
    return LandedFile(facts.source_file, facts.source, content, lake, raw)


def count_messages(lake: Lake, commit: Commit[Landing], content: Content, places: Places) -> int:
    """Count the messages that go with some lines, as the books count them: before the lines go."""
    file = landed_file(lake, commit.facts, content, commit.parts)
    if file.source not in DECODERS or file.source == "pixel":
        return 0
    gone = pa.table(
        {
            "gone_line": pa.array(list(places), pa.int64()),
            "gone_places": pa.array([None if some is None else sorted(some) for some in places.values()],
                                    pa.list_(pa.int32())),
        }
    )  # fmt: skip
    total = 0
    settings = lake.settings
    for pieces in plan_slices([file]):
        with lake.staging() as folder, engine.engine(settings, folder) as con:
            register_lines(con, pieces, only=places)
            if file.source in LOGS:
                describe_logs(con, settings, [file])
            DECODERS[file.source](con, settings)
            con.register("gone", gone)
            ((count,),) = con.execute(
                "select count(*) from (select line_number, position from decoded where reason is null"
                " union all select line_number, position from refused) inner join gone on line_number = gone_line"
                " and (gone_places is null or list_contains(gone_places, position))"
            ).fetchall()
            total += count
    return total


def write_without(source: Path, target: Path, places: Places, key: str) -> Path | None:
    """Write a raw file without what is to go, row group by row group; None where nothing of it is."""
    file = pq.ParquetFile(source)
    numbers = set(places)
    if not numbers & set(file.read(columns=["line_number"])["line_number"].to_pylist()):
        return None
    with pq.ParquetWriter(
        target, RAW, compression="zstd", compression_level=1, use_dictionary=False, write_statistics=["line_number"]
    ) as writer:
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group).to_pylist()
            changed = [without(row, places[row["line_number"]], key) if row["line_number"] in numbers else row
                       for row in rows]  # fmt: skip
            writer.write_table(pa.Table.from_pylist(changed, schema=RAW))
    return target


def without(row: dict[str, Any], places: set[int] | None, key: str) -> dict[str, Any]:
    """Write a row of raw lines without some of its messages, or as a tombstone."""
    mark = row["line_sha256"] or ""
    before: set[int] = set()
    name = erasures.hashed(key, row["line"].decode("utf-8", "surrogateescape"))
    if mark.startswith(ERASED):
        _, name, *gone = mark.split(":")
        if not gone:
            return row
        before = {int(place) for place in gone[0].split(",")}
    request = read_request(row["line"].decode("utf-8", "surrogateescape")) if places is not None else None
    if request is None or places is None or len(places | before) >= len(request.spans):
        return row | {"line": b"", "line_sha256": tombstone(name)}
    line = request.without(places).encode("utf-8", "surrogateescape")
    return row | {"line": line, "line_sha256": tombstone(name, places | before)}
