"""A count has one home: what tasks, summary and page say of a run is what ledger and KPIs have."""

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
from builders import House
from builders.reader import Reader
from playwright.sync_api import Browser

from etl import pipeline, simulate
from etl.warehouse import summary

SAID = {
    "messages": r"Came in .* (?P<messages>[\d,]+) messages",
    "fates": r"Messages +(?P<accepted>[\d,]+) acc.*, (?P<duplicates>[\d,]+) dup.*, (?P<quarantined>[\d,]+) quarantined",
    "visits": r"Came out +(?P<sessions>[\d,]+) sessions, (?P<page_views>[\d,]+) page views",
    "orders": r"Orders +(?P<orders>[\d,]+), revenue (?P<revenue>[\d,.]+)",
}
LEDGER = """
    select sum(messages)::int as messages, sum(accepted)::int as accepted, sum(duplicates)::int as duplicates,
        sum(quarantined)::int as quarantined
    from quality.ledger where inbox_folder in ('events', 'access')
"""
KPIS = """
    select sum(sessions)::int as sessions, sum(page_views)::int as page_views, sum(orders)::int as orders,
        sum(revenue)::double as revenue
    from executive.kpi_daily
"""
CORE = """
    select
        (select count(*) from core.sessions where is_counted) as sessions,
        (select count(*) from core.page_views where is_counted) as page_views,
        (select count(*) from core.orders where is_counted) as orders,
        (select count(*) from core.events) as accepted
"""

Counts = dict[str, Any]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, Counts]:
    """A shop with retries, garbage, bots and an excluded tester, and what the tasks said of it."""
    house = House(tmp_path_factory.mktemp("counts"))
    simulate.simulate(house.settings.inbox, messages=6000, days=3, seed=5, truth=house.root / "truth", compress="none")
    landed = pipeline.land(house.settings)
    parsed, cut = pipeline.parse(house.settings), pipeline.sessionize(house.settings)
    pipeline.build(house.settings)
    pipeline.report(house.settings)
    assert landed["failed"] == []
    return house, {
        "messages": parsed["messages"], "quarantined": parsed["quarantined"],
        "accepted": cut["events"], "duplicates": cut["duplicates"],
    }  # fmt: skip


def asked(house: House, query: str) -> Counts:
    with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
        found = con.execute(query)
        return dict(zip([column[0] for column in found.description or ()], found.fetchall()[0], strict=True))


def summarised(house: House) -> Counts:
    text = "\n".join(summary.lines(house.settings))
    found: dict[str, str] = {}
    for pattern in SAID.values():
        (match,) = re.finditer(pattern, text)
        found |= match.groupdict()
    return {name: float(value.replace(",", "")) for name, value in found.items()}


def drawn(browser: Browser, page: Path) -> Counts:
    """Read the page's books and its figures of all days."""
    reader = Reader(browser, page, "tab=trust&days=all")
    heads = reader.page.locator("#panel-ledger thead th .meaning").all_inner_texts()
    books = {row[0]: dict(zip(heads, row, strict=True)) for row in reader.cells("ledger")}
    names = {"messages": "Came in", "accepted": "Accepted", "duplicates": "Second copies", "quarantined": "Refused"}
    found = {
        name: sum(number(books[folder][title]) for folder in ("events", "access") if folder in books)
        for name, title in names.items()
    }
    reader.open_tab("business")
    titles = {"sessions": "Visits", "orders": "Orders", "revenue": "Revenue"}
    found |= {name: number(reader.card(title)) for name, title in titles.items()}
    reader.open_tab("traffic")
    found["page_views"] = number(reader.card("Page views"))
    reader.context.close()
    return found


def number(text: str) -> float:
    return float(text.replace(",", "").replace("$", ""))


def test_tasks_summary_page_and_books_have_the_same_counts(told: tuple[House, Counts], browser: Browser) -> None:
    """GIVEN a run WHEN its tasks, summary, page, ledger and KPIs are read THEN no count is said in two ways."""
    house, tasks = told
    kept = asked(house, LEDGER) | asked(house, KPIS)
    assert all(kept.values()), "each of them must be more than nought, else nothing is tried"
    said = {
        "tasks": tasks, "summary": summarised(house), "core": asked(house, CORE),
        "page": drawn(browser, house.settings.home / "report" / "index.html"),
    }  # fmt: skip
    precise = {"page": {"revenue": 0.5}, "summary": {"revenue": 0.005}}
    differ = [
        f"{place} says {counts[name]} {name}, the marts {kept[name]}"
        for place, counts in said.items()
        for name in counts
        if counts[name] != pytest.approx(kept[name], abs=precise.get(place, {}).get(name, 0), rel=0)
    ]
    assert differ == []
    assert {name for counts in said.values() for name in counts} == set(kept)


def test_every_message_is_accepted_a_copy_or_refused(told: tuple[House, Counts]) -> None:
    _, tasks = told
    assert tasks["messages"] == tasks["accepted"] + tasks["duplicates"] + tasks["quarantined"]
