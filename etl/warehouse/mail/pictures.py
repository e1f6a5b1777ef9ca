"""The mail's charts as pictures that lie in it: mail programs run no scripts and, rightly, load nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import vl_convert

DAYS_DRAWN = 28
BLUE, SOFT, FAINT, MUTED, LINE = "#3559d6", "#c3d2f2", "#dfe3e9", "#4a5361", "#dfe3e9"
Row = Mapping[str, Any]


def draw(days: Sequence[Row], measure: str) -> dict[str, bytes]:
    """Draw a measure by day and what of the pixel's page views was not measured, as PNG; both axes begin at nought.

    Args:
        days: KPIs, the newest last; those before the days drawn are for the mean alone. Days in part are pale, and in
            no mean.
        measure: revenue or sessions.
    """
    rows = []
    for index, row in enumerate(days):
        week = days[max(0, index - 6) : index + 1]
        whole = [amount(other[measure]) for other in week if other.get("is_complete")]
        known = [value for value in whole if value is not None]
        lost = None if row["completeness"] is None else 1 - row["completeness"]
        rows.append(
            {
                "day": f"{row['date']:%d %b}", "value": amount(row[measure]), "is_whole": bool(row.get("is_complete")),
                "mean": sum(known) / 7 if len(known) == 7 else None, "lost": lost,  # noqa: PLR2004
            }
        )  # fmt: skip
    # Days as words: no scale of time, so no time zone that could move them.
    axis = {"title": None, "labelAngle": 0, "labelOverlap": "greedy", "ticks": False, "domain": True}
    day = {"field": "day", "type": "ordinal", "sort": None, "axis": axis}
    look = {
        "background": "#ffffff", "view": {"stroke": None},
        "axis": {"labelColor": MUTED, "gridColor": LINE, "domainColor": LINE, "tickColor": LINE, "labelFontSize": 11},
    }  # fmt: skip
    base = {"data": {"values": rows[-DAYS_DRAWN:]}, "width": 540, "config": look}
    drawn = {
        measure: {**base, "height": 180, "layer": [bars(day, "value", "~s"), mean_of(day)]},
        **({"measured": {**base, "height": 110, **bars(day, "lost", ".1%")}} if is_measured(days) else {}),
    }
    return {name: vl_convert.vegalite_to_png(spec, vl_version="6.4", scale=2) for name, spec in drawn.items()}


def is_measured(days: Sequence[Row]) -> bool:
    """Say whether a pixel saw any of the days drawn."""
    return any(row["completeness"] is not None for row in days[-DAYS_DRAWN:])


def bars(day: dict[str, Any], field: str, form: str) -> dict[str, Any]:
    """Say bars from nought, pale where a day is in part."""
    axis = {"title": None, "format": form, "tickCount": 4}
    return {
        "mark": {"type": "bar"},
        "encoding": {
            "x": day,
            "y": {"field": field, "type": "quantitative", "scale": {"zero": True}, "axis": axis},
            "color": {"condition": {"test": "datum.is_whole", "value": SOFT}, "value": FAINT},
        },
    }


def mean_of(day: dict[str, Any]) -> dict[str, Any]:
    """Say the line of the mean of seven days."""
    return {
        "mark": {"type": "line", "color": BLUE, "strokeWidth": 2},
        "encoding": {"x": day, "y": {"field": "mean", "type": "quantitative"}},
    }


def amount(value: Any) -> float | None:
    """Read an amount; of orders without a rate alone there is none."""
    return None if value is None else float(value)
