"""Features and experiments: who uses what, who comes back, which experiments may be believed."""

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
    RED,
    Column,
    Panel,
    chart,
    colours,
    mark,
    name,
    number,
)  # fmt: skip

FEATURES = 25
EXPERIMENT_ROWS = 120
VERDICTS = {"higher": GREEN, "lower": RED, "undecided": GREY, "invalid": AMBER, "unknown": GREY}
MART = "product.feature_usage"
LIFT = "product.experiment_lift"


def read(con: duckdb.DuckDBPyConnection) -> dict[str, pa.Table]:
    """Read the weeks of features and the state of experiments."""
    return {
        "features": frames.read(
            con,
            f"""
            select week_date, feature, is_complete, active_persons, user_count, adoption_rate, uses, uses_per_user,
                new_users, returning_users, retention_rate
            from product.feature_usage
            where week_date >= $since - 6 and feature in (
                select feature from product.feature_usage group by 1 order by sum(uses) desc, 1 limit {FEATURES}
            )
            order by feature, week_date
            """,
        ),
        "experiments": frames.read(
            con,
            f"""
            select experiment, metric, variant, control, visitors, control_visitors, value, control_value,
                lift, always_valid_low as low, always_valid_high as high, lift_low, lift_high, p_value,
                srm_p_value, srm_stage, multiple_exposure_share, has_multiple_exposures, verdict,
                first_exposed_at::date as first_day, last_exposed_at::date as last_day
            from product.experiment_lift
            order by last_exposed_at desc, experiment, metric, variant limit {EXPERIMENT_ROWS}
            """,
        ),
    }


def adoption() -> Panel:
    """Adoption, then and now."""
    adopted = {"y": name("feature"), "x": number("value", "share of the people active in the week", ".0%")}
    return Panel(
        "adoption",
        "Adoption, then and now",
        "Share of the people active in a week who used the feature: first and last week of the period.",
        [
            Column("feature", "Feature", definition=f"{MART}.feature"),
            Column("before", "First week", "rate", f"{MART}.adoption_rate"),
            Column("now", "Last week", "rate", f"{MART}.adoption_rate"),
            Column("change", "Points", "points", f"{MART}.adoption_rate"),
            Column("users", "Users, last week", "count", f"{MART}.user_count"),
            Column("uses_per_user", "Uses per user", "number", f"{MART}.uses_per_user"),
        ],
        chart(
            mark("rule", {"y": name("feature"), "x": number("low", None, ".0%"), "x2": {"field": "high"}},
                 "isValid(datum.low)", color=LINE, strokeWidth=4),
            mark("point", adopted | {"color": colours("when", {"first week": GREY, "last week": BLUE})},
                 "isValid(datum.when)", filled=True, size=90, opacity=1),
            height={"step": 28},
        ),
        empty="No feature was used in the weeks of this period.",
        legend={"first week": GREY, "last week": BLUE},
    )  # fmt: skip


def retention() -> Panel:
    """Who uses it again."""
    kept = {"y": name("feature"), "x": number("retention_rate", "share of last week's users who used it again", ".0%")}
    return Panel(
        "retention",
        "Who uses it again",
        "Of the users of one week, those who used the feature in the next; all weeks of the period together.",
        [
            Column("feature", "Feature", definition=f"{MART}.feature"),
            Column("users_before", "Users, week before", "count", f"{MART}.user_count"),
            Column("returning", "Used it again", "count", f"{MART}.returning_users"),
            Column("retention_rate", "Retention", "rate", f"{MART}.retention_rate"),
        ],
        chart(mark("bar", kept, "isValid(datum.retention_rate)", color=BLUE, opacity=0.8), height={"step": 28}),
        empty="It takes two weeks with users to see who comes back.",
    )  # fmt: skip


def lift() -> Panel:
    """Lift of experiments."""
    axis = number("lift", "relative lift", "+.0%")
    interval = {"y": name("name"), "x": {**axis, "field": "low"}, "x2": {"field": "high"},
                "color": colours("decision", VERDICTS)}  # fmt: skip
    return Panel(
        "lift",
        "Lift of experiments",
        "Against the control, with the interval that holds however often one looks. All of each experiment's time,"
        " whatever the period chosen.",
        [
            Column("name", "Experiment", definition=f"{LIFT}.experiment"),
            Column("lift", "Lift", "change", f"{LIFT}.lift"),
            Column("low", "Low", "change", f"{LIFT}.always_valid_low"),
            Column("high", "High", "change", f"{LIFT}.always_valid_high"),
            Column("decision", "State", "text", f"{LIFT}.verdict"),
        ],
        chart(
            mark("rule", {"x": {"datum": 0}}, color=INK, strokeDash=[3, 3]),
            mark("bar", interval, "isValid(datum.low)", size=5, opacity=0.55, cornerRadiusEnd=0),
            mark("point", {"y": name("name"), "x": axis, "color": colours("decision", VERDICTS)},
                 "isValid(datum.lift)", filled=True, size=110, opacity=1),
            height={"step": 30},
        ),
        is_wide=True,
        empty="No experiment has been seen.",
        legend=VERDICTS,
    )  # fmt: skip


def decisions() -> Panel:
    """What may be decided."""
    return Panel(
        "decisions",
        "What may be decided",
        "A broken split (sample ratio mismatch) overrides every number beside it.",
        [
            Column("experiment", "Experiment", definition=f"{LIFT}.experiment"),
            Column("metric", "Metric", definition=f"{LIFT}.metric"),
            Column("variant", "Variant", definition=f"{LIFT}.variant"),
            Column("people", "People, control / variant", "text", f"{LIFT}.visitors"),
            Column("interval", "Lift (always-valid 95 %)", "text", f"{LIFT}.lift"),
            Column("srm", "Split", "text", f"{LIFT}.srm_p_value"),
            Column("decision", "Decision", "status", f"{LIFT}.verdict"),
        ],
        is_wide=True,
        empty="No experiment has been seen.",
    )  # fmt: skip


def panels() -> list[Panel]:
    """Say what the tab shows, in order."""
    return [adoption(), retention(), lift(), decisions()]
