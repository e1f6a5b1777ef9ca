"""The page's figures, periods and filters, in a real browser: what it says is what the marts say."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from builders.published import BEFORE, LAST, UNSEEN, Row, days, shop, total
from builders.reader import Reader, make_page, plain
from playwright.sync_api import Browser

from etl.errors import BadUse
from etl.warehouse.page import cube, frames


def test_figures_are_the_marts(reader: Reader) -> None:
    marts = shop()
    kpis = marts["executive.kpi_daily"]
    now, before = total(kpis, "revenue", LAST), total(kpis, "revenue", BEFORE)
    assert reader.card("Revenue") == f"${now:,.0f}"
    assert reader.card("Orders") == f"{total(kpis, 'orders', LAST):,.0f}"
    assert f"no clear change from the 14 before (+{100 * (now / before - 1):.0f} %" in reader.headline()
    assert "98 % were measured" in reader.aside()
    reader.choose("platform", "ios")
    of_app = [row for row in marts["executive.kpi_daily_by_platform"] if row["platform"] == "ios"]
    assert reader.card("Revenue") == f"${total(of_app, 'revenue', LAST):,.0f}"
    assert "How much of reality was measured is unknown: no pixel saw these pages." in reader.aside()
    assert ["Page views", f"{total(of_app, 'page_views', LAST):,}", "unknown", "unknown"] in reader.cells("really")


def test_revenue_without_all_its_orders_is_compared_with_nothing(browser: Browser, tmp_path: Path) -> None:
    """GIVEN an order without a rate in the period THEN its revenue has no change, and says why; orders have theirs."""
    rows = shop()
    last = days(30)[LAST][-1]
    found = next(row for row in rows["metrics.facts"] if row["fact"] == "order" and row["date"] == last)
    found |= {"revenue": None, "is_unrated": True}
    reader = Reader(browser, make_page(tmp_path, rows), "tab=business")
    strip = reader.page.inner_text(".strip")
    assert "not compared: orders without a rate are left out" in strip.split("Orders")[0]
    assert "clear change" not in reader.headline()
    reader.context.close()


def test_days_without_a_witness_stand_in_both_bounds(browser: Browser, tmp_path: Path) -> None:
    """GIVEN three days that no pixel saw THEN at least what was counted is said, of a channel too, and how many."""
    rows = shop()
    for name in ("executive.kpi_daily", "executive.kpi_daily_by_channel"):
        rows[name] = [row | UNSEEN if row["date"] in days(30)[LAST][:3] else row for row in rows[name]]
    reader = Reader(browser, make_page(tmp_path, rows), "tab=business")
    for chosen in ("", "Direct"):
        if chosen:
            reader.choose("channel", chosen)
        ((_, measured, low, high),) = (row for row in reader.cells("really") if row[0] == "Page views")
        assert int(measured.replace(",", "")) <= int(low.replace(",", "")) < int(high.replace(",", ""))
        assert "On 3 of 14 days no pixel saw some of these pages" in reader.page.inner_text("#panel-really")
    reader.context.close()


def test_filters_combine_widen_and_are_taken_back(reader: Reader) -> None:
    """GIVEN filters of two dimensions THEN figures are of both; a second value widens; Back takes the last one back."""
    facts = shop()["metrics.facts"]

    def visits(**wanted: Any) -> str:
        dates = days(30)[LAST]
        found = [
            row for row in facts if row["fact"] == "session" and row["date"] in dates
            and all(row[name] in values for name, values in wanted.items())
        ]  # fmt: skip
        return f"{len(found):,}"

    reader.page.click("[id='row-moved-Email']")
    assert reader.card("Visits") == visits(channel=["Email"])
    assert {row[0] for row in reader.cells("moved")} == {"Direct", "Paid Search", "Email"}
    reader.choose("country", "US")
    assert reader.card("Visits") == visits(channel=["Email"], country=["US"])
    reader.page.click("[id='row-moved-Direct']")
    assert reader.card("Visits") == visits(channel=["Email", "Direct"], country=["US"])
    chips = [plain(text) for text in reader.page.locator(".chip").all_inner_texts()]
    assert [chip.partition("\n")[0] for chip in chips] == ["Channel is Email or Direct", "Country is United States"]
    assert reader.card("Visitors") == "unknown"
    assert "one of platform, channel or country" in reader.page.inner_text("#panel-really")
    reader.page.go_back()
    assert reader.card("Visits") == visits(channel=["Email"], country=["US"])
    reader.page.click(".chip[data-filter=channel] button")
    assert reader.card("Visits") == visits(country=["US"])
    assert reader.hash() == {"tab": "business", "country": "US"}


def test_visitors_of_any_days_are_distinct(browser: Browser, tmp_path: Path) -> None:
    """GIVEN somebody who comes on days 1, 2 and 9 THEN of any days they are one visitor, and three visits."""
    rows = shop(10)
    dates = days(10)
    rows["metrics.facts"] = [
        row for row in rows["metrics.facts"] if row["date"] not in (dates[0], dates[1], dates[8])
    ] + [
        {"fact": "session", "date": dates[number], "visitor_id": visitor, "platform": "ios", "channel": "Email",
         "country": "DE", "browser": "Safari", "visitor_kind": "new", "page_view_count": 1}
        for visitor, when in {"a": (0, 1, 8), "b": (1,)}.items()
        for number in when
    ]  # fmt: skip
    path = make_page(tmp_path, rows)
    for state, visits, visitors in (
        ("from=2026-03-01&to=2026-03-02", "3", "2"), ("from=2026-03-02&to=2026-03-02", "2", "2"),
        ("from=2026-03-09&to=2026-03-09", "1", "1"),
    ):  # fmt: skip
        reader = Reader(browser, path, state)
        assert (reader.card("Visits"), reader.card("Visitors")) == (visits, visitors), state
        reader.context.close()


def test_a_cube_too_large_does_without_dimensions_and_says_so(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cube, "CELLS", 100)
    rows = shop()
    sessions = sum(row["fact"] == "session" for row in rows["metrics.facts"])
    reader = Reader(browser, make_page(tmp_path, rows), "days=all")
    assert reader.card("Visits") == f"{sessions:,}"
    # By itself each dimension is still counted, without filters.
    by_channel = Counter(row["channel"] for row in rows["metrics.facts"] if row["fact"] == "session")
    listed = {row["slice"]: int(row["sessions"]) for row in reader.download("where_from")}
    assert listed == dict(by_channel)
    reader.choose("platform", "ios")
    assert "Filters and channel together are too many cells" in reader.page.inner_text("#panel-where_from")
    reader.page.click("#choose-filter")
    assert "Too many to be combined here: channel, country, browser, visitor." in reader.page.inner_text("#sheet")
    assert reader.complaints == []
    reader.context.close()


def test_any_range_of_the_calendar_and_the_year_before(browser: Browser, tmp_path: Path) -> None:
    rows = shop(380)
    path = make_page(tmp_path, rows)
    kpis = rows["executive.kpi_daily"]
    reader = Reader(browser, path, "tab=business")
    reader.page.click("#choose-period")
    for day in ("2027-03-02", "2027-03-08"):
        reader.page.click(f"[data-day='{day}']")
    assert reader.hash() == {"tab": "business", "from": "2027-03-02", "to": "2027-03-08"}
    reader.page.locator("#vs-year").check(force=True)
    reader.page.keyboard.press("Escape")
    at = [row["date"].isoformat() for row in kpis].index("2027-03-02")
    now, before = (sum(row["revenue"] for row in kpis[start : start + 7]) for start in (at, at - 364))
    assert reader.card("Revenue") == f"${now:,.0f}"
    assert "compared with 3 - 9 Mar 2026" in plain(reader.page.inner_text("#choose-vs"))
    assert f"+{100 * (now / before - 1):,.0f} %" in plain(reader.figure("Revenue").inner_text())
    assert "up" in reader.headline() and reader.page.locator(".headline strong.good").count() > 0
    assert path.stat().st_size < 1_500_000
    reader.context.close()


def test_what_has_too_many_names_for_the_page_is_in_its_sums(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN forty campaigns a day, of which the page holds the newest days' THEN spend is all days', and it says so."""
    rows = shop(names=[f"c{number}" for number in range(40)])
    monkeypatch.setattr(frames, "ROWS", 200)
    reader = Reader(browser, make_page(tmp_path, rows), "tab=marketing&days=all")
    spent = sum(row["cost"] for row in rows["marketing.channel_performance"] if row["model"] == "linear")
    assert reader.card("Spend") == f"${spent:,.0f}"
    assert "all names stand together, as (other)" in reader.page.inner_text("#panel-campaigns")
    listed = {row["name"]: float(row["cost"]) for row in reader.download("campaigns")}
    assert listed["(other)"] > listed["c7"] > 0
    assert reader.complaints == []
    reader.context.close()


def test_orders_without_a_rate_are_said_beside_revenue(browser: Browser, tmp_path: Path) -> None:
    """GIVEN no period before, and an order without a rate THEN the revenue says of how many orders it is."""
    rows = shop()
    orders = [row for row in rows["metrics.facts"] if row["fact"] == "order"]
    orders[-1] |= {"revenue": None, "is_unrated": True}
    reader = Reader(browser, make_page(tmp_path, rows), "tab=business&days=all")
    assert f"from {len(orders) - 1:,} of {len(orders):,} orders, the others without a rate to USD" in reader.headline()
    reader.context.close()


def test_a_link_to_days_that_are_not_shown_says_so(browser: Browser, shop_page: Path) -> None:
    """GIVEN days of years ago THEN the page says which it has; a choice made then is no such link any more."""
    reader = Reader(browser, shop_page, "from=2020-01-01&to=2020-01-31")
    assert "The days of this link are none of those that this page shows" in reader.aside()
    reader.choose("days", "7")
    assert "this link" not in reader.aside()
    reader.context.close()


def test_address_holds_the_state(reader: Reader, browser: Browser, shop_page: Path) -> None:
    reader.open_tab("marketing")
    reader.choose("days", "7")
    reader.choose("model", "linear")
    spent = reader.card("Spend")
    assert reader.hash() == {"tab": "marketing", "days": "7", "model": "linear"}
    other = Reader(browser, shop_page, reader.page.url.partition("#")[2])
    assert other.card("Spend") == spent
    assert "even" in other.page.inner_text("#choose-model")
    other.context.close()
    lost = Reader(browser, shop_page, "tab=nowhere&days=99&platform=%3Cb%3E&by.funnel=none&from=2026-99-01&to=x")
    assert lost.card("Visits") == "0" and "<b>" in lost.page.inner_text(".chip")
    assert lost.complaints == []
    lost.context.close()
    for alias in ("loss", "health"):
        old = Reader(browser, shop_page, f"tab={alias}")
        assert old.page.get_attribute("#tab-trust", "aria-selected") == "true"
        old.context.close()


def test_words_colour_and_download_of_a_change_are_one_figure(reader: Reader) -> None:
    """GIVEN a figure's change and its range THEN table, CSV and what a reader hears say the same of it."""
    shown = {row[0]: row[-1] for row in reader.cells("moved")}
    for row in reader.download("moved"):
        if row["slice"] == "All":
            continue
        if row["change_state"] == "few" or not row["change_change"]:
            assert "too few" in shown[row["slice"]]
            continue
        low, high = float(row["change_low"]), float(row["change_high"])
        assert f"{low:+.0%}".strip("%") + f" to {high:+.0%}".replace("%", " %") in shown[row["slice"]]
        assert (low > 0 or high < 0) == (row["change_state"] == "moved")
    said = plain(reader.figure("Revenue").get_attribute("aria-label") or "")
    assert said.startswith(f"Revenue, {reader.card('Revenue')}, +")


@pytest.mark.parametrize(("factor", "kind"), [(1.0, "plain"), (4.0, "good"), (0.2, "bad")])
def test_a_change_is_coloured_outside_of_what_chance_may_have_done(
    browser: Browser, tmp_path: Path, factor: float, kind: str
) -> None:
    """GIVEN orders of a fortnight against those before THEN their range is the marts', and colour waits for it."""
    rows = shop(56)
    dates = days(56)
    kept: list[Row] = []
    for number, row in enumerate(rows["metrics.facts"]):
        times = factor if row["fact"] == "order" and row["date"] in dates[-14:] else 1
        kept += [row] * int(times) if times >= 1 else [row] * (number % 5 == 0)
    rows["metrics.facts"] = kept
    reader = Reader(browser, make_page(tmp_path, rows), "tab=business&days=14")
    now, before = (
        sum(row["fact"] == "order" and row["date"] in dates[part] for row in rows["metrics.facts"])
        for part in (slice(-14, None), slice(-28, -14))
    )
    spread = math.exp(1.96 * math.sqrt(1 / now + 1 / before))
    low, high = (100 * (now / before * way - 1) for way in (1 / spread, spread))
    said = plain(reader.figure("Orders").inner_text())
    assert f"{low:+.0f} to {high:+.0f} %" in said, said
    assert reader.figure("Orders").locator(f"span.{kind}").count() == 1
    assert reader.figure("Visits").locator(".good, .bad").count() == 0
    reader.context.close()


def test_a_day_in_part_ends_no_period_and_is_compared_with_none(browser: Browser, tmp_path: Path) -> None:
    """GIVEN a last day that goes on, and a hole three weeks ago THEN periods end before it and stop at the hole."""
    rows = shop(56)
    kpis = rows["executive.kpi_daily"]
    for row in (kpis[-1], kpis[-22]):
        row["is_complete"] = False
    path = make_page(tmp_path, rows)
    reader = Reader(browser, path, "tab=business&days=7")
    assert reader.card("Revenue") == f"${int(sum(day['revenue'] for day in kpis[-8:-1]) + 0.5):,}"
    assert "in the 7 days to 24 Apr" in reader.headline() and "from the 7 before" in reader.headline()
    assert "25 Apr is still open" in reader.aside()
    reader.choose("days", "14")
    assert "nothing whole before it" in reader.page.inner_text("#choose-vs")
    reader.choose("days", "all")
    assert "in the 56 days to 25 Apr" in reader.headline()
    assert [row["whole"] for row in reader.download("figures_by_day")].count("in part") == 2
    reader.context.close()
    one = Reader(browser, path, "from=2026-04-25&to=2026-04-25")
    assert one.figure("Visits").get_attribute("data-state") == "part"
    assert "not compared" in one.figure("Visits").inner_text()
    assert one.page.locator("#panel-by_day .bar.part").count() == 1
    one.context.close()


def test_annotations_stand_beside_their_days(browser: Browser, tmp_path: Path) -> None:
    notes = tmp_path / "notes.csv"
    notes.write_text("date,until,text\n2026-03-20,2026-03-22,Spring sale\n2026-01-01,,Long ago\n")
    reader = Reader(browser, make_page(tmp_path, shop(), annotations=notes), "tab=business")
    marks = reader.page.locator("#panel-figures_by_day .marks li").all_inner_texts()
    assert "20 - 22 Mar 2026: Spring sale" in [plain(mark) for mark in marks]
    assert "Long ago" not in reader.page.inner_text("#panel-figures_by_day")
    reader.context.close()


@pytest.mark.parametrize("line", ["yesterday,,x", "2026-03-02,2026-03-01,x", "2026-03-02,,"])
def test_annotations_that_cannot_be_read_are_bad_use(tmp_path: Path, line: str) -> None:
    notes = tmp_path / "notes.csv"
    notes.write_text(f"date,until,text\n{line}\n")
    with pytest.raises(BadUse, match=r"notes\.csv"):
        make_page(tmp_path, shop(1), annotations=notes)
