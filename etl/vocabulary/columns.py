"""Column names and types of every Parquet dataset in the lake.

Times are UTC with microseconds. The columns of a dataset that come from its hive partition
(`event_date`, `hit_date`) stand in the schema of the zero-row file but not in the files below
the partition folders.
"""

import pyarrow as pa

UTC = pa.timestamp("us", tz="UTC")
TEXT = pa.string()

EVENTS = pa.schema(
    [
        ("event_id", TEXT),
        ("request_id", TEXT),
        ("schema", TEXT),
        ("version", pa.int32()),
        ("app_id", TEXT),
        ("platform", TEXT),
        ("tracker", TEXT),
        ("stream_id", TEXT),
        ("message_index", pa.int64()),
        ("created_at", UTC),
        ("sent_at", UTC),
        ("received_at", UTC),
        ("event_at", UTC),
        ("visitor_id", TEXT),
        ("user_id", TEXT),
        ("is_logged_in", pa.bool_()),
        ("session_id", TEXT),
        ("session_date", pa.date32()),
        ("session_event_number", pa.int32()),
        ("is_session_event", pa.bool_()),
        ("page_id", TEXT),
        ("page_type", TEXT),
        ("url", TEXT),
        ("url_host", TEXT),
        ("url_path", TEXT),
        ("url_domain", TEXT),
        ("referrer", TEXT),
        ("referrer_host", TEXT),
        ("referrer_domain", TEXT),
        ("utm_source", TEXT),
        ("utm_medium", TEXT),
        ("utm_campaign", TEXT),
        ("utm_term", TEXT),
        ("utm_content", TEXT),
        ("gclid", TEXT),
        ("msclkid", TEXT),
        ("fbclid", TEXT),
        ("referring_page_id", TEXT),
        ("referring_click_id", TEXT),
        ("navigation", TEXT),
        ("is_repeat", pa.bool_()),
        ("user_agent", TEXT),
        ("browser", TEXT),
        ("browser_version", TEXT),
        ("os", TEXT),
        ("os_version", TEXT),
        ("device", TEXT),
        ("country", TEXT),
        ("locale", TEXT),
        ("ip", TEXT),
        ("collector_host", TEXT),
        ("is_bot", pa.bool_()),
        ("bot_reason", TEXT),
        ("is_excluded", pa.bool_()),
        ("data", TEXT),
        ("is_access", pa.bool_()),
        ("source_file", TEXT),
        ("line_number", pa.int64()),
        ("position", pa.int32()),
        ("file_id", pa.uint64()),
        ("event_date", pa.date32()),
    ]
)

_DECIDED_LATER = {
    "session_id", "session_date", "session_event_number", "is_session_event", "is_repeat",
    "is_bot", "bot_reason", "is_excluded",
}  # fmt: skip

MESSAGES = pa.schema(
    [
        *(field for field in EVENTS if field.name not in {*_DECIDED_LATER, "event_date"}),
        ("ua_bot_reason", TEXT),
        ("message_ref", pa.int64()),
        ("content_hash", pa.uint64()),
        ("event_date", pa.date32()),
    ]
)
"""Valid messages before duplicates are found. `message_ref` is line_number · 2²⁴ + position."""

PIXEL_HITS = pa.schema(
    [
        ("hit_at", UTC),
        ("page_id", TEXT),
        ("app_id", TEXT),
        ("platform", TEXT),
        ("visitor_id", TEXT),
        ("ip", TEXT),
        ("user_agent", TEXT),
        ("browser", TEXT),
        ("ua_bot_reason", TEXT),
        ("source_file", TEXT),
        ("line_number", pa.int64()),
        ("file_id", pa.uint64()),
        ("hit_date", pa.date32()),
    ]
)

QUARANTINE = pa.schema(
    [
        ("source_file", TEXT),
        ("line_number", pa.int64()),
        ("position", pa.int32()),
        ("reason", TEXT),
        ("detail", TEXT),
        ("payload", TEXT),
        ("received_at", UTC),
        ("file_id", pa.uint64()),
        ("event_id", TEXT),
        ("schema", TEXT),
        ("app_id", TEXT),
        ("platform", TEXT),
        ("tracker", TEXT),
        ("stream_id", TEXT),
        ("message_index", pa.int64()),
    ]
)
"""Refused lines and messages. What a message says of itself (from `event_id` on) is null where it
could not be read, and is taken as it was sent: nothing there has been judged valid."""

FILES = pa.schema(
    [
        ("source_file", TEXT),
        ("source", TEXT),
        ("file_id", pa.uint64()),
        ("status", TEXT),
        ("detail", TEXT),
        ("lines", pa.int64()),
        ("bad_lines", pa.int64()),
        ("messages", pa.int64()),
        ("valid", pa.int64()),
        ("quarantined", pa.int64()),
        ("is_parsed", pa.bool_()),
        ("received_from", pa.date32()),
    ]
)

EVENT_COUNTS = pa.schema(
    [
        ("file_id", pa.uint64()),
        ("source_file", TEXT),
        ("app_id", TEXT),
        ("platform", TEXT),
        ("tracker", TEXT),
        ("accepted", pa.int64()),
        ("duplicates", pa.int64()),
        ("collisions", pa.int64()),
        ("resent", pa.int64()),
        ("resent_streamed", pa.int64()),
        ("event_date", pa.date32()),
    ]
)

SPEND = pa.schema(
    [
        ("date", pa.date32()),
        ("source", TEXT),
        ("medium", TEXT),
        ("campaign", TEXT),
        ("impressions", pa.int64()),
        ("clicks", pa.int64()),
        ("cost", pa.decimal128(18, 6)),
        ("currency", TEXT),
        ("source_file", TEXT),
        ("line_number", pa.int64()),
    ]
)

CONVERSIONS = pa.schema(
    [
        ("conversion", TEXT),
        ("schema_name", TEXT),
        ("once_per", TEXT),
        ("conditions", pa.list_(pa.struct([("field", TEXT), ("operator", TEXT), ("operand", TEXT)]))),
        ("value", pa.decimal128(18, 4)),
        ("value_field", TEXT),
        ("currency", TEXT),
        ("currency_field", TEXT),
    ]
)
"""What the setting `conversions` declares: a row each."""

RESTATEMENTS = pa.schema(
    [
        ("published_at", UTC),
        ("date", pa.date32()),
        ("metric", TEXT),
        ("value", pa.float64()),
        ("previous_value", pa.float64()),
        ("previous_published_at", UTC),
        ("reason", TEXT),
        ("definition", TEXT),
    ]
)

THRESHOLDS = pa.schema(
    [
        ("check_name", TEXT),
        ("app_id", TEXT),
        ("platform", TEXT),
        ("since", pa.date32()),
        ("until", pa.date32()),
        ("warn", pa.float64()),
        ("error", pa.float64()),
        ("plain_from", pa.int64()),
        ("least", pa.int64()),
        ("owner", TEXT),
        ("hint", TEXT),
        ("subject", TEXT),
        ("unit", TEXT),
        ("kind", TEXT),
        ("if_unknown", TEXT),
        ("if_nothing", TEXT),
        ("precedence", pa.int64()),
    ]
)
"""The checks, and what the thresholds file says of each; where several rows apply the lowest precedence counts."""

EXCLUSIONS = pa.schema(
    [
        ("kind", TEXT),
        ("value", TEXT),
        ("from_at", UTC),
        ("to_at", UTC),
        ("reason", TEXT),
        ("source_file", TEXT),
        ("line_number", pa.int64()),
    ]
)
