"""Column names and types of every Parquet dataset in the lake.

Times are UTC with microseconds. The columns of a dataset that come from its hive partition
(`event_date`, `hit_date`) stand in the schema of the zero-row file but not in the files below
the partition folders.
"""

import pyarrow as pa

UTC = pa.timestamp("us", tz="UTC")
TEXT = pa.string()

RAW = pa.schema(
    [
        ("line_number", pa.int64()),
        ("byte_offset", pa.int64()),
        ("line", pa.large_binary()),
        ("line_bytes", pa.int64()),
        ("line_sha256", TEXT),
    ]
)
"""`line` without its newline. Of a line longer than `max_line_bytes` it is the beginning, and
`line_bytes` and `line_sha256` (else null) speak of the whole. `byte_offset` counts in the
decompressed file."""

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
        ("stream_number", pa.int64()),
        ("previous_stream_id", TEXT),
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
        ("click_ids", TEXT),
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
        ("address_from_client", pa.bool_()),
        ("collector_host", TEXT),
        ("is_bot", pa.bool_()),
        ("bot_reason", TEXT),
        ("is_excluded", pa.bool_()),
        ("data", TEXT),
        ("is_access", pa.bool_()),
        ("source_file", TEXT),
        ("line_number", pa.int64()),
        ("position", pa.int32()),
        ("file_id", pa.int64()),
        ("event_date", pa.date32()),
    ]
)
"""`address_from_client` says that anybody could have sent its address. `stream_number` and `previous_stream_id` say of
a stream that is a client's session (Snowplow's) which it is of that client's, and which came before. `click_ids` is a
JSON object of the click ids in a page view's URL, in the order of the seed that names them."""

_DECIDED_LATER = {
    "session_id", "session_date", "session_event_number", "is_session_event", "is_repeat",
    "is_bot", "bot_reason", "is_excluded",
}  # fmt: skip

MESSAGES = pa.schema(
    [
        *(field for field in EVENTS if field.name not in {*_DECIDED_LATER, "event_date"}),
        ("ua_bot_reason", TEXT),
        ("blocked", TEXT),
        ("document_key", pa.int64()),
        ("message_ref", pa.int64()),
        ("content_key", pa.int64()),
        ("event_date", pa.date32()),
    ]
)
"""Valid messages before duplicates are found. `message_ref` is line_number · 2²⁴ + position; `blocked` says why the
collector would rather not have it. `document_key` is
the same in all views of a document that says when it was loaded. `content_key` is a
key of the message in the newest version: equal only where the texts are, but for a chance of 2⁻⁶³. It is MD5
cut to 63 bits, no defence: who makes two messages of one id collide has the second refused as a duplicate, and not as
a collision."""

KEYS = pa.schema(
    [
        ("id_key", pa.int64()),
        ("page_key", pa.int64()),
        ("document_key", pa.int64()),
        ("received_us", pa.int64()),
        ("file_id", pa.int64()),
        ("message_ref", pa.int64()),
        ("event_date", pa.date32()),
        ("received_date", pa.date32()),
    ]
)
"""A valid message's id, a page view's visitor and page, and its visitor and document, as 63 bits of MD5: enough to find
the few that came again, which are then looked at in full. Nobody's documents are told apart by the user agent."""

AGENTS = pa.schema(
    [
        ("event_date", pa.date32()),
        ("user_agent", TEXT),
        ("browser", TEXT),
        ("browser_version", TEXT),
        ("os", TEXT),
        ("os_version", TEXT),
        ("device", TEXT),
        ("is_touch", pa.bool_()),
        ("ua_bot_reason", TEXT),
    ]
)
"""What the libraries said of each distinct user agent of a day, when its messages were parsed."""

HOSTS = pa.schema([("event_date", pa.date32()), ("url_host", TEXT), ("url_domain", TEXT)])
"""The registrable domain of each distinct host of a day, when its messages were parsed."""

COPIES = pa.schema(
    [
        ("kind", TEXT),
        ("key", pa.int64()),
        ("file_id", pa.int64()),
        ("message_ref", pa.int64()),
        ("kept_file_id", pa.int64()),
        ("kept_message_ref", pa.int64()),
        ("event_date", pa.date32()),
    ]
)
"""Messages that repeat another's id, page or document. `kind`: `duplicate`, `id_collision` (both are refused), `repeat`
or `later_view` (accepted, and said of the event; a view may be both); `key`: the id's, the page's or the document's, as
in `KEYS`."""

FAST_VIEWS = pa.schema([("file_id", pa.int64()), ("message_ref", pa.int64()), ("event_date", pa.date32())])
"""Page views inside a window that holds more of their visitor's than people read."""

OPEN_SESSIONS = pa.schema(
    [
        ("visitor_id", TEXT),
        ("session_start_us", pa.int64()),
        ("last_us", pa.int64()),
        ("campaign_key", pa.int64()),
        ("session_event_number", pa.int64()),
        ("event_date", pa.date32()),
    ]
)
"""One row per visitor whose session may go on after midnight: its start and last session event (µs), the key of its
latest campaign, and how many session events it has had."""

PIXEL_HITS = pa.schema(
    [
        ("hit_at", UTC),
        ("page_id", TEXT),
        ("app_id", TEXT),
        ("platform", TEXT),
        ("visitor_id", TEXT),
        ("page_url", TEXT),
        ("ip", TEXT),
        ("user_agent", TEXT),
        ("browser", TEXT),
        ("ua_bot_reason", TEXT),
        ("source_file", TEXT),
        ("line_number", pa.int64()),
        ("file_id", pa.int64()),
        ("url_host", TEXT),
        ("url_path", TEXT),
        ("utm_source", TEXT),
        ("utm_medium", TEXT),
        ("utm_campaign", TEXT),
        ("click_ids", TEXT),
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
        ("payload_key", TEXT),
        ("received_at", UTC),
        ("file_id", pa.int64()),
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
could not be read, and is taken as it was sent: nothing there has been judged valid. `payload_key` tells payloads apart
when they are not to be kept for longer, and is null until then."""

FILES = pa.schema(
    [
        ("source_file", TEXT),
        ("source", TEXT),
        ("file_id", pa.int64()),
        ("status", TEXT),
        ("detail", TEXT),
        ("lines", pa.int64()),
        ("bad_lines", pa.int64()),
        ("unrouted", pa.int64()),
        ("refused_at_edge", pa.int64()),
        ("unrouted_paths", TEXT),
        ("messages", pa.int64()),
        ("valid", pa.int64()),
        ("quarantined", pa.int64()),
        ("erased", pa.int64()),
        ("is_parsed", pa.bool_()),
        ("is_unread", pa.bool_()),
        ("is_left_behind", pa.bool_()),
        ("received_from", pa.date32()),
    ]
)
"""`unrouted` requests are for nobody that is known, `refused_at_edge` those that a client keeps and sends again; they
hold no message. `is_unread`: not landed, and not because it is a dot file or empty. `is_left_behind`: its name holds
something else now, and no other name holds it or begins with it."""

EVENT_COUNTS = pa.schema(
    [
        ("file_id", pa.int64()),
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
        ("file_id", pa.int64()),
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

HOLIDAYS = pa.schema([("date", pa.date32()), ("name", TEXT), ("app_id", TEXT)])
"""The calendar file: days on which nobody needs to come, of one app or (null) of all."""

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

ERASURES = pa.schema(
    [
        ("erasure", TEXT),
        ("asked_at", UTC),
        ("kind", TEXT),
        ("persons", pa.int64()),
        ("lines", pa.int64()),
        ("messages", pa.int64()),
        ("first_day", pa.date32()),
        ("last_day", pa.date32()),
    ]
)
"""Requests to be forgotten: a row each, with what was found when it was done."""

STRAYS = pa.schema(
    [
        ("source", TEXT),
        ("received_date", pa.date32()),
        ("source_file", TEXT),
        ("line_number", pa.int64()),
        ("lines", pa.int64()),
    ]
)
"""Days of receipt that stand alone: a row for each file that has lines of one, with the number of its first."""

SEALS = pa.schema(
    [
        ("sealed_before", pa.date32()),
        ("events_before", pa.date32()),
        ("rows_before", pa.date32()),
        ("sealed_at", UTC),
        ("keep_days", pa.int64()),
        ("files", pa.int64()),
        ("lines", pa.int64()),
        ("bytes", pa.int64()),
    ]
)
"""Seals: a row each time that raw lines went, with the first day that is not sealed since, and what went. All say the
first day whose events are there, in `events_before`, and the first of which no rows are kept for good, in
`rows_before`; null while no events have gone."""

SEALED = pa.schema([("part", TEXT)])
"""What is kept of days whose events are gone: rows of many tables, each with the columns that its model has."""

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
        ("since", UTC),
        ("until", UTC),
        ("reason", TEXT),
        ("source_file", TEXT),
        ("line_number", pa.int64()),
    ]
)
"""What people asked to be thrown out: sessions, visitors, users and networks, `until` not included."""
