"""Marketing: what was spent, what it brought, and how much of the answer is the model's choice."""

import duckdb
import pyarrow as pa

from etl.warehouse.page import frames
from etl.warehouse.page.panels import Column, Panel, shares

CAMPAIGNS = 150
"""Campaigns shown by name; the rest of each channel is one row, so that totals stay the invoices'."""
CREDITS = 6_000
LOSSES = 3_000
NAMES = ("source", "medium", "campaign")
MONTHS = 14
MART = "marketing.channel_performance"
BLIND = "marketing.campaign_loss"


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
        "blind": frames.read_newest(con, blind, LOSSES, names=NAMES),
        "performance": frames.read_newest(
            con,
            named
            + """
            select date, channel, source, medium, campaign, sum(sessions)::bigint as sessions,
                sum(impressions)::bigint as impressions, sum(clicks)::bigint as clicks, sum(cost) as cost,
                bool_and(is_cost_complete) as is_cost_complete
            from named where model = 'linear' group by all
            order by channel, source, medium, campaign, date
            """,
            names=NAMES,
            least=("is_cost_complete",),
        ),
        "credits": frames.read_newest(
            con,
            named
            + """
            select date, model, channel, source, medium, campaign,
                sum(conversions) as conversions, sum(revenue) as revenue, min(maturity) as maturity
            from named group by all having sum(conversions) <> 0 or sum(revenue) <> 0
            order by model, channel, source, medium, campaign, date
            """,
            CREDITS,
            names=NAMES,
            least=("maturity",),
        ),
        "new_customers": frames.read(
            con,
            f"""
            select month, channel, campaign, persons, cost, is_cost_complete from marketing.new_customers
            where month >= date_trunc('month', $since) and (persons > 0 or cost > 0)
            order by month, persons desc, cost desc, channel, campaign limit {frames.ROWS}
            """,
        ),
        "assists": frames.read(
            con,
            f"""
            select month, channel, sum(assisted)::bigint as assisted, sum(last)::bigint as last
            from marketing.assists
            where month >= date_trunc('month', $since) and model = 'linear' and channel <> '(unattributed)'
            group by all order by month, last desc, channel limit {frames.ROWS}
            """,
        ),
        "journeys": frames.read(
            con,
            """
            select month, measure, length, conversions from marketing.journey_lengths
            where conversion = 'order' and month >= date_trunc('month', $since) order by all
            """,
        ),
        "cohorts": frames.read(
            con,
            f"""
            select first_month, months_since, sum(persons)::bigint as persons, sum(orders)::bigint as orders,
                sum(revenue) as revenue
            from marketing.cohorts
            where first_month >= date_trunc('month', $since) and months_since < {MONTHS}
            group by all order by all
            """,
        ),
    }


def panels() -> list[Panel]:
    """Say what the tab shows, in order."""
    return [*of_campaigns(), *of_orders(), *of_customers()]


def of_campaigns() -> list[Panel]:
    """What was paid, and what it brought."""
    return [
        Panel(
            "campaigns",
            "Campaigns",
            "Spend as the invoices say; revenue by the chosen model, on the day of the visit that earned it. The bar is"
            " the range of the return by chance alone, the tick break-even.",
            [
                Column("name", "Campaign", "name", f"{MART}.campaign"),
                Column("cost", "Spend", "money", f"{MART}.cost"),
                Column("conversions", "Orders", "number", f"{MART}.conversions"),
                Column("revenue", "Revenue", "money", f"{MART}.revenue", on_phone=False),
                Column("roas", "Return", "times", f"{MART}.return_on_ad_spend"),
                Column("range", "Range of return", "range", f"{MART}.return_on_ad_spend", on_phone=False),
                Column("models", "All models", "text", f"{MART}.model", on_phone=False),
                Column("cpa", "Per order", "money", f"{MART}.cost_per_acquisition", on_phone=False),
                Column("clicks", "Clicks", "count", f"{MART}.clicks", on_phone=False),
                Column("sessions", "Visits", "count", f"{MART}.sessions", on_phone=False),
                Column("arrived", "Arrived", "rate", f"{MART}.sessions", on_phone=False),
                Column("channel", "Channel", "text", f"{MART}.channel", on_phone=False),
            ],
            size=12,
            rows=16,
            sortable=True,
        ),
        Panel(
            "weeks",
            "Return by week of the visit",
            "The hatched cap is what such visits usually still bring; the line is the range by chance.",
            [
                Column("week", "Week", "text"),
                Column("cost", "Spend", "money", f"{MART}.cost"),
                Column("revenue", "Revenue", "money", f"{MART}.revenue"),
                Column("roas", "Return", "times", f"{MART}.return_on_ad_spend"),
                Column("maturity", "Arrived so far", "rate", f"{MART}.maturity"),
            ],
            drawn="weeks",
            empty="No week of this period has spend.",
        ),
        *of_comparisons(),
    ]


def of_orders() -> list[Panel]:
    """How orders came about, by calendar months: that is how the marts keep journeys."""
    return [
        Panel(
            "assists",
            "Who took part in the orders",
            "Orders of the months that the period touches: last visit before the order, and earlier visits alone.",
            [
                Column("channel", "Channel", "name", "marketing.assists.channel"),
                Column("last", "Last visit", "bar", "marketing.assists.last"),
                Column("assisted", "Assisted", "count", "marketing.assists.assisted"),
            ],
            size=4,
            sets="channel",
            empty="No order has a visit before it.",
        ),
        shares(
            "journeys",
            "From first visit to order",
            "Orders of the months that the period touches.",
            Column("length", "How far", "name", "marketing.journey_lengths.length"),
            Column("conversions", "Orders", "bar", "marketing.journey_lengths.conversions"),
            choice={"days": "Days", "touches": "Visits"},
            empty="No order has a visit before it.",
        ),
    ]


def of_customers() -> list[Panel]:
    """What a new customer costs, and what customers go on to buy."""
    return [
        Panel(
            "new_customers",
            "What a new customer cost",
            "Persons whose first order it brought (last non-direct), in the months that the period touches.",
            [
                Column("name", "Campaign", "name", "marketing.new_customers.campaign"),
                Column("persons", "New", "bar", "marketing.new_customers.persons"),
                Column("cost_each", "Cost of one", "money", "marketing.new_customers.cost_per_customer"),
            ],
            size=4,
            empty="Nobody ordered for the first time.",
        ),
        Panel(
            "cohorts",
            "What cohorts went on to buy",
            "By month of the first visit: orders of each 100 persons in the months after. Not of the period alone.",
            [
                Column("month", "First visit", "text", "marketing.cohorts.first_month"),
                Column("persons", "Persons", "count", "marketing.cohorts.persons", on_phone=False),
                Column("m0", "Same month", "mean", "marketing.cohorts.orders"),
                *(Column(f"m{n}", f"+{n}", "mean", "marketing.cohorts.orders", on_phone=False) for n in range(1, 7)),
                Column("revenue_each", "Revenue a person", "money", "marketing.cohorts.revenue"),
            ],
            size=12,
            rows=14,
            empty="No month has a first visit.",
        ),
    ]


def of_comparisons() -> list[Panel]:
    """Say how campaigns and models compare, and what never arrived."""
    return [
        Panel(
            "scatter",
            "Spend against return",
            "A dot is a campaign; on a dashed line each unit brought the same back. Logarithmic. Names stand where"
            " there is room.",
            [
                Column("name", "Campaign", "name", f"{MART}.campaign"),
                Column("cost", "Spend", "money", f"{MART}.cost"),
                Column("revenue", "Revenue", "money", f"{MART}.revenue"),
                Column("roas", "Return", "times", f"{MART}.return_on_ad_spend"),
            ],
            drawn="scatter",
            empty="No campaign has both spend and attributed revenue in this period.",
        ),
        Panel(
            "models",
            "Models side by side",
            "Revenue of each channel as each model sees it. Far apart: do not trust a single number.",
            [
                Column("channel", "Channel", "name", f"{MART}.channel"),
                Column("span", "From lowest to highest", "range", f"{MART}.revenue"),
                Column("first_touch", "First", "money", f"{MART}.model", on_phone=False),
                Column("last_touch", "Last", "money", f"{MART}.model", on_phone=False),
                Column("last_non_direct", "Last non-direct", "money", f"{MART}.model"),
                Column("linear", "Even", "money", f"{MART}.model", on_phone=False),
                Column("position_based", "Both ends", "money", f"{MART}.model", on_phone=False),
                Column("time_decay", "By time", "money", f"{MART}.model", on_phone=False),
                Column("markov", "Markov", "money", f"{MART}.model", on_phone=False),
            ],
            size=12,
            sets="channel",
            rows=12,
        ),
        Panel(
            "blind",
            "Clicks that never arrived",
            "Billed clicks without a visit of ours and what they cost; and visits that only the pixel saw. Ranges hold"
            " jointly.",
            [
                Column("name", "Campaign", "name", f"{BLIND}.campaign"),
                Column("missing", "Of its clicks", "range", f"{MART}.clicks"),
                Column("wasted", "They cost", "money", f"{MART}.cost"),
                Column("lost_visits", "Only the pixel saw", "count", f"{BLIND}.lost_visits", on_phone=False),
                Column("loss_rate", "Pages lost", "rate", f"{BLIND}.event_loss_rate", on_phone=False),
            ],
            size=12,
            rows=8,
            empty="No spend file with clicks covers this period, and no pixel saw a campaign.",
        ),
    ]
