"""A shop's three days in the lake, small enough to count by hand."""

from datetime import date

from builders.warehouse import event, hits, moment, order, visit

# A shop's three days. Anna comes by a campaign, logs in later and buys; Ben only looks; a bot looks
# a lot; Carla is excluded; an app user buys; the pixel misses one page and the tracker another.

ANNA_1 = visit(
    "anna",
    "2026-03-01 10:00",
    "/a /b /a!",
    landing_utm_source="google",
    landing_utm_medium="cpc",
    landing_utm_campaign="spring",
)
ANNA_2 = visit("anna", "2026-03-02 09:00", "/a", user="u-anna")
ANNA_3 = visit("anna-phone", "2026-03-03 09:00", "/a /b", user="u-anna", platform="mobile_web")
BEN = visit(
    "ben",
    "2026-03-01 23:59:30",
    "/a /b",
    landing_referrer="https://www.google.co.uk/",
    landing_referrer_host="www.google.co.uk",
    landing_referrer_domain="google.co.uk",
)
BOT = visit("bot", "2026-03-01 12:00", "/a /b /c", is_bot=True, bot_reason="rate")
BOT[1]["bot_reason"] = "declared"
CARLA = visit("carla", "2026-03-01 13:00", "/a")
CARLA[0]["is_excluded"] = True
APP = visit("app", "2026-03-03 12:00", "/a /b /c", platform="ios")
ORDERS = [
    order("o1", "2026-03-03 09:01:30", "anna-phone", "100.01", session_id=ANNA_3[0]["session_id"]),
    order("o1", "2026-03-03 09:01:00", "anna-phone", "99.00", platform="mobile_web"),
    order("o2", "2026-03-03 12:01:00", "app", "7.5", session_id=APP[0]["session_id"]),
    order("o3", "2026-03-03 18:00:00", "ben", "20"),
    order("o4", "2026-03-01 12:01:00", "bot", "999", session_id=BOT[0]["session_id"]),
    order("o5", "2026-03-03 18:00:00", "stranger", "5"),
]
SHOP = [*ANNA_1, *ANNA_2, *ANNA_3, *BEN, *BOT, *CARLA, *APP, *ORDERS]
LOST = {"visitor_id": "dora", "app_id": "shop", "platform": "desktop_web", "page_id": "lost"}
SHOP_HITS = [
    *hits(*ANNA_1[:2], *ANNA_2, *BEN, *BOT, *CARLA),
    *hits(ANNA_1[0], app_id="later copy", hit_at=moment("2026-03-01 10:05")),
    *hits(event(**LOST, event_id="lost", event_at=moment("2026-03-01 10:30"))),
    *hits(
        event(
            **LOST | {"page_id": "botlost", "visitor_id": "bot"},
            event_id="botlost",
            event_at=moment("2026-03-01 12:30"),
        )
    ),
    *hits(
        event(**LOST | {"page_id": "ua"}, event_id="ua", event_at=moment("2026-03-01 12:30")),
        ua_bot_reason="declared",
    ),
]
LEDGER = {
    "files": [
        {
            "source_file": "events/a.jsonl",
            "source": "events",
            "file_id": 1,
            "status": "landed",
            "lines": 3,
            "bad_lines": 0,
            "messages": 5,
            "valid": 4,
            "quarantined": 1,
        }
    ],
    "event_counts": [
        {
            "file_id": 1,
            "source_file": "events/a.jsonl",
            "accepted": 2,
            "duplicates": 1,
            "collisions": 1,
            "event_date": date(2026, 3, 1),
        }
    ],
    "quarantine": [
        {
            "source_file": "events/a.jsonl",
            "line_number": 2,
            "position": 0,
            "reason": "unknown_schema",
            "detail": "x",
            "payload": "{}",
            "received_at": moment("2026-03-01 10:00"),
            "file_id": 1,
        }
    ],
}
