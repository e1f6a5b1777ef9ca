"""Lines of the pixel's log: which are hits, and what they say."""

from typing import Any

from builders import BROWSER, PHONE, House, Row, combined, moment, parsed

# The pixel's log.


def hits(house: House, *rows: Any) -> list[Row]:
    """Land and parse the pixel's lines; return the hits."""
    parsed(house, *rows, name="pixel/a.log")
    return house.scan("pixel_hits", "line_number")


def test_pixel_hit_is_read_from_its_parameters(house: House) -> None:
    (hit,) = hits(house, combined("10:00:05 /px.gif?e=p%201&a=shop&p=desktop_web&v=v+1&x=y"))
    assert {key: hit[key] for key in ("page_id", "app_id", "platform", "visitor_id", "ip", "user_agent")} == {
        "page_id": "p 1", "app_id": "shop", "platform": "desktop_web", "visitor_id": "v 1", "ip": "198.51.100.4",
        "user_agent": BROWSER,
    }  # fmt: skip
    assert hit["hit_at"] == moment("10:00:05") and str(hit["hit_date"]) == "2026-03-01" and hit["browser"] == "Firefox"


def test_only_get_of_the_pixel_with_a_page_is_a_hit(house: House) -> None:
    cases = {
        combined("10:00:00 /px.gif?e=p"): True,
        combined("10:00:00 /px.gif?v=1&e=p&e=q"): True,
        combined("10:00:00 /px.gif?e="): False,
        combined("10:00:00 /px.gif?ee=p"): False,
        combined("10:00:00 /px.gif"): False,
        combined("10:00:00 /px.gif?v=1#e=p"): False,
        combined("10:00:00 /px.gif?e=p", method="HEAD"): False,
        combined("10:00:00 /px.gif?e=p", method="POST"): False,
        combined("10:00:00 /other.gif?e=p"): False,
        combined("10:00:00 /PX.GIF?e=p"): False,
        combined("10:00:00 /a/px.gif?e=p"): False,
        combined("10:00:00 /px.gif?e=p", status=304): True,
    }
    found = hits(house, *cases, "cut")
    assert [hit["line_number"] for hit in found] == [
        number for number, is_hit in enumerate(cases.values(), 1) if is_hit
    ]
    assert {hit["page_id"] for hit in found} == {"p"}
    assert [reason for reason, _ in house.reasons()] == ["bad_line"]


def test_every_line_of_the_pixel_is_kept(house: House) -> None:
    line = combined("10:00:00 /px.gif?e=p")
    assert [hit["line_number"] for hit in hits(house, line, line)] == [1, 2]


def test_pixel_of_the_web_is_told_apart_by_the_user_agent(house: House) -> None:
    line = "10:00:00 /px.gif?e=p&p=web"
    found = hits(house, combined(line), combined(line, agent=PHONE), combined("10:00:00 /px.gif?e=p&p=ios"))
    assert [hit["platform"] for hit in found] == ["desktop_web", "mobile_web", "ios"]


def test_pixel_says_whose_page_it_is_on(house: House) -> None:
    """GIVEN `u=`, else a referrer with a path or a query THEN that is the page; an origin alone is a cut one."""
    stated = "10:00:00 /px.gif?e=p&u=https%3A%2F%2Fshop.example%2Fa%3Futm_source%3Dx%26b%3D1"
    cases = {
        combined(stated, referrer="https://shop.example/"): "https://shop.example/a?utm_source=x&b=1",
        combined("10:00:01 /px.gif?e=p", referrer="https://shop.example/a"): "https://shop.example/a",
        combined("10:00:02 /px.gif?e=p", referrer="https://shop.example/?a=1"): "https://shop.example/?a=1",
        combined("10:00:03 /px.gif?e=p", referrer="https://shop.example?a=1"): "https://shop.example?a=1",
        combined("10:00:04 /px.gif?e=p", referrer="https://shop.example/"): None,
        combined("10:00:05 /px.gif?e=p", referrer="https://shop.example"): None,
        combined("10:00:06 /px.gif?e=p"): None,
        combined("10:00:07 /px.gif?e=p&u=", referrer="https://shop.example/#a"): None,
    }
    assert [hit["page_url"] for hit in hits(house, *cases)] == list(cases.values())


def test_a_hits_page_is_split_as_an_events_is(house: House) -> None:
    """GIVEN a tagged page, one with a click id, a host in capitals and no page THEN each says what its URL says."""
    pages = [
        "https%3A%2F%2FShop.Example.%2Fcaf%25c3%25a9%3Futm_source%3DNews%26utm_medium%3DEMail%26utm_campaign%3DSpring",
        "https%3A%2F%2Fshop.example%2Fb%3Fgclid%3Dabc",
        "",
    ]
    found = hits(house, *(combined(f"10:00:0{number} /px.gif?e=p&u={page}") for number, page in enumerate(pages)))
    columns = ("url_host", "url_path", "utm_source", "utm_medium", "utm_campaign", "click_ids")
    assert [tuple(hit[column] for column in columns) for hit in found] == [
        ("shop.example", "/caf%C3%A9", "news", "email", "Spring", None),
        ("shop.example", "/b", None, None, None, '{"gclid":"abc"}'),
        (None, None, None, None, None, None),
    ]
