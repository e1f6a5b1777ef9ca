"""Client addresses: the one place that says from where a request came, and what is shown of it.

What stands in a log is a client's word, a proxy's, or a server's: with a port, in quotes or brackets, as a chain, in
the wrong field, or no address at all. All is decided of distinct values, never of rows.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal

import pyarrow as pa

Masking = Literal["keep", "truncate", "hash"]
Address = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]

NETWORK_BITS = {4: 24, 6: 48}
"""What stays of an address that is cut short: a network of many subscribers.
Source: the anonymisation that web analytics products do by default."""

NOT_PUBLIC: Networks = tuple(
    ip_network(network)
    for network in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "::1/128",
        "fc00::/7", "fe80::/10",
    )
)  # fmt: skip
"""RFC 1918, 6598, 4193, loopback and link-local. Documentation's and benchmarks' ranges count as public."""

FIELD = re.compile(r'"[^"]*"|[^\s,"]+(?:\s*,\s*[^\s,"]+)*')
"""A field of a line's head: quoted, or a chain with commas."""
WITH_PORT = re.compile(r"\[([^\]]*)\](?::[0-9]+)?|([0-9.]+):[0-9]+")
IN_TEXT = re.compile(
    r"(?<![\w.:])(?:[0-9]{1,3}(?:[.][0-9]{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f.]{0,15}){2,8})(?![\w])"
)
"""What may be an address within a text; whether it is one is asked of it."""
OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
QUAD = rf"{OCTET}(?:[.]{OCTET}){{3}}"
GROUP = "[0-9A-Fa-f]{1,4}"
GROUPS = "|".join(
    [f"{GROUP}(?::{GROUP}){{7}}", *(f"(?:{GROUP}:){{1,{left}}}(?::{GROUP}){{1,{7 - left}}}" for left in range(1, 7))]
)
PLAIN = rf"^(?:{QUAD}|{GROUPS})(?: |$)"
"""How heads begin that say beyond doubt from where a request came; what does not may still say it."""
ONE_QUAD = re.compile(rf"({QUAD})(?: [^\s,\"]+)*")
"""A head of which the first field is an address as it is written, and no chain."""
ALONE = re.compile(QUAD)
WRAPPER = re.compile(
    r"(?:<[0-9]{1,3}>)?(?:"
    r"1 [0-9-]{10}T\S+ \S+ \S+ \S+ \S+ (?:-|\[[^\]]*\]) |"
    r"(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}|[0-9-]{10}T[0-9:.]+\S*) (?:\S+ )?[^\s:]+: )"
)
"""What a syslog writes before another's line: its time, its host's name or address, and the program."""
LONGEST = 60
LAYOUT_OF_MOST = "client"
MOST_LINKS = 50
"""A longer chain is nobody's proxies."""

PSEUDONYM_DIGITS = 32


@dataclass(frozen=True)
class Client:
    """From where a request came; `is_claimed`: the client itself may have said so, since no proxy is trusted."""

    ip: str
    is_claimed: bool = False


def read_address(text: str) -> Address | None:
    """Read one address without what surrounds it: quotes, brackets, port, zone, `::ffff:`; None when it is none."""
    bare = text.strip().strip("\"'").strip()
    if len(bare) > LONGEST:
        return None
    found = WITH_PORT.fullmatch(bare)
    if found:
        bare = found[1] or found[2] or ""
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def read_chain(text: str | None) -> list[Address]:
    """Read the addresses of a field, in their order; what is none (`unknown`, `-`) is left out."""
    links = (text or "").strip().strip('"').split(",")[:MOST_LINKS]
    return [address for link in links if (address := read_address(link)) is not None]


def lies_in(address: Address, networks: Networks) -> bool:
    """Say whether an address lies in one of these networks."""
    return any(address in network for network in networks)


def client_of(fields: Sequence[str], forwarded: str | None, trusted: Networks) -> Client | None:
    """Say who a request is from: the first field that holds an address, or the forwarded-for field behind a proxy."""
    chain = next((chain for field in fields if (chain := read_chain(field))), [])
    behind = read_chain(forwarded)
    first = chain[0] if chain else None
    if behind and (first is None or lies_in(first, trusted) or lies_in(first, NOT_PUBLIC)):
        return of_chain(behind, trusted, is_claimed=True)
    return of_chain(chain, trusted, is_claimed=len(chain) > 1) if chain else None


def of_chain(chain: Sequence[Address], trusted: Networks, *, is_claimed: bool) -> Client:
    """Say who a chain of proxies is for: what trusted ones say is known, what any says is a claim."""
    if trusted and is_claimed:
        outside = [address for address in chain if not lies_in(address, trusted)]
        return Client(str(outside[-1] if outside else chain[0]))
    public = [address for address in chain if not lies_in(address, NOT_PUBLIC)]
    return Client(str(public[0] if public else chain[0]), is_claimed)


def fields_of(head: str) -> list[str]:
    """Cut the head of a line into its fields, without what a syslog wrote before them."""
    wrapper = WRAPPER.match(head)
    return FIELD.findall(head[wrapper.end() :] if wrapper else head)


def client_of_head(head: str, layout: Sequence[str], forwarded: str | None, trusted: Networks) -> Client | None:
    """Say who a line is from by the fields before its time, of which `layout` names those before ident and user.

    Where the field that should be the client's holds no address, the next that does counts.
    """
    fields = fields_of(head)
    place = layout.index("client")
    has_all = len(fields) > place and all(read_chain(field) for field in fields[1 : place + 1])
    if place and has_all and read_chain(fields[0]):
        others = [*fields[place + 1 :], *fields[:place]]
        said = fields[layout.index("forwarded")] if "forwarded" in layout else forwarded
        return client_of([fields[place], *others], said, trusted)
    return client_of(fields, forwarded, trusted)


def client_of_line(layout: str, text: str, forwarded: str | None, trusted: Networks) -> Client | None:
    """Say who a line is from by its head, or by the field that is the client's where no layout is named."""
    if forwarded is None or forwarded == "-":
        if layout == LAYOUT_OF_MOST and (plain := ONE_QUAD.fullmatch(text)):
            return Client(plain[1])
        if not layout and ALONE.fullmatch(text):
            return Client(text)
    return client_of_head(text, layout.split(), forwarded, trusted) if layout else client_of([text], forwarded, trusted)


@lru_cache(maxsize=8)
def read_networks(networks: tuple[str, ...]) -> Networks:
    """Read networks as settings name them."""
    return tuple(ip_network(network, strict=False) for network in networks)


def clients(rows: Iterable[tuple[str, str | None, str | None]], trusted: Networks) -> pa.Table:
    """Say who distinct (layout, client, forwarded) are: those columns, ip and address_from_client.

    A layout is the names of the head's fields, with blanks; an empty one says that the whole text is one field.
    """
    known = list(rows)
    found = [client_of_line(layout, text or "", forwarded, trusted) for layout, text, forwarded in known]
    columns = [list(column) for column in zip(*known, strict=True)] or [[], [], []]
    return pa.table(
        {
            "layout": pa.array(columns[0], pa.string()),
            "client": pa.array(columns[1], pa.string()),
            "forwarded": pa.array(columns[2], pa.string()),
            "ip": pa.array([client and client.ip for client in found], pa.string()),
            "address_from_client": pa.array([client and client.is_claimed for client in found], pa.bool_()),
        }
    )


def pseudonym(key: bytes, address: str, user_agent: str | None) -> str:
    """Name the one who reads with this browser from this address; without the key nobody can try addresses out."""
    said = f"{address}\n{user_agent or ''}".encode()
    return hmac.digest(key, said, "sha256").hex()[:PSEUDONYM_DIGITS]


def pseudonyms(key: bytes, people: Iterable[tuple[str, str | None]]) -> pa.Table:
    """Name distinct (address, user agent): those columns and pseudonym."""
    known = list(people)
    return pa.table(
        {
            "ip": pa.array([ip for ip, _ in known], pa.string()),
            "user_agent": pa.array([agent for _, agent in known], pa.string()),
            "pseudonym": pa.array([pseudonym(key, ip, agent) for ip, agent in known], pa.string()),
        }
    )


def mask(address: str, how: Masking, key: bytes = b"") -> str | None:
    """Cut an address short or hash it; None of what is no address and may not stay.

    A hash is keyed: the four thousand million addresses there are would be tried out in minutes.
    """
    if how == "keep":
        return address
    if how == "hash":
        return hmac.new(key, address.encode(), hashlib.sha256).hexdigest()[:32]
    found = read_address(address)
    if found is None:
        return None
    return str(ip_network((found, NETWORK_BITS[found.version]), strict=False).network_address)


def mask_text(text: str, how: Masking, key: bytes = b"") -> str:
    """Cut short or hash every address that stands in a text."""
    return IN_TEXT.sub(lambda found: mask(found[0], how, key) or "" if read_address(found[0]) else found[0], text)


def masked(addresses: Iterable[str], how: Masking, key: bytes = b"") -> pa.Table:
    """Pair each address with what is shown of it (columns ip, shown_ip)."""
    known = list(addresses)
    return pa.table(
        {
            "ip": pa.array(known, pa.string()),
            "shown_ip": pa.array([mask(address, how, key) for address in known], pa.string()),
        }
    )
