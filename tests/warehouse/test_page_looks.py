"""The page as a thing: it fits, is quiet, is read by eyes, ears and keys, asks nobody, and no name becomes code."""

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from axe_playwright_python.sync_playwright import Axe
from builders.published import BEFORE, FIRST, LAST, Row, days, kpi, shop, total
from builders.reader import Reader, make_page, plain
from playwright.sync_api import Browser

from etl import pipeline
from etl.errors import BadUse
from etl.settings import Settings
from etl.warehouse.page import definitions, frames, page

TABS = list(page.TABS)
EVIL = "<script>window.pwned=1</script>"
NAMES = [
    EVIL,
    "</script><img src=x onerror=window.pwned=1>",
    "%%SCRIPT%%",
    "عروض-الصيف",
    "🔥-flash",
    "=1+1",
    "@cmd",
    None,
]


CUT = """
    [...document.querySelectorAll('.scroll')]
        .filter((box) => !box.closest('details:not([open])') && box.scrollWidth > box.clientWidth)
        .map((box) => box.closest('.panel').id)
"""
"""Panels whose table is wider than its panel."""


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_is_quiet_fits_and_can_be_read(browser: Browser, shop_page: Path, tab: str) -> None:
    """GIVEN a tab in light and dark, from phone to wide THEN nothing sticks out, complains or asks; axe is content."""
    screenshots = os.environ.get("BLOODHOUND_SCREENSHOTS")
    complaints: list[str] = []
    for width, theme in ((390, "dark"), (1024, "light"), (1600, "dark"), (1600, "light")):
        reader = Reader(browser, shop_page, f"tab={tab}&theme={theme}")
        reader.page.set_viewport_size({"width": width, "height": 900})
        reader.page.reload()
        reader.settle()
        assert reader.page.evaluate("document.documentElement.scrollWidth") <= width
        top = reader.page.evaluate("document.querySelector('.headline').getBoundingClientRect().top")
        assert top <= (105 if width == 390 else 125), (width, top)
        assert int(reader.page.get_attribute("html", "data-drawn") or 9999) < 1000
        complaints += [f"{width} cut: {panel}" for panel in reader.page.evaluate(CUT)]
        if screenshots:
            reader.page.screenshot(path=f"{screenshots}/{tab}-{width}-{theme}.png", full_page=True)
        found = Axe().run(reader.page).response["violations"]
        complaints += [f"{width} {one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"]]
        complaints += reader.complaints
        assert [url for url in reader.asked if not url.startswith(("file:", "data:"))] == []
        assert reader.page.locator(".panel").count() == len(page.TABS[tab][1].panels())
        reader.context.close()
    assert complaints == []


def test_sheets_of_choices_can_be_read_and_used_by_keys(browser: Browser, shop_page: Path) -> None:
    """GIVEN a phone's one button for all choices, and each sheet of a wide screen THEN axe is content with them."""
    for width, opener in ((390, "filters-button"), (1280, "choose-period"), (1280, "choose-filter")):
        reader = Reader(browser, shop_page, "tab=business")
        reader.page.set_viewport_size({"width": width, "height": 900})
        reader.page.click(f"#{opener}")
        found = Axe().run(reader.page).response["violations"]
        assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []
        assert reader.page.evaluate("document.documentElement.scrollWidth") <= width
        reader.page.keyboard.press("Escape")
        assert not reader.page.is_visible("#sheet")
        assert reader.page.evaluate("document.activeElement.id") == opener
        reader.context.close()


def test_every_table_has_its_download(reader: Reader) -> None:
    for tab in TABS:
        reader.open_tab(tab)
        for panel in page.TABS[tab][1].panels():
            place = reader.page.locator(f"#panel-{panel.id}")
            if place.locator(".empty").count():
                continue
            assert place.locator("tbody tr").count() > 0, panel.id
            assert place.locator(".csv").count() == 1, panel.id
    reader.open_tab("business")
    rows = reader.download("figures_by_day")
    kpis = shop()["executive.kpi_daily"]
    assert [row["day"] for row in rows] == [str(day) for day in days(30)[LAST]]
    assert sum(float(row["value"]) for row in rows) == pytest.approx(total(kpis, "revenue", LAST))
    assert sum(float(row["before"]) for row in rows) == pytest.approx(total(kpis, "revenue", BEFORE))


def test_figure_leads_to_its_definition(reader: Reader) -> None:
    reader.page.click(".figure-title button:text-is('Revenue')")
    said = reader.page.inner_text("#definition")
    assert definitions.described()["executive.kpi_daily"]["columns"]["revenue"]["description"] in said
    reader.page.keyboard.press("Escape")
    assert not reader.page.is_visible("#definition")


def test_keyboard_alone_goes_everywhere(reader: Reader) -> None:
    reader.page.focus("#tab-business")
    for expected in [*TABS[2:], *TABS[:2]]:
        reader.page.keyboard.press("ArrowRight")
        assert reader.page.evaluate("document.activeElement.id") == f"tab-{expected}"
        assert reader.page.get_attribute(f"#tab-{expected}", "aria-selected") == "true"
    reader.page.focus("#panel-figures_by_day summary")
    reader.page.keyboard.press("Enter")
    assert reader.page.is_visible("#panel-figures_by_day table")
    reader.page.focus("#choose-period")
    reader.page.keyboard.press("Enter")
    reader.page.focus("[data-day='2026-03-30']")
    for key in ("ArrowUp", "ArrowLeft", "Enter", "ArrowRight", "Enter"):
        reader.page.keyboard.press(key)
    assert reader.hash() == {"tab": "business", "from": "2026-03-22", "to": "2026-03-23"}


def test_four_time_zones_show_the_same_days(browser: Browser, shop_page: Path) -> None:
    seen = set()
    for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/St_Johns"):
        reader = Reader(browser, shop_page, "tab=business", timezone_id=zone)
        words = reader.page.eval_on_selector_all(
            "#panel-figures_by_day svg text", "(nodes) => nodes.map((node) => node.textContent)"
        )
        tip = reader.page.locator("#panel-figures_by_day svg .pick").first.get_attribute("data-tip")
        seen.add((tuple(words), tip, reader.headline()))
        reader.context.close()
    assert len(seen) == 1
    words, tip, headline = seen.pop()
    assert "Tue 17" in words
    assert str(tip).startswith("17 Mar 2026")
    assert "in the 14 days to 30 Mar" in headline


def test_names_that_clients_chose_are_text(browser: Browser, tmp_path: Path) -> None:
    """GIVEN 200 campaigns, some called like code THEN each is shown as it is called, and none is run."""
    names = [*NAMES, *(f"campaign {number}" for number in range(192))]
    rows = shop(names=names)
    for row in rows["marketing.channel_performance"]:
        row["cost"] += 80 * (row["campaign"] in NAMES)
    for place in (
        "product.funnel.step", "product.feature_usage.feature", "product.experiment_lift.experiment",
        "quality.incidents.hint", "quality.loss_by_dimension.dimension_value", "traffic.pages_daily.url_path",
        "quality.checks.hint", "quality.checks.scope", "traffic.referrers_daily.source",
    ):  # fmt: skip
        table, _, column = place.rpartition(".")
        rows[table][0][column] = EVIL
    for row in rows["metrics.facts"][::7]:
        row |= {"channel": EVIL, "browser": NAMES[1], "country": NAMES[2]}
    notes = tmp_path / "notes.csv"
    notes.write_text(f"date,text\n2026-03-20,{EVIL}\n")
    path = make_page(tmp_path, rows, annotations=notes)
    assert path.stat().st_size < 1_500_000
    reader = Reader(browser, path, "tab=marketing")
    reader.page.click("#panel-campaigns .more >> nth=0")
    shown = reader.page.inner_text("#panel-campaigns table")
    assert all(name in shown for name in NAMES if name)
    downloaded = {row["name"] for row in reader.download("campaigns")}
    assert {"'=1+1", "'@cmd", EVIL} <= downloaded
    count = reader.page.locator("#panel-campaigns tbody tr").count()
    assert 150 <= count <= 152
    for tab in TABS:
        reader.open_tab(tab)
    reader.open_tab("business")
    reader.page.click(f"[id='row-moved-{EVIL}']")
    assert EVIL in reader.page.inner_text(".chip") and EVIL in reader.page.inner_text(".marks")
    reader.page.click("#choose-filter")
    assert EVIL in reader.page.inner_text("#sheet")
    assert reader.page.evaluate("window.pwned") is None
    assert reader.complaints == []
    reader.context.close()


def test_without_script_the_figures_are_tables(browser: Browser, shop_page: Path, tmp_path: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto(shop_page.as_uri())
    said = opened.inner_text("noscript")
    kpi_of_last = shop()["executive.kpi_daily"][-1]
    assert f"2026-03-30\t{kpi_of_last['sessions']}" in said
    assert "shop.example/dogs" in said and "spring" in said and "event_loss" in said
    rows = shop(names=[EVIL])
    opened.goto(make_page(tmp_path, rows).as_uri())
    assert EVIL in opened.inner_text("noscript")
    context.close()


def test_without_script_a_site_that_sells_nothing_reads_of_no_money(browser: Browser, tmp_path: Path) -> None:
    """GIVEN a shop, and a site without an order THEN the first has its money as all figures say it, the second none."""
    rows = shop(3)
    rows["executive.kpi_daily"][1] |= {"orders": 0, "sessions_with_order": 0, "revenue": 0}
    quiet = shop(3)
    for day in quiet["executive.kpi_daily"]:
        day |= {"orders": 0, "sessions_with_order": 0, "revenue": 0}
    said = {}
    for name, given in {"shop": rows, "quiet": quiet}.items():
        with browser.new_context(java_script_enabled=False) as context:
            opened = context.new_page()
            opened.goto(make_page(tmp_path / name, given).as_uri())
            table = opened.locator("noscript table").first
            said[name] = [row.inner_text().split("\t") for row in table.locator("tr").all()]
    assert "Revenue" in said["shop"][0] and "Revenue" not in said["quiet"][0]
    of_day = dict(zip(said["shop"][0], said["shop"][2], strict=True))
    assert (of_day["Revenue"], of_day["Orders"]) == ("\u2013", "0")
    assert plain(dict(zip(said["shop"][0], said["shop"][1], strict=True))["Measured"]) == "98 %"


@pytest.mark.parametrize(
    "rows", [{}, shop(1), {"executive.kpi_daily": [kpi(FIRST, 1.0)]}], ids=["nothing", "one day", "kpis alone"]
)
def test_little_data_is_said_and_breaks_nothing(browser: Browser, tmp_path: Path, rows: dict[str, list[Row]]) -> None:
    reader = Reader(browser, make_page(tmp_path, rows))
    for tab in reader.tabs():
        reader.open_tab(tab)
        said = reader.headline()
        assert ("There is no data yet" in said) == (not rows)
        assert not re.search(r"NaN|undefined|Infinity|null", reader.page.inner_text("body"))
    assert reader.complaints == []
    reader.context.close()


def test_numbers_and_money_follow_one_locale(browser: Browser, tmp_path: Path) -> None:
    path = make_page(tmp_path, shop(), page_locale="de-DE", reporting_currency="EUR")
    reader = Reader(browser, path, "tab=business")
    now = total(shop()["executive.kpi_daily"], "revenue", LAST)
    assert reader.card("Revenue").replace("\u00a0", " ") == f"{now:,.0f} €".replace(",", ".")
    reader.choose("country", "US")
    assert "Vereinigte Staaten" in reader.page.inner_text(".chip")
    reader.context.close()


def test_policy_allows_one_script_and_no_eval(shop_page: Path) -> None:
    text = shop_page.read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert "unsafe" not in policy[1]
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert not re.search(r'(src|href)="(?!#)', text.partition("<script")[0])
    assert len(text.encode()) < 1_500_000


def test_content_cannot_end_its_script() -> None:
    said = page.in_script({"name": "</script><!-- <script> & \u2028"})
    assert "<" not in said and ">" not in said and "&" not in said
    assert json.loads(said)["name"] == "</script><!-- <script> & \u2028"


def test_values_are_plain_json() -> None:
    assert [frames.plain(value) for value in (float("nan"), float("inf"), 2.0, 1 / 3, None, FIRST)] == [
        None, None, 2, 0.333333, None, 20513,
    ]  # fmt: skip
    assert frames.plain(datetime(2026, 3, 1, 12, tzinfo=UTC)) == "2026-03-01 12:00"


def test_rest_of_a_column_is_other() -> None:
    con = duckdb.connect()
    con.execute("create table t as select * from (values ('a', 5), ('b', 3), ('c', 1), (null, 9)) as t(name, weight)")
    shown = con.execute(
        f"select {frames.top('name', 't', 'weight', 2, 'name is not null')} from t order by weight"
    ).fetchall()
    assert [row[0] for row in shown] == ["(other)", "b", "a", "(unknown)"]


def test_page_of_no_warehouse_is_bad_use(tmp_path: Path) -> None:
    with pytest.raises(BadUse, match="no warehouse"):
        pipeline.report(Settings(home=tmp_path))
