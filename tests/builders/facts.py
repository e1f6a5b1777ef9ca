"""The facts behind a published warehouse: as many sessions, page views and orders as KPIs by platform say."""

from collections.abc import Iterable
from typing import Any

Row = dict[str, Any]


def facts_of(kpis: Iterable[Row], **shares: Iterable[tuple[str, float]]) -> list[Row]:
    """Make the facts of KPI rows: one visitor a session, pages evenly, orders of the mean value.

    Args:
        kpis: rows with `date`, `sessions`, `page_views`, `orders`, `revenue`, `bounces`, `new_visitors`.
        shares: how sessions are shared out by a dimension, in turn; without one, values are those of the row.
    """
    made: list[Row] = []
    for row in kpis:
        turns = {name: dealt(values, row["sessions"]) for name, values in shares.items()}
        for number in range(row["sessions"]):
            # Turned against each other, so that all pairs of values meet.
            place = {name: values[(number + 3 * at) % len(values)] for at, (name, values) in enumerate(turns.items())}
            common = {
                "date": row["date"], "platform": row.get("platform", "desktop_web"), "channel": "Direct",
                "country": "DE", "browser": "Firefox", "visitor_kind": "new",
            } | {name: row[name] for name in ("channel", "country") if name in row} | place  # fmt: skip
            orders = (number < row["orders"]) * (row["orders"] if not row["sessions"] else 1)
            pages = row["page_views"] // row["sessions"] + (number < row["page_views"] % row["sessions"])
            made.append(
                common | {
                    "fact": "session", "visitor_id": f"{row['date']} {common['platform']} {number}",
                    "is_new_visitor": number < row["new_visitors"], "is_bounce": number < row["bounces"],
                    "has_order": orders > 0, "page_view_count": pages,
                }
            )  # fmt: skip
            made += [common | {"fact": "page_view"} for _ in range(pages)]
            made += [
                common | {"fact": "order", "revenue": row["revenue"] / row["orders"], "is_unrated": False}
                for _ in range(orders)
            ]
    return made


def dealt(values: Iterable[tuple[str, float]], count: int) -> list[str]:
    """Deal values by their shares over so many places, evenly mixed."""
    rest = {name: 0.0 for name, _ in values}
    made = []
    for _ in range(count):
        for name, share in values:
            rest[name] += share
        heaviest = max(rest, key=lambda name: rest[name])
        rest[heaviest] -= 1
        made.append(heaviest)
    return made
