"""Settle: what deduplication read in raw lines is written into what stays, before the lines go.

Two copies of one id whose texts differ are one message in other words, or two. Only their lines tell. A copy that was
one is given the key of the content that was kept, so that nobody has to ask again.
"""

from collections.abc import Collection

import pyarrow as pa

from etl.lake.catalogue import Lake
from etl.lake.landed import PARSED, file_name
from etl.lake.manifests import Commit, Comparison, Part, Reading
from etl.tools.rewritten import rewrite_parts

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
    with lake.workbench() as con:
        con.register("told", told)

        def settled(part: Part, rows: str) -> str | None:
            held = f"{rows} left join told using (file_id, message_ref)"
            if part.dataset != "messages" or con.execute(f"select count(kept_key) from {held}").fetchall() == [(0,)]:
                return None
            return (
                "select * exclude (kept_key, file_row_number)"
                f" replace (coalesce(kept_key, content_key) as content_key) from {held}"
            )

        rewrite_parts(con, lake, commit, settled)
