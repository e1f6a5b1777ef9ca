"""Where a session came from: the project's own landings, and cases that others published."""

import csv
from typing import Any
from urllib.parse import urlsplit

from builders import shared
from builders.warehouse import Row, Warehouse, visit


def reference_cases(name: str) -> list[dict[str, str]]:
    """Read published cases that are not part of the project."""
    with shared(name).open(newline="") as file:
        return list(csv.DictReader(file))


def landing(number: int, **columns: Any) -> list[Row]:
    """Make a session that differs from others by its landing alone."""
    return visit(f"v{number:03}", "2026-03-01 10:00", **columns)


def test_published_channel_cases_all_agree(warehouse: Warehouse) -> None:
    """GIVEN sources, mediums and campaigns with Google's answer THEN all of ours are the same."""
    cases = reference_cases("channel_cases.csv")
    utm = ("source", "medium", "campaign")
    warehouse.fill(
        events=[
            row
            for number, case in enumerate(cases)
            for row in landing(number, **{f"utm_{name}": case[name] or None for name in utm})
        ]
    )
    warehouse.run("--select", "+int_sessions_aggregated")
    rows = warehouse.query("select channel from intermediate.int_sessions_aggregated order by visitor_id")
    wrong = [
        (case, channel) for case, (channel,) in zip(cases, rows, strict=True) if case["expected_channel"] != channel
    ]
    assert wrong == []


def host_of(url: str) -> str | None:
    """Read the host of an address; None when it has none that could be read."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


# Hosts alone decide here; this engine is told from its host's other pages by the path.
TOLD_BY_PATH = "translate.googleusercontent.com/translate_c"

REFERRER_MEDIUM = {"external (search engine)": "organic", "external (media sites)": "social"}


def test_published_referrer_cases_agree(warehouse: Warehouse) -> None:
    """GIVEN real referrers THEN engines are organic, networks social, others neither."""
    cases = [(case, host) for case in reference_cases("referrer_cases.csv") if (host := host_of(case["referer"]))]
    warehouse.fill(
        events=[
            row
            for number, (case, host) in enumerate(cases)
            for row in landing(number, referrer=case["referer"], referrer_host=host)
        ]
    )
    warehouse.run("--select", "+int_sessions_aggregated")
    rows = warehouse.query("select source, medium from intermediate.int_sessions_aggregated order by visitor_id")
    wrong = [
        (case["referer"], case["referer_class"], source, medium)
        for (case, _), (source, medium) in zip(cases, rows, strict=True)
        if REFERRER_MEDIUM.get(case["referer_class"], "referral") != medium and TOLD_BY_PATH not in case["referer"]
    ]
    assert wrong == []


LANDINGS: list[tuple[Row, tuple[Any, ...]]] = [
    ({"gclid": "x"}, ("google", "cpc", None, "Paid Search")),
    ({"msclkid": "x", "fbclid": "y"}, ("bing", "cpc", None, "Paid Search")),
    ({"fbclid": "x"}, ("facebook", "social", None, "Organic Social")),
    ({}, ("(direct)", "(none)", None, "Direct")),
    (
        {"referrer_host": "www.shop.example", "referrer_domain": "shop.example"},
        ("(direct)", "(none)", None, "Direct"),
    ),
    ({"referrer_host": "pay.example.net"}, ("(direct)", "(none)", None, "Direct")),
    (
        {"referrer_host": "blog.example.org", "referrer_domain": "example.org"},
        ("blog.example.org", "referral", None, "Referral"),
    ),
    (
        {"gclid": "x", "utm_source": "news", "utm_medium": "email"},
        ("news", "email", None, "Email"),
    ),
]


def test_landing_gives_the_session_its_source(warehouse: Warehouse) -> None:
    """GIVEN campaigns, click ids and referrers THEN the first that speaks decides."""
    warehouse.fill(events=[row for number, (columns, _) in enumerate(LANDINGS) for row in landing(number, **columns)])
    warehouse.run("--select", "+int_sessions_aggregated", own_hosts=["example.net"])
    rows = warehouse.query("""
        select source, medium, campaign, channel
        from intermediate.int_sessions_aggregated order by visitor_id
    """)
    assert rows == [expected for _, expected in LANDINGS]
