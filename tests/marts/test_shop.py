"""A shop's three days as dbt builds them, figure by figure; and what the project's tests find when it is spoiled."""

import shutil
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from builders.shop import LEDGER, SHOP, SHOP_HITS
from builders.warehouse import DBT, Query, Warehouse, compiled_plan


@pytest.fixture(scope="module")
def shop(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the shop with all tests, and keep a copy of the database."""
    warehouse.fill(events=SHOP, pixel_hits=SHOP_HITS, **LEDGER)
    warehouse.build()
    kept = tmp_path_factory.mktemp("shop") / "shop.duckdb"
    shutil.copy(warehouse.database, kept)
    return kept


@pytest.fixture
def in_shop(shop: Path) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
    """Query the shop."""
    with duckdb.connect(str(shop), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        yield lambda sql: connection.execute(sql).fetchall()


def test_sessions_count_views_without_repeats_and_orders_once(in_shop: Query) -> None:
    """GIVEN the shop THEN each session's figures are those one counts by hand."""
    rows = in_shop("""
        select visitor_id, page_view_count, event_count, order_count, revenue, duration_seconds
        from core.sessions where not is_bot and not is_excluded order by visitor_id, started_at
    """)
    assert rows == [
        ("anna", 2, 3, 0, 0, 120.0),
        ("anna", 1, 1, 0, 0, 0.0),
        ("anna-phone", 2, 3, 1, Decimal("100.01"), 60.0),
        ("app", 3, 4, 1, Decimal("7.5"), 120.0),
        ("ben", 2, 2, 0, 0, 60.0),
    ]


def test_later_login_names_the_earlier_session(in_shop: Query) -> None:
    """GIVEN a login the day after THEN the sessions on both devices are one person's."""
    rows = in_shop("""
        select person_id, visit_number, is_new_visitor, channel from core.sessions
        where visitor_id like 'anna%' order by started_at
    """)
    assert rows == [
        ("u-anna", 1, True, "Paid Search"),
        ("u-anna", 2, False, "Direct"),
        ("u-anna", 3, False, "Direct"),
    ]


def test_backend_copy_of_an_order_is_preferred(in_shop: Query) -> None:
    """GIVEN an earlier browser's copy with another amount THEN the backend's counts."""
    assert in_shop("select revenue, platform from core.orders where order_id = 'o1'") == [
        (Decimal("100.01"), "backend")
    ]


def test_order_without_session_belongs_to_its_visitors_person(in_shop: Query) -> None:
    """GIVEN orders outside any session THEN their person is the visitor's."""
    rows = in_shop("""
        select order_id, person_id, session_id from core.orders
        where session_id is null order by order_id
    """)
    assert rows == [("o3", "ben", None), ("o5", "stranger", None)]


def test_seconds_on_page_skip_repeats(in_shop: Query) -> None:
    """GIVEN two views and a repeat THEN the last counted view has no time on page."""
    rows = in_shop("""
        select url_path, page_number, seconds_on_page, is_repeat, is_landing
        from core.page_views where session_id like 'anna-17723%' order by viewed_at
    """)
    assert rows[:3] == [
        ("/a", 1, 60.0, False, True),
        ("/b", 2, None, False, False),
        ("/a", None, None, True, False),
    ]


def test_first_rule_in_order_names_the_bot(in_shop: Query) -> None:
    """GIVEN events flagged by two rules THEN the session carries the first of the order."""
    assert in_shop("select is_bot, bot_reason from core.sessions where visitor_id = 'bot'") == [(True, "declared")]


def test_kpi_counts_people_on_the_day_their_sessions_start(in_shop: Query) -> None:
    """GIVEN a session over midnight THEN it counts on the first day, its last view on the next."""
    rows = in_shop("""
        select date, visitors, new_visitors, sessions, page_views, orders, revenue, conversion_rate
        from executive.kpi_daily order by date
    """)
    assert rows == [
        (date(2026, 3, 1), 2, 2, 2, 3, 0, 0, 0.0),
        (date(2026, 3, 2), 1, 0, 1, 2, 0, 0, 0.0),
        (date(2026, 3, 3), 2, 1, 2, 5, 4, Decimal("132.51"), 1.0),
    ]


def test_loss_leaves_bots_out_on_both_sides(in_shop: Query) -> None:
    """GIVEN a lost page, bots' pages and a copy of a hit THEN one of three hits is a loss."""
    rows = in_shop("""
        select hour::varchar, platform, pixel_hits, event_page_views, matched, status
        from quality.loss_hourly order by hour, platform
    """)
    assert rows == [
        ("2026-03-01 10:00:00+00", "desktop_web", 3, 2, 2, "error"),
        ("2026-03-01 13:00:00+00", "desktop_web", 1, 1, 1, "ok"),
        ("2026-03-01 23:00:00+00", "desktop_web", 1, 1, 1, "ok"),
        ("2026-03-02 00:00:00+00", "desktop_web", 1, 1, 1, "ok"),
        ("2026-03-02 09:00:00+00", "desktop_web", 1, 1, 1, "ok"),
        ("2026-03-03 09:00:00+00", "mobile_web", 0, 2, 0, "unknown"),
    ]


def test_chapman_estimate_is_the_textbooks(in_shop: Query) -> None:
    """GIVEN 5 hits, 4 events, 4 matched THEN 6 x 5 / 5 - 1 = 5; without hits it is unknown."""
    rows = in_shop("""
        select completeness, page_views_estimated, page_views_low, page_views_high
        from executive.kpi_daily order by date
    """)
    assert rows[0] == (0.8, 5.0, 5.0, 5.0)
    assert rows[2] == (None, None, None, None)


def test_checks_say_unknown_where_the_pixel_saw_nothing(in_shop: Query) -> None:
    """GIVEN a platform without pixel hits THEN its loss is unknown, not ok."""
    rows = in_shop("""
        select scope, status from quality.checks where "check" = 'event_loss' order by scope
    """)
    assert rows == [
        ("2026-03-01 shop desktop_web", "warn"),
        ("2026-03-02 shop desktop_web", "ok"),
        ("2026-03-03 shop mobile_web", "unknown"),
    ]


def test_every_model_shares_an_order_out_whole(in_shop: Query) -> None:
    """GIVEN an order after three touches THEN each model credits as the textbooks say."""
    rows = in_shop("""
        select model, list(round(credit::double, 3) order by touched_at),
            list(revenue_credit::varchar order by touched_at)
        from marketing.attribution where order_id = 'o1' group by model order by model
    """)
    decay = [2 ** (-hours / 168) for hours in (47 + 1.5 / 60, 24 + 1.5 / 60, 1.5 / 60)]
    shares = [round(weight / sum(decay), 3) for weight in decay]
    credits_by_model = {model: shared for model, shared, _ in rows}
    assert credits_by_model == {
        "first_touch": [1.0],
        "last_touch": [1.0],
        "last_non_direct": [1.0],
        "linear": [0.333, 0.333, 0.333],
        "position_based": [0.4, 0.2, 0.4],
        "time_decay": shares,
        # Removal effects 1/3, 2/3 and, of the channel of o3, 1/3: the two of this path are due 9/4 of its two orders.
        "markov": [0.667, 0.167, 0.167],
    }
    money = {model: revenue for model, _, revenue in rows}
    assert money["linear"] == ["33.3300", "33.3400", "33.3400"]
    assert money["position_based"] == ["40.0000", "20.0000", "40.0100"]


def test_direct_visit_never_steals_credit(in_shop: Query) -> None:
    """GIVEN a campaign and two direct visits THEN last non-direct credits the campaign."""
    assert in_shop("""
        select channel, campaign from marketing.attribution
        where order_id = 'o1' and model = 'last_non_direct'
    """) == [("Paid Search", "spring")]


def test_order_without_touch_is_unattributed(in_shop: Query) -> None:
    """GIVEN a stranger's order THEN one row in every model, dated by the order."""
    rows = in_shop("""
        select count(*), min(channel), bool_and(touched_at = ordered_at), sum(revenue_credit)
        from marketing.attribution where order_id = 'o5'
    """)
    assert rows == [(7, "(unattributed)", True, 35)]


def test_ledger_balances(in_shop: Query) -> None:
    """GIVEN five messages, each in one place THEN nothing is left over."""
    assert in_shop("""
        select messages, accepted, duplicates, quarantined, balance from quality.ledger
    """) == [(5, 2, 1, 2, 0)]


CORRUPTIONS = {
    "assert_credits_of_an_order_sum_to_one": """
        update marketing.attribution set credit = credit / 2 where model = 'linear'""",
    "assert_revenue_credits_equal_revenue": """
        update marketing.attribution set revenue_credit = revenue_credit + 0.01
        where model = 'last_touch' and order_id = 'o2'""",
    "assert_spend_equals_its_files": """
        insert into marketing.spend (date, channel, currency, impressions, clicks, cost)
        values ('2026-03-01', 'Direct', 'USD', 0, 0, 0.01)""",
    "assert_performance_holds_all_spend_and_sessions": """
        delete from marketing.channel_performance
        where model = 'markov' and source = 'google' and date = date '2026-03-01'""",
    "assert_performance_holds_every_order": """
        update marketing.channel_performance set conversions = conversions + 0.01
        where model = 'linear' and channel = '(unattributed)'""",
    "assert_every_counted_order_is_attributed": """
        delete from marketing.attribution where order_id = 'o5' and model = 'linear'""",
    "assert_touches_lie_in_the_window": """
        update marketing.attribution set touched_at = ordered_at + interval 1 second
        where order_id = 'o1'""",
    "assert_kpi_days_have_no_gap": """
        delete from executive.kpi_daily where date = date '2026-03-02'""",
    "assert_kpi_sessions_are_the_counted_sessions": """
        update executive.kpi_daily set sessions = sessions + 1 where date = date '2026-03-02'""",
    "assert_kpi_revenue_is_the_counted_orders_revenue": """
        update executive.kpi_daily set revenue = revenue + 0.01 where date = date '2026-03-03'""",
    "assert_kpi_page_views_are_the_counted_page_views": """
        update executive.kpi_daily_by_channel set page_views = page_views + 1 where channel = 'Direct'""",
    "assert_kpi_visitors_are_counted_at_their_own_grain": """
        update executive.kpi_weekly set visitors = visitors + 1""",
    "assert_rates_lie_within_zero_and_one": """
        update executive.kpi_daily set bounce_rate = 1.1""",
    "assert_loss_witnesses_add_up": """
        update quality.loss_hourly set matched = matched - 1 where only_pixel = 1""",
    "assert_every_event_session_is_in_sessions": """
        delete from core.sessions where visitor_id = 'ben'""",
    "assert_visits_of_a_person_are_numbered_without_gaps": """
        update core.sessions set visit_number = 4 where visit_number = 1""",
    "assert_bot_impact_agrees_with_the_kpis": """
        update quality.bot_impact set sessions_with = sessions_with + 1 where is_flagging""",
}


def test_every_singular_test_has_a_case_that_makes_it_fail() -> None:
    """GIVEN the project's singular tests THEN each one is in the list below."""
    assert {path.stem for path in (DBT / "tests").glob("*.sql")} == set(CORRUPTIONS)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corrupted_mart_is_found(warehouse: Warehouse, shop: Path, name: str) -> None:
    """GIVEN a mart with a wrong row WHEN its test runs THEN it fails."""
    warehouse.fill(events=SHOP, pixel_hits=SHOP_HITS, **LEDGER)
    shutil.copy(shop, warehouse.database)
    warehouse.execute(CORRUPTIONS[name])
    assert [node.name for node in warehouse.test(name)] == [name]


ROW_RULES = {
    "models.sessions: session_id repeated (2)": """
        insert into core.sessions from core.sessions where visitor_id = 'anna'""",
    "models.sessions: person_id is null (1)": """
        update core.sessions set person_id = null where visitor_id = 'ben'""",
    "models.sessions: visitor_kind unheard of (1)": """
        update core.sessions set visitor_kind = 'x' where visitor_id = 'ben'""",
    "models.kpi_daily_by_platform: date, platform repeated (4)": """
        insert into executive.kpi_daily_by_platform
        from executive.kpi_daily_by_platform where date = '2026-03-01'""",
    "models.int_sessions_totalled: session_id is null (1)": """
        update intermediate.int_sessions_totalled set session_id = null where visitor_id = 'ben'""",
}


@pytest.mark.parametrize("named", ROW_RULES)
def test_broken_rule_of_a_models_rows_is_found_and_named(warehouse: Warehouse, shop: Path, named: str) -> None:
    """GIVEN rows that break one rule WHEN rows are tested THEN that rule alone is named, and those rows are kept."""
    model = named.split(":", maxsplit=1)[0].removeprefix("models.")
    shutil.copy(shop, warehouse.database)
    warehouse.execute(ROW_RULES[named])
    (found,) = warehouse.test(f"models.{model}")
    kept = warehouse.folder / f"models.{model}.parquet"
    assert (found.name, found.reason, found.kept) == (f"models.{model}", f"{named}, rows in {kept}", kept)
    rows = pq.read_table(kept).to_pylist()
    rule = named.partition(": ")[2].rpartition(" (")[0]
    assert {row.pop("broken_rule") for row in rows} == {rule}
    # Of a key that comes twice, both rows.
    assert len(rows) == found.rows * (2 if rule.endswith("repeated") else 1)
    (relation,) = {node.relation for node in compiled_plan().nodes if node.name == model}
    names = warehouse.query(f"select column_name from (describe {relation})")
    assert [(name,) for name in rows[0]] == names
