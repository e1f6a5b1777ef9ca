"""The days of a figure, drawn small beside it: from nought, honest about what is unknown or in part."""

import re
from pathlib import Path

import pytest
from builders.published import LAST, UNSEEN, days, shop, total
from builders.reader import Reader, make_page
from playwright.sync_api import Browser

TALL = 24.0


def bars(reader: Reader, title: str) -> dict[int, tuple[float, bool]]:
    """Each day's bar by its place: its height, and whether it is firm."""
    found = {}
    for is_firm, kind in ((True, "path:not(.pale)"), (False, "path.pale")):
        drawn = reader.figure(title).locator(f".spark {kind}").get_attribute("d") or ""
        for place, height in re.findall(r"M(\d+)\.1,24v-([\d.]+)h", drawn):
            found[int(place)] = float(height), is_firm
    return found


def test_bars_are_in_proportion_from_nought(reader: Reader) -> None:
    """GIVEN a fortnight of revenue THEN each day has a bar whose height is its share of the highest day's."""
    kpis = [row["revenue"] for row in shop()["executive.kpi_daily"]][LAST]
    found = bars(reader, "Revenue")
    assert len(found) == 14
    for place, value in enumerate(kpis):
        assert found[place] == (pytest.approx(0.8 + 23.2 * value / max(kpis), abs=0.06), True)
    assert reader.figure("Revenue").locator(".spark").get_attribute("aria-hidden") == "true"
    # The table of the same days is one toggle away, for who sees no drawing.
    assert len(reader.download("figures_by_day")) == 14
    assert total(shop()["executive.kpi_daily"], "revenue", LAST) == pytest.approx(sum(kpis))


def test_spend_and_losses_have_their_days(browser: Browser, tmp_path: Path) -> None:
    """GIVEN campaigns of the second fortnight and a bad day THEN spend, orders and losses are drawn by the day."""
    rows = shop()
    reader = Reader(browser, make_page(tmp_path, rows), "tab=marketing&days=all")
    dates = days(30)
    spent = [
        sum(
            row["cost"]
            for row in rows["marketing.channel_performance"]
            if (row["date"], row["model"]) == (day, "linear")
        )
        for day in dates
    ]
    heights = [bars(reader, "Spend")[place][0] for place in range(30)]
    assert heights == pytest.approx([0.8 + 23.2 * cost / max(spent) for cost in spent], abs=0.06)
    assert len(bars(reader, "Revenue by paid ads")) == len(bars(reader, "Orders by paid ads")) == 30
    reader.open_tab("trust")
    lost = bars(reader, "Page views lost")
    assert max(lost, key=lambda place: lost[place][0]) == dates.index(dates[-2]) and len(lost) == 30
    reader.context.close()


def test_unknown_days_are_gaps_and_parts_are_pale(browser: Browser, tmp_path: Path) -> None:
    """GIVEN days without orders, a pixel or their second half THEN a gap, a foot and a pale bar tell them apart."""
    rows = shop(10)
    dates = days(10)
    rows["executive.kpi_daily"][9]["is_complete"] = False
    rows["executive.kpi_daily"][3] |= UNSEEN
    rows["metrics.facts"] = [
        row for row in rows["metrics.facts"]
        if not (row["fact"] == "order" and row["date"] == dates[5])
        and not (row["fact"] == "session" and row["date"] == dates[6])
    ]  # fmt: skip
    reader = Reader(browser, make_page(tmp_path, rows), "tab=business&days=all")
    revenue, average = bars(reader, "Revenue"), bars(reader, "Average order")
    assert revenue[5] == (0.8, True) and 5 not in average, "no order is no money, and no average"
    assert revenue[9][1] is False and all(is_firm for place, (_, is_firm) in revenue.items() if place < 9)
    conversion = bars(reader, "Conversion")
    assert 6 not in conversion and not any(is_firm for _, is_firm in conversion.values()), "four orders a day are few"
    reader.open_tab("traffic")
    assert 3 not in bars(reader, "Measured") and len(bars(reader, "Measured")) == 9
    assert "?" not in reader.page.inner_text("#panel-by_day .drawing")
    reader.open_tab("business")
    reader.figure("Average order").locator("button.value").click()
    by_day = {row["day"]: row["value"] for row in reader.download("figures_by_day")}
    assert by_day[dates[5].isoformat()] == "" and float(by_day[dates[4].isoformat()]) > 0
    assert reader.complaints == []
    reader.context.close()


def test_two_days_have_no_drawing(browser: Browser, tmp_path: Path) -> None:
    reader = Reader(browser, make_page(tmp_path, shop(2)), "days=all")
    assert reader.figure("Visits").count() == 1 and reader.page.locator(".spark").count() == 0
    reader.context.close()
