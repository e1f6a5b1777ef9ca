"""URLs: split once a distinct value, in SQL; registrable domains once a distinct host."""

from collections.abc import Iterable
from functools import cache

import duckdb
import pyarrow as pa
import tldextract

CAMPAIGN_KEYS = ("utm_source", "utm_medium", "utm_campaign", "gclid", "msclkid", "fbclid")
"""The six values whose change starts a session."""
QUERY_KEYS = (*CAMPAIGN_KEYS, "utm_term", "utm_content")

HOST = r"^[a-zA-Z][a-zA-Z0-9+.\-]*://(?:[^/?#@]*@)?(\[[^\]/?#]*\]|[^/?#:]*)"
PATH = r"^(?:[a-zA-Z][a-zA-Z0-9+.\-]*://[^/?#]*)?([^?#]*)"
QUERY = r"^[^?#]*\?([^#]*)"

_public_suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


@cache
def registrable_domain(host: str) -> str:
    """Name the domain somebody registered: `shop.example.co.uk` → `example.co.uk`.

    An address, `localhost` and a public suffix are their own. Source: the Public Suffix List as
    tldextract ships it; a suffix that is not in it has one label, as the list's own rule says.
    """
    found = _public_suffixes(host)
    if found.top_domain_under_public_suffix or found.suffix or found.ipv4 or host.startswith("["):
        return found.top_domain_under_public_suffix or host
    labels = host.split(".")
    return ".".join(labels[-2:]) if all(labels) else host


def query_value(key: str) -> str:
    """Read one parameter of the column `query` in SQL: the first that is not empty, decoded; else null."""
    found = f"regexp_extract(query, '(?:^|&){key}=([^&]+)', 1)"
    spaced = f"replace({found}, '+', ' ')"
    return f"nullif(coalesce(try(url_decode({spaced})), {spaced}), '')"


def split(con: duckdb.DuckDBPyConnection, distinct: str, target: str) -> None:
    """Make table `target` (url, url_host, url_path, url_domain, campaign columns) of `distinct` (url)."""
    con.execute(
        f"""
        create or replace temp table url_parts as
        select
            url,
            nullif(rtrim(lower(regexp_extract(url, '{HOST}', 1)), '.'), '') as url_host,
            regexp_extract(url, '{PATH}', 1) as url_path,
            case when url like '%?%' then regexp_extract(url, '{QUERY}', 1) end as query
        from {distinct}
        """
    )
    hosts = con.execute("select distinct url_host from url_parts where url_host is not null").fetchall()
    con.register("host_domains", domains(host for (host,) in hosts))
    tagged = " or ".join(f"contains(query, '{key}=')" for key in QUERY_KEYS)
    con.execute(
        f"""
        create or replace temp table {target} as
        select
            url, url_host, url_path, url_domain,
            {", ".join(f"null::varchar as {key}" for key in QUERY_KEYS)}
        from url_parts left join host_domains using (url_host)
        where not coalesce({tagged}, false)
        union all
        select url, url_host, url_path, url_domain, {", ".join(f"{query_value(key)} as {key}" for key in QUERY_KEYS)}
        from url_parts left join host_domains using (url_host)
        where coalesce({tagged}, false)
        """
    )
    con.unregister("host_domains")
    con.execute("drop table url_parts")


def domains(hosts: Iterable[str]) -> pa.Table:
    """Pair each host with its registrable domain."""
    names = list(hosts)
    return pa.table(
        {
            "url_host": pa.array(names, pa.string()),
            "url_domain": pa.array([registrable_domain(name) for name in names], pa.string()),
        }
    )
