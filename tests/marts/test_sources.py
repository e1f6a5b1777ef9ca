"""Where a session came from: the project's own landings, and cases that others published."""

import csv
import json
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
    warehouse.run("+int_sessions_aggregated")
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
    warehouse.run("+int_sessions_aggregated")
    rows = warehouse.query("select source, medium from intermediate.int_sessions_aggregated order by visitor_id")
    wrong = [
        (case["referer"], case["referer_class"], source, medium)
        for (case, _), (source, medium) in zip(cases, rows, strict=True)
        if REFERRER_MEDIUM.get(case["referer_class"], "referral") != medium and TOLD_BY_PATH not in case["referer"]
    ]
    assert wrong == []


def clicked(*names: str, **columns: Any) -> Row:
    """Make a landing whose address has click ids."""
    return {"click_ids": json.dumps(dict.fromkeys(names, "x"))} | columns


LANDINGS: list[tuple[Row, tuple[Any, ...]]] = [
    (clicked("gclid"), ("google", "cpc", None, "Paid Search")),
    (clicked("fbclid", "msclkid"), ("bing", "cpc", None, "Paid Search")),
    (clicked("fbclid"), ("facebook", "social", None, "Organic Social")),
    (clicked("dclid"), ("google", "display", None, "Display")),
    (clicked("yclid"), ("yandex", "cpc", None, "Paid Search")),
    (clicked("ttclid"), ("tiktok", "paid social", None, "Paid Social")),
    (clicked("twclid"), ("twitter", "paid social", None, "Paid Social")),
    (clicked("unheard_of"), ("(direct)", "(none)", None, "Direct")),
    # What is absent is filled, if the click is of the source that the link names.
    (clicked("gbraid", utm_source="google", utm_campaign="c"), ("google", "cpc", "c", "Paid Search")),
    (clicked("wbraid", utm_source="youtube"), ("youtube", "cpc", None, "Paid Video")),
    (clicked("gclid", "fbclid", utm_source="ig"), ("ig", "social", None, "Organic Social")),
    (clicked("gclid", utm_source="news"), ("news", None, None, "Unassigned")),
    (clicked("gclid", utm_campaign="c"), ("google", "cpc", "c", "Paid Search")),
    (clicked("gclid", utm_medium="banner"), ("google", "banner", None, "Display")),
    ({"utm_campaign": "c", "referrer_host": "blog.example.org"}, (None, None, "c", "Unassigned")),
    # What ad platforms' macros and people call a network.
    ({"utm_source": "fb", "utm_medium": "paid social"}, ("fb", "paid social", None, "Paid Social")),
    ({"utm_source": "an", "utm_medium": "cpc"}, ("an", "cpc", None, "Paid Social")),
    ({"utm_source": "adwords", "utm_medium": "cpc"}, ("adwords", "cpc", None, "Paid Search")),
    ({"utm_source": "dv360", "utm_medium": "cpm"}, ("dv360", "cpm", None, "Display")),
    ({"referrer_host": "shop.li"}, ("shop.li", "referral", None, "Referral")),
    ({"referrer_host": "xn--bcher-kva.example"}, ("(direct)", "(none)", None, "Direct")),
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
        clicked("gclid", utm_source="news", utm_medium="email"),
        ("news", "email", None, "Email"),
    ),
]


def test_landing_gives_the_session_its_source(warehouse: Warehouse) -> None:
    """GIVEN campaigns, click ids and referrers THEN the first that speaks decides."""
    warehouse.fill(events=[row for number, (columns, _) in enumerate(LANDINGS) for row in landing(number, **columns)])
    warehouse.run("+int_sessions_aggregated", own_hosts=["example.net", "xn--bcher-kva.example"])
    rows = warehouse.query("""
        select source, medium, campaign, channel
        from intermediate.int_sessions_aggregated order by visitor_id
    """)
    assert rows == [expected for _, expected in LANDINGS]
