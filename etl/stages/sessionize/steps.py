"""The steps of sessionizing, each a pure function of the relations that its SQL file names."""

from pathlib import Path

import pyarrow as pa

from etl.stages.sessionize.excluded import RULES
from etl.stages.step import Step, columns, without
from etl.vocabulary.columns import COPIES, EVENT_COUNTS, EVENTS, FAST_VIEWS, MESSAGES, OPEN_SESSIONS

HERE = Path(__file__).parent

VISITORS = pa.schema([("visitor_id", pa.string()), ("visitor", pa.int32())])
ACCEPTED = pa.schema(
    [
        ("visitor", pa.int32()),
        ("event_us", pa.int64()),
        ("tie", pa.int32()),
        ("is_session_event", pa.bool_()),
        ("campaign_key", pa.int64()),
        ("file_id", pa.int64()),
        ("message_ref", pa.int64()),
    ]
)
"""Messages by visitor, as a number, and moment (µs); `tie` puts those of one moment in order; `campaign_key` is null
of all but tagged page views."""
EVENT_SESSIONS = pa.schema(
    [
        ("file_id", pa.int64()),
        ("message_ref", pa.int64()),
        ("session_start_us", pa.int64()),
        ("session_event_number", pa.int32()),
    ]
)
"""The session of each accepted message, by its start: null of a message that belongs to none."""
STRAYS = pa.schema([("is_access", pa.bool_()), ("received_date", pa.date32())])
"""Days of receipt that stand alone: what was received on them is excluded."""
REFERENCE = columns(MESSAGES, "file_id", "message_ref")
REFUSAL = columns(COPIES, "kind", "file_id", "message_ref")
OPEN = without(OPEN_SESSIONS, "event_date")
SHOWN = without(MESSAGES, "event_date")
SHOWN_ADDRESSES = pa.schema([("ip", pa.string()), ("shown_ip", pa.string())])

NUMBER = Step(
    HERE / "number.sql",
    {
        "messages": columns(
            MESSAGES, "visitor_id", "event_at", "stream_id", "message_index", "event_id", "platform", "schema",
            "utm_source", "utm_medium", "utm_campaign", "click_ids", "file_id", "message_ref",
        ),
        "copies": REFUSAL, "open_sessions": OPEN,
    },
    {"visitors": VISITORS, "accepted": ACCEPTED},
)  # fmt: skip
CUT_SESSIONS = Step(
    HERE / "sessions.sql",
    {"accepted": ACCEPTED, "visitors": VISITORS, "open_sessions": OPEN},
    {"event_sessions": EVENT_SESSIONS, "left_open": OPEN},
    by=("visitor",),
)
EXCLUDE = Step(
    HERE / "exclude.sql",
    {
        "messages": columns(
            MESSAGES, "visitor_id", "user_id", "ip", "event_at", "received_at", "is_access", "file_id", "message_ref"
        ),
        "event_sessions": EVENT_SESSIONS, "rules": RULES, "strays": STRAYS,
    },
    {"excluded": REFERENCE},
)  # fmt: skip
MASK = Step(HERE / "mask.sql", {"messages": SHOWN, "shown_addresses": SHOWN_ADDRESSES}, {"masked": SHOWN})
FLAG = Step(
    HERE / "events.sql",
    {
        "messages": SHOWN, "event_sessions": EVENT_SESSIONS, "copies": REFUSAL,
        "fast_views": columns(FAST_VIEWS, "file_id", "message_ref"), "excluded": REFERENCE,
    },
    {"events": without(EVENTS, "event_date")},
)  # fmt: skip
COUNT = Step(
    HERE / "count.sql",
    {
        "messages": columns(
            MESSAGES, "event_id", "request_id", "received_at", "position", "stream_id", "message_index", "source_file",
            "app_id", "platform", "tracker", "file_id", "message_ref",
        ),
        "copies": REFUSAL,
    },
    {"event_counts": without(EVENT_COUNTS, "event_date")},
)  # fmt: skip
