"""What editors and crashes leave around lines, and how deep JSON may be."""

import json

from backports import zstd
from builders import House, combined, event, events, lines, request

BOM, NULS = b"\xef\xbb\xbf", b"\x00" * 40


def test_the_mark_of_utf8_and_nuls_behind_a_line_are_read_over(house: House) -> None:
    house.put(
        "events/a.jsonl",
        BOM + lines([request(events("10:00 /a"))]) + lines([request(events("10:01 /b", first=1))])[:-1] + NULS,
    )
    house.put("pixel/a.log", BOM + lines([combined("10:00:00 /px.gif?e=v-p0&a=shop&p=desktop_web&v=v")])[:-1] + NULS)
    house.put("access/a.log", BOM + lines([combined("10:00:00 /page")])[:-1] + NULS)
    house.digest()
    assert house.reasons() == []
    assert [row["event_id"] for row in house.events() if not row["is_access"]] == ["v-0", "v-1"]
    assert sum(row["is_access"] for row in house.events()) == 1
    assert [row["page_id"] for row in house.scan("pixel_hits")] == ["v-p0"]


def test_a_line_that_nobody_asks_for_is_refused_if_it_is_wrong_with_all_that_came(house: House) -> None:
    picture = combined("10:00:00 /a.png")
    nobodys, timeless = combined("10:00:01 /b.png", ip="nobody"), combined("10:00:02 /c.png").replace("Mar", "Mai")
    house.put("access/a.log", BOM + lines([nobodys, picture, timeless + "\r", picture + "\r", combined("10:00 /page")]))
    house.digest()
    assert [(row["detail"], row["payload"]) for row in house.quarantine()] == [
        ("no client address: nobody - -", f"\ufeff{nobodys}"),
        ("no time: 01/Mai/2026:10:00:02 +0000", f"{timeless}\r"),
    ]
    assert [row["url_path"] for row in house.events()] == ["/page"]


def test_a_table_is_known_by_its_header_behind_the_mark(house: House) -> None:
    header = b"#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query sc-status cs(User-Agent)\n"
    house.put("access/a.log", BOM + header + b"2026-03-01 10:00:00 198.51.100.4 GET /page - 200 Mozilla/5.0+(X11)\n")
    house.digest()
    assert [row["url_path"] for row in house.events()] == ["/page"]


def test_a_window_that_is_not_read_is_said_in_words(house: House) -> None:
    options = {zstd.CompressionParameter.window_log: 31, zstd.CompressionParameter.enable_long_distance_matching: 1}
    packer = zstd.ZstdCompressor(options=options)
    house.put("events/a.jsonl.zst", packer.compress(lines([request(events("10:00 /a"))])) + packer.flush())
    house.digest()
    (row,) = house.landings()
    assert (row.status, row.detail) == (
        "unreadable", "compressed by zstd --long with a window of more than 128 MiB; compress it again without --long"
    )  # fmt: skip


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def test_data_may_be_wide_and_not_deeper_than_every_language_reads(house: House) -> None:
    wide = {"list": [{"a": [1]} for _ in range(1000)], "text": "[" * 3000}
    messages = [
        json.dumps(event("10:00 custom.wide", 0, data=wide)),
        json.dumps(event("10:00 custom.deep", 1, data="DEEP")).replace('"DEEP"', f'{{"a":{nested(499)}}}'),
        json.dumps(event("10:00 custom.deeper", 2, data="DEEP")).replace('"DEEP"', f'{{"a":{nested(500)}}}'),
    ]
    body = '{"messages":[' + ",".join(messages) + "]}"
    house.put("events/a.jsonl", lines([request([], "10:01", body=body)]))
    house.digest()
    assert house.reasons() == [("malformed_key", "data is nested deeper than 500 levels")]
    assert [row["schema"] for row in house.events()] == ["custom.wide", "custom.deep"]
    assert all(json.loads(row["data"]) for row in house.events())
