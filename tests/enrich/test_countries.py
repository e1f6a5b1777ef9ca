"""Countries of addresses, by the operator's own file: nothing is asked of a network."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from builders import House, combined, event, lines, request

from etl import pipeline
from etl.errors import BadUse
from etl.vocabulary.address_countries import as_number, read_ranges

RANGES = "network,country\n203.0.113.0/25,DE\n2001:db8::/32,FR,Europe\n198.51.100.0/24,-\n"


def put(folder: Path, text: str, name: str = "countries.csv") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (RANGES, "a.csv"),
        (RANGES, "a.csv.gz"),
        # First and last, without names of columns; in any order.
        ("2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,fr\n203.0.113.0,203.0.113.127,DE\n", "a.csv"),
        # In numbers, of which those of version 4 may stand as in a file of version 6.
        ('"3405803776","3405803903","DE","Germany"\n', "a.csv"),
        ('"281474087547136","281474087547263","DE","Germany"\n', "a.csv"),
    ],
)
def test_a_file_names_the_country_of_an_address(tmp_path: Path, text: str, name: str) -> None:
    ranges = read_ranges(put(tmp_path, text, name))
    asked = ("203.0.113.0", "203.0.113.127", "203.0.113.128", "203.0.112.255", "198.51.100.7", "::1")
    assert [ranges.find(as_number(address)) for address in asked] == ["DE", "DE", None, None, None, None]
    if "2001" in text:
        assert ranges.find(as_number("2001:db8:7::1")) == "FR"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("203.0.113.0/24,DE\n203.0.113.9/32,FR\n", "overlap at 203.0.113.9"),
        ("network,code\nsomewhere,DE\n", "line 2: 'somewhere' is no address"),
        ("network,code\n203.0.113.0/24,Germany\n", "line 2: 'GERMANY' is no country's code"),
        ("network,code\n203.0.113.9,203.0.113.1,DE\n", "lies behind"),
        ("network,code\n203.0.113.0/24\n", "no country's code"),
        ("network,code\n203.0.113.0\n", "line 2: '' is no address"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadUse, match=said):
        read_ranges(put(tmp_path, text))


def test_a_missing_file_is_bad_use(tmp_path: Path) -> None:
    with pytest.raises(BadUse, match="no countries of addresses at"):
        read_ranges(tmp_path / "none.csv")


def found(house: House) -> dict[str, Any]:
    """Give the countries of a home's events by their visitor, and the addresses that are shown."""
    return {row["visitor_id"]: (row["country"], row["ip"]) for row in house.events()}


def test_events_without_a_country_have_that_of_their_address_before_it_is_hidden(tmp_path: Path) -> None:
    """GIVEN addresses that are cut short or hashed THEN their country was known before; what was sent counts first."""
    for how in ("truncate", "hash"):
        folder = tmp_path / how
        folder.mkdir()
        house = House(folder, {"ip_addresses": how, "address_countries": put(folder, RANGES)})
        sent = [event("10:00 /a", visitor=name, country=code) for name, code in (("ann", None), ("ben", "US"))]
        house.put("events/a.jsonl", lines([request(sent, remote_addr="203.0.113.77")]))
        house.put("access/a.log", "\n".join([combined("10:00:00 /", ip="203.0.113.77")]).encode() + b"\n")
        house.digest()
        said = found(house)
        assert (said.pop("ann")[0], said.pop("ben")[0]) == ("DE", "US")
        ((country, shown),) = said.values()
        assert country == "DE" and shown != "203.0.113.77"


def test_another_file_has_everything_parsed_again_and_the_same_one_nothing(tmp_path: Path) -> None:
    """GIVEN a file that says otherwise THEN all is as if it had said so from the beginning."""
    house = House(tmp_path, {"address_countries": put(tmp_path, RANGES)})
    house.put("events/a.jsonl", lines([request([event("10:00 /a", country=None)], remote_addr="203.0.113.77")]))
    house.digest()
    assert found(house) == {"v": ("DE", "203.0.113.77")}
    put(tmp_path, RANGES)
    assert pipeline.parse(house.settings)["files"] == 0
    put(tmp_path, RANGES.replace("DE", "AT"))
    house.digest()
    assert found(house) == {"v": ("AT", "203.0.113.77")}
