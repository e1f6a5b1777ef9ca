"""Lines of web servers' access logs: which are page views, whose, and what is wrong with the others."""

import hashlib
from typing import Any

from builders import BROWSER, PHONE, House, combined, moment, parsed

# Web servers' access logs.


def test_successful_reads_of_pages_are_page_views(house: House) -> None:
    cases = {
        combined("10:00:00 /"): True,
        combined("10:00:01 /page"): True,
        combined("10:00:02 /page", method="HEAD"): True,
        combined("10:00:03 /page", method="POST"): False,
        combined("10:00:04 /page", status=304): True,
        combined("10:00:05 /page", status=206): False,
        combined("10:00:06 /page", status=301): False,
        combined("10:00:07 /page", status=404): False,
        combined("10:00:08 /page.html"): True,
        combined("10:00:09 /image.PNG"): False,
        combined("10:00:10 /style.css?v=3"): False,
        combined("10:00:11 /page?file=a.css"): True,
        combined("10:00:12 /a.css/page"): True,
        combined("10:00:13 /feed.xml#x"): False,
        combined("10:00:14 /v1.2"): True,
        combined("10:00:15 /favicon.ico"): False,
        combined("10:00:16 /page.php?a=b/c.png"): True,
    }
    good = parsed(house, *cases, name="access/a.log")
    assert [row["line_number"] for row in good] == [number for number, kept in enumerate(cases.values(), 1) if kept]
    assert house.quarantine() == []


def test_access_page_view_has_the_shape_of_a_tracked_one(house: House) -> None:
    line = combined("10:00:00 /a?utm_source=x", referrer="https://b.example/")
    phone = combined("10:00:00 /a", agent=PHONE, ip="2001:db8::1")
    (first, second) = parsed(house, line, phone, name="access/blog/deep/a.log")
    digest = hashlib.md5(f"access:blog\n{line}".encode(), usedforsecurity=False).hexdigest()
    assert (first["event_id"], first["page_id"]) == (digest, digest)
    assert (first["app_id"], first["schema"], first["platform"]) == ("access:blog", "page_view", "desktop_web")
    assert (first["url"], first["url_path"], first["utm_source"]) == ("/a?utm_source=x", "/a", "x")
    assert (first["referrer_host"], first["ip"], first["user_agent"]) == ("b.example", "198.51.100.4", BROWSER)
    assert first["event_at"] == first["received_at"] == moment("10:00:00")
    assert first["is_access"] and first["stream_id"] is None and first["created_at"] is None
    assert (second["platform"], second["ip"]) == ("mobile_web", "2001:db8::1")
    assert first["visitor_id"] != second["visitor_id"]


def test_visitor_of_an_access_line_is_its_address_and_agent(house: House) -> None:
    good = parsed(
        house, combined("10:00:00 /a"), combined("10:00:01 /b"), combined("10:00:02 /b", ip="192.0.2.9"),
        combined("10:00:03 /b", agent=PHONE), name="access/a.log",
    )  # fmt: skip
    names = [row["visitor_id"] for row in good]
    assert names[0] == names[1] and len(set(names)) == 3
    assert {row["app_id"] for row in good} == {"access:site"}


def test_access_lines_that_cannot_be_read_are_quarantined(house: House) -> None:
    whole = combined("10:00:00 /a")
    bad: list[Any] = [
        whole[:70], whole[:-1], "", "nonsense", whole.replace("01/Mar", "31/Feb"), whole.replace(" 200 ", " 20 "),
        whole.replace("[", ""), b"\xff" + whole.encode(),
    ]  # fmt: skip
    good = parsed(house, *bad, whole, name="access/a.log")
    assert [row["line_number"] for row in good] == [9]
    assert [reason for reason, _ in house.reasons()] == ["bad_line"] * 8
    assert house.reasons()[4] == ("bad_line", "no time: 31/Feb/2026:10:00:00 +0000")
    assert house.quarantine()[0]["payload"] == whole[:70]


def test_odd_but_readable_access_lines_are_read(house: House) -> None:
    odd = [
        combined("10:00:00 /a").replace("+0000", "-0130"),
        combined("10:00:00 /a").replace(" 512 ", " - "),
        combined("10:00:00 /a").replace("- - [", "- john doe ["),
        combined("10:00:00 /a", agent='say \\"hi\\" and twenty five more'),
        combined("10:00:00 /a") + ' "extra" 0.003',
        combined("10:00:00 /a") + "\r",
        combined("10:00:00 /a").replace(" HTTP/1.1", ""),
        combined("10:00:00 /a", agent="-"),
    ]
    good = parsed(house, *odd, name="access/a.log")
    assert [row["line_number"] for row in good] == list(range(1, 9))
    assert good[0]["event_at"] == moment("11:30:00")
    assert good[3]["user_agent"] == 'say "hi" and twenty five more'
    assert good[5]["event_id"] == hashlib.md5(f"access:site\n{odd[5][:-1]}".encode(), usedforsecurity=False).hexdigest()
    assert good[7]["user_agent"] is None


def test_requests_that_are_no_requests_are_only_counted(house: House) -> None:
    odd = [
        '192.0.2.1 - - [01/Mar/2026:10:00:00 +0000] "-" 408 0 "-" "-"',
        '192.0.2.1 - - [01/Mar/2026:10:00:00 +0000] "\\x16\\x03\\x01" 400 0 "-" "-"',
        '192.0.2.1 - - [01/Mar/2026:10:00:00 +0000] "GET" 200 0 "-" "-"',
        '192.0.2.1 - - [01/Mar/2026:10:00:00 +0000] "" 200 0 "-" "-"',
    ]
    assert parsed(house, *odd, name="access/a.log") == [] and house.quarantine() == []
