"""Features and experiments: who uses what, who comes back, which experiments may be believed."""

import duckdb
import pyarrow as pa

from etl.warehouse.page import frames
from etl.warehouse.page.panels import Column, Panel

FEATURES = 25
EXPERIMENT_ROWS = 120
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
                role, minimal_lift, detectable_lift, power, visitors_needed, guardrail, duration_days, days_needed,
                srm_p_value, srm_stage, multiple_exposure_share, has_multiple_exposures, verdict,
                first_exposed_at::date as first_day, last_exposed_at::date as last_day
            from product.experiment_lift
            order by last_exposed_at desc, experiment, metric, variant limit {EXPERIMENT_ROWS}
            """,
        ),
    }


def panels() -> list[Panel]:
    """Say what the tab shows, in order."""
    return [
        Panel(
            "adoption",
            "Adoption, then and now",
            "Share of the people active in a week who used the feature: first and last week that the period touches.",
            [
                Column("feature", "Feature", "name", f"{MART}.feature"),
                Column("span", "Then (tick) and now", "range", f"{MART}.adoption_rate"),
                Column("before", "First week", "rate", f"{MART}.adoption_rate", on_phone=False),
                Column("now", "Last week", "rate", f"{MART}.adoption_rate"),
                Column("change", "Points", "points", f"{MART}.adoption_rate", on_phone=False),
                Column("users", "Users, last week", "count", f"{MART}.user_count", on_phone=False),
                Column("uses_per_user", "Uses per user", "number", f"{MART}.uses_per_user", on_phone=False),
            ],
            rows=15,
            empty="No feature was used in the weeks of this period.",
        ),
        Panel(
            "retention",
            "Who uses it again",
            "Of the users of one week, those who used the feature in the next; all weeks of the period together.",
            [
                Column("feature", "Feature", "name", f"{MART}.feature"),
                Column("users_before", "Users, week before", "count", f"{MART}.user_count"),
                Column("returning", "Used it again", "count", f"{MART}.returning_users", on_phone=False),
                Column("retention_rate", "Retention", "bar", f"{MART}.retention_rate"),
            ],
            rows=15,
            empty="It takes two weeks with users to see who comes back.",
        ),
        *of_experiments(),
    ]


def of_experiments() -> list[Panel]:
    """Say what experiments found, and what may be decided."""
    return [
        Panel(
            "lift",
            "Lift of experiments",
            "Against the control, with the interval that holds however often one looks. All of each experiment's time,"
            " whatever the period.",
            [
                Column("name", "Experiment", "name", f"{LIFT}.experiment"),
                Column("span", "Lift and its interval", "range", f"{LIFT}.always_valid_low"),
                Column("lift", "Lift", "change", f"{LIFT}.lift"),
                Column("low", "Low", "change", f"{LIFT}.always_valid_low", on_phone=False),
                Column("high", "High", "change", f"{LIFT}.always_valid_high", on_phone=False),
                Column("decision", "State", "text", f"{LIFT}.verdict"),
            ],
            size=12,
            rows=20,
            empty="No experiment has been seen.",
        ),
        Panel(
            "decisions",
            "What may be decided",
            "A broken split (sample ratio mismatch) overrides every number beside it.",
            [
                Column("experiment", "Experiment", "name", f"{LIFT}.experiment"),
                Column("metric", "Metric", "text", f"{LIFT}.metric"),
                Column("variant", "Variant", "text", f"{LIFT}.variant", on_phone=False),
                Column("people", "People, control / variant", "text", f"{LIFT}.visitors", on_phone=False),
                Column("interval", "Lift (always-valid 95 %)", "text", f"{LIFT}.lift", on_phone=False),
                Column("srm", "Split", "text", f"{LIFT}.srm_p_value", on_phone=False),
                Column("decision", "Decision", "status", f"{LIFT}.verdict"),
            ],
            size=12,
            rows=20,
            empty="No experiment has been seen.",
        ),
        Panel(
            "planned",
            "How far experiments have come",
            "What the people so far could show, and how long it takes to find a lift that is worth it (80 % power)."
            " Guardrails are metrics that must not fall. Both are declared in seeds/experiment_metrics.csv.",
            [
                Column("name", "Experiment", "name", f"{LIFT}.experiment"),
                Column("metric", "Metric", "text", f"{LIFT}.metric"),
                Column("role", "Role", "text", f"{LIFT}.role", on_phone=False),
                Column("detectable_lift", "Detectable", "rate", f"{LIFT}.detectable_lift", on_phone=False),
                Column("minimal_lift", "Worth finding", "rate", f"{LIFT}.minimal_lift", on_phone=False),
                Column("power", "Power", "rate", f"{LIFT}.power"),
                Column("duration", "Days, of those needed", "text", f"{LIFT}.days_needed", on_phone=False),
                Column("people", "People, of those needed", "text", f"{LIFT}.visitors_needed", on_phone=False),
                Column("guard", "Guardrail", "status", f"{LIFT}.guardrail"),
            ],
            size=12,
            rows=20,
            empty="No experiment has been seen.",
        ),
    ]
