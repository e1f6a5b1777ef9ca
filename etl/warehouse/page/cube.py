"""The cube: what each day brought by platform, channel, country, browser and kind of visitor, all at once.

Any filters and any days of it add up in the page, and with the sums of squares beside them so does what chance may do.
Visitors do not add up; for them there is how long ago each visitor of a day had come before: whoever came before the
first day of a period, or never, is new in it. What both witnesses saw is known by one dimension at a time. Dimensions
that would make too many cells are counted each alone: that obeys no filter.
"""

from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa

from etl.warehouse.page import frames

CELLS = 16_000
GAPS = 10_000
WITNESSES = 4_000
SLICES = ("platform", "channel", "country")
"""Dimensions by which, one at a time, visitors and what both witnesses saw are known."""
DIMENSIONS = ("platform", "channel", "country", "browser", "visitor_kind")
NAMES: Sequence[tuple[int, ...]] = (
    (12, 24, 16, 9, 4), (12, 24, 9, 5, 4), (12, 24, 6, 0, 4), (12, 24, 6, 0, 0), (12, 24, 0, 0, 0), (12, 0, 0, 0, 0),
)  # fmt: skip
"""Values of each dimension by name, from the finest cube to the coarsest; none: the cube does without it."""


def read(con: duckdb.DuckDBPyConnection) -> tuple[dict[str, pa.Table], list[str]]:
    """Read the finest cube that is small enough, its gaps and its witnesses; and which dimensions it has."""
    con.execute(
        f"""
        create or replace temp table cube_cells as
        select date, {", ".join(f"coalesce({name}, '(unknown)') as {name}" for name in DIMENSIONS)},
            count(*) filter (fact = 'session') as sessions,
            count(*) filter (fact = 'session' and is_bounce) as bounces,
            count(*) filter (fact = 'session' and is_new_visitor) as new_visitors,
            count(*) filter (fact = 'session' and has_order) as sessions_with_order,
            count(*) filter (fact = 'page_view') as page_views,
            count(*) filter (fact = 'order') as orders,
            count(*) filter (fact = 'order' and is_unrated) as unrated_orders,
            sum(case when is_unrated then null else revenue end) as revenue,
            sum(power(page_view_count::double, 2)) filter (fact = 'session') as squared_session_pages,
            sum(power(revenue::double, 2)) as squared_revenue
        from metrics.facts where date >= $since group by all
        """,
        {"since": frames.first_day(con)},
    )
    cells, kept = None, []
    for most in NAMES:
        kept = [name for name, number in zip(DIMENSIONS, most, strict=True) if number]
        cells = frames.read(con, select_cells(most))
        if cells.num_rows <= CELLS:
            break
    made = {"cube": frames.read_newest(con, select_cells(most), CELLS), "came": read_gaps(con)}
    return made | {"witness": read_witnesses(con), "alone": read_alone(con, kept)}, kept


def read_alone(con: duckdb.DuckDBPyConnection, kept: Sequence[str]) -> pa.Table:
    """Read the visits and bounces of each day by each dimension that the cube does without."""
    parts = [
        f"select '{name}' as dimension, {frames.top(name, 'cube_cells', 'sessions', number)} as slice, *"
        " from cube_cells where sessions > 0"
        for name, number in zip(DIMENSIONS, NAMES[0], strict=True)
        if name not in kept
    ] or ["select null::varchar as dimension, null::varchar as slice, * from cube_cells where false"]
    return frames.read_newest(
        con,
        "select dimension, slice, date, sum(sessions)::bigint as sessions, sum(bounces)::bigint as bounces"
        f" from ({' union all '.join(parts)}) group by all order by dimension, slice, date",
        len(parts) * frames.ROWS,
        names=("slice",),
    )


def select_cells(most: Sequence[int]) -> str:
    """Say in SQL the cells with so many names of each dimension."""
    named = [
        f"{frames.top(name, 'cube_cells', 'sessions + page_views + orders', number)} as {name}"
        for name, number in zip(DIMENSIONS, most, strict=True)
        if number
    ]
    sums = ", ".join(
        f"coalesce(sum({name}), 0)::bigint as {name}"
        for name in ("sessions", "bounces", "new_visitors", "sessions_with_order", "page_views", "orders",
                     "unrated_orders", "squared_session_pages")
    )  # fmt: skip
    return (
        f"select date, {', '.join(named)}, {sums}, coalesce(sum(revenue), 0) as revenue,"
        " coalesce(round(sum(squared_revenue), 2), 0) as squared_revenue"
        f" from cube_cells group by all order by date, {', '.join(str(n + 2) for n in range(len(named)))}"
    )


def read_gaps(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """Read of each day how many visitors had last come how many days ago (null: never); of all, then by dimension."""
    con.execute(
        """
        create or replace temp table cube_visits as
        select distinct date, visitor_id, platform, channel, country from metrics.facts
        where fact = 'session' and visitor_id is not null and date >= $since
        """,
        {"since": frames.first_day(con)},
    )
    whole = None
    for dimension in ("all", *SLICES):
        column = "'all'" if dimension == "all" else f"coalesce({dimension}, '(unknown)')"
        found = frames.read_newest(
            con,
            f"""
            with days as (
                select distinct date, visitor_id, {column} as slice from cube_visits
            ),
            came as (
                select date, slice, date - lag(date) over (partition by visitor_id, slice order by date) as gap
                from days
            )
            select '{dimension}' as dimension, slice, date, gap, count(*) as visitors from came
            group by all order by date, slice, gap
            """,
            GAPS,
        )
        if whole is not None and whole.num_rows + found.num_rows > GAPS:
            break
        whole = found if whole is None else pa.concat_tables([whole, found])
    assert whole is not None
    return whole


def read_witnesses(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """Read what the pixel and the tracker saw of each day, as a whole and by each dimension alone."""
    bounds = ("page_views_estimated", "page_views_low", "page_views_high", "page_views_dependent_high")
    rounded = ", ".join(f"round({name}, 2) as {name}" for name in bounds)
    measures = f"pixel_hits, matched, page_views, {rounded}, is_witnessed"
    parts = [f"select 'all' as dimension, 'all' as slice, date, is_complete, {measures} from executive.kpi_daily"]
    parts += [
        f"select '{name}' as dimension, {name} as slice, date, is_complete, {measures}"
        f" from executive.kpi_daily_by_{name}"
        " where pixel_hits > 0"
        for name in SLICES
    ]
    whole, *slices = parts
    all_days = frames.read(con, f"select * from ({whole}) where date >= $since order by date")
    union = " union all ".join(slices)
    by_slice = frames.read_newest(
        con, f"select * from ({union}) where date >= $since order by dimension, slice, date", WITNESSES
    )
    return pa.concat_tables([all_days, by_slice]).replace_schema_metadata(by_slice.schema.metadata)


def describe(kept: Sequence[str]) -> dict[str, Any]:
    """Say which filters may be combined, and which the cube had to do without."""
    return {
        "dimensions": list(kept), "left_out": [name for name in DIMENSIONS if name not in kept],
        "slices": list(SLICES),
    }  # fmt: skip
