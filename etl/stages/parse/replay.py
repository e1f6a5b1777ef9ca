"""What stands in quarantine and could be parsed again."""

from collections.abc import Sequence

from etl.lake.catalogue import Lake
from etl.lake.landed import file_name, landed_files
from etl.stages.parse.stage import Parse
from etl.vocabulary.reasons import PARSER_REASONS


def quarantined_by_file(lake: Lake, reasons: Sequence[str] = ()) -> dict[str, int]:
    """Count what parsing has quarantined for `reasons` (none: for any), by the unit of files that count."""
    landed = landed_files(lake)
    parts = [part for _, part in Parse().parts(lake, "quarantine")]
    with lake.workbench() as con:
        rows = con.execute(
            f"select file_id, count(*) from {lake.scan('quarantine', parts)}"
            " where reason in (select unnest($reasons)) group by 1",
            {"reasons": list(reasons or PARSER_REASONS)},
        ).fetchall()
    return {name: count for number, count in rows if (name := file_name(number)) in landed}
