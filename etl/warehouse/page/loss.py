"""Data loss: what did not arrive, where it went, and what that means for the other tabs."""

import duckdb
import pyarrow as pa

from etl.warehouse.page import frames
from etl.warehouse.page.charts import (
    AMBER,
    GREEN,
    GREY,
    INK,
    MUTED,
    RED,
    Column,
    Panel,
    band,
    chart,
    colours,
    day,
    mark,
    name,
    number,
)  # fmt: skip

VALUES = 8
"""Values of a dimension shown by name."""
BY = {
    "browser": "by browser", "tracker": "by tracker", "country": "by country", "channel": "by channel",
    "campaign": "by campaign", "landing_page": "by landing page",
}  # fmt: skip
"""The dimensions of loss, and what the page calls them."""
LOSS = "quality.loss_daily"
RATE = number("loss_rate", None, ".1%", axis={"tickCount": 4})


def read(con: duckdb.DuckDBPyConnection) -> dict[str, pa.Table]:
    """Read the two witnesses day by day, the messages by cause, the witnesses by dimension."""
    values = " union all ".join(
        f"""
        select date, platform, dimension, {frames.top("dimension_value", "quality.loss_by_dimension", "pixel_hits",
            VALUES, f"dimension = '{dimension}' and date >= $since")} as value,
            sum(pixel_hits)::bigint as pixel_hits, sum(only_pixel)::bigint as only_pixel
        from quality.loss_by_dimension where date >= $since and dimension = '{dimension}' group by all
        """
        for dimension in BY
    )  # fmt: skip
    return {
        "witnesses": frames.read(
            con,
            """
            select date, platform, sum(pixel_hits)::bigint as pixel_hits, sum(event_page_views)::bigint as events,
                sum(matched)::bigint as matched, sum(only_pixel)::bigint as only_pixel,
                sum(only_event)::bigint as only_event, bool_or(status = 'unknown') as is_unknown
            from quality.loss_daily where date >= $since group by all order by platform, date
            """,
        ),
        "causes": frames.read(
            con,
            """
            select date, coalesce(platform, '(unknown)') as platform, step_number, cause,
                sum(messages)::bigint as messages
            from quality.loss_by_cause where date >= $since group by all order by step_number, platform, date
            """,
        ),
        "dimensions": frames.read(con, f"{values} order by dimension, value, platform, date"),
    }


def target(con: duckdb.DuckDBPyConnection) -> float | None:
    """The share of lost page views from which on a day warns, as the checks were judged by it."""
    lowest: float | None = con.execute(
        """select min(threshold) from quality.checks where "check" = 'event_loss' and status <> 'error'"""
    ).fetchall()[0][0]
    return lowest


def waterfall() -> Panel:
    """From what was sent to what counts."""
    cause = "quality.loss_by_cause"
    fall = number("low", "share of what was sent", ".0%", scale={"zero": False, "nice": True})
    kinds = {"total": GREY, "lost": RED, "removed": AMBER, "counted": GREEN}
    return Panel(
        "waterfall",
        "From what was sent to what counts",
        "Messages of the period by what became of them. The axis need not start at zero.",
        [
            Column("cause", "What became of them", definition=f"{cause}.cause"),
            Column("messages", "Messages", "count", f"{cause}.messages"),
            Column("share", "Of what was sent", "rate", f"{cause}.share_of_sent"),
            Column("words", "What it means", "prose"),
        ],
        chart(
            mark("bar", {"y": name("cause"), "x": fall, "x2": {"field": "high"},
                         "color": colours("kind", kinds)}, size=18),
            mark("text", {"y": name("cause"), "x": {**fall, "field": "high"}, "text": {"field": "label"}},
                 align="left", dx=5),
            height={"step": 28},
        ),
        empty="No tracker sent anything in this period.",
        legend=kinds,
    )  # fmt: skip


def loss_by() -> Panel:
    """Where page views get lost."""
    return Panel(
        "loss_by",
        "Where page views get lost",
        "Page views that the pixel saw and the tracker did not, of all the pixel saw.",
        [
            Column("value", "Value", definition="quality.loss_by_dimension.dimension_value"),
            Column("pixel_hits", "Pixel saw", "count", "quality.loss_by_dimension.pixel_hits"),
            Column("only_pixel", "Of these lost", "count", "quality.loss_by_dimension.only_pixel"),
            Column("loss_rate", "Loss", "rate", "quality.loss_by_dimension.event_loss_rate"),
            Column("low", "Low", "rate", "quality.loss_by_dimension.event_loss_rate"),
            Column("high", "High", "rate", "quality.loss_by_dimension.event_loss_rate"),
        ],
        chart(
            mark("bar", {"y": name("value"), "x": RATE}, color=RED, opacity=0.75),
            mark("rule", {"y": name("value"), "x": {**RATE, "field": "low"}, "x2": {"field": "high"}}, color=INK),
            height={"step": 26},
        ),
        choice=BY,
        empty="There is no pixel log of this period: what was lost is unknown.",
    )  # fmt: skip


def loss_heat() -> Panel:
    """Loss per day and platform."""
    return Panel(
        "loss_heat",
        "Loss per day and platform",
        "The darker, the more was lost. Only platforms whose pages carry the pixel; a gap is unknown.",
        [
            Column("day", "Day", "day", f"{LOSS}.date"),
            Column("platform", "Platform", definition=f"{LOSS}.platform"),
            Column("pixel_hits", "Pixel saw", "count", f"{LOSS}.pixel_hits"),
            Column("only_pixel", "Of these lost", "count", f"{LOSS}.only_pixel"),
            Column("loss_rate", "Loss", "rate", f"{LOSS}.event_loss_rate"),
            Column("estimated", "Likely true page views", "count", f"{LOSS}.estimated_page_views"),
        ],
        chart(
            mark("rect", band() | {"y": name("platform"), "opacity": {
                "field": "loss_rate", "type": "quantitative", "legend": None,
                "scale": {"domain": [0, {"expr": "data('rows').length ? data('rows')[0].darkest : 0.1"}],
                          "range": [0.06, 1], "clamp": True}}},
                 "isValid(datum.loss_rate)", color=RED, cornerRadius=2),
            height={"step": 34},
        ),
        is_wide=True,
        empty="There is no pixel log of this period: what was lost is unknown.",
    )  # fmt: skip


def loss_trend() -> Panel:
    """Trend against the target."""
    return Panel(
        "loss_trend",
        "Trend against the target",
        "Share of page views lost each day, and from where on the checks warn.",
        [
            Column("day", "Day", "day", f"{LOSS}.date"),
            Column("loss_rate", "Tracker lost", "rate", f"{LOSS}.event_loss_rate"),
            Column("pixel_loss_rate", "Pixel lost", "rate", f"{LOSS}.pixel_loss_rate"),
            Column("target", "Warns from", "rate", "quality.checks.threshold"),
        ],
        chart(
            mark("line", {"x": day(), "y": RATE, "color": colours(
                "who", {"tracker lost": RED, "pixel lost": GREY}), "detail": {"field": "who"}},
                 "isValid(datum.who)", strokeWidth=2, point=False),
            mark("point", {"x": day(), "y": RATE, "color": colours(
                "who", {"tracker lost": RED, "pixel lost": GREY})}, "isValid(datum.who)", filled=True, size=35),
            mark("rule", {"y": {"field": "target", "type": "quantitative"}}, "datum.is_first",
                 color=INK, strokeDash=[4, 4]),
            mark("text", {"y": {"field": "target", "type": "quantitative"}, "x": {"value": 4},
                          "text": {"value": "warns from here"}}, "datum.is_first",
                 align="left", dy=-6, color=MUTED),
            height=220,
        ),
        is_wide=True,
        empty="There is no pixel log of this period: what was lost is unknown.",
        legend={"tracker lost": RED, "pixel lost": GREY},
    )  # fmt: skip


def meaning() -> Panel:
    """What it means for each figure."""
    return Panel(
        "meaning",
        "What it means for each figure",
        "How far loss may have moved the figures of the other tabs.",
        [
            Column("figure", "Figure"),
            Column("measured", "Measured", "text"),
            Column("likely", "Likely true", "text"),
            Column("why", "Why", "prose"),
        ],
        is_wide=True,
    )  # fmt: skip


def incidents() -> Panel:
    """Incidents."""
    return Panel(
        "incidents",
        "Incidents",
        "Series of days on which a check warned or was in error.",
        [
            Column("status", "State", "status", "quality.incidents.status"),
            Column("check_name", "Check", definition="quality.incidents.check"),
            Column("scope", "Where", definition="quality.incidents.app_id"),
            Column("days", "Days", definition="quality.incidents.first_date"),
            Column("worst_value", "Worst", "number", "quality.incidents.worst_value"),
            Column("threshold", "Allowed", "number", "quality.incidents.threshold"),
            Column("owner", "Owner", definition="quality.incidents.owner"),
            Column("hint", "What to do first", "prose", "quality.incidents.hint"),
        ],
        is_wide=True,
        empty="No incident in this period.",
    )  # fmt: skip


def panels() -> list[Panel]:
    """Say what the tab shows, in order."""
    return [waterfall(), loss_by(), loss_heat(), loss_trend(), meaning(), incidents()]
