"""The block list: whom nginx marks, why, until when, and by whose word.

A block marks what an address sends and drops nothing: the lines say `blocked` with the reason, their messages are
accepted and excluded, and the books balance. The list is a CSV in the collector's folder that people may read and
`python -m collector block` and `unblock` write; nginx reads what is made of it.
"""

import csv
import io
import re
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from collector.settings import CollectorSettings
from etl.errors import BadUse
from etl.lake import files

REASON = re.compile(r"[\w .,:;()/+-]{1,100}")
WIDEST = {4: 24, 6: 48}
"""A wider network is an office, a town or a country."""


@dataclass(frozen=True)
class Block:
    """One row of the list.

    Attributes:
        network: an address or network, as the standard library writes it.
        until: ISO time with zone; a block without an end would outlive the one who had the address.
        by: who decided; the pipeline suggests and never decides.
    """

    network: str
    reason: str
    until: str
    by: str

    @property
    def is_of(self) -> IPv4Network | IPv6Network:
        """The network as such."""
        return ip_network(self.network)

    def holds(self, now: datetime) -> bool:
        """Tell whether it has not ended."""
        return datetime.fromisoformat(self.until) > now


def block_list(settings: CollectorSettings) -> Path:
    """Name the file that people read."""
    return settings.folder / "blocked.csv"


def read_blocks(settings: CollectorSettings) -> list[Block]:
    """Read the list, those that have ended too."""
    try:
        with block_list(settings).open(newline="", encoding="utf-8") as file:
            return [Block(**row) for row in csv.DictReader(file)]
    except FileNotFoundError:
        return []


def write_blocks(settings: CollectorSettings, blocks: list[Block], now: datetime) -> bool:
    """Write the list, and for nginx what holds of it; return whether nginx has something to read anew."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(field.name for field in fields(Block))
    rows.writerows(astuple(block) for block in blocks)
    files.write_bytes(block_list(settings), text.getvalue().encode())
    lines = [f'{block.is_of} "{block.reason}";\n' for block in blocks if block.holds(now)]
    target = settings.run / "blocked.conf"
    new = "".join(lines).encode()
    if target.exists() and target.read_bytes() == new:
        return False
    files.write_bytes(target, new)
    return True


def block(settings: CollectorSettings, network: str, reason: str, until: datetime, by: str, now: datetime) -> bool:
    """Put an address or network on the list, in place of what was said of it; return whether nginx must read it.

    Raises:
        BadUse: it is no public address or too wide, or the reason cannot stand in nginx's configuration.
    """
    try:
        found = ip_network(network, strict=False)
    except ValueError as error:
        raise BadUse(f"{network!r} is no address and no network", "As 203.0.113.7 or 2001:db8::/64") from error
    if found.prefixlen < WIDEST[found.version]:
        raise BadUse(f"{found} is too wide", f"At most a /{WIDEST[found.version]}: others live there too")
    if any(found.overlaps(proxy) for proxy in proxies(settings, found.version)):
        raise BadUse(f"{found} is a trusted proxy", "All people who come through it would be blocked")
    if found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast:
        raise BadUse(f"{found} is nobody's address on the net", "Block the address of a client")
    for what, text in {"reason": reason, "by": by}.items():
        if not REASON.fullmatch(text):
            raise BadUse(
                f"{what} {text!r} has characters that nginx would read", "Letters, digits, spaces and .,:;()/+-"
            )
    others = [block for block in read_blocks(settings) if block.network != str(found)]
    return write_blocks(settings, [*others, Block(str(found), reason, until.isoformat(timespec="seconds"), by)], now)


def read_suggestions(file: Path) -> list[tuple[str, str]]:
    """Read networks and reasons that somebody has judged.

    Raises:
        BadUse: it is no such list.
    """
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            return [(row["network"], row["reason"]) for row in csv.DictReader(lines)]
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise BadUse(f"{file} is no list of blocks: {error}", "As etl suspects writes it: network,reason") from error


def proxies(settings: CollectorSettings, version: int) -> list[IPv4Network | IPv6Network]:
    """List the trusted proxies of a version of IP."""
    return [found for text in settings.trusted_proxies if (found := ip_network(text, strict=False)).version == version]


def unblock(settings: CollectorSettings, network: str, now: datetime) -> bool:
    """Take an address or network from the list; return whether nginx must read it.

    Raises:
        BadUse: it is not on the list.
    """
    blocks = read_blocks(settings)
    try:
        name = str(ip_network(network, strict=False))
    except ValueError:
        name = network
    left = [block for block in blocks if block.network != name]
    if len(left) == len(blocks):
        raise BadUse(f"{network} is not on the list", "See: python -m collector blocks")
    return write_blocks(settings, left, now)
