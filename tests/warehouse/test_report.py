"""The page, in a real browser: what it says, that it asks nobody, and that no name becomes code."""

import csv
import io
import json
import math
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from axe_playwright_python.sync_playwright import Axe
from builders.published import FIRST, MODELS, Row, campaign, days, kpi, publish, shop
from playwright.sync_api import Browser, Page

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


def make_page(folder: Path, rows: dict[str, list[Row]]) -> Path:
    settings = Settings(home=folder)
    publish(settings.warehouse, rows)
    return Path(pipeline.report(settings)["page"])


@pytest.fixture(scope="module")
def shop_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_page(tmp_path_factory.mktemp("shop"), shop())


class Reader:
    """Somebody with the page open; whatever the browser complains of, or asks for, is noted."""

    def __init__(self, browser: Browser, path: Path, state: str = "", **context: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, **context)
        self.context.set_default_timeout(8000)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.address = path.as_uri()
        self.page.goto(f"{self.address}{state and '#'}{state}")
        self.settle()

    def settle(self) -> None:
        """Wait until every chart of the open tab is drawn."""
        self.page.wait_for_function(
            "[...document.querySelectorAll('.chart')].every((box) => box.querySelector('svg.marks'))"
        )

    def open_tab(self, tab: str) -> None:
        self.page.click(f"#tab-{tab}")
        self.settle()

    def tabs(self) -> list[str]:
        """Name the tabs that there are."""
        ids = self.page.eval_on_selector_all("[role=tab]", "(nodes) => nodes.map((node) => node.id)")
        return [name.removeprefix("tab-") for name in ids]

    def choose(self, name: str, value: str) -> None:
        self.page.select_option(f"#filter-{name}", value)
        self.settle()

    def card(self, title: str) -> str:
        return self.page.inner_text(f".card:has(.card-title button:text-is('{title}')) .value")

    def headline(self) -> str:
        return self.page.inner_text(".headline")

    def hash(self) -> dict[str, str]:
        return dict(part.split("=") for part in self.page.url.partition("#")[2].split("&") if part)

    def download(self, panel: str) -> list[dict[str, str]]:
        with self.page.expect_download() as waiting:
            self.page.click(f"#panel-{panel} .csv")
        return list(csv.DictReader(io.StringIO(Path(waiting.value.path()).read_text("utf-8-sig"))))


@pytest.fixture
def reader(browser: Browser, shop_page: Path) -> Iterator[Reader]:
    opened = Reader(browser, shop_page, "tab=business")
    yield opened
    opened.context.close()


def revenue(rows: list[Row], last: int) -> float:
    return sum(row["revenue"] for row in rows if row["date"] in days(30)[-last:])


def test_figures_are_the_marts(reader: Reader) -> None:
    marts = shop()
    total = revenue(marts["executive.kpi_daily"], 14)
    before = revenue(marts["executive.kpi_daily"], 28) - total
    assert reader.card("Revenue") == f"${total:,.0f}"
    assert f"up {100 * (total / before - 1):.1f} %" in reader.headline()
    assert "98.0 %" in reader.card("Measured")
    reader.choose("platform", "ios")
    of_app = [row for row in marts["executive.kpi_daily_by_platform"] if row["platform"] == "ios"]
    assert reader.card("Revenue") == f"${revenue(of_app, 14):,.2f}"
    assert reader.card("Measured") == "unknown"
    assert "unknown: no pixel saw these pages" in reader.headline()
    assert reader.page.inner_text("#panel-revenue_by_day .whole") == "completeness unknown"


def test_one_dimension_at_a_time_since_no_mart_has_two(reader: Reader) -> None:
    reader.choose("platform", "ios")
    reader.choose("country", "US")
    assert reader.page.input_value("#filter-platform") == "all"
    assert "one at a time" in reader.page.inner_text("#notice")
    assert reader.hash() == {"tab": "business", "country": "US"}


def test_address_holds_the_state(reader: Reader, browser: Browser, shop_page: Path) -> None:
    reader.open_tab("marketing")
    reader.choose("days", "7")
    reader.choose("model", "linear")
    spent = reader.card("Spend")
    assert reader.hash() == {"tab": "marketing", "days": "7", "model": "linear"}
    other = Reader(browser, shop_page, reader.page.url.partition("#")[2])
    assert other.card("Spend") == spent
    assert other.page.input_value("#filter-model") == "linear"
    other.context.close()
    lost = Reader(browser, shop_page, "tab=nowhere&days=99&platform=%3Cb%3E&by.funnel=none")
    assert lost.card("Visits") == reader_default(lost)
    assert lost.complaints == []
    lost.context.close()


def reader_default(opened: Reader) -> str:
    opened.page.evaluate("location.hash = ''")
    opened.settle()
    return opened.card("Visits")


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_is_quiet_fits_and_can_be_read(browser: Browser, shop_page: Path, tab: str) -> None:
    """GIVEN a tab in light and dark, from phone to wide THEN nothing sticks out, complains or asks; axe is content."""
    reader = Reader(browser, shop_page, f"tab={tab}")
    screenshots = os.environ.get("BLOODHOUND_SCREENSHOTS")
    for width, theme in ((390, "dark"), (820, "light"), (1600, "dark"), (1280, "light")):
        reader.page.set_viewport_size({"width": width, "height": 900})
        reader.choose("theme", theme)
        assert reader.page.evaluate("document.documentElement.scrollWidth") <= width
        if screenshots:
            reader.page.screenshot(path=f"{screenshots}/{tab}-{width}-{theme}.png", full_page=True)
        if width in (390, 1280):
            found = Axe().run(reader.page).response["violations"]
            serious = [
                (one["id"], [node["html"] for node in one["nodes"]])
                for one in found
                if one["impact"] in ("serious", "critical")
            ]
            assert serious == []
    assert reader.complaints == []
    assert [url for url in reader.asked if not url.startswith(("file:", "data:"))] == []
    assert reader.page.locator(".panel").count() == len(page.TABS[tab][1].panels())
    reader.context.close()


def test_every_chart_has_its_table_and_download(reader: Reader) -> None:
    for tab in TABS:
        reader.open_tab(tab)
        for panel in page.TABS[tab][1].panels():
            place = reader.page.locator(f"#panel-{panel.id}")
            if place.locator(".empty").count():
                continue
            assert place.locator("tbody tr").count() > 0, panel.id
            assert "ompleteness" in place.locator(".whole").inner_text(), panel.id
    reader.open_tab("business")
    rows = reader.download("revenue_by_day")
    assert [row["day"] for row in rows] == [str(day) for day in days(30)[-14:]]
    assert sum(float(row["revenue"]) for row in rows) == pytest.approx(revenue(shop()["executive.kpi_daily"], 14))


def test_figure_leads_to_its_definition(reader: Reader) -> None:
    reader.page.click(".card-title button:text-is('Revenue')")
    said = reader.page.inner_text("dt:focus + dd")
    assert said.startswith(definitions.described()["executive.kpi_daily"]["columns"]["revenue"]["description"])


def test_keyboard_alone_goes_everywhere(reader: Reader) -> None:
    reader.page.focus("#tab-business")
    for expected in [*TABS[2:], *TABS[:2]]:
        reader.page.keyboard.press("ArrowRight")
        assert reader.page.evaluate("document.activeElement.id") == f"tab-{expected}"
        assert reader.page.get_attribute(f"#tab-{expected}", "aria-selected") == "true"
    reader.page.focus("#panel-revenue_by_day summary")
    reader.page.keyboard.press("Enter")
    assert reader.page.is_visible("#panel-revenue_by_day table")


def test_four_time_zones_show_the_same_days(browser: Browser, shop_page: Path) -> None:
    seen = set()
    for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/St_Johns"):
        reader = Reader(browser, shop_page, "tab=business", timezone_id=zone)
        words = reader.page.eval_on_selector_all(
            "#panel-revenue_by_day svg text", "(nodes) => nodes.map((node) => node.textContent)"
        )
        bar = reader.page.locator("#panel-revenue_by_day svg .mark-rect path").first.bounding_box()
        assert bar is not None
        reader.page.mouse.move(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] - 4)
        reader.page.wait_for_selector("#tip:not([hidden])")
        seen.add((tuple(words), reader.page.inner_text("#tip"), reader.headline()))
        reader.context.close()
    assert len(seen) == 1
    words, tip, headline = seen.pop()
    assert "30 Mar" in words
    assert tip.startswith("17 Mar 2026")
    assert "in the 14 days to 30 Mar" in headline


def test_names_that_clients_chose_are_text(browser: Browser, tmp_path: Path) -> None:
    """GIVEN 200 campaigns, some called like code THEN each is shown as it is called, and none is run."""
    names = [*NAMES, *(f"campaign {number}" for number in range(192))]
    rows = shop(names=names)
    for row in rows["marketing.channel_performance"]:
        row["cost"] += 80 * (row["campaign"] in NAMES)
    for place in (
        "product.funnel.step", "product.feature_usage.feature", "product.experiment_lift.experiment",
        "quality.incidents.hint", "quality.loss_by_dimension.dimension_value",
    ):  # fmt: skip
        table, _, column = place.rpartition(".")
        rows[table][0][column] = EVIL
    path = make_page(tmp_path, rows)
    assert path.stat().st_size < 3_000_000
    reader = Reader(browser, path, "tab=marketing")
    reader.page.click("#panel-campaigns .more")
    shown = reader.page.inner_text("#panel-campaigns table")
    assert all(name in shown for name in NAMES if name)
    downloaded = {row["campaign"] for row in reader.download("campaigns")}
    assert {"'=1+1", "'@cmd", EVIL} <= downloaded
    total = reader.page.locator("#panel-campaigns tbody tr").count()
    assert 150 <= total <= 152
    for tab in TABS:
        reader.open_tab(tab)
    assert reader.page.evaluate("window.pwned") is None
    assert reader.complaints == []
    reader.context.close()


def test_totals_hold_though_small_campaigns_are_one_row(browser: Browser, tmp_path: Path) -> None:
    names = [f"campaign {number}" for number in range(200)]
    reader = Reader(browser, make_page(tmp_path, shop(names=names)), "tab=marketing&days=14")
    spent = sum(row["cost"] for row in shop(names=names)["marketing.channel_performance"] if row["model"] == "linear")
    assert reader.card("Spend") == f"${spent:,.0f}"
    reader.context.close()


@pytest.mark.parametrize(
    ("maturity", "said"),
    [(1.0, None), (0.8, "Of what these visits will earn 80.0 % has usually come by now."),
     (None, "may still earn; how much is unknown.")],
)  # fmt: skip
def test_what_visits_may_still_earn_is_said(
    browser: Browser, tmp_path: Path, maturity: float | None, said: str | None
) -> None:
    rows = shop()
    for row in rows["marketing.channel_performance"]:
        row["maturity"] = maturity
    reader = Reader(browser, make_page(tmp_path, rows), "tab=marketing&days=14")
    assert said in reader.headline() if said else "earn" not in reader.headline()
    assert reader.complaints == []
    reader.context.close()


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


def test_a_change_says_what_chance_may_have_done(browser: Browser, tmp_path: Path) -> None:
    """GIVEN orders that scatter as they come THEN their change has limits, and money without is too little."""
    rows = shop(56)
    for day in rows["executive.kpi_daily"]:
        # As the marts have it: log-normal limits, of two days of so many orders each.
        spread = math.exp(1.96 * math.sqrt(2 / day["orders"]))
        day |= {"orders_change": 0.0, "orders_change_low": 1 / spread - 1, "orders_change_high": spread - 1}
    reader = Reader(browser, make_page(tmp_path, rows), "tab=business&days=14")
    now, before = (
        sum(day["orders"] for day in rows["executive.kpi_daily"][part]) for part in (slice(-14, None), slice(-28, -14))
    )
    spread = math.exp(1.96 * math.sqrt(1 / now + 1 / before))
    low, high = (100 * (now / before * factor - 1) for factor in (1 / spread, spread))
    orders, money = (
        reader.page.locator(f".card:has(button:text-is('{title}')) .moved") for title in ("Orders", "Revenue")
    )
    assert low < 0 < high
    assert f"{-low:.0f} % to +{high:.0f} %)" in orders.inner_text() and orders.locator(".plain").count() == 1
    assert "too few to judge" in money.inner_text()
    reader.context.close()


def test_a_day_in_part_ends_no_period_and_is_compared_with_none(browser: Browser, tmp_path: Path) -> None:
    """GIVEN a last day that goes on, and a hole three weeks ago THEN periods end before it and stop at the hole."""
    rows = shop(56)
    rows["executive.kpi_daily"][-1] |= {"is_complete": False, "revenue": 1.0}
    rows["executive.kpi_daily"][-22]["is_complete"] = False
    reader = Reader(browser, make_page(tmp_path, rows), "tab=business&days=7")
    week = sum(day["revenue"] for day in rows["executive.kpi_daily"][-8:-1])
    assert reader.card("Revenue") == f"${week:,.0f}"
    assert "in the 7 days to 24 Apr" in reader.headline() and "on the 7 days before" in reader.headline()
    reader.choose("days", "14")
    assert "no whole period before" in reader.headline()
    reader.choose("days", "all")
    assert "in the 56 days to 25 Apr" in reader.headline()
    reader.context.close()


def test_campaigns_say_how_blind_they_are(browser: Browser, tmp_path: Path) -> None:
    """GIVEN a campaign whose visits are unseen in one of four, and one without a pixel THEN the first says so alone."""
    rows = shop(names=["spring"])
    rows["marketing.campaign_loss"] += [
        row | {"campaign": "app", "pixel_hits": 0, "only_pixel": 0, "lost_visits": None}
        for row in rows["marketing.campaign_loss"]
    ]
    reader = Reader(browser, make_page(tmp_path, rows), "tab=marketing&days=14")
    (told,) = reader.download("blind_campaigns")
    assert (told["campaign"], told["sessions"], told["lost_visits"]) == ("spring", "420", "140")
    assert (told["blind_share"], told["loss_rate"]) == ("0.25", "0.2")
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
    decisions = reader.page.inner_text("#panel-decisions tbody").splitlines()
    split = next(line for line in decisions if line.startswith("split"))
    assert "invalid: mend the assignment" in split
    assert "may be shipped" in next(line for line in decisions if line.startswith("button"))
    assert "1 cannot be believed" in reader.headline()


def test_policy_allows_two_scripts_and_no_eval(shop_page: Path) -> None:
    text = shop_page.read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert "unsafe" not in policy[1]
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert not re.search(r'(src|href)="(?!#)', text.partition("<script")[0])
    assert len(text.encode()) < 3_000_000


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


def test_tabs_follow_what_there_is(browser: Browser, tmp_path: Path) -> None:
    """GIVEN a site that sells nothing THEN it is asked about its visits, and what is missing is said with its way."""
    rows = {"executive.kpi_daily": [kpi(day, 1.0, orders=0, revenue=0, sessions_with_order=0) for day in days(4)]}
    reader = Reader(browser, make_page(tmp_path, rows))
    assert reader.tabs() == ["traffic", "loss", "health"]
    assert reader.headline().startswith("400 visits in the 4 days to 4 Mar, 100 on a whole day.")
    assert "Business: send orders" in reader.page.inner_text(".absent")
    assert "$0.00" not in reader.page.inner_text("body")
    assert reader.complaints == []
    reader.context.close()


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


def test_traffic_is_the_marts(browser: Browser, shop_page: Path) -> None:
    reader = Reader(browser, shop_page)
    assert reader.tabs() == TABS and reader.page.locator(".absent").count() == 0
    assert "google sent 20.7 % of them" in reader.headline()
    assert "left out: 8.4 % of page views" in reader.headline()
    pages = reader.download("pages")
    assert [(row["page"], row["views"]) for row in pages] == [
        ("shop.example/", "1260"), ("shop.example/dogs", "840"), ("shop.example/dogs/lead", "336"),
    ]  # fmt: skip
    hours = reader.download("hours")
    assert len(hours) == 7 * 24 and {row["page_views"] for row in hours if row["hour"] == "07"} == {"21"}
    assert reader.download("left_out")[0]["slice"] == "Googlebot"
    reader.context.close()


def test_part_of_a_day_is_compared_with_nothing(browser: Browser, tmp_path: Path) -> None:
    """GIVEN a last day that is only begun THEN periods end before it; of all days it is one, but no whole one."""
    rows = shop()
    last = rows["executive.kpi_daily"][-1]
    last.update(is_complete=False, sessions=10)
    sessions = [row["sessions"] for row in rows["executive.kpi_daily"]]
    reader = Reader(browser, make_page(tmp_path, rows))
    assert f"{sum(sessions[-15:-1]):,} visits" in reader.headline() and "on the 14 days before" in reader.headline()
    reader.choose("days", "all")
    assert f"{sum(sessions):,} visits" in reader.headline() and "before" not in reader.headline()
    assert f"{round(sum(sessions[:-1]) / 29)} on a whole day" in reader.headline()
    assert [row["whole"] for row in reader.download("visits_by_day")][-2:] == ["yes", "in part"]
    reader.context.close()


def test_few_days_are_named_once(browser: Browser, tmp_path: Path) -> None:
    reader = Reader(browser, make_page(tmp_path, shop(4)), "tab=business")
    read = "(nodes) => nodes.map((node) => node.textContent).filter((text) => / Mar$/.test(text))"
    assert reader.page.eval_on_selector_all("#panel-revenue_by_day svg text", read) == [
        f"0{day} Mar" for day in range(1, 5)
    ]
    reader.context.close()
