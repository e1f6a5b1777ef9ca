"""Suspects as block lists, for a human to judge: exclusions to put into the inbox, and networks for the collector."""

import csv
import ipaddress
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from etl.formats import exclusions
from etl.lake.published import published
from etl.settings import Settings

KINDS = {"session": "session", "visitor": "visitor", "address": "ip"}
"""The kind of exclusion for each scope of a rule."""
LONGEST_REASON = 100


def write_block_lists(settings: Settings, folder: Path) -> dict[str, Any]:
    """Write `block_list.csv` and `blocks.csv` from the published suspects; return how many each names.

    Of suspects whose sessions are all bots' or excluded already there is nothing to decide. Visitors and addresses are
    excluded for their day only: an address is somebody else's tomorrow. An address from which anybody logged in or
    ordered is an office's or a household's, and stands in no list of networks. Where addresses are not kept as they
    were (setting `ip_addresses`) what stands in their place names nobody, or too many, and no list names it.

    Raises:
        BadUse: nothing has been published yet.
    """
    with published(settings) as con:
        rows = con.execute(
            """
            select date, scope, suspect, string_agg(rule_name || ' (' || evidence || ')', '; ' order by rule_name)
            from quality.suspects where flagged_session_count < session_count
            group by all order by date, scope, suspect
            """
        ).fetchall()
        theirs = con.execute(
            "select distinct ip from lake.events where user_id is not null or schema in ('order', 'refund')"
        ).fetchall()
    rows = [row for row in rows if row[1] != "address" or settings.ip_addresses == "keep"]
    folder.mkdir(parents=True, exist_ok=True)
    written = [block_row(*row) for row in rows]
    with (folder / "block_list.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(exclusions.COLUMNS)
        writer.writerows(written)
    shared = {canonical(address) for (address,) in theirs if address}
    networks = {
        address: plain(reason)
        for _, scope, suspect, reason in rows
        if scope == "address" and (address := canonical(suspect)) and address not in shared
    }
    with (folder / "blocks.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("network", "reason"))
        writer.writerows(sorted(networks.items()))
    return {"suspects": len(written), "addresses": len(networks), "folder": str(folder)}


def plain(reason: str) -> str:
    """Write a reason with the characters alone that cannot end a word of nginx's configuration, and not too long."""
    return re.sub(r"[^\w .,:;()/+-]+", " ", reason)[:LONGEST_REASON]


def block_row(day: date, scope: str, suspect: str, reason: str) -> tuple[str, str, str, str, str]:
    """Write one suspect as a row of an exclusions file."""
    since, until = ("", "") if scope == "session" else (day.isoformat(), (day + timedelta(days=1)).isoformat())
    return (KINDS[scope], suspect, since, until, reason)


def canonical(text: str) -> str | None:
    """Write an address as nginx reads it; None for what a log had in its place."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)
