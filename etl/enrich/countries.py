"""The country of an address, before anything of the address is hidden or dropped."""

from collections.abc import Iterable

import pyarrow as pa

from etl.vocabulary.address_countries import Ranges, as_number


def countries(addresses: Iterable[str], ranges: Ranges) -> pa.Table:
    """Name the countries of distinct addresses (columns ip, country); of what no range holds there is no row."""
    found = [(address, code) for address in addresses if (code := ranges.find(as_number(address)))]
    return pa.table(
        {
            "ip": pa.array([address for address, _ in found], pa.string()),
            "country": pa.array([code for _, code in found], pa.string()),
        }
    )
