"""Settle: what deduplication read in raw lines is written into what stays, before the lines go.

Two copies of one id whose texts differ are one message in other words, or two. Only their lines tell. A copy that was
one is given the key of the content that was kept, so that nobody has to ask again.
"""

from collections.abc import Collection

import msgspec
import pyarrow as pa

from etl.lake import sql
from etl.lake.catalogue import Lake, write_note
from etl.lake.datasets import PARQUET
from etl.lake.landed import PARSED, file_name
from etl.lake.manifests import Commit, Comparison, Reading
from etl.stages.runner import place
from etl.stages.stage import Output

KEYS = pa.schema([("file_id", pa.int64()), ("message_ref", pa.int64()), ("kept_key", pa.int64())])


def settle(lake: Lake, numbers: Collection[int]) -> None:
    """Give copies of which a line is about to go, by the numbers of contents, the content key of what was kept."""
    told = in_other_words(lake, numbers)
    names = {file_name(number) for number in told["file_id"].to_pylist()}
    for commit in lake.commits(PARSED, Reading):
        if not names.isdisjoint(commit.units):
            rewrite(lake, commit, told)


def in_other_words(lake: Lake, numbers: Collection[int]) -> pa.Table:
    """Find duplicates whose content key is not that of what was kept (columns of `KEYS`)."""
    copies = [part for one in lake.commits("deduplicate", Comparison) for part in one.parts if part.dataset == "copies"]
    with lake.workbench() as con:
        con.register("leaving", pa.table({"file_id": pa.array(sorted(numbers), pa.int64())}))
        con.execute(
            f"""
            create temp table pairs as
            select file_id, message_ref, kept_file_id, kept_message_ref from {lake.scan("copies", copies)}
            where kind = 'duplicate' and (file_id in (from leaving) or kept_file_id in (from leaving))
            """
        )
        concerned = con.execute("select file_id from pairs union select kept_file_id from pairs").fetchall()
        names = {file_name(number) for (number,) in concerned}
        parts = [
            part for commit in lake.commits(PARSED, Reading) if not names.isdisjoint(commit.units)
            for part in commit.parts if part.dataset == "messages"
        ]  # fmt: skip
        con.execute(
            "create temp view texts as select file_id, message_ref, content_key from"
            f" {lake.scan('messages', parts)} where file_id in (select file_id from pairs union all"
            " select kept_file_id from pairs)"
        )
        con.execute(
            """
            create temp view told as
            select pairs.file_id, pairs.message_ref, kept.content_key as kept_key
            from pairs
            inner join texts as copy using (file_id, message_ref)
            inner join texts as kept
                on pairs.kept_file_id = kept.file_id and pairs.kept_message_ref = kept.message_ref
            where copy.content_key <> kept.content_key
            """
        )
        return con.sql("from told").to_arrow_table().cast(KEYS)


def rewrite(lake: Lake, commit: Commit[Reading], told: pa.Table) -> None:
    """Write the parts of a commit that hold such copies; what decides their readers is the same as before."""
    parts, old = [], []
    with lake.staging() as folder, lake.workbench() as con:
        con.register("told", told)
        for part in commit.parts:
            path = sql.text(lake.path(part.path))
            held = f"read_parquet({path}, file_row_number = true) left join told using (file_id, message_ref)"
            if part.dataset != "messages" or con.execute(
                f"select count(kept_key) from {held}"
            ).fetchall() == [(0,)]:  # fmt: skip
                parts.append(part)
                continue
            target = folder / f"{len(parts)}.parquet"
            con.execute(
                "copy (select * exclude (kept_key, file_row_number) replace (coalesce(kept_key, content_key) as"
                f" content_key) from {held} order by file_row_number) to {sql.text(target)} ({PARQUET})"
            )
            parts.append(place(lake, commit.name, Output(part.dataset, target, part.day, part.content, part.rows)))
            old.append(part)
        write_note(lake.manifest_path(PARSED, commit.name), msgspec.structs.replace(commit, parts=parts))
        for name in {part.path for part in old} - {part.path for part in parts}:
            lake.path(name).unlink(missing_ok=True)
