"""Payloadless: payloads taken out of the quarantine of lines that are gone; the books and the figures stay.

What was refused, when, why, and what it said of itself (its columns) stays in its row. A payload's key takes the place
of the payload where rows are told apart, and of a refused exposure stays what the stages of an experiment count.
"""

import pyarrow as pa

from etl.lake.catalogue import Lake
from etl.lake.landed import PARSED, file_name
from etl.lake.manifests import Comparison, Part, Reading
from etl.lake.retention import quoting
from etl.tools.rewritten import note, rewrite_parts

COMPARED = "deduplicate"
"""The stage that quarantines messages with the id of another."""
THEIRS = "file_id in (select file_id from payloadless)"
SAID = "case when json_valid(payload) then payload end"
EXPOSURE = f"""
    case
        when
            reason not in ('id_collision', 'sealed')
            and coalesce({SAID} ->> '$.schema', {SAID} ->> '$.type') in ('experiment_exposure', 'exp')
            then cast(json_object(
                'schema', 'experiment_exposure',
                'visitor_id', coalesce({SAID} ->> '$.visitor_id', {SAID} ->> '$.uid'),
                'data', json_object(
                    'experiment', coalesce({SAID} ->> '$.data.experiment', {SAID} ->> '$.d.e'),
                    'variant', coalesce({SAID} ->> '$.data.variant', {SAID} ->> '$.d.v')
                )
            ) as varchar)
    end
"""
"""What stays of a refused exposure, in SQL; of all else nothing."""


def drop_payloads(lake: Lake) -> None:
    """Take payloads that are not to be kept out of quarantine; the manifest of landing says so last."""
    found = quoting(lake)
    names = {file_name(one.content.file_id) for one in found}
    with lake.workbench() as con:
        con.register("payloadless", pa.table({"file_id": pa.array([one.content.file_id for one in found], pa.int64())}))

        def without(part: Part, rows: str) -> str | None:
            if part.dataset != "quarantine" or con.execute(f"from {rows} where {THEIRS} limit 1").fetchone() is None:
                return None
            return f"""
                select * exclude (file_row_number) replace (
                    case when {THEIRS} then {EXPOSURE} else payload end as payload,
                    case when {THEIRS} then coalesce(payload_key, md5(payload)) else payload_key end as payload_key
                )
                from {rows}
            """

        for commit in lake.commits(PARSED, Reading) if found else ():
            if not names.isdisjoint(commit.units):
                rewrite_parts(con, lake, commit, without)
        for compared in lake.commits(COMPARED, Comparison) if found else ():
            rewrite_parts(con, lake, compared, without)
    note(lake, found, is_payloadless=True)
