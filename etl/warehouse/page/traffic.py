"""Traffic: how many came, where from, what they read, with what, when, and what was left out. Any log answers these."""

import duckdb
import pyarrow as pa

from etl.warehouse.page import frames
from etl.warehouse.page.charts import BLUE, LINE, MUTED, Column, Panel, Spec, band, chart, mark, name, number

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
        for column in ("device_class", "browser", "os")
    )
    visitors = " union all ".join(
        f"select date, platform, '{column}' as dimension, "
        f"{frames.top(column, 'traffic.visitors_daily', 'sessions', NAMES, since)} as slice,"
        f" sum(sessions) as sessions, sum(bounces) as bounces from traffic.visitors_daily where {since} group by all"
        for column in ("visitor_kind", "country")
    )
    return {
        "pages": frames.read(
            con,
            f"select date, platform, {frames.top('page', seen, 'views', PAGES)} as page, sum(views) as views,"
            " sum(entries) as entries, sum(exits) as exits, sum(bounces) as bounces,"
            " sum(seconds_on_page) as seconds, sum(pixel_hits) as pixel_hits, sum(matched) as matched"
            f" from {seen} group by all order by date, page, platform",
        ),
        "sources": frames.read(
            con,
            "select date, platform,"
            f" {frames.top('source', 'traffic.referrers_daily', 'sessions', SOURCES, since)} as source,"
            f" case when referrer_host is null then '(none)' else {frames.top('host', hosts, 'sessions', SOURCES)} end"
            f" as host, sum(sessions) as sessions from {hosts} group by all order by all",
        ),
        "technology": frames.read(con, f"{technology} order by all"),
        "visitors": frames.read(con, f"{visitors} order by all"),
        "hours": frames.read(
            con,
            "select date, hour, platform, sum(sessions) as sessions, sum(page_views) as page_views"
            f" from traffic.hours where {since} group by all order by all",
        ),
        "left_out": frames.read(
            con,
            "select date, platform, case when is_excluded then 'excluded' else bot_reason end as reason,"
            f" {frames.top('browser', 'traffic.bots_daily', 'page_views', SOURCES, since)} as family,"
            " sum(sessions) as sessions, sum(page_views) as page_views"
            f" from traffic.bots_daily where {since} group by all order by all",
        ),
    }


def bars(field: str, colour: str = BLUE, opacity: float = 0.22) -> Spec:
    """Draw a list of names with a bar and its words each."""
    return chart(
        mark("bar", {"y": name("slice"), "x": number(field, None, "~s") | {"axis": None}},
             color=colour, opacity=opacity, size=22),
        mark("text", {"y": name("slice"), "x": {"value": 0}, "text": {"field": "words"}}, align="left", dx=6),
        height={"step": 28},
    )  # fmt: skip


def visits_by_day() -> Panel:
    """Visits per day."""
    visits = number("sessions", None, "~s")
    return Panel(
        "visits_by_day",
        "Visits per day",
        "Pale: only part of the day is in the data.",
        [
            Column("day", "Day", "day", f"{KPI}.date"),
            Column("sessions", "Visits", "count", f"{KPI}.sessions"),
            Column("visitors", "Visitors", "count", f"{KPI}.visitors"),
            Column("page_views", "Page views", "count", f"{KPI}.page_views"),
            Column("bounce_rate", "Bounce", "rate", f"{KPI}.bounce_rate"),
            Column("whole", "Whole day", "text", f"{KPI}.is_complete"),
        ],
        chart(
            mark("bar", band() | {"y": visits, "y2": {"datum": 0}}, "datum.is_complete", color=BLUE, opacity=0.85,
                 cornerRadiusEnd=0),
            mark("bar", band() | {"y": visits, "y2": {"datum": 0}}, "!datum.is_complete", fill=BLUE,
                 fillOpacity=0.18, stroke=BLUE, strokeDash=[4, 3], cornerRadiusEnd=0),
            height=240,
        ),
        is_wide=True,
    )  # fmt: skip


def where_from() -> Panel:
    """Where visits came from."""
    return Panel(
        "where_from",
        "Where visits came from",
        "By the first page view of a visit.",
        [
            Column("slice", "From"),
            Column("sessions", "Visits", "count", f"{KPI}.sessions"),
            Column("share", "Share", "rate"),
        ],
        bars("sessions"),
        choice={"channel": "Channel", "source": "Source", "host": "Referring host"},
    )  # fmt: skip


def hours() -> Panel:
    """Hours."""
    return Panel(
        "hours",
        "Hours",
        "Page views in an hour of the week, a mean of the weeks shown. Darker: more.",
        [
            Column("weekday", "Day"),
            Column("hour", "Hour", "text", "traffic.hours.hour"),
            Column("page_views", "Page views, mean", "number", "traffic.hours.page_views"),
            Column("sessions", "Visits begun, mean", "number", "traffic.hours.sessions"),
        ],
        chart(
            mark(
                "rect",
                {
                    "x": {"field": "hour", "type": "ordinal",
                          "axis": {"title": None, "labelAngle": 0, "ticks": False, "domain": False,
                                   "values": ["00", "03", "06", "09", "12", "15", "18", "21"]}},
                    "y": name("weekday"),
                    "opacity": {"field": "page_views", "type": "quantitative", "legend": None,
                                "scale": {"domainMin": 0, "range": [0.04, 1]}},
                },
                color=BLUE, stroke=LINE,
            ),
            height={"step": 26},
        ),
    )  # fmt: skip


def pages() -> Panel:
    """Pages."""
    pages = "traffic.pages_daily"
    return Panel(
        "pages",
        "Pages",
        "Views, and how often a visit began or ended there. Bounce: of the visits that began there.",
        [
            Column("page", "Page"),
            Column("views", "Views", "count", f"{pages}.views"),
            Column("share", "Of all", "rate"),
            Column("entries", "Entries", "count", f"{pages}.entries"),
            Column("exits", "Exits", "count", f"{pages}.exits"),
            Column("bounce_rate", "Bounce", "rate", f"{pages}.bounces"),
            Column("seconds", "Seconds, mean", "number", f"{pages}.seconds_on_page"),
            Column("measured", "Measured", "rate", f"{pages}.matched"),
        ],
        is_wide=True,
    )  # fmt: skip


def technology() -> Panel:
    """What they use."""
    return Panel(
        "technology",
        "What they use",
        "By the visit's first event.",
        [
            Column("slice", "With"),
            Column("sessions", "Visits", "count", "traffic.technology_daily.sessions"),
            Column("share", "Share", "rate"),
            Column("page_views", "Page views", "count", "traffic.technology_daily.page_views"),
        ],
        bars("sessions"),
        choice={"device_class": "Device", "browser": "Browser", "os": "System"},
    )  # fmt: skip


def who() -> Panel:
    """Who they are."""
    return Panel(
        "who",
        "Who they are",
        "New: the person's first visit. Customer: has ordered before.",
        [
            Column("slice", "Who"),
            Column("sessions", "Visits", "count", "traffic.visitors_daily.sessions"),
            Column("share", "Share", "rate"),
            Column("bounce_rate", "Bounce", "rate", "traffic.visitors_daily.bounces"),
        ],
        bars("sessions"),
        choice={"visitor_kind": "New or returning", "country": "Country"},
    )  # fmt: skip


def left_out() -> Panel:
    """Left out: bots and exclusions."""
    return Panel(
        "left_out",
        "Left out: bots and exclusions",
        "Page views by who asked. They stay in the warehouse, flagged.",
        [
            Column("slice", "Who"),
            Column("reason", "Why", "text", "traffic.bots_daily.bot_reason"),
            Column("page_views", "Page views", "count", "traffic.bots_daily.page_views"),
            Column("share", "Of all views", "rate"),
            Column("sessions", "Visits", "count", "traffic.bots_daily.sessions"),
        ],
        bars("page_views", MUTED, 0.25),
        is_wide=True,
        empty="Nothing was left out in this period.",
    )  # fmt: skip


def panels() -> list[Panel]:
    """Say what the tab shows, in order."""
    return [visits_by_day(), where_from(), hours(), pages(), technology(), who(), left_out()]
