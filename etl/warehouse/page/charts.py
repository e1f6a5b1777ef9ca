"""What all charts share: colours that follow the page's theme, axes of whole UTC days, and how a panel is said.

Colours are CSS variables, so that light, dark and paper need no second drawing. Days are shown on UTC scales: else a
reader west of Greenwich would see the day before.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

Spec = dict[str, Any]

INK, MUTED, LINE = "var(--ink)", "var(--muted)", "var(--line)"
BLUE, GREEN, RED, AMBER, GREY = "var(--blue)", "var(--green)", "var(--red)", "var(--amber)", "var(--grey)"
VIOLET, TEAL, PINK = "var(--violet)", "var(--teal)", "var(--pink)"
FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'Liberation Sans', sans-serif"
DAY_MS = 86_400_000
STATUS_COLOURS = {"ok": GREEN, "warn": AMBER, "error": RED, "unknown": GREY}

CONFIG: Spec = {
    "aria": False,
    "background": None,
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED, "titleColor": MUTED, "gridColor": LINE, "domainColor": LINE, "tickColor": LINE,
        "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelLimit": 140,
    },
    "text": {"fill": INK, "fontSize": 12},
    "bar": {"cornerRadiusEnd": 2},
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column of the table behind a panel.

    Attributes:
        format: text, prose, count, number, money, rate, change, points, times, day, status or trend.
        definition: schema.table.column that says what it means.
    """

    name: str
    title: str
    format: str = "text"
    definition: str = ""


@dataclass(frozen=True)
class Panel:
    """A heading, what it shows, the rows behind it. The rows are made in assets/, by the panel's id.

    Attributes:
        spec: Vega-Lite over the data `rows`; none for a panel that is its table.
        choice: what a reader may choose in this panel: value → words.
        legend: what is drawn in which colour. Vega's own is cut where a phone is too narrow for it.
        shapes: what is drawn in which shape as well.
    """

    id: str
    title: str
    note: str
    columns: list[Column]
    spec: Spec | None = None
    is_wide: bool = False
    choice: dict[str, str] = field(default_factory=dict)
    legend: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, str] = field(default_factory=dict)
    empty: str = "Nothing happened in this period."

    def described(self) -> dict[str, Any]:
        """Say it as JSON, without the spec, which is compiled."""
        return {key: value for key, value in asdict(self).items() if key != "spec"}


def chart(*layers: Spec, height: Any = 240, **more: Any) -> Spec:
    """Lay layers over each other, as wide as the panel."""
    body: Spec = {"layer": list(layers)} if len(layers) > 1 else dict(layers[0])
    fit = {"type": "fit-x", "contains": "padding"}
    return {"data": {"name": "rows"}, "width": "container", "height": height, "autosize": fit, **body, **more}


def mark(kind: str, encoding: Spec, where: str = "", **options: Any) -> Spec:
    """Draw one mark, with its row's words as the tooltip; `where` keeps rows, in Vega's language."""
    tooltip = {} if kind in ("rule", "line", "text") else {"tooltip": {"field": "tip", "type": "nominal"}}
    made: Spec = {"mark": {"type": kind, **options}, "encoding": {**encoding, **tooltip}}
    return {"transform": [{"filter": where}], **made} if where else made


def day(title: str | None = None) -> Spec:
    """Put whole days on x; rows hold them as milliseconds since 1970.

    As many ticks as there are days and room: with more, Vega names half days, and the same day twice.
    """
    ticks = f"max(1, min((domain('x')[1] - domain('x')[0]) / {DAY_MS}, width / 64, 9))"
    return {
        "field": "day_ms", "type": "temporal", "scale": {"type": "utc"},
        "axis": {"format": "%d %b", "title": title, "grid": False, "labelOverlap": "greedy", "labelFlush": True,
                 "labelSeparation": 6, "tickCount": {"expr": ticks}},
    }  # fmt: skip


def band(days: str = "day_ms", end: str = "day_end_ms") -> Spec:
    """Put a bar of a whole day on x."""
    return {"x": day() | {"field": days}, "x2": {"field": end}}


def number(name: str, title: str | None, form: str, **more: Any) -> Spec:
    """Put a number on an axis."""
    # One form for a whole axis makes 0k and 0.5k of nought and five hundred.
    words = (
        {"labelExpr": "datum.value != 0 && abs(datum.value) < 1 ? '' : replace(format(datum.value, '~s'), 'G', 'B')"}
        if form == "~s"
        else {"format": form}
    )
    axis = {**words, "title": title, "tickCount": 5, **more.pop("axis", {})}
    return {"field": name, "type": "quantitative", "axis": axis, **more}


def name(field_name: str, **more: Any) -> Spec:
    """Put names on y, in the order of the rows."""
    axis = {"title": None, "domain": False, "ticks": False, "grid": False, "labelPadding": 6,
            "labelLimit": {"expr": "max(90, width / 3.2)"}}  # fmt: skip
    return {"field": field_name, "type": "nominal", "sort": None, "axis": axis, **more}


def colours(field_name: str, meaning: dict[str, str]) -> Spec:
    """Colour by a value that always means the same; the panel's `legend` says what, in the page's own text."""
    scale = {"domain": list(meaning), "range": list(meaning.values())}
    return {"field": field_name, "type": "nominal", "scale": scale, "legend": None}
