"""Addresses in the canonical data: what stays of them, and that exclusions still see all of them."""

import json
import re
from typing import Any

import pytest
from builders import BROWSER, House, combined, event, lines, request
from hypothesis import given
from hypothesis import strategies as st

from etl import pipeline
from etl.enrich.addresses import (
    PLAIN,
    Client,
    client_of,
    client_of_head,
    client_of_line,
    mask,
    pseudonym,
    read_address,
    read_networks,
)

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
    one, again, other = (mask("203.0.113.77", "hash", key) for key in (b"a", b"a", b"b"))
    assert one == again != other


CHAINS: dict[str, tuple[str, str | None, tuple[str, ...], str | None, bool]] = {
    # what: (field, forwarded-for, trusted proxies, client, whether anybody could have said so)
    "an address": ("203.0.113.9", None, (), "203.0.113.9", False),
    "with a port": ("203.0.113.9:4411", None, (), "203.0.113.9", False),
    "in quotes": ('"203.0.113.9"', None, (), "203.0.113.9", False),
    "mapped": ("::ffff:203.0.113.9", None, (), "203.0.113.9", False),
    "mapped, in brackets, with a port": ("[::ffff:203.0.113.9]:80", None, (), "203.0.113.9", False),
    "version 6 in brackets": ("[2001:DB8::1]:443", None, (), "2001:db8::1", False),
    "version 6 with a zone": ("fe80::1%eth0", None, (), "fe80::1", False),
    "a chain": ("203.0.113.9, 10.0.0.1", None, (), "203.0.113.9", True),
    "a chain whose left is private": ("192.168.1.4, 203.0.113.9, 198.51.100.1", None, (), "203.0.113.9", True),
    "a chain with nobody": ("unknown, 203.0.113.9", None, (), "203.0.113.9", False),
    "a chain of private ones": ("10.0.0.7, 10.0.0.1", None, (), "10.0.0.7", True),
    "a chain through trusted ones": ("6.6.6.6, 203.0.113.9, 198.51.100.1", None, ("198.51.100.0/24",), "203.0.113.9",
                                     False),
    "a chain of trusted ones": ("198.51.100.2, 198.51.100.1", None, ("198.51.100.0/24",), "198.51.100.2", False),
    "behind a private one": ("10.0.0.5", "203.0.113.9, 64.252.1.1", (), "203.0.113.9", True),
    "behind a carrier's": ("100.64.3.4", "203.0.113.9", (), "203.0.113.9", True),
    "behind one that is trusted": ("198.51.100.1", "6.6.6.6, 203.0.113.9", ("198.51.100.0/24",), "203.0.113.9", False),
    "a public one that says it is a proxy": ("198.51.100.1", "203.0.113.9", (), "198.51.100.1", False),
    "a private one without a word": ("10.0.0.5", "-", (), "10.0.0.5", False),
    "no address": ("www.shop.example:443", None, (), None, False),
    "no address, but forwarded": ("unix:", "203.0.113.9", (), "203.0.113.9", True),
    "an hour": ("10:00:00", None, (), None, False),
    "a number": ("3405803785", None, (), None, False),
    "nothing": ("", None, (), None, False),
}  # fmt: skip


@pytest.mark.parametrize("what", CHAINS)
def test_client_address(what: str) -> None:
    field, forwarded, trusted, ip, is_claimed = CHAINS[what]
    found = client_of([field], forwarded, read_networks(trusted))
    assert found == (Client(ip, is_claimed) if ip else None)


HEADS = {
    "203.0.113.9 - -": "client", "203.0.113.9 - john doe": "client", "- 203.0.113.9 - -": "client",
    '"203.0.113.9" - -': "client", "www.shop.example:443 203.0.113.9 - -": "client",
    "unknown, 203.0.113.9 - -": "client", "203.0.113.9, 10.0.0.1 - -": "client",
    "ERROR something 203.0.113.9": "client", "192.0.2.10 203.0.113.9 - -": "server client",
    "203.0.113.9 10.0.0.1 - -": "forwarded client", "203.0.113.9, 10.9.9.9 10.0.0.1 - -": "forwarded client",
    "<190>Mar 10 12:00:00 10.0.0.5 nginx: 203.0.113.9 - -": "client",
    "Mar  1 12:00:00 10.0.0.5 nginx[12]: 203.0.113.9 - -": "client",
    "<13>Mar  1 12:00:00 nginx: 203.0.113.9 - -": "client",
    "2026-03-10T12:00:00.1+01:00 10.0.0.5 nginx: 203.0.113.9 - -": "client",
    "<190>1 2026-03-10T12:00:00Z 10.0.0.5 nginx - - [x y=\"1\"] 203.0.113.9 - -": "client",
    "- 203.0.113.9  - -": "forwarded client", "[::ffff:203.0.113.9]:80 - -": "client",
}  # fmt: skip


@pytest.mark.parametrize("head", HEADS)
def test_client_of_a_head(head: str) -> None:
    found = client_of_head(head, HEADS[head].split(), None, ())
    assert found is not None and found.ip == "203.0.113.9"


def test_pseudonym_depends_on_key_address_and_agent_alone() -> None:
    one = pseudonym(b"key", "203.0.113.9", "agent")
    assert one == pseudonym(b"key", "203.0.113.9", "agent") and len(one) == 32
    others = {pseudonym(b"other", "203.0.113.9", "agent"), pseudonym(b"key", "203.0.113.8", "agent"),
              pseudonym(b"key", "203.0.113.9", None)}  # fmt: skip
    assert len(others | {one}) == 4


def test_home_makes_its_key_once_for_its_owner_alone(house: House) -> None:
    house.put("access/a.log", lines([combined("10:00:00 /a")]))
    house.digest()
    path = house.settings.home / "key"
    made = path.read_bytes()
    assert len(made) > 60 and path.stat().st_mode & 0o777 == 0o600
    (first,) = house.events()
    assert first["visitor_id"] == pseudonym(made.strip(), first["ip"], first["user_agent"])
    house.digest()
    assert path.read_bytes() == made
    house.keys["key"] = "another"
    assert "parse" in pipeline.pending(house.settings)
    house.digest()
    (again,) = house.events()
    assert again["visitor_id"] == pseudonym(b"another", first["ip"], first["user_agent"])


def test_snowplow_event_without_an_id_is_of_a_pseudonym_unless_its_address_was_cut(house: House) -> None:
    bare = {"e": "pv", "eid": "e1", "aid": "shop", "p": "web", "url": "https://shop.example/"}
    wholes = [("e1", {}), ("e2", {"privacy": "gpc"}), ("e3", {"remote_addr": "-"}), ("e4", {"network_id": "n1"}),
              ("e5", {"remote_addr": "203.0.113.7:99"})]  # fmt: skip
    rows = [
        request(
            [],
            "10:05",
            path="/com.snowplowanalytics.snowplow/tp2",
            body=json.dumps({"data": [bare | {"eid": eid}]}),
            **keys,
        )
        for eid, keys in wholes
    ]
    house.put("events/a.jsonl", lines(rows))
    house.digest()
    found = {row["event_id"]: row["visitor_id"] for row in house.events()}
    known = pseudonym((house.settings.home / "key").read_bytes().strip(), "203.0.113.7", BROWSER)
    assert found == {"e1": known, "e2": None, "e3": None, "e4": "n1", "e5": known}
    assert house.quarantine() == []
    assert {row["event_id"]: row["session_id"] for row in house.events()}["e2"] is None


@pytest.mark.parametrize("keys", [{"ip_addresses": "truncate"}, {"ip_addresses": "hash"}])
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
    assert "sessionize" in pipeline.pending(house.settings)
    house.digest()
    assert house.events()[0]["ip"] == "203.0.113.0"


@pytest.mark.parametrize("text", ["[]", "[]:80", "", "[", "]", ":", '""', "::ffff:", "%"])
def test_what_surrounds_nothing_is_no_address(text: str) -> None:
    assert read_address(text) is None


ALMOST = st.one_of(
    st.ip_addresses().map(str),
    st.lists(st.sampled_from(["0", "1", "9", "01", "10", "99", "255", "256", "300", ""]), min_size=3, max_size=5).map(
        ".".join
    ),
    st.lists(st.sampled_from(["", "0", "1a", "ffff", "12345", "G"]), min_size=2, max_size=9).map(":".join),
)
AFTER = st.sampled_from(["", " - -", " - frank", ", 10.0.0.1 - -", " , 10.0.0.1", ":80 - -", '" - -', "%eth0", "x"])


@given(text=ALMOST, after=AFTER)
def test_what_looks_like_an_address_at_once_is_one(text: str, after: str) -> None:
    head = text + after
    if re.search(PLAIN, head):
        for layout in (["client"], ["server", "client"], ["forwarded", "client"]):
            assert client_of_head(head, layout, None, ()) is not None


@given(text=ALMOST, after=AFTER, forwarded=st.sampled_from([None, "-", "203.0.113.9"]))
def test_a_plain_head_is_read_at_once_as_it_is_field_by_field(text: str, after: str, forwarded: str | None) -> None:
    head = text + after
    assert client_of_line("client", head, forwarded, ()) == client_of_head(head, ["client"], forwarded, ())


def test_addresses_are_known_at_once() -> None:
    for address in ("203.0.113.9", "2001:db8::7", "2001:db8:1:2:3:4:5:6"):
        assert re.search(PLAIN, f"{address} - -"), address
    for no_address in ("256.1.1.1 - -", "203.0.113 - -", "1:2:3:4:5:6:7:8:9 - -", "203.0.113.9, 10.0.0.1 - -", "- -"):
        assert not re.search(PLAIN, no_address), no_address
