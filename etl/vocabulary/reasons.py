"""Reasons of quarantine."""

PARSER_REASONS = (
    "too_large", "bad_line", "bad_body", "unknown_version", "unknown_schema", "missing_key", "malformed_key",
    "too_late", "sealed",
)  # fmt: skip
"""Why parsing quarantines, in the order in which the reasons count. Collisions are found later, between messages."""
