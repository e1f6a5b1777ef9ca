"""The demo: a shop, real browsers, the real collector, Airflow, and a table of truth against warehouse."""
