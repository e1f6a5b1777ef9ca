"""Marketing: what was spent, what it brought, and how much of the answer is the model's choice."""

from copy import deepcopy

import duckdb
import pyarrow as pa

from etl.warehouse.page import frames
from etl.warehouse.page.charts import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    INK,
    LINE,
    MUTED,
    PINK,
    RED,
    TEAL,
    VIOLET,
    Column,
    Panel,
    chart,
    colours,
    mark,
    name,
    number,
)  # fmt: skip

CAMPAIGNS = 150
"""Campaigns shown by name; the rest of each channel is one row, so that totals stay the invoices'."""
MODELS = {
    "first_touch": BLUE, "last_touch": AMBER, "last_non_direct": GREEN, "linear": GREY,
    "position_based": TEAL, "time_decay": VIOLET, "markov": PINK,
}  # fmt: skip
MART = "marketing.channel_performance"
BLIND = "marketing.campaign_loss"
CAMPAIGN = [
    Column("channel", "Channel", definition=f"{MART}.channel"),
    Column("source", "Source", definition=f"{MART}.source"),
    Column("campaign", "Campaign", definition=f"{MART}.campaign"),
]
EARNED = [
    Column("cost", "Spend", "money", f"{MART}.cost"),
    Column("revenue", "Revenue", "money", f"{MART}.revenue"),
    Column("conversions", "Orders", "number", f"{MART}.conversions"),
    Column("cpa", "Cost per order", "money", f"{MART}.cost_per_acquisition"),
    Column("roas", "Return", "times", f"{MART}.return_on_ad_spend"),
]


def read(con: duckdb.DuckDBPyConnection) -> dict[str, pa.Table]:
    """Read each day's visits and costs once a campaign, and each model's credits beside them."""
    named = f"""
        with heaviest as (
            select channel, source, medium, campaign from marketing.channel_performance
            where date >= $since and model = 'linear' group by all
            order by coalesce(sum(cost), 0) desc, sum(sessions) desc, channel, source, medium, campaign
            limit {CAMPAIGNS}
        ),
        named as (
            select
                performance.* exclude (source, medium, campaign),
                case when heaviest.channel is null then '{frames.OTHER}' else performance.source end as source,
                case when heaviest.channel is null then '{frames.OTHER}' else performance.medium end as medium,
                case when heaviest.channel is null then '{frames.OTHER}' else performance.campaign end as campaign
            from marketing.channel_performance as performance
            left join heaviest
                on
                    performance.channel = heaviest.channel
                    and performance.source is not distinct from heaviest.source
                    and performance.medium is not distinct from heaviest.medium
                    and performance.campaign is not distinct from heaviest.campaign
            where performance.date >= $since
        )
    """
    blind = f"""
        with heaviest as (
            select channel, source, medium, campaign from marketing.campaign_loss
            where date >= $since group by all
            order by sum(pixel_hits) desc, sum(sessions) desc, channel, source, medium, campaign
            limit {CAMPAIGNS}
        )
        select seen.date, seen.channel, seen.source, seen.medium, seen.campaign, seen.sessions, seen.lost_visits,
            seen.pixel_hits, seen.only_pixel
        from marketing.campaign_loss as seen
        inner join heaviest
            on
                seen.channel = heaviest.channel
                and seen.source is not distinct from heaviest.source
                and seen.medium is not distinct from heaviest.medium
                and seen.campaign is not distinct from heaviest.campaign
        where seen.date >= $since order by all
    """
    return {
        "blind": frames.read(con, blind),
        "performance": frames.read(
            con,
            named
            + """
            select date, channel, source, medium, campaign, sum(sessions)::bigint as sessions,
                sum(impressions)::bigint as impressions, sum(clicks)::bigint as clicks, sum(cost) as cost,
                bool_and(is_cost_complete) as is_cost_complete
            from named where model = 'linear' group by all
            order by channel, source, medium, campaign, date
            """,
        ),
        "credits": frames.read(
            con,
            named
            + """
            select date, model, channel, source, medium, campaign,
                sum(conversions) as conversions, sum(revenue) as revenue, min(maturity) as maturity
            from named group by all having sum(conversions) <> 0 or sum(revenue) <> 0
            order by model, channel, source, medium, campaign, date
            """,
        ),
    }


def models_disagree() -> Panel:
    """Does the answer hang on the model."""
    spread = {"x": number("low", None, "~s"), "x2": {"field": "high"}, "y": name("channel")}
    dots = {
        "x": number("revenue", None, "~s"), "y": name("channel"), "color": colours("model", MODELS),
        "shape": {"field": "model", "type": "nominal", "legend": None, "scale": {
            "domain": list(MODELS),
            "range": ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right"]}},
    }  # fmt: skip
    return Panel(
        "models_disagree",
        "Does the answer hang on the model?",
        "Revenue of each channel as each model sees it. A long line: do not trust a single number.",
        [
            Column("channel", "Channel", definition=f"{MART}.channel"),
            Column("model", "Model", definition=f"{MART}.model"),
            Column("revenue", "Revenue", "money", f"{MART}.revenue"),
            Column("conversions", "Orders", "number", f"{MART}.conversions"),
        ],
        chart(
            mark("rule", spread, "isValid(datum.low)", color=LINE, strokeWidth=4),
            mark("point", dots, "isValid(datum.model)", filled=True, size=75, opacity=0.9),
            height={"step": 26},
        ),
        legend=MODELS,
        shapes=dict(zip(MODELS, "●■▲◆▼✚▶", strict=True)),
    )  # fmt: skip


def spend_return() -> Panel:
    """Spend against return."""
    log = {"scale": {"type": "log", "nice": False, "padding": 24}, "axis": {"grid": False}}
    place = {
        "x": number("cost", "spend", "~s", **deepcopy(log)),
        "y": number("revenue", "revenue", "~s", **deepcopy(log)),
    }
    line = {"x": place["x"] | {"field": "line_cost"}, "y": place["y"] | {"field": "line_revenue"}}
    return Panel(
        "spend_return",
        "Spend against return",
        "A dot is a campaign. On a dashed line every unit spent brings the same back: 1, 3 or 10. Logarithmic.",
        [*CAMPAIGN, *EARNED],
        chart(
            mark("line", {**line, "detail": {"field": "line_roas"}}, "isValid(datum.line_roas)",
                 color=GREY, strokeDash=[4, 4], strokeWidth=1),
            mark("text", {**line, "text": {"field": "line_words"}}, "isValid(datum.line_words)",
                 color=MUTED, align="right", dy=-6, dx=-2),
            mark("point", place, "datum.is_dot", filled=True, size=90, color=BLUE, opacity=0.75),
            mark("text", {**place, "text": {"field": "label"}}, "datum.is_dot && datum.label",
                 dy=-10, color=INK, limit=110),
            height=280,
        ),
        empty="No campaign has both spend and attributed revenue in this period.",
    )  # fmt: skip


def campaigns() -> Panel:
    """Campaigns."""
    return Panel(
        "campaigns",
        "Campaigns",
        "Spend as the invoices say, revenue by the chosen model, both on the day of the visit that earned it.",
        [*CAMPAIGN, Column("sessions", "Sessions", "count", f"{MART}.sessions"), *EARNED,
         Column("trend", "Return by week, all days shown", "trend", f"{MART}.return_on_ad_spend")],
        is_wide=True,
    )  # fmt: skip


def blind_campaigns() -> Panel:
    """How blind each campaign's numbers are."""
    return Panel(
        "blind_campaigns",
        "How blind each campaign's numbers are",
        "Visits and pages that the pixel alone saw, by the tags in their own URLs: of as many visits no other figure"
        " knows. What both witnesses missed is not in it.",
        [
            *CAMPAIGN,
            Column("sessions", "Sessions", "count", f"{BLIND}.sessions"),
            Column("lost_visits", "Visits unseen", "count", f"{BLIND}.lost_visits"),
            Column("blind_share", "Of all its visits", "rate", f"{BLIND}.blind_share"),
            Column("pixel_hits", "Pages the pixel saw", "count", f"{BLIND}.pixel_hits"),
            Column("loss_rate", "Of these lost", "rate", f"{BLIND}.event_loss_rate"),
        ],
        empty="There is no pixel log of this period: how blind the numbers are is unknown.",
        is_wide=True,
    )  # fmt: skip


def marginal() -> Panel:
    """After a change of budget."""
    step = {"y": name("name"), "x": number("marginal", "revenue per extra unit of spend", ",.2~f")}
    return Panel(
        "marginal",
        "After a change of budget",
        "Campaigns whose daily spend moved by a fifth or more between the halves of the period: what an extra unit"
        " of spend brought. A comparison, not an experiment.",
        [
            *CAMPAIGN,
            Column("cost_before", "Spend a day, before", "money", f"{MART}.cost"),
            Column("cost_after", "Spend a day, after", "money", f"{MART}.cost"),
            Column("revenue_before", "Revenue a day, before", "money", f"{MART}.revenue"),
            Column("revenue_after", "Revenue a day, after", "money", f"{MART}.revenue"),
            Column("marginal", "Revenue per extra unit", "times", f"{MART}.return_on_ad_spend"),
        ],
        chart(
            mark("bar", {**step, "color": {"condition": {"test": "datum.marginal < 1", "value": RED},
                                           "value": GREEN}}),
            mark("rule", {"x": {"datum": 1}}, color=INK, strokeDash=[3, 3]),
            height={"step": 26},
        ),
        empty="No campaign's daily spend changed by a fifth or more within this period.",
    )  # fmt: skip


def clicks_sessions() -> Panel:
    """The ad platforms' clicks against our visits."""
    pair = {"y": name("name"), "x": number("value", None, "~s"), "yOffset": {"field": "who", "sort": None}}
    return Panel(
        "clicks_sessions",
        "The ad platforms' clicks against our visits",
        "Spend files say how often ads were clicked; we say how many visits came. Conversions as the ad platforms"
        " count them are unknown: their files here have no such column.",
        [
            *CAMPAIGN,
            Column("clicks", "Clicks, they say", "count", f"{MART}.clicks"),
            Column("sessions", "Sessions, we saw", "count", f"{MART}.sessions"),
            Column("share", "Sessions per click", "rate", f"{MART}.sessions"),
        ],
        chart(
            mark("bar", {**pair, "color": colours("who", {"clicks (theirs)": GREY, "sessions (ours)": BLUE})}),
            height={"step": 14},
        ),
        empty="No spend file with clicks covers this period.",
        legend={"clicks (theirs)": GREY, "sessions (ours)": BLUE},
    )  # fmt: skip


def panels() -> list[Panel]:
    """Say what the tab shows, in order."""
    return [models_disagree(), spend_return(), campaigns(), blind_campaigns(), marginal(), clicks_sessions()]
