"""The steps of deduplication, each a pure function of the relations that its SQL file names."""

from pathlib import Path

import pyarrow as pa

from etl.stages.step import Step, columns, without
from etl.vocabulary.columns import COPIES, KEYS, MESSAGES

HERE = Path(__file__).parent

KEY = without(KEYS, "received_date")
"""A message's keys, without the partition that its file lies in."""
REFERENCE = columns(KEYS, "file_id", "message_ref")
SHOWN = pa.schema([("shown_key", pa.int64())])
"""What views are of: the key of a page, or of a document."""
VIEWS = pa.schema([("kind", pa.string()), *SHOWN, *columns(KEYS, "file_id", "message_ref", "event_date")])
FILE_NAME = pa.schema([("filename", pa.string())])
PAIRS = pa.schema(
    [
        *columns(KEYS, "id_key", "file_id", "message_ref"),
        *columns(COPIES, "kept_file_id", "kept_message_ref", "event_date"),
        ("is_same_text", pa.bool_()),
    ]
)
COLLIDED = columns(
    MESSAGES, "source_file", "received_at", "file_id", "message_ref", "event_id", "schema", "app_id", "platform",
    "tracker", "stream_id", "message_index",
)  # fmt: skip

FIND_CONTESTED = Step(
    HERE / "contested.sql", {"arrived": KEY, "nearby": KEY}, {"contested": KEY}, by=("id_key",)
)  # fmt: skip
WIDEN = Step(HERE / "widen.sql", {"contested": KEY, "further": KEY}, {"widened": KEY}, by=("id_key",))
JUDGE = Step(
    HERE / "judge.sql",
    {
        "contested": KEY,
        "messages": columns(
            MESSAGES, "event_id", "request_id", "position", "source_file", "line_number", "content_key", "file_id",
            "message_ref",
        ),
    },
    {"pairs": PAIRS},
    by=("id_key",),
)  # fmt: skip
REFUSE = Step(HERE / "refuse.sql", {"pairs": PAIRS, "same_content": REFERENCE}, {"refused": COPIES}, by=("id_key",))
FIND_SHOWN = Step(HERE / "shown.sql", {"arrived": KEY, "contested": KEY}, {"shown": SHOWN})
FIND_SEEN = Step(
    HERE / "seen_before.sql",
    {"history": pa.schema([*columns(KEYS, "page_key", "document_key"), *FILE_NAME]), "shown": SHOWN},
    {"seen_before": FILE_NAME},
)
FIND_VIEWS = Step(HERE / "views.sql", {"arrived": KEY, "before": KEY, "shown": SHOWN}, {"views": VIEWS})
FIND_VIEWED_AGAIN = Step(
    HERE / "viewed_again.sql",
    {
        "views": VIEWS,
        "messages": columns(
            MESSAGES, "visitor_id", "page_id", "event_at", "stream_id", "message_index", "event_id", "file_id",
            "message_ref",
        ),
        "refused": COPIES, "known": COPIES, "contested": REFERENCE,
    },
    {"repeated": COPIES},
    by=("shown_key",),
)  # fmt: skip
MERGE = Step(
    HERE / "merge.sql",
    {"known": COPIES, "contested": REFERENCE, "shown": SHOWN, "refused": COPIES, "repeated": COPIES},
    {"decided": COPIES},
)
FIND_COLLIDED = Step(HERE / "collided.sql", {"collisions": REFERENCE, "messages": COLLIDED}, {"collided": COLLIDED})
