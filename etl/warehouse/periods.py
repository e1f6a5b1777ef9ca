"""What may be said of the periods of an answer: how much of them was seen, whether they are whole, and what changed.

A change is null unless both periods are whole, and of what touches earn unless both are mature.

The limits are those of executive's tables: a ratio of two chances is log-normal, and how far chance moves a metric is
itself a metric, of the same name with `_variance` behind it.
"""

from collections.abc import Collection, Sequence
from datetime import date, timedelta

PERIODS = {"date": "day", "week": "week", "month": "month", "quarter": "quarter", "year": "year"}
"""What a query may be by besides dimensions, and MetricFlow's word for it."""

EARLIEST, LATEST = date(1970, 1, 1), date(2200, 12, 31)
"""Days that may be asked for: further off MetricFlow's own calendar ends."""

DAYS_BACK = {grain: timedelta(days) for grain, days in zip(PERIODS.values(), (1, 13, 61, 183, 731), strict=True)}
"""So far back lies the period before a day's own, from its first day on."""

RATED = "is_revenue_complete"
"""Whether every order of a row has a rate to the reporting currency."""

VARIANCE = "_variance"
"""What stands behind a metric's name in that of how far chance moves it."""

SEEN_BY = ("platform", "channel", "country")
"""Dimensions by which executive's tables say how much of what the pixel saw has its event."""


def with_variances(names: Sequence[str], known: Collection[str]) -> list[str]:
    """Add to metrics those that say how far chance moves them."""
    return [*names, *(name + VARIANCE for name in names if name + VARIANCE in known and name + VARIANCE not in names)]


def select_periods(grain: str, first: str, last: str) -> str:
    """Say in SQL of each period whether its days are all there, whole, sealed, and old enough for what touches earn.

    Args:
        grain: day, week, month, quarter or year.
        first, last: SQL of the days asked for, itself null where the end is open.
    """
    start = f"cast(date_trunc('{grain}', date) as date)"
    return f"""
        select
            {start} as period,
            bool_and(is_complete) and count(*) = date_diff('day', {start}, {start} + interval 1 {grain}) as is_complete,
            bool_and(is_sealed) as is_sealed,
            bool_and(is_mature) as is_mature
        from "build".metrics.days
        where date >= coalesce({first}, date) and date <= coalesce({last}, date)
        group by {start}
    """


def select_seen(dimensions: Sequence[str], first: str, last: str, *, grain: str = "") -> str:
    """Say in SQL how much of what the pixel saw has its event: hits of all days together, as the KPIs of weeks do it.

    Args:
        dimensions: what an answer is by besides its period. Of one of `SEEN_BY` alone each value has its own share,
            elsewhere all have the period's.
        first, last: SQL of the days asked for, itself null where the end is open.
        grain: of the periods; without one all days are one.
    """
    parts = [f'"{name}"' for name in dimensions] if is_seen_by(dimensions) else []
    table = "_by_".join(["kpi_daily", *(name for name in dimensions if parts)])
    keys = [*([f"cast(date_trunc('{grain}', date) as date) as period"] if grain else []), *parts]
    return f"""
        select {"".join(f"{key}, " for key in keys)}sum(matched) / nullif(sum(pixel_hits), 0) as completeness
        from "build".executive.{table}
        where date >= coalesce({first}, date) and date <= coalesce({last}, date)
        {"group by all" if keys else ""}
    """


def is_seen_by(dimensions: Sequence[str]) -> bool:
    """Say whether how much was seen is known of each value of what an answer is by."""
    return len(dimensions) == 1 and dimensions[0] in SEEN_BY


def known_after(asked: str, by: Sequence[str], names: Sequence[str], unknown: date) -> str:
    """Say in SQL what an answer says, but nothing of the periods that begin up to a day: metrics of these are null."""
    (period,) = (name for name in by if name in PERIODS)
    known = ", ".join(f'case when "{period}" > date \'{unknown}\' then "{name}" end as "{name}"' for name in names)
    return f"select * replace ({known}) from ({asked})"


def select_changes(
    period: str, grain: str, dimensions: Sequence[str], names: Sequence[str], *, chances: Collection[str],
    attributed: Collection[str], money: Collection[str], since: str,
) -> str:  # fmt: skip
    """Say in SQL how each row of `known` differs from that of the period before.

    Args:
        period: the column that says it.
        grain: day, week, month, quarter or year.
        dimensions: the other columns that the rows are by.
        names: the metrics.
        chances: those of them whose variance stands in `known` too.
        attributed: those that grow while touches earn: a period that is not mature has no change.
        money: those made of orders' amounts: a period of which one has no rate has no change.
        since: SQL of the first day asked for, null where it is open: `known` has the period before it too.
    """
    columns = [f'now."{name}"' for name in [period, *dimensions, *names]]
    for name in names:
        likes = [f"{side}.{what}" for side in ("now", "before")
                 for what in ("is_complete", *(["is_mature"] if name in attributed else []),
                              *([RATED] if name in money else []))]  # fmt: skip
        change = (
            f'case when {" and ".join(likes)} then now."{name}"::double / nullif(before."{name}", 0)::double - 1 end'
        )
        columns.append(f'{change} as "{name}_change"')
        for end, sign in (("low", "-"), ("high", "+")):
            limit = "null::double"
            if name in chances:
                spread = f'sqrt(now."{name}{VARIANCE}" + before."{name}{VARIANCE}")'
                limit = (
                    f'case when "{name}_change" > -1 then (1 + "{name}_change") * exp({sign}1.96 * {spread}) - 1 end'
                )
            columns.append(f'{limit} as "{name}_change_{end}"')
    same = "".join(f' and now."{name}" is not distinct from before."{name}"' for name in dimensions)
    return f"""
        select {", ".join(columns)}, now.completeness{f", now.{RATED}" if money else ""}, now.is_complete, now.is_sealed
            {", now.is_mature" if attributed else ""}
        from known as now
        left join known as before on before."{period}" = now."{period}" - interval 1 {grain}{same}
        where now."{period}" >= coalesce(date_trunc('{grain}', {since}), now."{period}")
    """


def grain_of(by: Sequence[str]) -> str:
    """Name the period that an answer is by, if it is by one."""
    periods = [PERIODS[name] for name in by if name in PERIODS]
    return periods[0] if len(periods) == 1 else ""


def whole(first: date | None, last: date | None, grain: str) -> tuple[date | None, date | None]:
    """Widen days that are asked for to the whole periods in which they lie: a part of one is no figure of it."""
    next_one = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}[grain]
    return (
        first and max(EARLIEST, begun(first, grain)),
        last and min(LATEST, begun(begun(last, grain) + timedelta(next_one), grain) - timedelta(1)),
    )


def begun(day: date, grain: str) -> date:
    """Give the first day of the period in which a day lies."""
    if grain == "day":
        return day
    if grain == "week":
        return day - timedelta(day.weekday())
    months = {"month": 1, "quarter": 3, "year": 12}[grain]
    return day.replace(month=(day.month - 1) // months * months + 1, day=1)


def before(day: date, grain: str) -> date:
    """Give a day of the period before a day's own, no later than its first."""
    return max(EARLIEST, day - DAYS_BACK[grain])


def told(
    asked: str, by: Sequence[str], names: Sequence[str], *, first: date | None, last: date | None, with_changes: bool,
    chances: Collection[str], attributed: Collection[str], money: Collection[str],
) -> str:  # fmt: skip
    """Say in SQL what an answer by one period says, with what may be said of each period and, if asked, its changes.

    Args:
        asked: SQL of the answer; for changes with the period before the first, and with the metrics' variances.
        by, names: its dimensions, one of them a period, and its metrics.
        first, last: days asked for.
        chances, attributed, money: see `select_changes`.
    """
    (period,) = (name for name in by if name in PERIODS)
    grain = PERIODS[period]
    since, until = (f"date '{day}'" if day else "null::date" for day in (first, last))
    start = f"cast(date_trunc('{grain}', {since}) - interval 1 {grain} as date)" if with_changes else since
    others = [name for name in by if name != period]
    head = f"""with asked as ({asked}), periods as ({select_periods(grain, start, until)}),
        seen as ({select_seen(others, start, until, grain=grain)})"""
    same = f' and asked."{others[0]}" = seen."{others[0]}"' if is_seen_by(others) else ""
    joined = f"""asked left join periods on asked."{period}" = periods.period
        left join seen on asked."{period}" = seen.period{same}"""
    facts = ["is_complete", "is_sealed", *(["is_mature"] if attributed else [])]
    if not with_changes:
        listed = [f'asked."{name}"' for name in [*by, *names]]
        listed += ["seen.completeness", *([f"asked.{RATED}"] if money else [])]
        listed += [f"coalesce(periods.{fact}, false) as {fact}" for fact in facts]
        return f"{head} select {', '.join(listed)} from {joined}"
    compared = select_changes(
        period, grain, others, names, chances=chances, attributed=attributed, money=money, since=since
    )  # fmt: skip
    return f"""{head}, known as (
            select asked.*, seen.completeness, coalesce(periods.is_complete, false) as is_complete,
                coalesce(periods.is_sealed, false) as is_sealed, coalesce(periods.is_mature, false) as is_mature
            from {joined}
        )
        select * from ({compared})
    """
