"""URLs: split once a distinct value, in SQL; hosts and registrable domains once a distinct host."""

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

import duckdb
import idna
import pyarrow as pa

from etl.vocabulary import click_ids

if TYPE_CHECKING:
    import tldextract

TAGS = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
IN_LOWER_CASE = {"utm_source", "utm_medium"}

HOST = r"^[a-zA-Z][a-zA-Z0-9+.\-]*://(?:[^/?#@]*@)?(\[[^\]/?#]*\]|[^/?#:]*)"
PATH = r"^(?:[a-zA-Z][a-zA-Z0-9+.\-]*://[^/?#]*)?([^?#]*)"
QUERY = r"^[^?#]*\?([^#]*)"
FRAGMENT = r"#(.*)$"

BEFORE = {"query": "(?:^|&)(?:amp;)*", "fragment": "(?:^|[?&!/])(?:amp;)*"}
"""What stands before a parameter: links copied out of HTML have `&amp;`, a fragment may be a path with a query."""
TAGGED = rf"(?:[?&#!/]|amp;)(?:{'|'.join((*TAGS, *click_ids.NAMES))})="

OF_UTF8 = (
    "(?:%[0-7][0-9A-Fa-f]|%[CcDd][0-9A-Fa-f]%[89AaBb][0-9A-Fa-f]|%[Ee][0-9A-Fa-f](?:%[89AaBb][0-9A-Fa-f]){2}"
    "|%[Ff][0-7](?:%[89AaBb][0-9A-Fa-f]){3})"
)
"""One percent-encoded character."""
NOT_CANONICAL = r"[^\x00-\x7F]|%[0-9A-F]?[a-f]"


@cache
def public_suffixes() -> "tldextract.TLDExtract":
    """Read the Public Suffix List that tldextract ships."""
    import tldextract  # noqa: PLC0415  (brings a client of the network, which every command would wait for)

    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


@cache
def registrable_domain(host: str) -> str:
    """Name the domain somebody registered: `shop.example.co.uk` → `example.co.uk`.

    An address, `localhost` and a public suffix are their own. Source: the Public Suffix List as
    tldextract ships it; a suffix that is not in it has one label, as the list's own rule says.
    """
    found = public_suffixes()(host)
    if found.top_domain_under_public_suffix or found.suffix or found.ipv4 or host.startswith("["):
        return found.top_domain_under_public_suffix or host
    labels = host.split(".")
    return ".".join(labels[-2:]) if all(labels) else host


def ascii_host(host: str) -> str:
    """Write a host as browsers send it: `münchen.example` → `xn--mnchen-3ya.example`; what is no name stays.

    Source: UTS 46, without its transitional rules.
    """
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return host


def decoded(text: str) -> str:
    """Say in SQL a percent-encoded text decoded; a byte that is no UTF-8 stays as it is written (`%E9`)."""
    pieces = f"regexp_extract_all({text}, '{OF_UTF8}+|[^%]+|%')"
    piecewise = f"array_to_string(list_transform({pieces}, lambda piece: coalesce(try(url_decode(piece)), piece)), '')"
    return f"coalesce(try(url_decode({text})), {piecewise})"


def query_value(key: str, text: str = "query", kind: str = "query") -> str:
    """Read one parameter of a query or fragment in SQL: the first that is not empty, decoded; else null."""
    return f"nullif({decoded(f'''replace({sent_value(key, text, kind)}, '+', ' ')''')}, '')"


def sent_value(key: str, text: str = "query", kind: str = "query") -> str:
    """Read one parameter of a query or fragment in SQL as it stands there: the first that is not empty, else ''."""
    return f"regexp_extract({text}, '{BEFORE[kind]}{key}=([^&]+)', 1)"


def decoded_value(sent: str) -> str:
    """Say in SQL a parameter's value as it stands in a query decoded; null where it is empty. Few are encoded."""
    said = decoded(f"replace({sent}, '+', ' ')")
    is_encoded = f"contains({sent}, '%') or contains({sent}, '+')"
    return f"case when {is_encoded} then nullif({said}, '') when {sent} <> '' then {sent} end"


def canonical_path(path: str) -> str:
    """Say in SQL a path in the one way of writing it: `é` and `%c3%a9` are `%C3%A9`."""
    pieces = rf"regexp_extract_all({path}, '(?:%[0-9A-Fa-f]{{2}})+|[^\x00-\x7F]+|[\x00-\x24\x26-\x7F]+|%')"
    written = "when starts_with(piece, '%') then upper(piece) when unicode(piece) > 127 then url_encode(piece)"
    written = f"array_to_string(list_transform({pieces}, lambda piece: case {written} else piece end), '')"
    return f"case when regexp_matches({path}, '{NOT_CANONICAL}') then {written} else {path} end"


def tag(key: str) -> str:
    """Read one of a campaign's values in SQL, from the query, else from the fragment."""
    value = f"coalesce({query_value(key)}, {query_value(key, 'fragment', 'fragment')})"
    return f"lower({value})" if key in IN_LOWER_CASE else value


def split(con: duckdb.DuckDBPyConnection, distinct: str, target: str) -> None:
    """Make table `target` (url, url_host, url_path, url_domain, tags, click_ids as JSON) of `distinct` (url)."""
    con.execute(
        f"""
        create or replace temp table url_parts as
        select
            url,
            nullif(rtrim(lower(regexp_extract(url, '{HOST}', 1)), '.'), '') as host,
            regexp_extract(url, '{PATH}', 1) as path,
            coalesce(regexp_matches(url, '{TAGGED}'), false) as is_tagged
        from {distinct}
        """
    )
    hosts = con.execute("select distinct host from url_parts where host is not null").fetchall()
    con.register("host_names", names(host for (host,) in hosts))
    ids = ", ".join(f"'{name}', {tag(name)}" for name in click_ids.NAMES)
    con.execute(
        f"""
        create or replace temp table {target} as
        with placed as (
            select
                url_parts.url, host_names.url_host, {canonical_path("url_parts.path")} as url_path,
                host_names.url_domain, url_parts.is_tagged
            from url_parts left join host_names using (host)
        ),
        tagged as (
            select
                *, regexp_extract(url, '{QUERY}', 1) as query, regexp_extract(url, '{FRAGMENT}', 1) as fragment
            from placed where is_tagged
        )
        select
            url, url_host, url_path, url_domain, {", ".join(f"null::varchar as {key}" for key in TAGS)},
            null::varchar as click_ids
        from placed where not is_tagged
        union all
        select
            url, url_host, url_path, url_domain, {", ".join(f"{tag(key)} as {key}" for key in TAGS)},
            nullif(cast(json_merge_patch('{{}}', json_object({ids})) as varchar), '{{}}') as click_ids
        from tagged
        """
    )
    con.unregister("host_names")
    con.execute("drop table url_parts")


def names(hosts: Iterable[str]) -> pa.Table:
    """Pair each host, as it stands in URLs, with what it is called (url_host) and its registrable domain."""
    found = list(hosts)
    called = domains(ascii_host(host) for host in found)
    return called.append_column("host", pa.array(found, pa.string()))


def domains(hosts: Iterable[str]) -> pa.Table:
    """Pair each host with its registrable domain."""
    found = list(hosts)
    return pa.table(
        {
            "url_host": pa.array(found, pa.string()),
            "url_domain": pa.array([registrable_domain(host) for host in found], pa.string()),
        }
    )
