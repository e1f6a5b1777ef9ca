"""Exclusions read from rows people wrote, and hosts as browsers write them."""

from datetime import UTC, date, datetime

import duckdb
import pytest
from builders import House, each, event, events, lines, moment, request

from etl import pipeline
from etl.enrich import urls
from etl.formats import exclusions
from etl.lake.catalogue import Lake
from etl.stages.build.ledger import files_table
from etl.stages.sessionize.excluded import Rule, listed


def excluded(network: str, *addresses: str) -> set[str]:
    return set(listed([Rule("ip", network, None, None)], addresses)["value"].to_pylist())


def test_a_network_holds_its_addresses_and_no_others() -> None:
    assert excluded("198.51.100.0/24", "198.51.100.9", "198.51.101.9", "junk") == {"198.51.100.9"}


def test_a_network_holds_ipv4_addresses_that_a_dual_stack_server_wrote() -> None:
    assert excluded("198.51.100.0/24", "::ffff:198.51.100.9", "::ffff:198.51.101.9") == {"::ffff:198.51.100.9"}


def test_a_rule_touches_the_days_that_it_has_a_moment_of() -> None:
    noon, midnight = datetime(2026, 3, 2, 12, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)
    days = [date(2026, 3, number) for number in range(1, 6)]
    touched = {
        (since, until): [day.day for day in days if Rule("visitor", "v", since, until).overlaps(day)]
        for since in (None, noon) for until in (None, midnight)
    }  # fmt: skip
    assert touched == {
        (None, None): [1, 2, 3, 4, 5], (None, midnight): [1, 2, 3], (noon, None): [2, 3, 4, 5],
        (noon, midnight): [2, 3],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "network"),
    [
        ("203.0.113.7:4711", "203.0.113.7/32"), ("[2001:DB8::1]:443", "2001:db8::1/128"),
        ("2001:db8::1%eth0", "2001:db8::1/128"), ("::ffff:203.0.113.7", "203.0.113.7/32"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"), ("::/0", "::/0"), ("203.0.113.9/24", "203.0.113.0/24"),
    ],
)  # fmt: skip
def test_an_address_is_read_however_a_log_writes_it(written: str, network: str) -> None:
    [row] = exclusions.parse_rows("exclusions/x.csv", f"kind,value,from,to,reason\nip,{written},,,\n")
    assert isinstance(row, exclusions.Exclusion) and row.value == network


def test_a_row_of_unknown_kind_is_bad() -> None:
    [row] = exclusions.parse_rows("exclusions/x.csv", "kind,value,from,to,reason\nbrowser,IE,,,\n")
    assert isinstance(row, exclusions.BadRow)


@pytest.mark.parametrize(
    "row",
    [
        "visitor,,,,", "ip,300.1.2.3,,,", "ip,10.0.0.0/33,,,", "visitor,v,yesterday,,", "visitor,v,,2026-13-01,",
        "visitor,v,2026-03-02,2026-03-01,", "visitor,v,2026-03-01,2026-03-01,", 'visitor,"v,,,', "\x00", ",",
    ],
)  # fmt: skip
def test_a_row_that_excludes_nothing_is_bad_and_the_next_is_read(row: str) -> None:
    bad, good = exclusions.parse_rows("exclusions/x.csv", f"kind,value,from,to,reason\n{row}\nvisitor,w,,,\n")
    assert (bad.line_number, good.line_number) == (2, 3)
    assert isinstance(bad, exclusions.BadRow)
    assert isinstance(good, exclusions.Exclusion)
    assert bad.text == row


@pytest.mark.parametrize(
    "text",
    [
        "kind,value,from,to,reason\nvisitor,w,2026-03-01,,office, London\n",
        "\ufeffKind;Value;From;To;Reason\r\nvisitor;w;2026-03-01;;office, London\r\n",
        "visitor,w,2026-03-01,,office, London",
        'value,reason,kind,from\nw,"office, London",visitor,2026-03-01T00:00:00Z\n\n',
    ],
)
def test_rows_are_read_as_people_and_spreadsheets_write_them(text: str) -> None:
    [row] = exclusions.parse_rows("exclusions/x.csv", text)
    assert isinstance(row, exclusions.Exclusion)
    assert (row.kind, row.value, row.reason) == ("visitor", "w", "office, London")
    assert (row.since, row.until) == (datetime(2026, 3, 1, tzinfo=UTC), None)


def test_exclusions_work_on_the_past_and_taking_them_back_restores_it(house: House) -> None:
    """Each rule by its kind; times include their beginning and not their end; days that no rule concerns stay."""
    messages = [
        *events("10:00 /a", "10:05 /b", "23:50 /c", "24:05 /d", visitor="by-time"),
        event("10:00 /", visitor="by-user", user_id="u1"), event("10:01 /", 1, "by-user"),
        *events("10:00 /", "12:00 /", visitor="by-session"),
    ]  # fmt: skip
    office = [request([event("10:00 /", visitor=f"at-{ip}")], moment("10:01"), remote_addr=ip) for ip in ADDRESSES]
    house.put("events/a.jsonl", each(messages) + lines(office))
    house.digest()
    before = house.events()
    assert not any(row["is_excluded"] for row in before)
    session = next(row["session_id"] for row in before if row["visitor_id"] == "by-session")
    rows = [
        "kind,value,from,to,reason", f"session,{session},,,", "user,u1,,,",
        "visitor,by-time,2026-03-01 10:05,2026-03-01 23:50,", "visitor,by-time,2026-03-02,,",
        "ip,198.51.100.0/30,,,", "ip,2001:db8::/32,,,", "visitor,nobody,,,", "colour,red,,,",
    ]  # fmt: skip
    path = house.put("exclusions/a.csv", lines(rows))
    house.digest()
    after = house.events()
    assert {(row["visitor_id"], row["message_index"]) for row in after if row["is_excluded"]} == {
        ("by-time", 1), ("by-time", 3), ("by-user", 0), ("by-session", 0),
        ("at-198.51.100.1", 0), ("at-::ffff:198.51.100.3", 0), ("at-2001:db8::7", 0),
    }  # fmt: skip
    assert [row | {"is_excluded": False} for row in after] == before
    assert house.reasons() == [("bad_line", "no exclusion: kind is 'colour', value is 'red'")]
    path.unlink()
    house.digest()
    assert house.events() == before
    assert house.quarantine() == []
    assert pipeline.pending(house.settings).keys() == {"build", "reconcile"}


def test_only_the_days_that_a_rule_touches_are_written_again(house: House) -> None:
    house.take(*events("10:00 /a", "34:00 /b", "58:00 /c"))
    before = {path.parent.name: path for path in house.files("events")}
    house.put("exclusions/a.csv", b"kind,value,from,to\nvisitor,v,2026-03-02,2026-03-03\n")
    house.digest()
    after = {path.parent.name: path for path in house.files("events")}
    assert {day for day, path in after.items() if before[day] != path} == {"event_date=2026-03-02"}
    assert [row["is_excluded"] for row in house.events()] == [False, True, False]


def test_rules_that_come_in_another_file_change_nothing(house: House) -> None:
    house.put("exclusions/a.csv", b"kind,value\nvisitor,v\n")
    house.take(*events("10:00 /a"))
    house.put("exclusions/b.csv", b"kind,value,reason\nvisitor,v,the same again\n")
    pipeline.land(house.settings)
    pipeline.parse(house.settings)
    assert pipeline.sessionize(house.settings)["days"] == []
    assert [row["is_excluded"] for row in house.events()] == [True]


def test_unreadable_exclusions_are_in_the_ledger(house: House) -> None:
    house.put("exclusions/a.csv", b"kind,value,from,to,reason\nvisitor,v,,,\ncolour,red,,,\nvisitor,,,,\n")
    house.digest()
    [row] = files_table(Lake(house.settings)).to_pylist()
    counts = ("lines", "bad_lines", "messages", "valid", "quarantined")
    assert [row[name] for name in counts] == [4, 2, 2, 0, 2]


ADDRESSES = ("198.51.100.1", "198.51.100.4", "::ffff:198.51.100.3", "2001:db8::7", "2001:db9::7")


def test_a_host_with_a_closing_dot_is_the_same_host() -> None:
    with duckdb.connect() as con:
        con.execute("create table distinct_urls as select 'https://www.Shop.example./x' as url")
        urls.split(con, "distinct_urls", "parts")
        assert con.execute("select url_host, url_domain from parts").fetchall() == [
            ("www.shop.example", "shop.example")
        ]
