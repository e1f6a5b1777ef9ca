"""Tracking health: do the books balance, which checks do not hold, which tracker and platform needs somebody."""

import duckdb
import pyarrow as pa

from etl.warehouse.page import frames
from etl.warehouse.page.charts import (
    AMBER,
    BLUE,
    RED,
    STATUS_COLOURS,
    Column,
    Panel,
    band,
    chart,
    colours,
    mark,
    name,
    number,
)  # fmt: skip

TRACKERS = 14
FAILED_CHECKS = 300


def read(con: duckdb.DuckDBPyConnection) -> dict[str, pa.Table]:
    """Read checks, gaps by tracker, silence, quarantine, ledger, bots and what was restated."""
    tracker = frames.top("tracker", "quality.message_gaps", "expected", TRACKERS, "date >= $since")
    return {
        "checks": frames.read(
            con,
            """
            select "check" as check_name, date, platform, status, count(*) as scopes from quality.checks
            where date is null or date >= $since group by all order by 1, 2, 3, 4
            """,
        ),
        "not_ok": frames.read(
            con,
            f"""
            select "check" as check_name, scope, date, platform, value, threshold, status, owner, hint
            from quality.checks where status <> 'ok' and (date is null or date >= $since)
            order by status = 'error' desc, status = 'warn' desc, date desc nulls first, 1, 2 limit {FAILED_CHECKS}
            """,
        ),
        "gaps": frames.read(
            con,
            f"""
            select date, platform, {tracker} as tracker, sum(expected)::bigint as expected,
                sum(received)::bigint as received, sum(rejected)::bigint as rejected, sum(lost)::bigint as lost,
                sum(restarts)::bigint as restarts
            from quality.message_gaps where date >= $since group by all order by tracker, platform, date
            """,
        ),
        "silence": frames.read(
            con,
            """
            select hour::date as date, platform, sum(messages)::bigint as messages, sum(missed) as missed,
                count(*) filter (status in ('warn', 'error'))::bigint as silent_hours,
                bool_and(status = 'unknown') as is_unknown
            from quality.silence where hour >= $since and host is null group by all order by platform, date
            """,
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
        "bots": frames.read(
            con,
            """
            select date, rule_name as rule, is_flagging, sessions_decided, sessions_with, page_views_with,
                page_views_without from quality.bot_impact where date >= $since order by rule_name, date
            """,
        ),
        "restated": frames.read(
            con,
            """
            select date, metric, previous_value, value, published_at, reason from quality.restatements
            where reason <> 'first' and metric in ('sessions', 'page_views', 'orders', 'revenue', 'completeness')
            order by published_at desc, date desc, metric limit 100
            """,
        ),
    }


def checks() -> Panel:
    """Checks."""
    return Panel(
        "checks",
        "Checks",
        "One per check, app, platform and day. Unknown is not a pass: nothing says whether it holds.",
        [
            Column("check_name", "Check", definition="quality.checks.check"),
            Column("error", "Error", "count", "quality.checks.status"),
            Column("warn", "Warn", "count", "quality.checks.status"),
            Column("unknown", "Unknown", "count", "quality.checks.status"),
            Column("ok", "Ok", "count", "quality.checks.status"),
        ],
        chart(
            mark("bar", {"y": name("check_name"), "x": number("scopes", None, ".0%", stack="normalize"),
                         "order": {"field": "rank"}, "color": colours("status", STATUS_COLOURS)},
                 "isValid(datum.status)", cornerRadiusEnd=0),
            height={"step": 20},
        ),
        legend=STATUS_COLOURS,
    )  # fmt: skip


def gaps() -> Panel:
    """Messages missing, by tracker."""
    gaps = "quality.message_gaps"
    return Panel(
        "gaps",
        "Messages missing, by tracker",
        "Each client counts its messages: a hole in the count is a message that never arrived.",
        [
            Column("tracker", "Tracker", definition=f"{gaps}.tracker"),
            Column("expected", "Expected", "count", f"{gaps}.expected"),
            Column("received", "Received", "count", f"{gaps}.received"),
            Column("rejected", "Rejected", "count", f"{gaps}.rejected"),
            Column("lost", "Lost", "count", f"{gaps}.lost"),
            Column("loss_rate", "Lost of expected", "rate", f"{gaps}.loss_rate"),
            Column("restarts", "Restarts", "count", f"{gaps}.restarts"),
        ],
        chart(
            mark("bar", {"y": name("tracker"), "x": number("loss_rate", "lost of expected", ".1%")},
                 color=RED, opacity=0.75),
            height={"step": 24},
        ),
        empty="No client counted its messages in this period.",
    )  # fmt: skip


def not_ok() -> Panel:
    """What does not hold."""
    return Panel(
        "not_ok",
        "What does not hold",
        "Errors first, then warnings, then what is unknown.",
        [
            Column("status", "State", "status", "quality.checks.status"),
            Column("check_name", "Check", definition="quality.checks.check"),
            Column("scope", "Where", definition="quality.checks.scope"),
            Column("value", "Value", "number", "quality.checks.value"),
            Column("threshold", "Allowed", "number", "quality.checks.threshold"),
            Column("owner", "Owner", definition="quality.checks.owner"),
            Column("hint", "What to do first", "prose", "quality.checks.hint"),
        ],
        is_wide=True,
        empty="Every check of this period holds.",
    )  # fmt: skip


def silence() -> Panel:
    """Silence."""
    return Panel(
        "silence",
        "Silence",
        "Messages missed in hours that were quieter than their baseline: the darker, the more. A gap is unknown.",
        [
            Column("day", "Day", "day", "quality.silence.hour"),
            Column("platform", "Platform", definition="quality.silence.platform"),
            Column("messages", "Messages", "count", "quality.silence.messages"),
            Column("missed", "Missed", "count", "quality.silence.missed"),
            Column("silent_hours", "Silent hours", "count", "quality.silence.status"),
        ],
        chart(
            mark("rect", band() | {"y": name("platform"), "opacity": {
                "field": "missed", "type": "quantitative", "legend": None, "scale": {"range": [0.05, 1]}}},
                 "isValid(datum.missed)", color=AMBER, cornerRadius=2),
            height={"step": 30},
        ),
        is_wide=True,
        empty="No baseline yet: it takes two days of history.",
    )  # fmt: skip


def quarantine() -> Panel:
    """Quarantine."""
    return Panel(
        "quarantine",
        "Quarantine",
        "Messages that were refused, by reason. They are kept whole and can be replayed. All platforms.",
        [
            Column("reason", "Reason", definition="quality.quarantine.reason"),
            Column("messages", "Messages", "count", "quality.quarantine.reason"),
        ],
        chart(mark("bar", {"y": name("reason"), "x": number("messages", None, "~s")}, color=AMBER),
              height={"step": 24}),
        empty="Nothing was refused in this period.",
    )  # fmt: skip


def bots() -> Panel:
    """What the rules about bots change."""
    return Panel(
        "bots",
        "What the rules about bots change",
        "Sessions each rule takes out of the figures, or would if it were switched on.",
        [
            Column("rule", "Rule", definition="quality.bot_impact.rule_name"),
            Column("state", "In force", "text", "quality.bot_impact.is_flagging"),
            Column("decided", "Sessions", "count", "quality.bot_impact.sessions_decided"),
            Column("page_views", "Page views", "count", "quality.bot_impact.page_views_without"),
            Column("share", "Of all sessions", "rate", "quality.bot_impact.sessions_decided"),
        ],
        chart(
            mark("bar", {"y": name("rule"), "x": number("decided", "sessions", "~s"),
                         "color": colours("state", {"flags": BLUE, "only suspects": AMBER})}),
            height={"step": 22},
        ),
        empty="No rule found anything in this period.",
        legend={"flags": BLUE, "only suspects": AMBER},
    )  # fmt: skip


def ledger() -> Panel:
    """The books."""
    ledger = "quality.ledger"
    return Panel(
        "ledger",
        "The books",
        "Every message is accepted, a duplicate or in quarantine; the rest would be unaccounted for. All days.",
        [
            Column("folder", "Folder", definition=f"{ledger}.inbox_folder"),
            Column("files", "Files", "count", f"{ledger}.source_file"),
            Column("failed_files", "Not landed whole", "count", f"{ledger}.status"),
            Column("lines", "Lines", "count", f"{ledger}.lines"),
            Column("messages", "Messages", "count", f"{ledger}.messages"),
            Column("accepted", "Accepted", "count", f"{ledger}.accepted"),
            Column("duplicates", "Duplicates", "count", f"{ledger}.duplicates"),
            Column("quarantined", "Quarantined", "count", f"{ledger}.quarantined"),
            Column("unaccounted", "Unaccounted for", "count", f"{ledger}.balance"),
        ],
        is_wide=True,
    )  # fmt: skip


def restated() -> Panel:
    """What was said differently before."""
    return Panel(
        "restated",
        "What was said differently before",
        "Figures that late data or a new definition changed after they had been published.",
        [
            Column("day", "Day", "day", "quality.restatements.date"),
            Column("metric", "Figure", definition="quality.restatements.metric"),
            Column("previous_value", "Said before", "number", "quality.restatements.previous_value"),
            Column("value", "Says now", "number", "quality.restatements.value"),
            Column("reason", "Because of", definition="quality.restatements.reason"),
            Column("published_at", "Published, UTC", "text", "quality.restatements.published_at"),
        ],
        is_wide=True,
        empty="Nothing published has been changed since.",
    )  # fmt: skip


def panels() -> list[Panel]:
    """Say what the tab shows, in order."""
    return [checks(), gaps(), not_ok(), silence(), quarantine(), bots(), ledger(), restated()]
