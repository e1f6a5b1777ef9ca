"""Bloodhound's pipeline: raw tracking logs in, trusted Parquet out. See docs/architecture.md."""
