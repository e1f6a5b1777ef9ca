"""Trust: may these figures be used? What is open, what became of what was sent, where it gets lost, the books."""

import duckdb
import pyarrow as pa

from etl.warehouse.page import frames
from etl.warehouse.page.panels import Column, Panel, lost

VALUES = 8
"""Values of a dimension shown by name."""
TRACKERS = 14
FAILED_CHECKS = 300
BY = {
    "browser": "Browser", "tracker": "Tracker", "country": "Country", "channel": "Channel",
    "campaign": "Campaign", "landing_page": "Landing page",
}  # fmt: skip
"""The dimensions of loss, and what the page calls them."""
CAUSES = 30_000
"""Rows of messages by cause, and of bots by rule: more than there are of the days shown. They weigh little."""


def read(con: duckdb.DuckDBPyConnection) -> dict[str, pa.Table]:
    """Read incidents and checks, the two witnesses, the messages by cause, and the books."""
    tracker = frames.top("tracker", "quality.message_gaps", "expected", TRACKERS, "date >= $since")
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
        "incidents": frames.read(
            con,
            """
            select "check" as check_name, app_id, platform, first_date, last_date, status, worst_value, threshold,
                owner, hint, is_ongoing
            from quality.incidents where last_date >= $since
            order by is_ongoing desc, status = 'error' desc, last_date desc, incident_id limit 200
            """,
        ),
        "not_ok": frames.read(
            con,
            f"""
            with found as (
                select "check" as check_name, status, date is null as is_undated, min(date) as first_date,
                    max(date) as last_date, count(*) as scopes, min(scope) as scope, max(owner) as owner,
                    max(hint) as hint, max(value) as worst_value, min(threshold) as threshold
                from quality.checks where status <> 'ok' and (date is null or date >= $since) group by all
            )
            select * from found
            order by status = 'error' desc, status = 'warn' desc, check_name, is_undated limit {FAILED_CHECKS}
            """,
        ),
        "fresh": frames.read(
            con,
            """
            select scope, value as age_hours, threshold, status from quality.checks where "check" = 'freshness'
            order by value / nullif(threshold, 0) desc, scope limit 60
            """,
        ),
        "silent": frames.read_newest(
            con,
            """
            select date, platform, scope, value, threshold, status from quality.checks
            where "check" = 'silence' and date >= $since and status in ('warn', 'error') order by date, scope
            """,
        ),
        "witnesses": frames.read_newest(
            con,
            """
            select date, platform, sum(pixel_hits)::bigint as pixel_hits, sum(event_page_views)::bigint as events,
                sum(matched)::bigint as matched, sum(only_pixel)::bigint as only_pixel,
                sum(only_event)::bigint as only_event, bool_or(status = 'unknown') as is_unknown
            from quality.loss_daily where date >= $since group by all order by platform, date
            """,
        ),
        "causes": frames.read_sums(
            con,
            "quality.loss_by_cause",
            "step_number, cause, coalesce(platform, '(unknown)') as platform, date",
            "messages",
            CAUSES,
        ),
        "dimensions": frames.read_newest(con, f"{values} order by dimension, value, platform, date", names=("value",)),
        "gaps": frames.read_sums(
            con,
            "quality.message_gaps",
            f"{tracker} as tracker, platform, date",
            "expected, received, rejected, lost, restarts",
            names=("tracker",),
        ),
        "quarantine": frames.read(
            con,
            """
            select received_at::date as date, reason, count(*) as messages from quality.quarantine
            group by all order by reason, date
            """,
        ),
        "ledger": frames.read(
            con,
            """
            select inbox_folder as folder, count(*) as files,
                count(*) filter (
                    where is_unread
                ) as failed_files,
                coalesce(sum(lines), 0)::bigint as lines, coalesce(sum(bad_lines), 0)::bigint as bad_lines,
                coalesce(sum(messages), 0)::bigint as messages, coalesce(sum(accepted), 0)::bigint as accepted,
                coalesce(sum(duplicates), 0)::bigint as duplicates,
                coalesce(sum(quarantined), 0)::bigint as quarantined,
                coalesce(sum(abs(balance)), 0)::bigint as unaccounted
            from quality.ledger group by 1 order by 1
            """,
        ),
        "bots": read_bots(con),
        "restated": frames.read(
            con,
            """
            select date, metric, previous_value, value, published_at, reason from quality.restatements
            where reason <> 'first' and metric in ('sessions', 'page_views', 'orders', 'revenue', 'completeness')
            order by published_at desc, date desc, metric limit 100
            """,
        ),
    }


def read_bots(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """Read what each rule of bots decides by day."""
    return frames.read_newest(
        con,
        """
        select date, rule_name as rule, is_flagging, sessions_decided, sessions_with, page_views_with,
            page_views_without from quality.bot_impact where date >= $since order by rule_name, date
        """,
        CAUSES,
    )


def target(con: duckdb.DuckDBPyConnection) -> float | None:
    """The share of lost page views from which on a day warns, as the checks were judged by it."""
    lowest: float | None = con.execute(
        """select min(threshold) from quality.checks where "check" = 'event_loss' and status <> 'error'"""
    ).fetchall()[0][0]
    return lowest


def panels() -> list[Panel]:
    """Say what the tab shows, in order."""
    return [*of_state(), *of_loss(), *of_books()]


def of_state() -> list[Panel]:
    """What needs somebody, and how old the sources are."""
    return [
        Panel(
            "fresh",
            "How old each source is",
            "At the last run, against its own habits. The bar is the allowed age.",
            [
                Column("scope", "Source", "name", "quality.checks.scope"),
                Column("allowed", "Age, allowed", "range", "quality.checks.threshold"),
                Column("status", "State", "status", "quality.checks.status"),
            ],
            size=4,
            empty="No source has been heard on three days yet: how old is too old is unknown.",
        ),
        Panel(
            "open",
            "What is not green",
            "Open ones first. Days of one trouble are one row.",
            [
                Column("status", "State", "status", "quality.incidents.status"),
                Column("since", "Since, until", "text", "quality.incidents.first_date"),
                Column("what", "What, and what to do", "prose", "quality.incidents.hint"),
                Column("worst", "Worst, allowed", "text", "quality.incidents.worst_value", on_phone=False),
                Column("owner", "Owner", "text", "quality.incidents.owner", on_phone=False),
            ],
            size=8,
            choice={"period": "This period", "all": "All days"},
            empty="Every check of this period holds.",
        ),
    ]


def of_loss() -> list[Panel]:
    """What did not arrive, and where it went."""
    return [
        Panel(
            "fall",
            "From sent to counted",
            "Messages of the period, drawn from nought; what was not counted is drawn again, larger.",
            [
                Column("cause", "What became of them", "text", "quality.loss_by_cause.cause"),
                Column("messages", "Messages", "count", "quality.loss_by_cause.messages"),
                Column("share", "Of what was sent", "rate", "quality.loss_by_cause.share_of_sent"),
                Column("words", "What it means", "prose"),
            ],
            drawn="fall",
            size=12,
            empty="No tracker sent anything in this period.",
        ),
        Panel(
            "meaning",
            "What it means for each figure",
            "Between which bounds the true number lies.",
            [
                Column("figure", "Figure"),
                Column("measured", "Measured"),
                Column("low", "At least", "text", "executive.kpi_daily.page_views_low"),
                Column("high", "At most", "text", "executive.kpi_daily.page_views_dependent_high"),
                Column("why", "What moves it", "prose", on_phone=False),
            ],
            size=12,
        ),
        *of_places(),
    ]


def of_books() -> list[Panel]:
    """Whether every message is accounted for, what was refused, and what was said differently before."""
    ledger = "quality.ledger"
    return [
        Panel(
            "ledger",
            "The books",
            "Every message is accepted, a second copy, refused or erased; the rest would be unaccounted for. All days.",
            [
                Column("folder", "Folder", "name", f"{ledger}.inbox_folder"),
                Column("files", "Files", "count", f"{ledger}.source_file", on_phone=False),
                Column("messages", "Came in", "count", f"{ledger}.messages"),
                Column("accepted", "Accepted", "count", f"{ledger}.accepted", on_phone=False),
                Column("duplicates", "Second copies", "count", f"{ledger}.duplicates", on_phone=False),
                Column("quarantined", "Refused", "count", f"{ledger}.quarantined", on_phone=False),
                Column("unaccounted", "Unaccounted for", "count", f"{ledger}.balance"),
                Column("failed_files", "Files not read", "count", f"{ledger}.status", on_phone=False),
            ],
            size=12,
            empty="No file has landed.",
        ),
        Panel(
            "quarantine",
            "Refused, and why",
            "They are kept whole and can be replayed.",
            [
                Column("reason", "Reason", "name", "quality.quarantine.reason"),
                Column("messages", "Messages", "bar", "quality.quarantine.reason"),
            ],
            size=4,
            empty="Nothing was refused in this period.",
        ),
        Panel(
            "bots",
            "What the rules about bots change",
            "Visits each rule takes out of the figures, or would if it were switched on.",
            [
                Column("rule", "Rule", "name", "quality.bot_impact.rule_name"),
                Column("state", "In force", "text", "quality.bot_impact.is_flagging"),
                Column("decided", "Visits", "bar", "quality.bot_impact.sessions_decided"),
                Column("page_views", "Page views", "count", "quality.bot_impact.page_views_without", on_phone=False),
            ],
            size=4,
            empty="No rule found anything in this period.",
        ),
        Panel(
            "restated",
            "Said differently before",
            "Figures that late data or a new definition changed after they had been published.",
            [
                Column("day", "Day", "day", "quality.restatements.date"),
                Column("metric", "Figure", "text", "quality.restatements.metric"),
                Column("previous_value", "Before", "number", "quality.restatements.previous_value"),
                Column("value", "Now", "number", "quality.restatements.value"),
                Column("reason", "Because of", "text", "quality.restatements.reason", on_phone=False),
            ],
            size=4,
            empty="Nothing published has been changed since.",
        ),
    ]


def of_places() -> list[Panel]:
    """Say when, where and by what page views and messages get lost."""
    return [
        lost(
            "loss_by_day",
            "Page views lost, day by day",
            "Of those the pixel saw, with the range by chance.",
            Column("day", "Day", "day", "quality.loss_daily.date"),
            "quality.loss_daily.event_loss_rate",
            Column("pixel_hits", "Pixel saw", "count", "quality.loss_daily.pixel_hits"),
            Column("pixel_loss_rate", "Pixel missed", "rate", "quality.loss_daily.pixel_loss_rate", on_phone=False),
            rows=14,
            empty="No pixel saw these pages: what was lost is unknown.",
        ),
        lost(
            "loss_by",
            "Where page views get lost",
            "Ranges hold jointly; amber only where one lies wholly above the rate of all, the tick.",
            Column("value", "Where", "name", "quality.loss_by_dimension.dimension_value"),
            "quality.loss_by_dimension.event_loss_rate",
            Column("pixel_hits", "Pixel saw", "count", "quality.loss_by_dimension.pixel_hits"),
            choice=BY,
            empty="No pixel saw these pages: where they get lost is unknown.",
        ),
        lost(
            "gaps",
            "Holes in the clients' count, by tracker",
            "Each client numbers its messages; a missing number is a message that never came.",
            Column("tracker", "Tracker", "name", "quality.message_gaps.tracker"),
            "quality.message_gaps.loss_rate",
            Column("expected", "Expected", "count", "quality.message_gaps.expected"),
            Column("lost", "Lost", "count", "quality.message_gaps.lost", on_phone=False),
            empty="No client counted its messages in this period.",
        ),
        Panel(
            "silence",
            "Silence",
            "Messages missed in hours quieter than their habit, against what is allowed (the tick).",
            [
                Column("scope", "Where", "name", "quality.silence.platform"),
                Column("range", "Missed, of what warns", "range", "quality.silence.missed"),
                Column("missed", "Missed", "count", "quality.silence.missed", on_phone=False),
                Column("day", "Day", "day", "quality.silence.hour"),
                Column("status", "State", "status", "quality.silence.status"),
            ],
            empty="Nothing that is judged fell silent in this period.",
        ),
    ]
