"""Exclusions read from rows people wrote, and hosts as browsers write them."""

import duckdb

from etl import exclusions, urls


def excluded(row: str, *addresses: str) -> set[str]:
    rules = exclusions.parse_rows("exclusions/x.csv", f"kind,value,from,to,reason\n{row}\n")
    good = [rule for rule in rules if isinstance(rule, exclusions.Exclusion)]
    return set(exclusions.as_table(good, addresses)["value"].to_pylist())


def test_a_network_holds_its_addresses_and_no_others() -> None:
    assert excluded("ip,198.51.100.0/24,,,", "198.51.100.9", "198.51.101.9", "junk") == {"198.51.100.9"}


def test_a_network_holds_ipv4_addresses_that_a_dual_stack_server_wrote() -> None:
    assert excluded("ip,198.51.100.0/24,,,", "::ffff:198.51.100.9", "::ffff:198.51.101.9") == {"::ffff:198.51.100.9"}


def test_a_row_of_unknown_kind_is_bad() -> None:
    [row] = exclusions.parse_rows("exclusions/x.csv", "kind,value,from,to,reason\nbrowser,IE,,,\n")
    assert isinstance(row, exclusions.BadRow)


def test_a_host_with_a_closing_dot_is_the_same_host() -> None:
    with duckdb.connect() as con:
        con.execute("create table distinct_urls as select 'https://www.Shop.example./x' as url")
        urls.split(con, "distinct_urls", "parts")
        assert con.execute("select url_host, url_domain from parts").fetchall() == [
            ("www.shop.example", "shop.example")
        ]
