"""The floor: DuckDB reads the event files' JSON and writes Parquet, and does nothing else.

With `--unpacked` it also makes one typed row of each message in a batch: what anybody who loads
these logs must do, still without judging, deduplicating or joining anything.
"""

import sys
from pathlib import Path

import duckdb

THREADS = 2
LONGEST_LINE = 64 * 2**20

ENVELOPE = {
    "request_id": "VARCHAR", "received_at": "DOUBLE", "remote_addr": "VARCHAR", "host": "VARCHAR",
    "method": "VARCHAR", "path": "VARCHAR", "query": "VARCHAR", "user_agent": "VARCHAR",
    "referer": "VARCHAR", "content_type": "VARCHAR", "body": "VARCHAR",
}  # fmt: skip
MESSAGE = (
    '{"version":"INTEGER","id":"VARCHAR","schema":"VARCHAR","app_id":"VARCHAR","platform":"VARCHAR",'
    '"tracker":"VARCHAR","stream_id":"VARCHAR","index":"BIGINT","created_at":"TIMESTAMP","visitor_id":"VARCHAR",'
    '"user_id":"VARCHAR","logged_in":"BOOLEAN","country":"VARCHAR","locale":"VARCHAR","data":"JSON",'
    '"page":{"id":"VARCHAR","type":"VARCHAR","url":"VARCHAR","referrer":"VARCHAR","referring_page_id":"VARCHAR",'
    '"referring_click_id":"VARCHAR","navigation":"VARCHAR"}}'
)
BATCH = f'{{"sent_at":"TIMESTAMP","messages":[{MESSAGE}]}}'


def copy_events(inbox: Path, target: Path, unpacked: bool) -> int:
    """Write all lines of the inbox's event files as one Parquet file; return the rows written."""
    files = ", ".join(f"'{path}'" for path in sorted((inbox / "events").rglob("*.jsonl*")))
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in ENVELOPE.items())
    lines = (
        f"select * from read_json([{files}], format = 'newline_delimited', columns = {{{columns}}},"
        f" maximum_object_size = {LONGEST_LINE}, ignore_errors = true)"
    )
    messages = f"""
        select * exclude (batch, message), batch.sent_at as sent_at, message.*
        from (
            select *, unnest(batch.messages) as message
            from (select * exclude (body), try(from_json(body, '{BATCH}')) as batch from ({lines}))
        )
    """
    con = duckdb.connect(config={"threads": THREADS, "preserve_insertion_order": False})
    rows = con.execute(
        f"copy ({messages if unpacked else lines}) to '{target}'"
        " (format parquet, compression zstd, compression_level 1)"
    ).fetchall()
    return int(rows[0][0])


if __name__ == "__main__":
    print(copy_events(Path(sys.argv[1]), Path(sys.argv[2]), "--unpacked" in sys.argv))
