"""One message in each version of the collector's protocol."""

from builders import Message

MS = 1_772_359_200_000
"""2026-03-01 10:00 UTC, in epoch milliseconds."""

V1: Message = {
    "eid": "e1", "type": "pv", "app": "shop", "plat": "web", "lib": "1.4", "idx": 7, "ts": MS, "uid": "v", "cid": "u9",
    "li": 1, "cc": "US", "lc": "en_US",
    "pg": {"id": "p1", "t": "deal", "u": "https://shop.example/a", "r": "https://b.example/", "rp": "p0", "rc": "c0",
           "nav": 1},
    "d": {},
}  # fmt: skip
V2: Message = {
    "version": 2, "id": "e1", "schema": "page_view", "app_id": "shop", "platform": "desktop_web",
    "tracker": "bh-js/1.4", "index": 7, "created_at": MS, "visitor_id": "v", "user_id": "u9", "logged_in": True,
    "country": "US", "locale": "en_US", "page_id": "p1", "page_type": "deal", "url": "https://shop.example/a",
    "referrer": "https://b.example/", "parent_page_id": "p0", "parent_click_id": "c0", "nav": 1, "data": {},
}  # fmt: skip
V3: Message = {
    "version": 3, "id": "e1", "schema": "page_view", "app_id": "shop", "platform": "desktop_web",
    "tracker": "bh-js/1.4", "stream_id": "shop:v", "index": 7, "created_at": "2026-03-01T10:00:00.000000Z",
    "visitor_id": "v", "user_id": "u9", "logged_in": True, "country": "US", "locale": "en_US",
    "page": {"id": "p1", "type": "deal", "url": "https://shop.example/a", "referrer": "https://b.example/",
             "referring_page_id": "p0", "referring_click_id": "c0", "navigation": "reload"},
    "data": {},
}  # fmt: skip
