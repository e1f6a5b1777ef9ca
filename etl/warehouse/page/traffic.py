"""Traffic: how many came, where from, what they read, with what, when, and what was left out. Any log answers these."""

import duckdb
import pyarrow as pa

from etl.warehouse.page import frames
from etl.warehouse.page.panels import Column, Panel, by_day, shares

PAGES, SOURCES, NAMES = 60, 40, 12
KPI = "executive.kpi_daily"
VISITS = Column("sessions", "Visits", "bar", f"{KPI}.sessions")


def read(con: duckdb.DuckDBPyConnection) -> dict[str, pa.Table]:
    """Read the traffic marts by day and platform; of what clients choose the names of, the most frequent."""
    since = "date >= $since"
    page = "coalesce(url_host || url_path, url_path)"
    seen = (
        f"(select *, {page} as page, round(seconds_on_page, 1) as seconds from traffic.pages_daily"
        f" where {since} and url_path <> '(unknown)')"
    )
    hosts = f"(select *, referrer_host as host from traffic.referrers_daily where {since})"
    technology = " union all ".join(
        f"select date, platform, '{column}' as dimension, "
        f"{frames.top(column, 'traffic.technology_daily', 'sessions + page_views', NAMES, since)} as slice,"
        f" sum(sessions) as sessions, sum(page_views) as page_views from traffic.technology_daily where {since}"
        " group by all"
        for column in ("device_class", "os")
    )
    return {
        "pages": frames.read_sums(
            con,
            seen,
            f"date, {frames.top('page', seen, 'views', PAGES)} as page, platform",
            "views, entries, exits, bounces, seconds, pixel_hits, matched",
            names=("page",),
        ),
        "sources": frames.read_sums(
            con,
            hosts,
            f"date, platform, {frames.top('source', 'traffic.referrers_daily', 'sessions', SOURCES, since)} as source,"
            f" case when referrer_host is null then '(none)' else {frames.top('host', hosts, 'sessions', SOURCES)} end"
            " as host",
            "sessions",
            names=("source", "host"),
        ),
        "technology": frames.read_newest(con, f"{technology} order by all", names=("slice",)),
        "hours": frames.read_sums(con, "traffic.hours", "date, hour, platform", "sessions, page_views"),
        "left_out": frames.read_sums(
            con,
            "traffic.bots_daily",
            "date, platform, case when is_excluded then 'excluded' else bot_reason end as reason,"
            f" {frames.top('browser', 'traffic.bots_daily', 'page_views', SOURCES, since)} as family",
            "sessions, page_views",
            names=("family",),
        ),
    }


def panels() -> list[Panel]:
    """Say what the tab shows, in order."""
    pages = "traffic.pages_daily"
    return [
        by_day("by_day", "count"),
        shares(
            "where_from",
            "Where visits came from",
            "By the first page view of a visit. A row filters.",
            Column("slice", "From", "name"),
            VISITS,
            sets="channel",
            rows=6,
            choice={"channel": "Channel", "source": "Source", "host": "Site"},
        ),
        Panel(
            "pages",
            "Pages",
            "Views, and how often a visit began or ended there. A dash: fewer than 20 entries, or 10 timed views.",
            [
                Column("page", "Page", "name"),
                Column("views", "Views", "bar", f"{pages}.views"),
                Column("share", "Of all", "rate", on_phone=False),
                Column("entries", "Entries", "count", f"{pages}.entries", on_phone=False),
                Column("exits", "Exits", "count", f"{pages}.exits", on_phone=False),
                Column("bounce_rate", "Bounce", "rate", f"{pages}.bounces"),
                Column("seconds", "Time, mean", "seconds", f"{pages}.seconds_on_page", on_phone=False),
                Column("measured", "Measured", "rate", f"{pages}.matched", on_phone=False),
            ],
            size=8,
            sortable=True,
        ),
        shares(
            "technology",
            "With what",
            "By the visit's first event.",
            Column("slice", "With", "name"),
            VISITS,
            sets="browser",
            rows=8,
            choice={"browser": "Browser", "os": "System", "device_class": "Device"},
        ),
        *of_visits(),
    ]


def of_visits() -> list[Panel]:
    """Say when and who, and what was left out."""
    return [
        Panel(
            "hours",
            "Hours",
            "Page views in an hour of the week, a mean of the weeks shown. Darker: more.",
            [
                Column("weekday", "Day"),
                Column("hour", "Hour", "text", "traffic.hours.hour"),
                Column("page_views", "Page views, mean", "number", "traffic.hours.page_views"),
                Column("sessions", "Visits begun, mean", "number", "traffic.hours.sessions"),
            ],
            drawn="hours",
            size=4,
        ),
        shares(
            "who",
            "Who they are",
            "New: the person's first visit. Customer: has ordered before.",
            Column("slice", "Who", "name"),
            VISITS,
            Column("bounce_rate", "Bounce", "rate", f"{KPI}.bounce_rate"),
            sets="visitor_kind",
            choice={"visitor_kind": "New", "country": "Country"},
        ),
        shares(
            "left_out",
            "Left out: bots and exclusions",
            "They stay in the warehouse, flagged. Shares are of all page views.",
            Column("slice", "Who"),
            Column("page_views", "Views", "bar", "traffic.bots_daily.page_views"),
            rows=5,
            empty="Nothing was left out in this period.",
        ),
    ]
