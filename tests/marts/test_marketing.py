"""Spend, attribution and what campaigns earned, on rows one can check by hand."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from builders import House, each, events
from builders.spend import HEADER
from builders.warehouse import Row, Warehouse, event, moment, order, visit
from pydantic import ValidationError

from etl import pipeline
from etl.settings import DeclaredConversion, Settings
from etl.stages.build.stage import declared_conversions

MODELS = ["first_touch", "last_touch", "last_non_direct", "linear", "position_based", "time_decay", "markov"]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_settings_that_make_no_sense_are_refused() -> None:
    signup = {"name": "signup", "schema": "custom.signup"}
    for wrong in (
        {"position_first_share": 0.7, "position_last_share": 0.4},
        {"position_first_share": 0, "position_last_share": 0},
        {"time_decay_half_life_days": 0},
        {"conversions": [signup, signup]},
        {"conversions": [{"name": "order", "schema": "custom.x"}]},
        {"conversions": [signup | {"where": [["a", "like", "b"]]}]},
        {"witness_days": 16},
        {"spend_exports": [{"columns": {"price": "x"}}]},
    ):
        with pytest.raises(ValidationError):
            Settings(**wrong)


# March: the reference's four paths, email as A and paid search as B. April: Carl, who does what else counts.

EMAIL = {"landing_utm_source": "news", "landing_utm_medium": "email", "landing_utm_campaign": "spring"}
SEARCH = {"landing_utm_source": "google", "landing_utm_medium": "cpc", "landing_utm_campaign": "brand"}
CARL = visit("carl", "2026-04-02 10:00", "/a /thanks /thanks!")


def custom(number: int, name: str, at: str, data: str = "{}", **columns: Any) -> Row:
    """Make a custom event of Carl's session."""
    return event(
        **{
            "event_id": f"c{number}", "schema": f"custom.{name}", "visitor_id": "carl", "event_at": moment(at),
            "session_id": CARL[0]["session_id"], "session_date": date(2026, 4, 2), "data": data,
        }
        | columns
    )  # fmt: skip


MARKET = [
    *(row for name in "123" for row in visit(f"p{name}", "2026-03-02 10:00", **EMAIL)),
    *(row for name in "12" for row in visit(f"p{name}", "2026-03-03 10:00", **SEARCH)),
    *visit("p4", "2026-03-03 11:00", **SEARCH),
    *(order(f"o{name}", "2026-03-03 12:00", f"p{name}", "10.00") for name in "124"),
    *CARL,
    custom(1, "signup", "2026-04-02 10:05"),
    custom(2, "signup", "2026-04-02 10:06"),
    custom(3, "quote", "2026-04-02 10:07", '{"deal":{"seats":12},"amount":"100.50"}'),
    custom(4, "quote", "2026-04-02 10:08", '{"deal":{"seats":"9"},"amount":"7"}'),
    custom(5, "quote", "2026-04-02 10:09", '{"amount":"7"}'),
    custom(
        6,
        "quote",
        "2026-04-02 10:10",
        '{"deal":{"seats":99},"amount":"7"}',
        is_bot=True,
        session_id=None,
        visitor_id="bot",
    ),
    custom(7, "quote", "2026-04-02 10:11", '{"deal":{"seats":12},"amount":"50"}', session_id=None, visitor_id="eve"),
]
DECLARED = [
    DeclaredConversion(name="signup", schema="custom.signup", once_per="person"),
    DeclaredConversion(
        name="lead", schema="page_view", where=[("url_path", "=", "/thanks"), ("app_id", "!=", "x'; drop")], value=25
    ),
    DeclaredConversion(
        name="quote", schema="custom.quote", where=[("deal.seats", ">=", 10)], value="amount", currency="EUR"
    ),
]


def cost(day: str, way: str, amount: str, file: str = "spend/2026-03-09.csv", **columns: Any) -> Row:
    """Make a spend row of "google cpc brand"; "-" is no campaign."""
    source, medium, campaign = way.split()
    return {
        "date": date.fromisoformat(day), "source": source, "medium": medium,
        "campaign": None if campaign == "-" else campaign, "impressions": 100, "clicks": 10,
        "cost": Decimal(amount), "currency": "USD", "source_file": file, "line_number": 2, "file_id": 1,
    } | columns  # fmt: skip


SPENT = [
    cost("2026-03-02", "news email spring", "5"),
    cost("2026-03-03", "google cpc brand", "8"),
    cost("2026-03-03", "google cpc brand", "2", clicks=None),
    cost("2026-03-03", "google cpc brand", "99", file="spend/2026-03-08.csv"),
    cost("2026-03-05", "tiktok cpc -", "7", file="spend/2026-03-08.csv"),
    cost("2026-03-06", "bing cpc x", "4", currency="EUR"),
]


@pytest.fixture(scope="module")
def market(warehouse: Warehouse) -> Warehouse:
    """Build the market with its tests."""
    conversions = declared_conversions(Settings(conversions=DECLARED)).to_pylist()
    warehouse.fill(events=MARKET, spend=SPENT, conversions=conversions)
    warehouse.build("+marketing", "+int_marketing_checks")
    return warehouse


def test_markov_gives_the_references_credits(market: Warehouse) -> None:
    """GIVEN A>B>order twice, A>nothing, B>order THEN of three orders A has 1.2 and B 1.8, each order one."""
    assert market.query("""
        select channel, round(sum(credit), 9), sum(revenue_credit) from marketing.attribution
        where model = 'markov' and conversion = 'order' group by channel order by channel
    """) == [("Email", Decimal("1.2"), Decimal(12)), ("Paid Search", Decimal("1.8"), Decimal(18))]
    assert market.query("select channel, conversions, round(removal_effect, 9) from marketing.removal_effects"
                        " where conversion = 'order' order by 1") == [
        ("Email", 3, round(2 / 3, 9)), ("Paid Search", 3, 1.0),
    ]  # fmt: skip
    assert market.query("select count(*) from marketing.attribution where model = 'markov' and session_id is null") == [
        (1,)
    ], "only the quote that has no touch"


def test_lengths_of_journeys_add_up_to_the_conversions(market: Warehouse) -> None:
    """GIVEN two orders after two visits in 26 hours, one after a visit, a quote after none THEN so they stand."""
    columns = "measure, length, conversions, revenue, round(conversion_share, 9), round(cumulative_share, 9)"
    assert market.query(f"select {columns} from marketing.journey_lengths where conversion = 'order' order by all") == [
        ("days", 0, 1, 10, round(1 / 3, 9), round(1 / 3, 9)), ("days", 1, 2, 20, round(2 / 3, 9), 1),
        ("touches", 1, 1, 10, round(1 / 3, 9), round(1 / 3, 9)), ("touches", 2, 2, 20, round(2 / 3, 9), 1),
    ]  # fmt: skip
    quotes = market.query("""
        select measure, length, conversions from marketing.journey_lengths where conversion = 'quote' order by all
    """)
    assert quotes == [("days", 0, 1), ("touches", 0, 1), ("touches", 1, 1)]


PERFORMANCE = """
    select sessions, impressions, clicks, cost, round(conversions, 9), revenue, cost_per_click,
        round(cost_per_acquisition, 9), return_on_ad_spend
    from marketing.channel_performance
"""


def test_cost_sessions_and_orders_meet_on_the_day_of_the_touch(market: Warehouse) -> None:
    rows = market.query(f"{PERFORMANCE} where model = 'linear' and date = '2026-03-02'")
    assert rows == [(3, 100, 10, 5, 1.0, 10, 0.5, 5.0, 2.0)]
    rows = market.query(f"{PERFORMANCE} where model = 'last_touch' and source = 'google'")
    assert rows == [(3, 200, 10, 10, 3.0, 30, 1.0, round(10 / 3, 9), 3.0)], "rows add up, the older file is corrected"


def test_spend_that_brought_nothing_stays_in_every_model(market: Warehouse) -> None:
    rows = market.query(f"{PERFORMANCE} where source = 'tiktok'")
    assert rows == [(0, 100, 10, 7, 0.0, 0, 0.7, None, 0.0)] * len(MODELS)
    assert market.query("""
        select model, sum(cost), sum(clicks), sum(sessions) from marketing.channel_performance group by 1 order by 1
    """) == [(model, 22, 40, 7) for model in sorted(MODELS)]


def test_money_without_a_rate_is_not_added_and_a_check_errors(market: Warehouse) -> None:
    assert market.query("""
        select distinct cost, is_cost_complete, return_on_ad_spend
        from marketing.channel_performance where source = 'bing'
    """) == [(0, False, None)]
    checks = "select scope, check_value, status from intermediate.int_marketing_checks order by check_name, scope"
    assert market.query(checks) == [
        ("declared conversions", 2, "error"), ("orders", 0, "ok"), ("spend", 1, "error"), ("spend files", 0, "ok"),
        ("campaigns", 2, "warn"),
    ]  # fmt: skip
    market.execute("insert into seeds.currency_rates values ('EUR', 'USD', '2026-01-01', 1.25)")
    concerned = (
        "spend",
        "int_conversions_declared",
        "conversions",
        "int_marketing_checks",
        "int_channel_performance",
        "channel_performance",
    )
    market.run(*concerned, fresh=False)
    totals = "select currency, sum(cost), sum(reporting_cost) from marketing.spend group by 1 order by 1"
    assert market.query(totals) == [
        ("EUR", 4, 5), ("USD", 22, 22),
    ]  # fmt: skip
    assert [row[2] for row in market.query(checks)] == ["ok", "ok", "ok", "ok", "warn"]
    assert market.query("select sum(cost) from marketing.channel_performance where model = 'linear'") == [(27,)]
    assert market.query("select conversion_id, value, revenue from marketing.conversions where conversion = 'quote'"
                        " order by 1") == [
        ("c3", Decimal("100.5"), Decimal("125.625")), ("c7", 50, Decimal("62.5")),
    ]  # fmt: skip


def test_declared_conversions_are_those_that_fit(market: Warehouse) -> None:
    """GIVEN repeats, bots, too few seats and a signup twice THEN each counts as declared, and is attributed."""
    rows = market.query("select conversion, conversion_id, order_id, person_id, value from marketing.conversions"
                        " where conversion <> 'order' order by 2")  # fmt: skip
    assert rows == [
        ("signup", "c1", None, "carl", 0),
        ("quote", "c3", None, "carl", Decimal("100.5")),
        ("quote", "c7", None, "eve", Decimal(50)),
        ("lead", CARL[1]["event_id"], None, "carl", 25),
    ]
    assert market.query("""
        select conversion, model, channel, sum(credit), sum(revenue_credit) from marketing.attribution
        where conversion = 'lead' and model in ('linear', 'markov') group by all order by model
    """) == [("lead", "linear", "Direct", 1.0, 25), ("lead", "markov", "Direct", 1.0, 25)]
    orders_alone = "select count(*) from marketing.channel_performance where conversions > 0 and date > '2026-04-01'"
    assert market.query(orders_alone) == [(0,)]


def test_paths_are_ranked_with_their_length_and_time(market: Warehouse) -> None:
    assert market.query("""
        select path, path_length, conversions, revenue, touches, path_rank, round(average_days_to_convert, 4)
        from marketing.paths where conversion = 'order' order by path_rank
    """) == [
        ("Email > Paid Search", 2, 2, 20, 4, 1, round(26 / 24, 4)),
        ("Paid Search", 1, 1, 10, 1, 2, round(1 / 24, 4)),
    ]


@pytest.mark.prove
def test_late_news_rebuilt_by_days_equal_a_rebuild(warehouse: Warehouse) -> None:
    """GIVEN a late session, order, conversion and correction WHEN their days are rebuilt THEN marts are a rebuild's.

    Settings other than the usual are used on the way: a month's window, shares and half-life of one's own.
    """
    conversions = declared_conversions(Settings(conversions=DECLARED)).to_pylist()
    own = {"position_first_share": 0.6, "position_last_share": 0.2, "time_decay_half_life_days": 0.001}
    late = [*visit("p3", "2026-03-04 10:00", **SEARCH), order("late", "2026-03-04 10:05", "p3", "7.77")]
    corrected = [*SPENT, cost("2026-03-05", "tiktok cpc -", "8", file="spend/2026-03-10.csv")]
    warehouse.fill(events=[row for row in MARKET if row["event_id"] != "c3"], spend=SPENT, conversions=conversions)
    warehouse.run("+marketing", **own)
    warehouse.fill(events=[*MARKET, *late], spend=corrected, conversions=conversions)
    warehouse.run("+marketing", fresh=False, days=["2026-03-04", "2026-04-02"], **own)
    by_days = marts(warehouse)
    warehouse.run("+marketing", **own)
    assert marts(warehouse) == by_days
    assert warehouse.query("select credit from marketing.attribution where order_id = 'o1' and model = 'position_based'"
                           " order by touched_at") == [(pytest.approx(0.75),), (pytest.approx(0.25),)]  # fmt: skip
    assert warehouse.query("select distinct cost from marketing.channel_performance where source = 'tiktok'") == [(8,)]


def marts(warehouse: Warehouse) -> dict[str, list[str]]:
    """Read the marketing marts, each in an order of its own."""
    tables = warehouse.query("select table_name from information_schema.tables where table_schema = 'marketing'")
    assert len(tables) == 13
    return {name: sorted(map(str, warehouse.query(f"select * from marketing.{name}"))) for (name,) in tables}


def test_spend_meets_visits_whatever_their_capitals(warehouse: Warehouse) -> None:
    """GIVEN one campaign in several spellings THEN it is one row, spelt as the spend of its last day."""
    warehouse.fill(
        events=MARKET,
        spend=[
            cost("2026-03-02", "google CPC Brand", "5"), cost("2026-03-02", "GOOGLE cpc brand", "2", line_number=3),
            # The greatest name holds, byte by byte, and takes what others call otherwise.
            cost("2026-03-03", "Google cpc BRAND", "99", file="spend/B.csv"),
            cost("2026-03-03", "google Cpc brand", "98", file="spend/a-2.csv"),
            cost("2026-03-03", "Google Cpc Brand", "8", file="spend/a/1.csv"),
        ],
    )  # fmt: skip
    warehouse.build("+marketing", "+int_marketing_checks")
    assert warehouse.query("select date, source, medium, campaign, cost from marketing.spend order by 1") == [
        (date(2026, 3, day), "Google", "Cpc", "Brand", amount) for day, amount in ((2, 7), (3, 8))
    ]
    assert warehouse.query("""
        select date, campaign, channel, cost, sessions from marketing.channel_performance
        where model = 'linear' and lower(source) = 'google' order by date
    """) == [
        (date(2026, 3, 2), "Brand", "Paid Search", 7, 0), (date(2026, 3, 3), "Brand", "Paid Search", 8, 3),
    ]  # fmt: skip
    assert warehouse.query("select count(*) from marketing.touchpoints where campaign = 'brand'") == [(3,)]


UNMET = (
    "select check_value, status, hint from intermediate.int_marketing_checks where check_name = 'spend_without_visits'"
)


def test_spend_that_meets_no_visit_is_told(warehouse: Warehouse) -> None:
    """GIVEN spend of campaigns that no link names THEN a check warns and names the dearest."""
    met = [cost("2026-03-03", "GOOGLE cpc Brand", "8")]
    silent = [
        cost("2026-03-03", "a cpc shown", "9", clicks=0), cost("2026-03-03", "a cpc free", "0"),
        cost("2020-03-03", "a cpc before", "9"),
    ]  # fmt: skip
    warehouse.fill(events=MARKET, spend=[*met, *silent])
    warehouse.build("+int_marketing_checks")
    assert warehouse.query(UNMET) == [(0, "ok", None)]
    unmet = [cost("2026-03-03", f"google cpc c{number}", str(number), line_number=number) for number in range(2, 6)]
    warehouse.fill(events=MARKET, spend=[*met, *silent, *unmet, cost("2026-03-04", "tiktok paid -", "9", clicks=None)])
    warehouse.build("+int_marketing_checks")
    ((value, status, hint),) = warehouse.query(UNMET)
    assert (value, status) == (5, "warn")
    assert hint.startswith(
        "No visit names what was paid for: tiktok / paid, google / cpc / c5, google / cpc / c4, …; write"
    )
    warehouse.fill(spend=unmet)
    warehouse.build("+int_marketing_checks")
    assert warehouse.query(UNMET) == [(0, "ok", None)], "without any visit nothing is known of visits"


def test_spend_alone_makes_a_row_in_every_model(warehouse: Warehouse) -> None:
    """GIVEN spend and not one event THEN it is there, with nothing that came of it."""
    warehouse.fill(spend=[cost("2026-03-05", "tiktok cpc -", "7")])
    warehouse.run("+channel_performance", "+paths", "+removal_effects")
    assert warehouse.query("select model, cost, conversions from marketing.channel_performance order by 1") == [
        (model, 7, 0.0) for model in sorted(MODELS)
    ]
    assert warehouse.query("select count(*) from marketing.paths") == [(0,)]


def test_spend_files_reach_the_published_warehouse(house: House) -> None:
    """GIVEN an inbox with spend, its correction and a row that is no spend THEN marts, ledger and Parquet have it."""
    house.put("events/a.jsonl", each(events("10:00 /?utm_source=google&utm_medium=cpc&utm_campaign=brand")))
    house.put(
        "spend/2026-03-01.csv", (HEADER + "2026-03-01,google,cpc,brand,5,5,1.5,USD\n" * 2 + "Total\n?,1,1\n").encode()
    )
    house.put("spend/2026-03-02.csv", (HEADER + "2026-03-01,google,cpc,brand,5,5,4,USD\n").encode())
    house.digest()
    pipeline.build(house.settings)
    with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
        assert con.execute("""
            select source_file, messages, accepted, duplicates, quarantined, balance
            from quality.ledger where inbox_folder = 'spend' order by 1
        """).fetchall() == [("spend/2026-03-01.csv", 3, 0, 2, 1, 0), ("spend/2026-03-02.csv", 1, 1, 0, 0, 0)]
        assert con.execute("""
            select detail from quality.ledger where source_file = 'spend/2026-03-01.csv'
        """).fetchall() == [("lines aside: 1 of totals",)]
        assert con.execute("""
            select status from quality.checks where "check" = 'spend_readable'
        """).fetchall() == [("warn",)]
        columns = "date, model, channel, source, medium, campaign, sessions, cost"
        published = con.execute(f"select {columns} from marketing.channel_performance order by model").fetchall()
    assert published == [
        (date(2026, 3, 1), model, "Paid Search", "google", "cpc", "brand", 1, 4) for model in sorted(MODELS)
    ]
    parquet = house.settings.lake / "marts" / "marketing" / "channel_performance.parquet"
    assert (
        duckdb.execute(f"select {columns} from read_parquet(?) order by model", [str(parquet)]).fetchall() == published
    )


def test_statements_taken_back_reach_the_published_warehouse(house: House) -> None:
    """GIVEN spend that is replaced, and then taken out THEN marts have what the inbox holds, and the books balance."""
    house.put("events/a.jsonl", each(events("10:00 /?utm_source=google&utm_medium=cpc&utm_campaign=brand")))
    row = "2026-03-01,google,cpc,brand,5,5,{},USD\n"
    house.put("spend/a.csv", (HEADER + row.format(1)).encode())
    correction = house.put("spend/b.csv", (HEADER + row.format(4) + "Total,,,,5,5,4,USD\n").encode())
    books = """
        select source_file, status, messages, accepted, duplicates, balance from quality.ledger
        where inbox_folder = 'spend' order by source_file, status
    """
    spent = "select sum(cost) from marketing.channel_performance where model = 'linear'"

    def publish() -> tuple[list[Any], list[Any], list[Any]]:
        house.digest()
        pipeline.build(house.settings)
        with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
            checks = (
                "select \"check\", status from quality.checks where \"check\" in ('files_landed', 'ledger_balance')"
            )
            return con.execute(spent).fetchall(), con.execute(books).fetchall(), con.execute(checks).fetchall()

    cost, ledger, _ = publish()
    assert cost == [(4,)]
    house.put("spend/b.csv", (HEADER + row.format(5)).encode())
    cost, ledger, _ = publish()
    assert cost == [(5,)]
    assert ledger == [
        ("spend/a.csv", "landed", 1, 0, 1, 0), ("spend/b.csv", "landed", 1, 1, 0, 0),
        ("spend/b.csv", "replaced", 0, 0, 0, 0),
    ]  # fmt: skip
    correction.unlink()
    cost, ledger, checks = publish()
    assert cost == [(1,)]
    assert ledger == [
        ("spend/a.csv", "landed", 1, 1, 0, 0), ("spend/b.csv", "replaced", 0, 0, 0, 0),
        ("spend/b.csv", "withdrawn", 0, 0, 0, 0),
    ]  # fmt: skip
    assert {status for _, status in checks} == {"ok"}
