"""URLs, referrers and user agents of messages: each form with what is read of it."""

from typing import Any
from urllib.parse import quote

import pytest
from builders import House, Row, event, parsed, request

# URLs.

URLS: dict[str, dict[str, Any]] = {
    "https://Shop.Example/a/b?x=1#top": {"url_host": "shop.example", "url_path": "/a/b", "url_domain": "shop.example"},
    "https://user:pw@www.shop.co.uk:8443/": {"url_host": "www.shop.co.uk", "url_path": "/", "url_domain": "shop.co.uk"},
    "http://[2001:db8::1]:80/x": {"url_host": "[2001:db8::1]", "url_path": "/x"},
    "http://192.0.2.1/x": {"url_host": "192.0.2.1", "url_domain": "192.0.2.1"},
    "https://localhost": {"url_host": "localhost", "url_path": "", "url_domain": "localhost"},
    "/relative/path?utm_source=x": {"url_host": None, "url_path": "/relative/path", "utm_source": "x"},
    "not a url": {"url_host": None, "url_path": "not a url"},
    "https://a.example?utm_source=x": {"url_host": "a.example", "url_path": "", "utm_source": "x"},
    "https://a.example/?utm_source=a+b%20c": {"utm_source": "a b c"},
    "https://a.example/?utm_source=%C3%A9t%C3%A9": {"utm_source": "été"},
    "https://a.example/?utm_source=%2B%26%3D": {"utm_source": "+&="},
    "https://a.example/?utm_source=": {"utm_source": None},
    "https://a.example/?utm_source=&utm_source=x&utm_source=y": {"utm_source": "x"},
    "https://a.example/?utm_source": {"utm_source": None},
    "https://a.example/?xutm_source=a&utm_sourcex=b": {"utm_source": None},
    "https://a.example/?a=1&utm_medium=m&utm_campaign=c&utm_term=t&utm_content=k&gclid=g&msclkid=s&fbclid=f": {
        "utm_source": None, "utm_medium": "m", "utm_campaign": "c", "utm_term": "t", "utm_content": "k",
        "click_ids": '{"gclid":"g","msclkid":"s","fbclid":"f"}'},
    "https://a.example/?xgclid=a&gclidx=b&gclid=&utm_source=x": {"click_ids": None},
    "https://a.example/?ttclid=%22q%22&gbraid=g&ScCid=s": {
        "click_ids": r'{"gbraid":"g","ttclid":"\"q\"","ScCid":"s"}'},
    "https://a.example/?utm_source=Google&utm_medium=CPC&utm_campaign=Spring&utm_term=T&gclid=G": {
        "utm_source": "google", "utm_medium": "cpc", "utm_campaign": "Spring", "utm_term": "T",
        "click_ids": '{"gclid":"G"}'},
    "https://a.example/?utm_source=ÉTÉ": {"utm_source": "été"},
    "https://a.example/?a=1&amp;utm_source=x&amp;amp;utm_medium=y&amp;gclid=z": {
        "utm_source": "x", "utm_medium": "y", "click_ids": '{"gclid":"z"}'},
    "https://a.example/#?utm_source=x": {"utm_source": "x"},
    "https://a.example/?q=1#utm_source=x&utm_medium=y": {"utm_source": "x", "utm_medium": "y"},
    "https://a.example/#/shop?utm_source=x&amp;utm_medium=y": {"utm_source": "x", "utm_medium": "y"},
    "https://a.example/?utm_source=q&gclid=#utm_source=f&utm_medium=m&gclid=i": {
        "utm_source": "q", "utm_medium": "m", "click_ids": '{"gclid":"i"}'},
    "https://a.example/?utm_source=caf%E9+%C3%A9&utm_medium=%FF": {"utm_source": "caf%e9 é", "utm_medium": "%ff"},
    "https://a.example/?utm_source=x#y": {"utm_source": "x"},
    "https://a.example/?utm_source=a%3Db=c": {"utm_source": "a=b=c"},
    "https://a.example/p%20q?x": {"url_path": "/p%20q"},
    "https://a.example/é": {"url_path": "/%C3%A9"},
    "https://a.example/%c3%A9/~x/日%": {"url_path": "/%C3%A9/~x/%E6%97%A5%"},
    "https://München.example/": {"url_host": "xn--mnchen-3ya.example", "url_domain": "xn--mnchen-3ya.example"},
    "https://xn--mnchen-3ya.example/": {"url_host": "xn--mnchen-3ya.example"},
    "https://faß.example./": {"url_host": "xn--fa-hia.example"},
    "https://bücher.co.uk/": {"url_host": "xn--bcher-kva.co.uk", "url_domain": "xn--bcher-kva.co.uk"},
    "https://a\u202e.example/": {"url_host": "a\u202e.example"},
}  # fmt: skip


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    house = House(tmp_path_factory.mktemp("urls"))
    rows = [request([event("10:00 /", number, page_url=url)]) for number, url in enumerate(URLS)]
    good = parsed(house, *rows)
    return {row["url"]: row for row in good}


@pytest.mark.parametrize("url", URLS)
def test_url(url: str, split: dict[str, Row]) -> None:
    assert {key: split[url][key] for key in URLS[url]} == URLS[url]


def test_hostile_urls_harm_nothing(house: House) -> None:
    hostile = [
        "https://a.example/?utm_source=%FF%FE", "https://a.example/?utm_source=%zz%", "https://a.example/?utm_source=%00",
        "https://" + "a" * 5000 + "/", "https://a.example/?" + "&utm_source=" * 3000 + "x", "\u0000", "http://[", "https://.../",
        "https://a.example/?utm_source=" + quote("'; drop table x; --"), "javascript:alert(1)", "http://\u202e.example/",
        "https://xn--/", "https://a..b/", "https://-/",
    ]  # fmt: skip
    good = parsed(house, *(request([event("10:00 /", number, page_url=url)]) for number, url in enumerate(hostile)))
    assert len(good) == len(hostile)
    assert good[4]["utm_source"] == "x"
    assert good[8]["utm_source"] == "'; drop table x; --"


def test_campaign_is_of_page_views_only(house: House) -> None:
    good = parsed(house, request([event("10:00 click", page_url="https://a.example/x?utm_source=a")]))
    assert (good[0]["utm_source"], good[0]["url_path"]) == (None, "/x")


def test_referrer_is_split(house: House) -> None:
    good = parsed(house, request([event("10:00 /", page_referrer="https://www.Search.example/q?utm_source=no")]))
    assert (good[0]["referrer_host"], good[0]["referrer_domain"], good[0]["utm_source"]) == (
        "www.search.example", "search.example", None,
    )  # fmt: skip


def test_user_agent_says_browser_system_and_device(house: House) -> None:
    good = parsed(
        house, request([event("10:00 /")]), request([event("10:00 /", 1)], user_agent="-"),
        request([event("10:00 /", 2)], user_agent="Googlebot/2.1 (+http://www.google.com/bot.html)"),
        request([event("10:00 / @ios", 3)], user_agent="Googlebot/2.1 (+http://www.google.com/bot.html)"),
        request([event("10:00 / @backend", 4)], user_agent="python-requests/2.32"),
        request([event("10:00 /", 5)], user_agent="x" * 24), request([event("10:00 /", 6)], user_agent="x" * 25),
        request([event("10:00 /", 7)], user_agent="x" * 400), request([event("10:00 /", 8)], user_agent="x" * 401),
        request([event("10:00 /", 9)], user_agent=None),
    )  # fmt: skip
    assert (good[0]["browser"], good[0]["browser_version"], good[0]["os"]) == ("Firefox", "140.0", "Linux")
    assert [row["ua_bot_reason"] for row in good] == [
        None, "malformed_ua", "declared", None, None, "malformed_ua", None, None, "malformed_ua", "malformed_ua",
    ]  # fmt: skip
    assert good[1]["user_agent"] is None
