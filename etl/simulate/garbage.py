"""Lines that make no valid message: what scanners, broken proxies and broken clients send."""

import json
from typing import Any

import numpy as np
import pyarrow as pa

from etl.simulate.text import SECOND, Ints, column, hexadecimal, random_words, texts, uuids

KINDS = (
    "bad_line", "bad_body", "unknown_schema", "unknown_version", "missing_key", "malformed_key",
    "no_message",
)  # fmt: skip
"""Quarantine reasons to expect; `no_message` is a request that is no batch at all."""


def lines(rng: np.random.Generator, times: Ints, share: float) -> tuple[Ints, pa.StringArray, list[str]]:
    """Make bad lines beside good ones.

    Returns:
        when they arrive, the lines, and what is wrong with each.
    """
    count = int(rng.binomial(len(times), share))
    when = rng.choice(times, count) if count else np.zeros(0, dtype=np.int64)
    kinds = [KINDS[kind] for kind in rng.integers(0, len(KINDS), count)]
    tokens = column(hexadecimal(random_words(rng, count))).to_pylist()
    ids = column(uuids(random_words(rng, count))).to_pylist()
    written = [
        _line(kind, int(at), token, message) for kind, at, token, message in zip(kinds, when, tokens, ids, strict=True)
    ]
    return when, texts(written), kinds


def _line(kind: str, at: int, token: str, message_id: str) -> str:
    """Write one bad line."""
    message: dict[str, Any] = {
        "version": 3, "id": message_id, "schema": "page_view", "app_id": "shop",
        "platform": "desktop_web", "tracker": "bh-js/3.1.0", "stream_id": token, "index": 0,
        "created_at": "2026-03-01T00:00:00.000Z", "visitor_id": f"v{token[:16]}", "user_id": None,
        "logged_in": False, "country": "US", "locale": "en_US",
        "page": {"id": message_id, "type": "home", "url": "https://www.shop.example/",
                 "referrer": None, "referring_page_id": None, "referring_click_id": None,
                 "navigation": "navigate"},
        "data": {},
    }  # fmt: skip
    match kind:
        case "unknown_schema":
            message["schema"] = "pageveiw"
        case "unknown_version":
            message["version"] = 99
        case "missing_key":
            message["visitor_id"] = ""
        case "malformed_key":
            message["index"] = "twelve"
    stamp = "2026-03-01T00:00:00.200Z"
    text = json.dumps({"sent_at": stamp, "messages": [message]}, separators=(",", ":"))
    if kind == "bad_body":
        text = text[: len(text) // 2]
    request = {
        "request_id": token, "received_at": at / SECOND, "remote_addr": "203.0.113.77",
        "host": "t1.shop.example", "method": "POST", "path": "/t", "query": "",
        "user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 "
                      "Firefox/128.0",
        "referer": "https://www.shop.example/", "content_type": "application/json", "body": text,
    }  # fmt: skip
    if kind == "no_message":
        request |= {"method": "GET", "path": "/wp-login.php", "body": ""}
    line = json.dumps(request, ensure_ascii=False, separators=(",", ":"))
    if kind == "bad_line":
        line = line[: len(line) * 2 // 3]
    return line + "\n"
