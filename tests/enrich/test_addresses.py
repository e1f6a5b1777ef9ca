"""Addresses in the canonical data: what stays of them, and that exclusions still see all of them."""

from typing import Any

import pytest
from builders import House, event, lines, request
from pydantic import ValidationError

from etl import pipeline as tasks
from etl.enrich.addresses import mask
from etl.settings import Settings

ADDRESSES = {
    "203.0.113.77": "203.0.113.0",
    "2001:db8:1:2:3:4:5:6": "2001:db8:1::",
    "::ffff:203.0.113.77": "203.0.113.0",
    "no address": None,
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_truncated_address_is_a_network(address: str) -> None:
    assert mask(address, "truncate") == ADDRESSES[address]


def test_hashed_address_depends_on_the_key() -> None:
    one, again, other = (mask("203.0.113.77", "hash", key) for key in ("a", "a", "b"))
    assert one == again != other


def test_hashing_without_a_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="BLOODHOUND_IP_KEY"):
        Settings(ip_addresses="hash")


@pytest.mark.parametrize("keys", [{"ip_addresses": "truncate"}, {"ip_addresses": "hash", "ip_key": "k"}])
def test_canonical_events_show_no_address_but_exclusions_work(tmp_path: Any, keys: dict[str, Any]) -> None:
    house = House(tmp_path, keys)
    rows = [request([event("10:00 /", 0, "a")], remote_addr="203.0.113.7"),
            request([event("10:00 /", 0, "b")], remote_addr="203.0.113.8")]  # fmt: skip
    house.put("events/a.jsonl", lines(rows))
    house.put("exclusions/a.csv", b"kind,value,from,to,reason\nip,203.0.113.7,,,office\n")
    house.digest()
    shown = {row["visitor_id"]: (row["ip"], row["is_excluded"]) for row in house.events()}
    assert shown["a"][1] and not shown["b"][1]
    assert not {"203.0.113.7", "203.0.113.8"} & {ip for ip, _ in shown.values()}
    if keys["ip_addresses"] == "truncate":
        assert {ip for ip, _ in shown.values()} == {"203.0.113.0"}
    assert (house.settings.lake / "messages").stat().st_mode & 0o077 == 0


def test_another_masking_rewrites_the_days(tmp_path: Any) -> None:
    house = House(tmp_path)
    house.take(event("10:00 /"))
    assert house.events()[0]["ip"] == "203.0.113.7"
    house.keys["ip_addresses"] = "truncate"
    assert "sessionize" in tasks.pending(house.settings)
    house.digest()
    assert house.events()[0]["ip"] == "203.0.113.0"
