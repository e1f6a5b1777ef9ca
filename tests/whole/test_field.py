"""Logs as people post them, with what is true of them."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest
from builders import House, shared

from etl import pipeline
from etl.lake.catalogue import Lake
from etl.lake.manifests import Reading
from etl.settings import PROJECT
from etl.tools.check import check_file

ACCESS = (
    "alb_iis_caddy_json_common", "cloudfront", "dash_first", "proxy_log_main", "quoted_first", "server_ip_first",
    "vhost_first", "xff_chain_first",
)  # fmt: skip


def test_every_case_is_tried() -> None:
    tests = "".join((PROJECT / "tests" / name).read_text() for name in ("whole/test_field.py", "formats/test_spend.py"))
    assert [case.name for case in sorted(shared("field").iterdir()) if f'"{case.name}' not in tests] == []


def taken(tmp_path: Path, case: str, **keys: Any) -> House:
    """Digest a case's inbox."""
    house = House(tmp_path, keys)
    shutil.copytree(shared(f"field/{case}/inbox"), house.settings.inbox)
    house.digest()
    return house


@pytest.mark.parametrize("case", ACCESS)
def test_two_people_read_five_pages_in_every_folder(tmp_path: Path, case: str) -> None:
    house = taken(tmp_path, case)
    folders = {path.name for path in (house.settings.inbox / "access").iterdir()}
    events = house.events()
    assert {row["app_id"] for row in events} == {f"access:{name}" for name in folders}
    for name in folders:
        rows = [row for row in events if row["app_id"] == f"access:{name}"]
        people = {ip: sum(row["ip"] == ip for row in rows) for ip in {row["ip"] for row in rows}}
        assert people == {"203.0.113.10": 3, "198.51.100.20": 2}, name
        assert len({row["visitor_id"] for row in rows}) == 2, name
        assert not any(row["is_bot"] for row in rows), name
        assert {row["url_path"] for row in rows} >= {"/", "/pricing", "/products"}, name
    assert house.quarantine() == []


def test_rotated_files_of_the_same_lines_count_once(tmp_path: Path) -> None:
    assert len(taken(tmp_path, "rotated_names").events()) == 5


def test_people_whose_page_calls_an_api_are_no_bots(tmp_path: Path) -> None:
    events = taken(tmp_path, "spa_api").events()
    assert [(row["url_path"], row["is_bot"]) for row in events] == [("/dashboard", False)] * 2
    assert len({row["visitor_id"] for row in events}) == 2


def test_events_posted_to_a_path_of_ones_own_are_read(tmp_path: Path) -> None:
    assert [row["schema"] for row in taken(tmp_path, "custom_post_path").events()] == ["page_view"] * 5


def test_office_is_excluded_however_its_address_was_written(tmp_path: Path) -> None:
    assert [row["is_excluded"] for row in taken(tmp_path, "exclusion_ports").events()] == [True] * 4


def test_requests_of_another_tracker_are_told_by_their_path(tmp_path: Path) -> None:
    house = taken(tmp_path, "posthog_posted")
    assert house.events() == [] and house.quarantine() == []
    (commit,) = Lake(house.settings).commits("parse", Reading)
    assert list(commit.facts.unrouted.values()) == ["/e/ (4)"]


def test_tags_are_read_as_people_mess_them_up(tmp_path: Path) -> None:
    """GIVEN `&amp;`, capitals, tags in the fragment, one site in two spellings THEN each has its channel."""
    house = taken(tmp_path, "utm_mess")
    pipeline.build(house.settings)
    with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
        sessions = con.execute(
            "select visitor_id, source, medium, campaign, channel from core.sessions order by 1"
        ).fetchall()
        met = con.execute(
            "select sessions, cost from marketing.channel_performance"
            " where model = 'last_touch' and source = 'google' and medium = 'cpc' and campaign = 'spring'"
        ).fetchall()
    assert sessions == [
        ("u01_amp", "google", "cpc", "spring", "Paid Search"),
        ("u03_case", "google", "cpc", "Spring", "Paid Search"),
        ("u05_fragment", "audiencex", "display", "q1", "Display"),
        ("u24_idn", "(direct)", "(none)", None, "Direct"),
        ("u35_plus", "fb", "paid social", "a+b", "Paid Social"),
    ]
    assert met == [(2, 25)]


def test_one_bad_byte_spoils_one_character(tmp_path: Path) -> None:
    rows = {row["event_id"]: row for row in taken(tmp_path, "get_latin1").events()}
    spoilt = next(row for row in rows.values() if "%E9" in row["url"])
    assert (spoilt["url"], spoilt["url_host"]) == ("https://www.shop.example/caf%E9", "www.shop.example")
    assert len(rows) == 3


def test_spend_lands_whatever_it_is_called(tmp_path: Path) -> None:
    house = taken(tmp_path, "spend_names")
    assert {(row["source_file"], row["cost"]) for row in house.scan("spend")} == {
        ("spend/REPORT.CSV", 10), ("spend/export.tsv", 10),
    }  # fmt: skip


def test_exports_of_other_trackers_are_read(tmp_path: Path) -> None:
    house = taken(tmp_path, "foreign_exports")
    found = Counter((row["tracker"], row["schema"], row["visitor_id"], row["url"]) for row in house.events())
    page = "https://www.shop.example/"
    assert found == Counter({
        ("ga4", "page_view", "111.1", page): 1, ("ga4", "page_view", "111.1", f"{page}a"): 1,
        ("ga4", "page_view", "222.1", page): 1, **{("segment", "page_view", f"a{n}", page): 1 for n in range(4)},
    })  # fmt: skip
    assert house.quarantine() == [] and not any(row["is_bot"] for row in house.events())
    for file in sorted((house.settings.inbox / "events").iterdir()):
        verdicts = check_file(file, house.settings)
        assert {verdict.outcome for verdict in verdicts} == {"accepted"}
        assert len(verdicts) == len(file.read_bytes().splitlines())
