"""Nameless: addresses taken out of what was parsed of lines that are gone; what was made of them stays."""

from collections.abc import Collection

import duckdb
import pyarrow as pa

from etl.enrich import addresses
from etl.lake.catalogue import Lake
from etl.lake.landed import PARSED, file_name
from etl.lake.manifests import Commit, Part, Reading
from etl.lake.retention import naming
from etl.stages.sessionize.excluded import listed, read_rules
from etl.tools.rewritten import note, rewrite_parts

EXCLUDED = "address"
"""Why what an exclusion threw out by its address is excluded from then on."""
THEIRS = "file_id in (select file_id from nameless)"
IS_EXCLUDED = """exists (
    from address_rules where value = one.ip and (since is null or one.event_at >= since)
    and (until is null or one.event_at < until)
)"""
WITHOUT = {
    "messages": f"""
        case when not {THEIRS} then ip end as ip,
        case when {THEIRS} and {IS_EXCLUDED} then coalesce(blocked, '{EXCLUDED}') else blocked end as blocked
    """,
    "pixel_hits": f"case when not {THEIRS} then ip end as ip",
    "quarantine": f"""
        case when {THEIRS} then hide(payload) else payload end as payload,
        case when {THEIRS} then hide(detail) else detail end as detail
    """,
}
"""What stands in place of columns, in SQL, by dataset."""


def hide_addresses(lake: Lake) -> None:
    """Take addresses that are not to be kept out of what was parsed; the manifest of landing says so last."""
    found = naming(lake)
    numbers = {one.content.file_id for one in found}
    names = {file_name(number) for number in numbers}
    for commit in lake.commits(PARSED, Reading) if found else ():
        if not names.isdisjoint(commit.units):
            rewrite(lake, commit, numbers)
    note(lake, found, is_nameless=True)


def rewrite(lake: Lake, commit: Commit[Reading], numbers: Collection[int]) -> None:
    """Write the parts of a commit without the addresses of some contents."""
    with lake.workbench() as con:
        con.register("nameless", pa.table({"file_id": pa.array(sorted(numbers), pa.int64())}))
        con.create_function("hide", hidden, ["varchar"], "varchar")

        def nameless(part: Part, rows: str) -> str | None:
            if part.dataset not in WITHOUT:
                return None
            if part.dataset == "messages":
                name_rules(con, lake, rows)
            return f"select * exclude (file_row_number) replace ({WITHOUT[part.dataset]}) from {rows} as one"

        rewrite_parts(con, lake, commit, nameless)


def hidden(text: str) -> str:
    """Cut every address that stands in a text short."""
    return addresses.mask_text(text, "truncate")


def name_rules(con: duckdb.DuckDBPyConnection, lake: Lake, rows: str) -> None:
    """Make `address_rules`: the exclusions by address that hold now, as the addresses of some messages."""
    rules = [rule for rule in read_rules(lake) if rule.kind == "ip"]
    known = con.execute(f"select distinct ip from {rows} where {THEIRS} and ip is not null").fetchall() if rules else []
    con.register("address_rules", listed(rules, [ip for (ip,) in known]))
