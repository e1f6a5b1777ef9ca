"""One figure, one saying of it: the mail's words and colours are those of the page, of the same day."""

from pathlib import Path
from typing import Any

import duckdb
import pytest
from builders import House
from builders.reader import Reader, plain
from playwright.sync_api import Browser

from etl import pipeline, simulate
from etl.warehouse import figures
from etl.warehouse.figures import MEASURES

ON_TAB = {
    "traffic": ("visitors", "sessions", "page_views"),
    "business": ("revenue", "orders", "conversion_rate", "average_order_value", "sessions", "visitors"),
}


def kpis(warehouse: Path) -> list[dict[str, Any]]:
    with duckdb.connect(str(warehouse), read_only=True) as con:
        found = con.execute("select * from executive.kpi_daily order by date")
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def shown(reader: Reader, title: str) -> tuple[str, str, str | None, str]:
    """What the page shows of a figure: value, change, state and colour."""
    found = reader.figure(title)
    change, coloured = found.locator(".change"), found.locator(".moved > span:not(.quiet)")
    return (
        plain(found.locator(".value").inner_text()).removeprefix("$"),
        plain(" ".join(change.inner_text().split("\n"))) if change.count() else "",
        found.get_attribute("data-state"),
        str(coloured.get_attribute("class")) if coloured.count() else "quiet",
    )


def told(of: figures.Figure) -> tuple[str, str, str, str]:
    """What the mail says of it."""
    words = plain(figures.value_words(of)), plain(figures.change_words(of))
    return *words, of.state, of.change.tone if of.change else "quiet"


@pytest.mark.parametrize("messages", [1500, 25_000])
def test_page_and_mail_say_the_same_of_a_day(browser: Browser, tmp_path: Path, messages: int) -> None:
    """GIVEN days of few orders and of many THEN value, change, state and colour are the same, from marts and script."""
    house = House(tmp_path)
    simulate.simulate(
        house.settings.inbox, messages=messages, days=4, seed=5, truth=tmp_path / "truth", compress="none"
    )
    house.digest()
    pipeline.build(house.settings)
    # Settings of today say nothing of what was published yesterday.
    page = Path(pipeline.report(house.settings.model_copy(update={"reporting_currency": "EUR"}))["page"])
    rows = kpis(house.settings.warehouse)
    differ, states = [], set()
    for before, row in zip([None, *rows], rows, strict=False):
        for tab, names in ON_TAB.items():
            reader = Reader(browser, page, f"tab={tab}&from={row['date']}&to={row['date']}")
            for name in names:
                of = figures.of_day(MEASURES[name], row, before)
                states.add(of.state)
                said, expected = shown(reader, of.title), told(of)
                differ += [(row["date"], name, said, expected)] if said != expected else []
            reader.context.close()
    assert differ == [], "\n".join(map(str, differ))
    assert states >= ({"few", "part"} if messages < 2000 else {"known"})
