"""Restatements: what each publication said of each day, so that what late data changed can be seen.

The only history that cannot be made again from the inbox, and the only place where a clock is read:
when something was published is a fact about readers, not about the logs.
"""

from datetime import UTC, datetime
from pathlib import Path

import duckdb

from etl.lake import files, sql
from etl.lake.catalogue import Lake
from etl.lake.datasets import PARQUET

METRICS = (
    "visitors", "new_visitors", "sessions", "bounce_rate", "page_views", "pages_per_session",
    "average_session_seconds", "orders", "revenue", "conversion_rate", "average_order_value",
    "revenue_per_visitor", "completeness", "page_views_estimated", "page_views_low", "page_views_high",
    "page_views_dependent_high",
)  # fmt: skip

DEFINITION = "definition"
"""The key in the file's own metadata that names what the last publication's figures meant, changed or not."""

SAME = 1e-9
"""Relative difference up to which two figures are the same; engines may differ in a last digit."""


def history_path(lake: Lake) -> Path:
    """Name the file that holds the history."""
    return lake.history("restatements.parquet")


def pending_path(lake: Lake, warehouse: Path) -> Path:
    """Name the history that holds once a warehouse, still under the name it is written by, is published."""
    return history_path(lake).with_name(f"pending-{warehouse.name}")


def settle(lake: Lake) -> None:
    """Keep or drop what killed publications left: a warehouse that lost its first name was published."""
    folder = history_path(lake).parent
    for pending in folder.glob("pending-*"):
        if (lake.settings.warehouse.parent / pending.name.removeprefix("pending-")).exists():
            pending.unlink()
        else:
            files.move_into_place(pending, history_path(lake))


def forget(lake: Lake, warehouse: Path) -> None:
    """Drop what a publication would have added that did not take place."""
    pending_path(lake, warehouse).unlink(missing_ok=True)


def record(con: duckdb.DuckDBPyConnection, lake: Lake, warehouse: Path, definition: str) -> None:
    """Write the history as it will be when `warehouse` is published, there and into a pending file for `settle`.

    A day's metric gets a row when it says something else than the last publication that spoke of it. A day
    that is no more says nothing: null. The reason is `data` if the last publication meant the same by its figures, else
    `definition`.

    Args:
        con: open on the new warehouse, with `executive.kpi_daily` in it.
        definition: names what the figures mean: the stages' versions and settings, and the models.
    """
    path = history_path(lake)
    is_like_before = last_definition(con, path) == definition if path.exists() else True
    before = sql.scan([path] if path.exists() else [], lake.empty("restatements"))
    values = ", ".join(f"{metric}::double as {metric}" for metric in METRICS)
    con.execute(
        f"""
        create or replace table quality.restatements as
        with history as (select * from {before}),
        said as (
            from (select date, {values} from executive.kpi_daily) as kpi_daily
            unpivot include nulls (value for metric in ({", ".join(METRICS)}))
        ),
        last_said as (
            from history qualify row_number() over (partition by date, metric order by published_at desc) = 1
        ),
        moment as (
            select greatest($now::timestamptz, max(published_at) + interval 1 microsecond) as published_at from history
        ),
        compared as (
            select
                coalesce(said.date, last_said.date) as date,
                coalesce(said.metric, last_said.metric) as metric,
                said.value,
                last_said.value as previous_value,
                last_said.published_at as previous_published_at,
                case
                    when last_said.metric is null then 'first'
                    when $is_like_before then 'data'
                    else 'definition'
                end as reason
            from said full join last_said on said.date = last_said.date and said.metric = last_said.metric
            where
                last_said.metric is null
                or (said.value is null) <> (last_said.value is null)
                or abs(said.value - last_said.value) > {SAME} * greatest(abs(said.value), abs(last_said.value))
        )
        select * from history
        union all
        select
            moment.published_at, date, metric, value, previous_value, previous_published_at, reason,
            $definition as definition
        from compared cross join moment
        order by published_at, date, metric
        """,
        {"now": datetime.now(UTC), "definition": definition, "is_like_before": is_like_before},
    )
    with lake.staging() as folder:
        part = folder / "restatements.parquet"
        said = f"kv_metadata {{{DEFINITION}: {sql.text(definition)}}}"
        con.execute(f"copy quality.restatements to {sql.text(part)} ({PARQUET}, {said})")
        files.move_into_place(part, pending_path(lake, warehouse))


def last_definition(con: duckdb.DuckDBPyConnection, path: Path) -> str | None:
    """Name what the figures of the last publication meant; of a file that does not say so, as its newest rows do."""
    said = con.execute(
        f"select decode(value) from parquet_kv_metadata({sql.text(path)}) where decode(key) = $key", {"key": DEFINITION}
    ).fetchall()
    rows = (
        said
        or con.execute(
            f"select definition from read_parquet({sql.text(path)}) order by published_at desc limit 1"
        ).fetchall()
    )
    return str(rows[0][0]) if rows else None
