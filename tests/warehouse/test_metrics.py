"""Each metric is defined once: what MetricFlow answers is what the marts say."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from builders import House
from typer.testing import CliRunner

from etl import pipeline, simulate
from etl.commands.main import app
from etl.errors import BadUse
from etl.warehouse import answers, metrics, periods

KPIS = (
    "sessions", "visitors", "new_visitors", "bounces", "bounce_rate", "page_views", "pages_per_session",
    "average_session_seconds", "orders", "revenue", "sessions_with_order", "conversion_rate", "average_order_value",
    "revenue_per_visitor",
)  # fmt: skip
GRAINS = {
    "executive.kpi_daily": ("date",),
    "executive.kpi_weekly": ("week",),
    "executive.kpi_monthly": ("month",),
    "executive.kpi_daily_by_platform": ("date", "platform"),
    "executive.kpi_daily_by_channel": ("date", "channel"),
    "executive.kpi_weekly_by_channel": ("week", "channel"),
    "executive.kpi_daily_by_country": ("date", "country"),
}
MODELS = ("first_touch", "last_touch", "last_non_direct", "linear", "position_based", "time_decay", "markov")

Figures = dict[tuple[Any, ...], dict[str, Any]]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Publish a simulated shop whose days are Berlin's."""
    house = House(tmp_path_factory.mktemp("metrics"), {"reporting_timezone": "Europe/Berlin"})
    simulate.simulate(house.settings.inbox, messages=2000, days=4, seed=5, truth=house.root / "truth", compress="none")
    house.digest()
    pipeline.build(house.settings)
    return house


@pytest.fixture
def con(house: House) -> Iterator[duckdb.DuckDBPyConnection]:
    with metrics.opened(house.settings.warehouse) as opened:
        yield opened


def figures(columns: Sequence[str], rows: Sequence[tuple[Any, ...]], keys: int) -> Figures:
    """Key rows by their first columns; a row in which nothing happened is as good as none."""
    named = {row[:keys]: dict(zip(columns[keys:], row[keys:], strict=True)) for row in rows}
    return {key: row for key, row in named.items() if any(row.values())}


def said_by_mart(con: duckdb.DuckDBPyConnection, table: str, names: Sequence[str], by: Sequence[str]) -> Figures:
    keys = ["date", *by[1:]]
    found = con.execute(f"select {', '.join([*keys, *names])} from build.{table}")
    return figures([column[0] for column in found.description or ()], found.fetchall(), len(keys))


def said_by_metrics(con: duckdb.DuckDBPyConnection, manifest: str, names: Sequence[str], by: Sequence[str]) -> Figures:
    answer = metrics.ask(con, manifest, names, by=by)
    until = answer.columns.index("completeness")
    assert answer.columns[-2:] == ["is_complete", "is_sealed"]
    return figures(answer.columns[:until], [row[:until] for row in answer.rows], len(by))


def disagreeing(one: Figures, other: Figures) -> set[str]:
    """Name the metrics that differ anywhere: counts and money exactly, fractions but for their last digits."""
    names = {name for row in one.values() for name in row}
    keys = one.keys() | other.keys()
    return {name for name in names if any(differ(one.get(key), other.get(key), name) for key in keys)}


def differ(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None, name: str) -> bool:
    if one is None or other is None:
        return True
    if isinstance(one[name], float) and isinstance(other[name], float):
        return other[name] != pytest.approx(one[name], rel=1e-12)
    return one[name] != other[name]


@pytest.mark.parametrize("table", GRAINS)
def test_every_kpi_is_the_metric_of_its_name(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """GIVEN a shop with bots and orders THEN the KPI table and MetricFlow say the same, on the same days."""
    by = GRAINS[table]
    expected = said_by_mart(con, table, KPIS, by)
    assert len(expected) > len(by) - 1 and any(row["revenue"] for row in expected.values())
    assert disagreeing(expected, said_by_metrics(con, metrics.read_manifest(con), KPIS, by)) == set()


def test_days_without_anything_are_days(house: House, tmp_path: Path) -> None:
    """GIVEN a day on which nothing counts THEN a query by day has it, with nought and unknown rates, as the KPIs do."""
    copy = with_facts(house, tmp_path, lambda facts: f"select * from ({facts}) where date > '2026-03-02'")
    with metrics.opened(copy) as con:
        answer = metrics.ask(con, metrics.read_manifest(con), ["sessions", "revenue", "bounce_rate"], by=["date"])
        days = con.execute("select date from build.executive.kpi_daily order by date").fetchall()
    assert [row[:1] for row in answer.rows] == days
    assert answer.rows[0][:4] == (days[0][0], 0, 0, None)


@pytest.mark.parametrize("model", MODELS)
def test_attributed_metrics_are_their_models(con: duckdb.DuckDBPyConnection, model: str) -> None:
    names = [f"attributed_revenue_{model}", f"attributed_conversions_{model}", "cost", "clicks", "impressions"]
    answer = metrics.ask(con, metrics.read_manifest(con), names, by=["date", "channel", "campaign"])
    found = con.execute(
        f"""
        select date, channel, campaign, sum(revenue), sum(cast(conversions as decimal(18, 9))), sum(cost), sum(clicks),
            sum(impressions)
        from build.marketing.channel_performance where model = '{model}' group by all
        """
    )
    expected = figures(["date", "channel", "campaign", *names], found.fetchall(), 3)
    assert answer.columns[-4:] == ["completeness", "is_complete", "is_sealed", "is_mature"]
    asked = figures(answer.columns[:-4], [row[:-4] for row in answer.rows], 3)
    assert disagreeing(expected, asked) == set()
    assert sum(row[names[0]] for row in expected.values()) > 0


@pytest.mark.parametrize("model", MODELS)
def test_returns_are_their_models(con: duckdb.DuckDBPyConnection, model: str) -> None:
    """GIVEN what campaigns cost and brought THEN the ratios of their sums come out."""
    names = [f"return_on_ad_spend_{model}", f"cost_per_acquisition_{model}"]
    answer = metrics.ask(con, metrics.read_manifest(con), names, by=["source", "campaign"])
    found = con.execute(
        f"""
        select source, campaign, cast(sum(revenue) as double) / nullif(sum(cost), 0),
            cast(sum(cost) as double) / nullif(sum(cast(conversions as decimal(18, 9))), 0)
        from build.marketing.channel_performance where model = '{model}' group by all
        """
    )
    expected = figures(["source", "campaign", *names], found.fetchall(), 2)
    assert any(row[names[0]] for row in expected.values())
    assert disagreeing(expected, figures(answer.columns, answer.rows, 2)) == set()


def test_a_return_over_part_of_the_cost_is_unknown(house: House, tmp_path: Path) -> None:
    copy = with_facts(house, tmp_path, lambda facts: f"select * from ({facts}) where true")
    with duckdb.connect(str(copy)) as writing:
        writing.execute("""
            update marketing.channel_performance set is_cost_complete = false
            where campaign = (select max(campaign) from marketing.channel_performance where cost > 0)
        """)
    with metrics.opened(copy) as con:
        names = ["return_on_ad_spend_linear", "cost_per_acquisition_linear", "cost"]
        rows = metrics.ask(con, metrics.read_manifest(con), names, by=["campaign"]).rows
        ((broken,),) = con.execute(
            "select max(campaign) from build.marketing.channel_performance where cost > 0"
        ).fetchall()
    told = {campaign: known for campaign, *known in rows}
    assert told.pop(broken) == [None, None, None]
    assert any(None not in known for known in told.values())


def remeasured(manifest: str, measure: str, **keys: Any) -> str:
    """Change what a metric adds up."""
    content = json.loads(manifest)
    (found,) = (one for model in content["semantic_models"] for one in model["measures"] if one["name"] == measure)
    found |= keys
    return json.dumps(content)


WRONG = {
    "visitors": ({"agg": "count"}, {"visitors", "revenue_per_visitor"}),
    "new_visitors": ({"expr": "cast(coalesce(is_bounce, false) as integer)"}, {"new_visitors"}),
    "bounces": ({"expr": "cast(coalesce(not is_bounce, false) as integer)"}, {"bounces", "bounce_rate"}),
    "page_views": ({"agg": "max"}, {"page_views", "pages_per_session"}),
    "session_microseconds": ({"agg": "median"}, {"average_session_seconds"}),
    "revenue": ({"agg": "max"}, {"revenue", "average_order_value", "revenue_per_visitor"}),
    "sessions_with_order": (
        {"expr": "cast(coalesce(not has_order, false) as integer)"},
        {"sessions_with_order", "conversion_rate"},
    ),
}


@pytest.mark.parametrize("measure", WRONG)
def test_a_wrong_definition_disagrees(con: duckdb.DuckDBPyConnection, measure: str) -> None:
    """GIVEN a measure of another meaning THEN the comparison names the metrics made of it, and no others."""
    keys, expected = WRONG[measure]
    manifest = remeasured(metrics.read_manifest(con), measure, **keys)
    mart = said_by_mart(con, "executive.kpi_daily", KPIS, ("date",))
    assert disagreeing(mart, said_by_metrics(con, manifest, KPIS, ("date",))) == expected


def with_facts(house: House, tmp_path: Path, change: Callable[[str], str]) -> Path:
    """Copy the warehouse and change the query of the facts that metrics are asked of."""
    copy = tmp_path / "bloodhound.duckdb"
    shutil.copy(house.settings.warehouse, copy)
    with duckdb.connect(str(copy)) as con:
        # As if it had been published here: a copy refuses to read the original's files.
        here = con.execute("select sql from duckdb_views() where not internal and contains(sql, ?)",
                           [str(house.settings.warehouse)]).fetchall()  # fmt: skip
        for (sql,) in here:
            moved = sql.replace(str(house.settings.warehouse), str(copy))
            con.execute(moved.replace("CREATE VIEW", "create or replace view", 1))
        ((view,),) = con.execute("select sql from duckdb_views() where view_name = 'facts'").fetchall()
        facts = view.partition(" AS ")[2].rstrip().rstrip(";")
        assert change(facts) != facts
        con.execute(f"create or replace view metrics.facts as {change(facts)}")
    return copy


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        # Bots counted; days of another time zone.
        ("FROM sessions WHERE is_counted", "FROM sessions", {"sessions", "visitors", "bounces"}),
        ("Europe/Berlin", "Pacific/Auckland", {"sessions", "page_views", "orders", "revenue"}),
    ],
)
def test_wrong_rows_disagree(house: House, tmp_path: Path, right: str, wrong: str, expected: set[str]) -> None:
    with metrics.opened(with_facts(house, tmp_path, lambda facts: facts.replace(right, wrong))) as con:
        mart = said_by_mart(con, "executive.kpi_daily", KPIS, ("date",))
        asked = said_by_metrics(con, metrics.read_manifest(con), KPIS, ("date",))
    assert disagreeing(mart, asked) >= expected


def test_every_metric_has_a_meaning_and_answers(con: duckdb.DuckDBPyConnection) -> None:
    manifest = metrics.read_manifest(con)
    known = metrics.read_metrics(manifest)
    assert set(KPIS) <= set(known)
    assert [one.name for one in known.values() if not one.description] == []
    of_shop = [name for name, one in known.items() if "platform" in one.dimensions]
    of_models = ("attributed_revenue", "attributed_conversions", "unrated_revenues", "return_on_ad_spend",
                 "cost_per_acquisition", "earned_revenue", "expected_revenue", "maturity")  # fmt: skip
    assert {name for name in known if name not in of_shop} == {"cost", "unrated_costs", "clicks", "impressions"} | {
        f"{what}_{model}" for what in of_models for model in MODELS
    }
    assert "model" not in known["return_on_ad_spend_linear"].dimensions
    for dimension in known["sessions"].dimensions:
        answer = metrics.ask(con, manifest, ["sessions"], by=[dimension])
        assert sum(row[1] for row in answer.rows) == metrics.ask(con, manifest, ["sessions"]).rows[0][0]


@pytest.mark.parametrize("by", [["week"], ["month"], ["year"], ["channel", "week"]])
def test_several_metrics_of_a_period_come_once(house: House, by: list[str]) -> None:
    """GIVEN two metrics of one table by something longer than a day THEN each period is one row, as of each alone."""
    both = metrics.query(house.settings.warehouse, ["sessions", "revenue"], by=by).rows
    assert len({row[: len(by)] for row in both}) == len(both) > 0
    for place, name in enumerate(("sessions", "revenue"), len(by)):
        alone = {row[: len(by)]: row[len(by)] for row in metrics.query(house.settings.warehouse, [name], by=by).rows}
        assert {row[: len(by)]: row[place] for row in both if row[place]} == {k: v for k, v in alone.items() if v}


CHANGED = ("visitors", "sessions", "page_views", "orders", "revenue", "conversion_rate", "average_order_value")


@pytest.mark.parametrize("table", ["executive.kpi_daily", "executive.kpi_daily_by_platform", "executive.kpi_weekly"])
def test_changes_and_their_limits_are_those_of_the_marts(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """GIVEN two definitions of a change, of the marts and of queries THEN they say the same of each period."""
    by = GRAINS[table]
    names = [f"{name}_change{end}" for name in CHANGED for end in ("", "_low", "_high")]
    expected = said_by_mart(con, table, names, by)
    answer = metrics.ask(con, metrics.read_manifest(con), CHANGED, by=by, with_changes=True)
    asked = figures(answer.columns, answer.rows, len(by))
    # A part in which nothing happened has no row here; in the marts it has one.
    happened = {key: row for key, row in expected.items() if key in asked}
    assert disagreeing(happened, {key: asked[key] for key in happened}) == set()
    assert all(row["sessions_change"] == -1 for key, row in expected.items() if key not in asked)
    assert bool(expected) == (table != "executive.kpi_weekly")


def test_answers_carry_how_much_was_seen_of_their_days(house: House) -> None:
    """GIVEN some days THEN an answer's completeness is that of the KPIs' hits on them, and of no others."""
    with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
        known = con.execute("select date, matched, pixel_hits from executive.kpi_daily where pixel_hits > 0").fetchall()
    hits, matched = sum(row[2] for row in known), sum(row[1] for row in known)
    assert metrics.query(house.settings.warehouse, ["sessions"]).completeness == pytest.approx(matched / hits)
    for day, seen, all_hits in known:
        one = metrics.query(house.settings.warehouse, ["sessions"], by=["channel"], first=day, last=day)
        assert one.completeness == pytest.approx(seen / all_hits)
    assert len({seen / all_hits for _, seen, all_hits in known}) > 1


@pytest.mark.parametrize("with_changes", [False, True])
@pytest.mark.parametrize("table", GRAINS)
def test_each_period_says_how_much_of_it_was_seen(
    con: duckdb.DuckDBPyConnection, table: str, with_changes: bool
) -> None:
    """GIVEN periods, and their platforms, channels and countries THEN each row has its own share, as the marts do."""
    by = GRAINS[table]
    answer = metrics.ask(con, metrics.read_manifest(con), ["sessions"], by=by, with_changes=with_changes)
    place = answer.columns.index("completeness")
    found = {row[: len(by)]: row[place] for row in answer.rows}
    mart = con.execute(f"select {', '.join(['date', *by[1:]])}, completeness from build.{table}").fetchall()
    assert found and found.items() <= {row[:-1]: pytest.approx(row[-1]) for row in mart}.items()
    assert len(set(found.values())) > 1 or len(found) == 1


def test_by_what_no_pixel_is_told_apart_the_period_says_how_much_was_seen(con: duckdb.DuckDBPyConnection) -> None:
    """GIVEN browsers, or channels of platforms THEN their rows have the share of the day."""
    days = dict(con.execute("select date, completeness from build.executive.kpi_daily").fetchall())
    for by in (["date", "browser"], ["channel", "date", "platform"]):
        answer = metrics.ask(con, metrics.read_manifest(con), ["sessions"], by=by)
        shares = {(row[by.index("date")], row[answer.columns.index("completeness")]) for row in answer.rows}
        assert {day: pytest.approx(share) for day, share in shares} == days


def test_without_a_pixel_log_how_much_was_seen_is_unknown(house: House, tmp_path: Path) -> None:
    copy = with_facts(house, tmp_path, lambda facts: f"select * from ({facts}) where true")
    with duckdb.connect(str(copy)) as writing:
        writing.execute("update executive.kpi_daily set pixel_hits = 0, matched = 0")
    answer = metrics.query(copy, ["sessions"], by=["month"])
    assert {row[answer.columns.index("completeness")] for row in answer.rows} == {answer.completeness} == {None}


def test_a_change_is_between_whole_periods(house: House) -> None:
    """GIVEN days whose first and last are parts THEN only between whole ones a change is told."""
    ask, asked = house.settings.warehouse, ["sessions"]
    days = metrics.query(ask, asked, by=["date"], with_changes=True)
    assert days.columns == ["date", "sessions", "sessions_change", "sessions_change_low", "sessions_change_high",
                            "completeness", "is_complete", "is_sealed"]  # fmt: skip
    whole = {row[0] for row in days.rows if row[-2]}
    changed = {row[0] for row in days.rows if row[2] is not None}
    assert changed == {day for day in whole if day - timedelta(1) in whole} != set()
    assert all(change is None or low < change < high for _, _, change, low, high, *_ in days.rows)
    # The day before the first one asked for is compared with, and not shown.
    second = min(changed)
    alone = metrics.query(ask, asked, by=["date"], first=second, last=second, with_changes=True)
    assert alone.rows == [row for row in days.rows if row[0] == second]
    # A week of which the data covers some days, or of which some are asked for, is a part.
    weeks = metrics.query(ask, asked, by=["week"], with_changes=True).rows
    assert {(*row[2:5], *row[6:]) for row in weeks} == {(None, None, None, False, False)}
    assert [row[-2] for row in metrics.query(ask, asked, by=["week"], first=second, last=second).rows] == [False]


def test_a_change_of_what_touches_still_earn_is_unknown(house: House, tmp_path: Path) -> None:
    """GIVEN days within the attribution window of now THEN credited revenue has no change; cost, which is told, has."""
    copy = with_facts(house, tmp_path, lambda facts: f"select * from ({facts}) where true")
    names = ["attributed_revenue_linear", "cost", "return_on_ad_spend_linear"]

    def changed() -> list[bool]:
        rows = metrics.query(copy, names, by=["date"], with_changes=True).rows
        return [any(row[place] is not None for row in rows) for place in (4, 7, 10)]

    assert changed() == [False, True, False]
    with duckdb.connect(str(copy)) as writing:
        writing.execute(
            "create or replace view metrics.days as "
            "select date, is_complete, is_sealed, true as is_mature from executive.kpi_daily"
        )
    assert changed() == [True, True, True]


def test_what_touches_still_earn_is_said_to_be_immature(house: House, tmp_path: Path) -> None:
    """GIVEN days of which half and four fifths have usually come THEN a query says so, weighed by revenue."""
    copy = with_facts(house, tmp_path, lambda facts: f"select * from ({facts}) where true")
    with duckdb.connect(str(copy)) as writing:
        writing.execute("update marketing.channel_performance set maturity = if(date < '2026-03-03', 0.8, 0.5)")
        ((old, new),) = writing.execute(
            "select sum(revenue) filter (where date < '2026-03-03'), sum(revenue) filter (where date >= '2026-03-03')"
            " from marketing.channel_performance where model = 'linear'"
        ).fetchall()
    asked = ["return_on_ad_spend_linear", "maturity_linear"]
    daily = metrics.query(copy, asked, by=["date"])
    assert daily.columns == ["date", *asked, "completeness", "is_complete", "is_sealed", "is_mature"] and {
        row[-1] for row in daily.rows
    } == {False}
    assert {round(row[2], 9) for row in daily.rows if row[2] is not None} == {0.5, 0.8}
    ((whole,),) = metrics.query(copy, ["maturity_linear"]).rows
    assert whole == pytest.approx(float(old + new) / (float(old) / 0.8 + float(new) / 0.5)) and 0.5 < whole < 0.8
    by_channel = metrics.query(copy, ["maturity_linear", "attributed_revenue_linear"], by=["channel"]).rows
    assert all((maturity is None) == (not revenue) for _, maturity, revenue in by_channel)
    assert metrics.query(copy, ["revenue"], by=["date"]).columns == [
        "date", "revenue", "completeness", "is_revenue_complete", "is_complete", "is_sealed",
    ]  # fmt: skip


def test_what_leaves_out_orders_without_a_rate_has_no_change(house: House, tmp_path: Path) -> None:
    """GIVEN a day of whose orders the half have a rate THEN neither its revenue nor the next day's has a change."""
    known = metrics.query(house.settings.warehouse, ["revenue", "orders"], by=["date"], with_changes=True)
    before = {row[0]: dict(zip(known.columns, row, strict=True)) for row in known.rows}
    day = max(day for day in before if before.get(day + timedelta(1), {}).get("revenue_change") is not None)

    def unrated(facts: str) -> str:
        again = f"select * replace (null as revenue, true as is_unrated) from ({facts}) where fact = 'order'"
        return f"from ({facts}) union all from ({again}) where date = '{day}'"

    answer = metrics.query(
        with_facts(house, tmp_path, unrated), ["revenue", "orders"], by=["date"], with_changes=True
    )  # fmt: skip
    found = {row[0]: dict(zip(answer.columns, row, strict=True)) for row in answer.rows}
    assert [one for one, row in found.items() if not row["is_revenue_complete"]] == [day]
    for one, row in found.items():
        is_known = one not in (day, day + timedelta(1))
        assert row["revenue_change"] == (before[one]["revenue_change"] if is_known else None)
    assert found[day]["revenue"] == before[day]["revenue"] and found[day]["orders"] == 2 * before[day]["orders"]


@pytest.mark.parametrize(
    ("grain", "first", "last"),
    [
        ("day", date(2026, 2, 26), date(2026, 3, 3)), ("week", date(2026, 2, 23), date(2026, 3, 8)),
        ("month", date(2026, 2, 1), date(2026, 3, 31)), ("quarter", date(2026, 1, 1), date(2026, 3, 31)),
        ("year", date(2026, 1, 1), date(2026, 12, 31)),
    ],
)  # fmt: skip
def test_days_asked_for_are_widened_to_whole_periods(grain: str, first: date, last: date) -> None:
    assert periods.whole(date(2026, 2, 26), date(2026, 3, 3), grain) == (first, last)
    assert periods.whole(None, None, grain) == (None, None)


def test_an_answer_by_week_says_of_which_days_it_is(house: House) -> None:
    """GIVEN a day asked for by week THEN the figure, its completeness and the days told are the week's."""
    day = date(2026, 3, 3)
    by_week = metrics.query(house.settings.warehouse, ["sessions"], by=["week"], first=day, last=day)
    assert (by_week.first, by_week.last) == (date(2026, 3, 2), date(2026, 3, 8))
    of_week = metrics.query(house.settings.warehouse, ["sessions"], first=by_week.first, last=by_week.last)
    assert by_week.rows[0][1] == of_week.rows[0][0] and by_week.completeness == of_week.completeness


def test_money_of_nothing_but_unrated_orders_is_unknown(house: House, tmp_path: Path) -> None:
    """GIVEN orders of a country without a rate THEN their revenue is null there, and is not added elsewhere."""

    def unrated(facts: str) -> str:
        return (f"select * replace (case when country = 'US' then null else revenue end as revenue, "
                f"case when fact = 'order' then country = 'US' end as is_unrated) from ({facts})")  # fmt: skip

    with metrics.opened(with_facts(house, tmp_path, unrated)) as con:
        manifest = metrics.read_manifest(con)
        rows = metrics.ask(con, manifest, ["revenue", "orders", "average_order_value"], by=["country"]).rows
        ((whole, unrated_orders, is_whole_complete),) = metrics.ask(con, manifest, ["revenue", "unrated_orders"]).rows
    found = {country: (revenue, orders, value) for country, revenue, orders, value, _ in rows}
    assert {country for country, *_, is_complete in rows if not is_complete} == {"US"} and not is_whole_complete
    assert found["US"] == (None, unrated_orders, None) and unrated_orders > 0
    assert whole == sum(revenue for revenue, _, _ in found.values() if revenue is not None) > 0
    assert all(revenue == 0 for revenue, orders, _ in found.values() if not orders)


def test_pages_and_landing_pages_are_asked_by(con: duckdb.DuckDBPyConnection) -> None:
    """GIVEN pages THEN page views are by page as traffic says, all metrics by the page that a visit began with."""
    manifest = metrics.read_manifest(con)
    name = "coalesce(coalesce(url_host, '') || url_path, '(unknown)')"
    pages = f"select {name}, sum(views) from build.traffic.pages_daily group by 1 having sum(views) > 0"
    assert dict(con.execute(pages).fetchall()) == dict(metrics.ask(con, manifest, ["page_views"], by=["page"]).rows)
    landings = metrics.ask(con, manifest, ["sessions", "orders", "bounces"], by=["landing_page"]).rows
    said = con.execute(f"select {name}, sum(sessions), sum(bounces) from build.traffic.landings_daily group by 1")
    assert {row[0]: (row[1], row[3]) for row in landings if row[1]} == {row[0]: row[1:] for row in said.fetchall()}
    assert sum(row[2] for row in landings) == metrics.ask(con, manifest, ["orders"]).rows[0][0] > 0
    known = metrics.read_metrics(manifest)
    assert {metric for metric, one in known.items() if "page" in one.dimensions} == {"page_views"}
    with pytest.raises(BadUse, match="there is no dimension 'page'"):
        metrics.ask(con, manifest, ["sessions"], by=["page"])


@pytest.mark.parametrize("by", [[], ["channel"], ["date", "week"]])
def test_changes_without_a_period_are_refused(house: House, by: list[str]) -> None:
    with pytest.raises(BadUse, match=r"a change is from one period to the next\. Ask by one of date"):
        metrics.query(house.settings.warehouse, ["sessions"], by=by, with_changes=True)


def test_conditions_and_days_narrow_an_answer(house: House) -> None:
    ask = house.settings.warehouse
    by_channel = dict(metrics.query(ask, ["sessions"], by=["channel"]).rows)
    assert metrics.query(ask, ["sessions"], where=[("channel", "Email")]).rows == [(by_channel["Email"],)]
    by_day = {day: sessions for day, sessions, *_ in metrics.query(ask, ["sessions"], by=["date"]).rows}
    day = date(2026, 3, 2)
    (one,) = metrics.query(ask, ["sessions"], first=day, last=day, by=["date"]).rows
    assert (*one[:2], *one[3:]) == (day, by_day[day], True, False)
    untagged = metrics.query(ask, ["sessions"], where=[("campaign", "")]).rows[0][0]
    assert 0 < untagged < sum(by_day.values())
    # What a client sends as its campaign is text, whatever it looks like.
    assert metrics.query(ask, ["sessions"], by=["channel"], where=[("campaign", "it's {{ 1/0 }} {id}")]).rows == []


@pytest.mark.parametrize(
    ("names", "by", "message"),
    [
        (["reven"], [], "there is no metric 'reven'. Do you mean revenue, .* all [0-9]+ are listed"),
        (["nothing_like_it"], [], "there is no metric 'nothing_like_it'. Without a metric"),
        (["revenue"], ["chanel"], "there is no dimension 'chanel'. It is date, week, .*channel"),
        (["revenue", "cost"], ["channel"], "there is no dimension 'channel'. It is date, week, month, quarter, year$"),
        (["attributed_revenue_linear"], ["model"], "there is no dimension 'model'"),
    ],
)
def test_unknown_names_are_told_the_known_ones(house: House, names: list[str], by: list[str], message: str) -> None:
    with pytest.raises(BadUse, match=message):
        metrics.query(house.settings.warehouse, names, by=by)


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        (date(2026, 3, 3), date(2026, 3, 1), "the last day .* is before the first"),
        (date(1, 1, 1), date(9999, 12, 31), "0001-01-01 is no day of any log"),
    ],
)
def test_days_without_sense_are_refused(house: House, first: date, last: date, message: str) -> None:
    with pytest.raises(BadUse, match=message):
        metrics.query(house.settings.warehouse, ["sessions"], first=first, last=last)


def test_command_prints_a_table_or_every_digit(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    home = ["--home", str(house.settings.home)]
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["query", *arguments, *home])
        assert done.exit_code == 0, done.output
        return done.output

    before = sorted(path for path in house.settings.home.rglob("*"))
    rows = metrics.query(house.settings.warehouse, ["revenue", "sessions"], by=["channel"]).rows
    table = run("revenue", "sessions", "--by", "channel").split("\n")
    assert [line.split()[-3:] for line in table[3 : 3 + len(rows)]] == [
        [metrics.shown(revenue), metrics.shown(sessions), "yes"] for _, revenue, sessions, _ in rows
    ]
    listed = run("revenue", "sessions", "--by", "channel", "--csv").splitlines()
    assert listed[0] == "channel,revenue,sessions,is_revenue_complete"
    assert [Decimal(line.split(",")[1]) for line in listed[1:]] == [row[1] for row in rows]
    days = metrics.query(house.settings.warehouse, ["sessions"], by=["date"]).rows
    by_day = run("sessions", "--by", "date").split("\n")[3 : 3 + len(days)]
    assert [line.split()[-3] for line in by_day] == [metrics.shown(row[2], "completeness") for row in days]
    assert metrics.shown(0.9876, "completeness") == "98.76%" and metrics.shown(None, "completeness") == "unknown"
    sql = run("revenue", "--by", "channel", "--sql")
    with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
        assert con.execute(f"select sum(revenue) from ({sql})").fetchall()[0][0] == sum(row[1] for row in rows)
    assert "revenue_per_visitor" in run()
    assert sorted(path for path in house.settings.home.rglob("*")) == before


def test_home_without_a_warehouse_is_bad_use(tmp_path: Path) -> None:
    with pytest.raises(BadUse, match="there is no warehouse"):
        answers.query(House(tmp_path).settings, ["revenue"])
    with duckdb.connect(str(tmp_path / "old.duckdb")):
        pass
    with pytest.raises(BadUse, match="published without metrics"):
        metrics.query(tmp_path / "old.duckdb", ["revenue"])
