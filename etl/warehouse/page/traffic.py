"""Traffic: how many came, where from, what they read, with what, when, and what was left out. Any log answers these."""

import duckdb
import pyarrow as pa

from etl.warehouse.page import frames
from etl.warehouse.page.panels import Column, Panel

PAGES, SOURCES, NAMES = 60, 40, 12
KPI = "executive.kpi_daily"


def read(con: duckdb.DuckDBPyConnection) -> dict[str, pa.Table]:
    """Read the traffic marts by day and platform; of what clients choose the names of, the most frequent."""
    since = "date >= $since"
    page = "coalesce(url_host || url_path, url_path)"
    seen = f"(select *, {page} as page from traffic.pages_daily where {since} and url_path <> '(unknown)')"
    hosts = f"(select *, referrer_host as host from traffic.referrers_daily where {since})"
    technology = " union all ".join(
        f"select date, platform, '{column}' as dimension, "
        f"{frames.top(column, 'traffic.technology_daily', 'sessions + page_views', NAMES, since)} as slice,"
        f" sum(sessions) as sessions, sum(page_views) as page_views from traffic.technology_daily where {since}"
        " group by all"
        for column in ("device_class", "os")
    )
    return {
        "pages": frames.read_newest(
            con,
            f"select date, platform, {frames.top('page', seen, 'views', PAGES)} as page, sum(views) as views,"
            " sum(entries) as entries, sum(exits) as exits, sum(bounces) as bounces,"
            " sum(seconds_on_page) as seconds, sum(pixel_hits) as pixel_hits, sum(matched) as matched"
            f" from {seen} group by all order by date, page, platform",
        ),
        "sources": frames.read_newest(
            con,
            "select date, platform,"
            f" {frames.top('source', 'traffic.referrers_daily', 'sessions', SOURCES, since)} as source,"
            f" case when referrer_host is null then '(none)' else {frames.top('host', hosts, 'sessions', SOURCES)} end"
            f" as host, sum(sessions) as sessions from {hosts} group by all order by all",
        ),
        "technology": frames.read_newest(con, f"{technology} order by all"),
        "hours": frames.read_newest(
            con,
            "select date, hour, platform, sum(sessions) as sessions, sum(page_views) as page_views"
            f" from traffic.hours where {since} group by all order by all",
        ),
        "left_out": frames.read_newest(
            con,
            "select date, platform, case when is_excluded then 'excluded' else bot_reason end as reason,"
            f" {frames.top('browser', 'traffic.bots_daily', 'page_views', SOURCES, since)} as family,"
            " sum(sessions) as sessions, sum(page_views) as page_views"
            f" from traffic.bots_daily where {since} group by all order by all",
        ),
    }


def panels() -> list[Panel]:
    """Say what the tab shows, in order."""
    pages = "traffic.pages_daily"
    visits = Column("sessions", "Visits", "bar", f"{KPI}.sessions")
    return [
        Panel(
            "by_day",
            "Day by day",
            "Hatched: only part of the day is in the data. A bar opens its day.",
            [
                Column("day", "Day", "day", f"{KPI}.date"),
                Column("value", "This period", "count"),
                Column("before", "Compared", "count"),
                Column("whole", "Whole day", "text", f"{KPI}.is_complete"),
            ],
            drawn="days",
            size=8,
        ),
        Panel(
            "where_from",
            "Where visits came from",
            "By the first page view of a visit. A row filters.",
            [Column("slice", "From", "name"), visits, Column("share", "Share", "rate")],
            size=4,
            sets="channel",
            choice={"channel": "Channel", "source": "Source", "host": "Page"},
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
        Panel(
            "technology",
            "With what",
            "By the visit's first event.",
            [Column("slice", "With", "name"), visits, Column("share", "Share", "rate")],
            size=4,
            sets="browser",
            choice={"browser": "Browser", "os": "System", "device_class": "Device"},
        ),
        *of_visits(),
    ]


def of_visits() -> list[Panel]:
    """Say when and who, and what was left out."""
    visits = Column("sessions", "Visits", "bar", f"{KPI}.sessions")
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
        Panel(
            "who",
            "Who they are",
            "New: the person's first visit. Customer: has ordered before.",
            [
                Column("slice", "Who", "name"),
                visits,
                Column("share", "Share", "rate"),
                Column("bounce_rate", "Bounce", "rate", f"{KPI}.bounce_rate"),
            ],
            size=4,
            sets="visitor_kind",
            choice={"visitor_kind": "New", "country": "Country"},
        ),
        Panel(
            "left_out",
            "Left out: bots and exclusions",
            "They stay in the warehouse, flagged.",
            [
                Column("slice", "Who"),
                Column("page_views", "Views", "bar", "traffic.bots_daily.page_views"),
                Column("share", "Of all", "rate"),
            ],
            size=4,
            rows=8,
            empty="Nothing was left out in this period.",
        ),
    ]
