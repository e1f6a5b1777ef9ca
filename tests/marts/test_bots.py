"""Rules of behaviour: whom each suspects, what it would change, and that it flags only when switched on."""

import csv
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from builders.warehouse import Row, Warehouse, moment, order, visit

from collector.blocking import REASON
from etl.errors import BadUse
from etl.settings import Settings, load_settings
from etl.stages.exclusions import stage as exclusions
from etl.tools import suspects
from etl.vocabulary import bot_rules

RULES = {"bot_platforms": list(bot_rules.PLATFORMS), "bot_behaviour": bot_rules.behaviour()}


def pages(count: int, distinct: int) -> str:
    """List page paths, over and over."""
    return " ".join(f"/{number % distinct}" for number in range(count))


def walked(rows: list[Row], steps: str = "seen", uneven: bool = True) -> list[Row]:
    """Make each page view come from the page before it, or (`unseen`) from one that was never viewed."""
    for number, row in enumerate(rows):
        before = rows[number - 1]["url"] if number and steps == "seen" else f"https://shop.example/unseen{number}"
        row |= {"referrer": before if number else None, "referrer_domain": "shop.example" if number else None}
        if uneven:
            row["event_at"] += timedelta(seconds=number * number % 17)
        row["page_id"] = f"{row['event_id']}-page"
    return rows


def crowd(name: str, count: int, **columns: Any) -> list[Row]:
    """Make many visitors with a page view each, half a minute apart."""
    start = moment("2026-03-01 08:00")
    return [
        row
        for number in range(count)
        for row in visit(f"{name}{number}", str(start + timedelta(seconds=30 * number))[:19], "/a", **columns)
    ]


def hourly(name: str, hours: int, per_hour: int = 5) -> list[Row]:
    """Make a visitor who comes back every hour."""
    return [row for hour in range(hours) for row in walked(visit(name, f"2026-03-01 {hour:02}:05", pages(per_hour, 4)))]


DAY_ROWS: dict[str, tuple[list[Row], set[str]]] = {
    # name of the visitors: (what they do, the rules that must suspect them)
    "person": (walked(visit("person", "2026-03-01 10:00", pages(60, 20))), set()),
    "reader": (walked(visit("reader", "2026-03-01 10:00", pages(99, 99))), set()),
    "walker": (walked(visit("walker", "2026-03-01 10:00", pages(100, 100))), {"fan_out"}),
    "returner": (walked(visit("returner", "2026-03-01 10:00", pages(100, 94))), set()),
    "repeater": (walked(visit("repeater", "2026-03-01 10:00", pages(105, 21))), {"repetition"}),
    "varied": (walked(visit("varied", "2026-03-01 10:00", pages(105, 22))), set()),
    "clockwork": (walked(visit("clockwork", "2026-03-01 10:00", pages(21, 10)), uneven=False), {"regular_intervals"}),
    "short": (walked(visit("short", "2026-03-01 10:00", pages(20, 10)), uneven=False), set()),
    "jumper": (walked(visit("jumper", "2026-03-01 10:00", pages(12, 12)), "unseen"), {"impossible_path"}),
    "few jumps": (walked(visit("few jumps", "2026-03-01 10:00", pages(10, 10)), "unseen"), set()),
    "sleepless": (hourly("sleepless", 20), {"around_the_clock"}),
    "sleeper": (hourly("sleeper", 19, 6), set()),
    "cookieless": (crowd("cookieless", 50, ip="198.51.100.50"), {"no_cookies"}),
    "office": (crowd("office", 49, ip="198.51.100.49"), set()),
    "app": (walked(visit("app", "2026-03-01 10:00", pages(120, 120), platform="ios"), uneven=False), set()),
    "flood": (
        [row for number in range(12) for row in visit(f"flood{number}", "2026-03-01 10:00:00", pages(10, 5), every=5)],
        {"address_rate"},
    ),
    "agents": (
        [
            row
            for number in range(50)
            for row in visit(f"agents{number}", "2026-03-01 11:00", "/a /b", user_agent=f"A{number}")
        ],
        {"changing_agents"},
    ),
}
for _name in ("flood", "agents"):
    for _row in DAY_ROWS[_name][0]:
        _row["ip"] = f"203.0.113.{len(_name)}"
NEXT_DAY = [*walked(visit("walker", "2026-03-02 10:00", pages(100, 100))), *visit("person", "2026-03-02 10:00")]
ORDER = order("w1", "2026-03-01 10:05:00", "walker", "50", session_id=DAY_ROWS["walker"][0][0]["session_id"])


@pytest.fixture(scope="module")
def built(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """Build the rows with the rules off, a day at a time, then with one rule on; keep both databases."""
    root = tmp_path_factory.mktemp("bots")
    rows = [row for made, _ in DAY_ROWS.values() for row in made]
    wanted = ("+suspects", "+bot_impact", "+kpi_daily", "+page_views", "+visitors")
    warehouse.fill(events=[*rows, ORDER])
    warehouse.run(*wanted, **RULES)
    warehouse.fill(events=[*rows, ORDER, *NEXT_DAY])
    warehouse.run(*wanted, fresh=False, days=["2026-03-02"], **RULES)
    tests = ("assert_bot_impact_agrees_with_the_kpis", "models.suspects", "models.bot_impact")
    assert warehouse.test(*tests, **RULES) == []
    off = root / "off.duckdb"
    off.write_bytes(warehouse.database.read_bytes())
    warehouse.run(*wanted, bot_rules=["fan_out"], **RULES)
    assert warehouse.test(*tests, bot_rules=["fan_out"], **RULES) == []
    yield SimpleNamespace(off=off, on=warehouse.database)


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute(sql).fetchall()


@pytest.mark.parametrize("name", DAY_ROWS)
def test_rule_suspects_those_it_describes_and_no_others(name: str, built: SimpleNamespace) -> None:
    rows, rules = DAY_ROWS[name]
    sessions = ", ".join(f"'{row['session_id']}'" for row in rows)
    found = query(
        built.off,
        f"select distinct rule_name from intermediate.int_sessions_suspected where session_id in ({sessions})",
    )
    assert {rule for (rule,) in found} == rules


def test_suspects_say_why_and_flag_nobody(built: SimpleNamespace) -> None:
    rows = query(
        built.off,
        "select date::varchar, scope, suspect, session_count, visitor_id_count, page_view_count, evidence, is_flagging"
        " from quality.suspects where rule_name in ('no_cookies', 'around_the_clock') order by rule_name",
    )
    assert rows == [
        ("2026-03-01", "visitor", "sleepless", 20, 1, 100, "page_views 100, active_hours 20", False),
        ("2026-03-01", "address", "198.51.100.50", 50, 50, 50, "visitor_count 50, single_view_share 1.0", False),
    ]
    assert query(built.off, "select count(*) from core.sessions where is_bot") == [(0,)]


def test_impact_of_a_rule_that_is_off_is_what_switching_it_on_does(built: SimpleNamespace) -> None:
    columns = ", ".join(
        f"{name}_with, {name}_without" for name in ("sessions", "visitors", "page_views", "orders", "revenue")
    )
    sql = f"select {columns} from quality.bot_impact where rule_name = 'fan_out' order by date"
    off, on = query(built.off, sql), query(built.on, sql)
    assert off == on
    total = sum(len({row["session_id"] for row in rows}) for rows, _ in DAY_ROWS.values())
    assert off[0][:2] == (total - 1, total)
    assert off[0][6:] == (0, 1, 0, 50)
    assert off[1][:6] == (1, 2, 1, 2, 1, 101)


def test_rule_switched_on_flags_with_its_name(built: SimpleNamespace) -> None:
    for table in ("sessions", "page_views", "visitors"):
        flagged = query(built.on, f"select distinct person_id from core.{table} where is_bot")
        assert flagged == [("walker",)], table
    assert query(built.on, "select distinct bot_reason from core.sessions where is_bot") == [("fan_out",)]
    assert query(built.on, "select is_bot from core.orders") == [(True,)]
    assert query(built.on, "select sum(orders)::int from executive.kpi_daily") == [(0,)]


def test_block_lists_are_exclusions_and_networks_for_the_collector(built: SimpleNamespace, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    settings.warehouse.parent.mkdir(parents=True)
    settings.warehouse.write_bytes(built.on.read_bytes())
    made = suspects.write_block_lists(settings, tmp_path / "out")
    text = (tmp_path / "out" / "block_list.csv").read_text()
    rows = exclusions.parse_rows("exclusions/x.csv", text)
    assert len(rows) == made["suspects"] == len(list(csv.reader(text.splitlines()))) - 1 > 5
    good = {(row.kind, row.value): row for row in rows if isinstance(row, exclusions.Exclusion)}
    assert len(good) == len(rows)
    assert not any(value.startswith("walker") for _, value in good), "flagged already"
    assert good["visitor", "sleepless"].since == moment("2026-03-01")
    assert good["visitor", "sleepless"].until == moment("2026-03-02")
    listed = list(csv.DictReader((tmp_path / "out" / "blocks.csv").read_text().splitlines()))
    assert [row["network"] for row in listed] == ["198.51.100.50", "203.0.113.5", "203.0.113.6"]
    assert all(REASON.fullmatch(row["reason"]) for row in listed)


def test_an_address_from_which_somebody_logged_in_is_in_no_list_of_networks(
    built: SimpleNamespace, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path / "home")
    settings.warehouse.parent.mkdir(parents=True)
    settings.warehouse.write_bytes(built.on.read_bytes())
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute(
            "create or replace table lake.events as"
            " select '203.0.113.5' as ip, 'u-7' as user_id, 'page_view' as schema"
            " union all select '::ffff:203.0.113.6', null, 'order' union all select '198.51.100.50', null, 'page_view'"
        )
    suspects.write_block_lists(settings, tmp_path)
    assert [line.partition(",")[0] for line in (tmp_path / "blocks.csv").read_text().splitlines()[1:]] == [
        "198.51.100.50"
    ]
    assert "ip,203.0.113.5," in (tmp_path / "block_list.csv").read_text()


def test_addresses_that_are_cut_short_block_nobody(built: SimpleNamespace, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", ip_addresses="truncate")
    settings.warehouse.parent.mkdir(parents=True)
    settings.warehouse.write_bytes(built.on.read_bytes())
    assert suspects.write_block_lists(settings, tmp_path)["addresses"] == 0
    assert "\nip," not in (tmp_path / "block_list.csv").read_text()


def test_what_is_no_address_is_in_no_list() -> None:
    assert suspects.canonical("::ffff:198.51.100.9") == "198.51.100.9"
    assert suspects.canonical("all; allow 0.0.0.0/0") is None


def test_block_lists_need_a_warehouse(tmp_path: Path) -> None:
    with pytest.raises(BadUse, match="no warehouse"):
        suspects.write_block_lists(Settings(home=tmp_path), tmp_path)


def test_unknown_rule_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOODHOUND_BOT_RULES", '["fan_out", "telepathy"]')
    with pytest.raises(BadUse, match="bot_rules"):
        load_settings()
