"""IP addresses in the canonical data: as they are, cut short, or hashed. The raw zone keeps them."""

import hashlib
import hmac
from collections.abc import Iterable
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Literal

import pyarrow as pa

Masking = Literal["keep", "truncate", "hash"]

NETWORK_BITS = {4: 24, 6: 48}
"""What stays of an address that is cut short: a network of many subscribers.
Source: the anonymisation that web analytics products do by default."""


def mask(address: str, how: Masking, key: str = "") -> str | None:
    """Cut an address short or hash it; None of what is no address and may not stay.

    A hash is keyed: the four thousand million addresses there are would be tried out in minutes.
    """
    if how == "keep":
        return address
    if how == "hash":
        return hmac.new(key.encode(), address.encode(), hashlib.sha256).hexdigest()[:32]
    try:
        found = ip_address(address)
    except ValueError:
        return None
    mapped: IPv4Address | None = getattr(found, "ipv4_mapped", None)
    found = mapped or found
    return str(ip_network((found, NETWORK_BITS[found.version]), strict=False).network_address)


def masked(addresses: Iterable[str], how: Masking, key: str = "") -> pa.Table:
    """Pair each address with what is shown of it (columns ip, shown_ip)."""
    known = list(addresses)
    return pa.table(
        {
            "ip": pa.array(known, pa.string()),
            "shown_ip": pa.array([mask(address, how, key) for address in known], pa.string()),
        }
    )
