"""What is thrown out of a day: the exclusions that touch it, as rows to join by equality."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
import pyarrow.parquet as pq

from etl.lake.catalogue import Lake
from etl.lake.manifests import Nothing
from etl.stages.step import columns
from etl.vocabulary.columns import EXCLUSIONS

RULES = columns(EXCLUSIONS, "kind", "value", "since", "until")


@dataclass(frozen=True)
class Rule:
    """An exclusion, as it is applied; times in UTC, `until` not included; a network is a value as CIDR."""

    kind: str
    value: str
    since: datetime | None
    until: datetime | None

    def overlaps(self, day: date) -> bool:
        """Say whether any moment of a UTC day is excluded."""
        start = datetime.combine(day, time(), UTC)
        return (self.since is None or self.since < start + timedelta(days=1)) and (
            self.until is None or self.until > start
        )


def read_rules(lake: Lake) -> list[Rule]:
    """Read all exclusions that hold, each once, in an order of their own."""
    parts = [
        part
        for commit in lake.commits("exclusions", Nothing)
        for part in commit.parts
        if part.dataset == "exclusions"
    ]  # fmt: skip
    found = {
        Rule(**row)
        for path in lake.files(parts)
        for row in pq.read_table(path, columns=RULES.names, partitioning=None).to_pylist()
    }
    return sorted(found, key=repr)


def listed(rules: Sequence[Rule], addresses: Iterable[str | None]) -> pa.Table:
    """Write rules as rows (columns of `RULES`) to join by equality.

    Args:
        addresses: the distinct addresses in question; each is listed under the networks it lies in.
    """
    rows = [(rule.kind, rule.value, rule.since, rule.until) for rule in rules if rule.kind != "ip"]
    networks = [(ipaddress.ip_network(rule.value), rule) for rule in rules if rule.kind == "ip"]
    for address in addresses if networks else ():
        try:
            parsed = ipaddress.ip_address(address or "")
        except ValueError:
            continue
        # A dual-stack server logs IPv4 clients as ::ffff:198.51.100.9.
        parsed = getattr(parsed, "ipv4_mapped", None) or parsed
        rows += [("ip", str(address), rule.since, rule.until) for network, rule in networks if parsed in network]
    return pa.Table.from_pylist([dict(zip(RULES.names, row, strict=True)) for row in rows], schema=RULES)
