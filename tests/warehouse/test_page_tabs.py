"""The page's tabs, in a real browser: Traffic, Marketing, Features, Trust, and which of them there are."""

import re
from pathlib import Path

import pytest
from builders.facts import facts_of
from builders.published import MODELS, Row, campaign, days, kpi, shop
from builders.reader import Reader, make_page, plain
from playwright.sync_api import Browser

from etl.warehouse.page import page

TABS = list(page.TABS)


def test_campaigns_say_how_blind_they_are(browser: Browser, tmp_path: Path) -> None:
    """GIVEN a campaign of which a quarter is unseen, and one without a pixel THEN each says what is known of it."""
    rows = shop(names=["spring"])
    rows["marketing.campaign_loss"] += [
        row | {"campaign": "app", "pixel_hits": 0, "only_pixel": 0, "lost_visits": None}
        for row in rows["marketing.campaign_loss"]
    ]
    reader = Reader(browser, make_page(tmp_path, rows), "tab=marketing&days=14")
    (told,) = reader.download("blind")
    assert (told["name"], told["lost_visits"], told["loss_rate"]) == ("spring", "140", "0.2")
    assert float(told["missing_value"]) == pytest.approx(2 / 12)
    reader.context.close()


def test_tabs_follow_what_there_is(browser: Browser, tmp_path: Path) -> None:
    """GIVEN a site that sells nothing THEN it is asked about its visits, and what is missing is said with its way."""
    kpis = [kpi(day, 1.0, orders=0, revenue=0, sessions_with_order=0) for day in days(4)]
    rows = {"executive.kpi_daily": kpis, "metrics.facts": facts_of(kpis)}
    reader = Reader(browser, make_page(tmp_path, rows))
    assert reader.tabs() == ["traffic", "trust"]
    assert reader.headline() == "400 visits by 400 visitors in the 4 days to 4 Mar, 100 on a whole day."
    assert "Business (send orders)" in reader.page.inner_text(".absent")
    for tab in reader.tabs():
        reader.open_tab(tab)
        assert not re.search(r"[$]|Orders|Conversion", reader.page.inner_text("main").partition("Not on this page")[0])
    assert reader.complaints == []
    reader.context.close()


def test_traffic_is_the_marts(browser: Browser, shop_page: Path) -> None:
    reader = Reader(browser, shop_page)
    assert reader.tabs() == TABS and reader.page.locator(".absent").count() == 0
    assert "google sent 40 % of them" in reader.headline()
    assert "left out:" in reader.aside()
    pages = reader.download("pages")
    assert [(row["page"], row["views"]) for row in pages] == [("/", "1260"), ("/dogs", "840"), ("/dogs/lead", "336")]
    hours = reader.download("hours")
    assert len(hours) == 7 * 24 and {row["page_views"] for row in hours if row["hour"] == "07"} == {"21"}
    assert reader.download("left_out")[0]["slice"] == "Googlebot"
    reader.context.close()


def test_totals_hold_though_small_campaigns_are_one_row(browser: Browser, tmp_path: Path) -> None:
    names = [f"campaign {number}" for number in range(200)]
    reader = Reader(browser, make_page(tmp_path, shop(names=names)), "tab=marketing&days=14")
    spent = sum(row["cost"] for row in shop(names=names)["marketing.channel_performance"] if row["model"] == "linear")
    assert reader.card("Spend") == f"${spent:,.0f}"
    assert plain(reader.page.locator("#panel-campaigns tfoot td").first.inner_text()) == f"${spent:,.0f}"
    reader.context.close()


def test_campaigns_sort_by_any_column(browser: Browser, shop_page: Path) -> None:
    reader = Reader(browser, shop_page, "tab=marketing")
    first = reader.cells("campaigns")
    reader.page.click("#sort-campaigns-name")
    names = [row[0] for row in reader.cells("campaigns")]
    assert names == sorted(names) and len(first) == len(names)
    reader.page.click("#sort-campaigns-name")
    assert [row[0] for row in reader.cells("campaigns")] == names[::-1]
    assert reader.page.locator("#panel-campaigns th[aria-sort=descending]").count() == 1
    reader.context.close()


def test_a_handful_of_orders_is_coloured_and_ranked_nowhere(browser: Browser, tmp_path: Path) -> None:
    """GIVEN a return of ten on two orders THEN the page has no range and no colour for it, and says why."""
    rows = shop()
    for row in rows["marketing.channel_performance"]:
        row |= {"conversions": 0.1 * (row["campaign"] == "spring"), "revenue": 90.0 * (row["campaign"] == "spring")}
    reader = Reader(browser, make_page(tmp_path, rows), "tab=marketing&days=14")
    assert "1 order: too few to decide by." in reader.headline()
    spring = next(row for row in reader.cells("campaigns") if row[0].startswith("spring"))
    assert any("too few orders" in cell for cell in spring)
    assert reader.page.locator("#panel-campaigns .good, #panel-campaigns .bad, .strip .good, .strip .bad").count() == 0
    reader.context.close()


@pytest.mark.parametrize(
    ("maturity", "said"),
    [(1.0, None), (0.8, "About 80 % of what these visits will earn has usually come by now."),
     (None, "may still earn; how much is unknown.")],
)  # fmt: skip
def test_what_visits_may_still_earn_is_said(
    browser: Browser, tmp_path: Path, maturity: float | None, said: str | None
) -> None:
    rows = shop()
    for row in rows["marketing.channel_performance"]:
        row["maturity"] = maturity
    reader = Reader(browser, make_page(tmp_path, rows), "tab=marketing&days=14")
    assert said in reader.aside() if said else "earn" not in reader.aside().replace("earned", "")
    assert (reader.figure("Return on ad spend").get_attribute("data-state") == "maturing") == (maturity == 0.8)
    assert reader.complaints == []
    reader.context.close()


def test_incidents_are_one_list_open_first(browser: Browser, tmp_path: Path) -> None:
    rows = shop()
    (closed,) = rows["quality.incidents"]
    rows["quality.incidents"] = [
        closed, closed | {"incident_id": "2", "check": "pixel_loss", "is_ongoing": True, "hint": "Restart the pixel"},
    ]  # fmt: skip
    reader = Reader(browser, make_page(tmp_path, rows), "tab=loss")
    found = reader.cells("open")
    assert [row[0] for row in found] == ["error", "unknown", "closed"]
    assert found[0][1] == "since 29 Mar" and "Restart the pixel" in found[0][2] and found[0][4] == "tracking"
    assert "Not to be used as it is." in reader.headline() and "1 trouble open" in reader.headline()
    reader.context.close()


def test_the_fall_from_sent_to_counted_is_in_proportion(browser: Browser, shop_page: Path) -> None:
    reader = Reader(browser, shop_page, "tab=trust")
    parts = {row["cause"]: int(row["messages"]) for row in reader.download("fall")}
    whole = reader.page.locator("#panel-fall .blocks >> nth=0 >> .block").first.bounding_box()
    rail = reader.page.locator("#panel-fall .blocks").first.bounding_box()
    assert whole and rail
    assert whole["width"] / rail["width"] == pytest.approx(parts["Counted"] / parts["Sent"], abs=0.02)
    reader.context.close()


def test_a_late_source_alarms_at_the_top(browser: Browser, tmp_path: Path) -> None:
    rows = shop()
    rows["quality.checks"] += [
        {"check": "freshness", "scope": scope, "value": hours, "threshold": 24.0, "status": status, "owner": "platform"}
        for scope, hours, status in (("shop ios", 60.0, "error"), ("pixel", 1.0, "ok"))
    ]
    reader = Reader(browser, make_page(tmp_path, rows), "tab=trust")
    assert "1 late" in reader.page.inner_text("#fresh") and "1 source late: shop ios" in reader.headline()
    assert [row[0] for row in reader.cells("fresh")] == ["shop ios", "pixel"]
    assert "3 days of 24 hours" in reader.cells("fresh")[0][1]
    reader.context.close()


def test_cost_without_a_rate_is_unknown_not_small(browser: Browser, tmp_path: Path) -> None:
    rows = shop()
    rows["marketing.channel_performance"] += [
        campaign(days(30)[-1], "foreign", model, cost=None, is_cost_complete=False) for model in MODELS
    ]
    reader = Reader(browser, make_page(tmp_path, rows), "tab=marketing")
    assert reader.card("Spend") == reader.card("Return on ad spend") == "unknown"
    reader.context.close()


def test_broken_split_overrides_a_clear_result(reader: Reader) -> None:
    reader.open_tab("features")
    decisions = {row[0]: row[-1] for row in reader.cells("decisions")}
    assert decisions["split"] == "invalid: mend the assignment"
    assert decisions["button"] == "better: may be shipped"
    assert "1 cannot be believed" in reader.headline()


def test_how_far_experiments_have_come_and_what_they_harm(reader: Reader) -> None:
    """GIVEN a goal with a plan, a guardrail that fell and a broken split THEN each says what may be done."""
    reader.open_tab("features")
    planned = {row[0].split()[0]: row[1:] for row in reader.cells("planned")}
    assert planned["button"] == [
        "conversion rate", "goal", "5.0 %", "4.0 %", "62 %", "14 of 23", "10,000 of 16,000", "",
    ]  # fmt: skip
    assert planned["banner"][1] == "guardrail" and planned["banner"][-1] == "harmed: stop"
    assert planned["split"][1] == "not declared" and planned["split"][-1] == ""


def test_sealed_days_are_told(browser: Browser, tmp_path: Path) -> None:
    """GIVEN days of which raw lines have gone THEN whoever reads figures is told through which; else nothing is."""
    rows: dict[str, list[Row]] = {"executive.kpi_daily": [kpi(day, 1.0) for day in days(4)]}
    said = {}
    for name, sealed in {"none": [], "two": [{"date": day} for day in days(2)]}.items():
        reader = Reader(browser, make_page(tmp_path / name, rows | {"quality.sealed_days": sealed}))
        said[name] = reader.page.inner_text("#foot")
        assert reader.complaints == []
        reader.context.close()
    assert "are sealed" not in said["none"] and "Days through 2 Mar 2026 are sealed" in said["two"], said


def test_a_link_from_a_check_leads_to_its_row(browser: Browser, shop_page: Path) -> None:
    reader = Reader(browser, shop_page, "tab=trust&check=event_loss")
    row = reader.page.locator("#panel-open tr.asked")
    assert "event loss" in row.inner_text()
    box = row.bounding_box()
    assert box and 0 < box["y"] < 900
    reader.context.close()


def test_a_link_finds_its_row_below_many_others(browser: Browser, tmp_path: Path) -> None:
    """GIVEN twenty open troubles and one that ended weeks ago WHEN its check is linked THEN its row is in sight."""
    rows = shop()
    (ended,) = rows["quality.incidents"]
    rows["quality.incidents"] = [ended | {"check": "pixel_loss", "first_date": days(3)[0], "last_date": days(3)[0]}] + [
        ended | {"incident_id": str(n), "check": f"check_{n}", "last_date": days(30)[-1], "is_ongoing": True}
        for n in range(20)
    ]
    reader = Reader(browser, make_page(tmp_path, rows), "tab=trust&check=pixel_loss")
    row = reader.page.locator("#panel-open tr.asked")
    assert "pixel loss" in row.inner_text()
    box = row.bounding_box()
    assert box and 0 < box["y"] < 900
    reader.context.close()
