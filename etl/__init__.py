"""Bloodhound's pipeline: raw tracking logs in, trusted Parquet out. See docs/architecture.md."""

INTERRUPTED = 130
"""The exit code of a command that a person stopped."""
STOPPED = "stopped; the next run goes on from here"
